package cni

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/imds"
	"github.com/eksact/eksact/internal/vpc/ipv6"
	"github.com/eksact/eksact/internal/vpc/nft"
)

const tokens6 = "http://[fd00:ec2::254]/latest/api/token"

// token asks for a metadata token by IPv6 and returns the status, or why there is none.
func token6(ns, from string) (int, error) {
	dial := netns.Dial(ns)
	if from != "" {
		dial = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			return conn, errors.Join(err, netns.Do(ns, func() error { conn, err = d.DialContext(ctx, network, address); return err }))
		}
	}
	client := &http.Client{Timeout: 500 * time.Millisecond, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	r, err := http.NewRequest("PUT", tokens6, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", "60")
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// answered6 is token6 of who is to be answered: a busy machine takes its time.
func answered6(ns string) (code int, err error) {
	for end := time.Now().Add(30 * time.Second); ; {
		if code, err = token6(ns, ""); err == nil || time.Now().After(end) {
			return code, err
		}
	}
}

// metadata serves it in the router, and shows who asked.
func metadata(t *testing.T, world string, instance imds.Instance, limit *atomic.Int32) *atomic.Value {
	t.Helper()
	asked := &atomic.Value{}
	server := imds.New(imds.Config{Instance: func(a netip.Addr) (imds.Instance, bool) {
		asked.Store(a)
		i := instance
		i.HopLimit = int(limit.Load())
		return i, true
	}})
	l, err := netns.Listen(world, "tcp6", netip.AddrPortFrom(ipv6.Metadata, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	return asked
}

// By IPv6 nodes and pods reach instance metadata, as far as the hop limit says, and
// nothing else; nobody as another.
func TestMetadataByIPv6(t *testing.T) {
	if !ipv6.Known() {
		t.Skip("the kernel has no IPv6")
	}
	ns, world := nodes(t, 2)
	a, b, c := ns[0].add(t, nil), ns[0].add(t, nil), ns[1].add(t, nil)
	limit := &atomic.Int32{}
	limit.Store(2)
	asked := metadata(t, world, imds.Instance{ID: "i-1", IPv6: true}, limit)
	for name, from := range map[string]struct {
		ns   string
		addr netip.Addr
	}{"a node": {ns[0].ns, ns[0].addr}, "its pod": {a.ns, a.addr}, "another node's pod": {c.ns, c.addr}} {
		if code, err := answered6(from.ns); err != nil || code != 200 || asked.Load() != ipv6.Local(from.addr) {
			t.Errorf("%s: %d, %v, asked by %v", name, code, err, asked.Load())
		}
	}
	limit.Store(1)
	if code, err := answered6(ns[0].ns); code != 200 {
		t.Errorf("a node with hop limit 1: %d, %v", code, err)
	}
	var timeout interface{ Timeout() bool }
	if code, err := token6(a.ns, ""); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a pod with hop limit 1: %d, %v; want no answer", code, err)
	}
	limit.Store(2)

	t.Run("nothing else", func(t *testing.T) { nothingElse(t, ns, a, b, c, world) })
	t.Run("as another", func(t *testing.T) {
		addresses6(t, a.ns, ipv6.Local(b.addr), ipv6.Local(ns[0].addr))
		addresses6(t, ns[1].ns, ipv6.Local(a.addr))
		for who, from := range map[string]struct {
			ns   string
			addr netip.Addr
		}{"another pod": {a.ns, b.addr}, "the node": {a.ns, ns[0].addr}, "a pod of another node": {ns[1].ns, a.addr}} {
			if code, err := token6(from.ns, ipv6.Local(from.addr).String()); err == nil {
				t.Errorf("as %s: %d", who, code)
			}
		}
	})
	t.Run("what restricts a pod", func(t *testing.T) { restricted(t, ns[0], a, b) })
	if _, err := ns[0].call(t, "DEL", a, nil); err != nil {
		t.Fatal(err)
	}
	if again := ns[0].add(t, map[string]any{"cooldown": "0s"}); again.ns != "" {
		if code, err := answered6(again.ns); code != 200 {
			t.Errorf("the next pod: %d, %v", code, err)
		}
	}
}

func nothingElse(t *testing.T, ns []*node, a, b, c pod, world string) {
	for _, at := range []string{world, ns[0].ns, ns[1].ns, a.ns, b.ns, c.ns} {
		l, err := netns.Listen(at, "tcp6", "[::]:8080")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	for _, from := range []string{world, ns[0].ns, a.ns} {
		for _, to := range []netip.Addr{ipv6.Metadata, ipv6.Local(ns[0].addr), ipv6.Local(ns[1].addr), ipv6.Local(a.addr), ipv6.Local(b.addr), ipv6.Local(c.addr)} {
			if owner := ipv6.Owner(to); from == world && to == ipv6.Metadata || from == ns[0].ns && owner == ns[0].addr || from == a.ns && owner == a.addr {
				continue // itself
			}
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			conn, err := netns.Dial(from)(ctx, "tcp6", netip.AddrPortFrom(to, 8080).String())
			cancel()
			if err == nil {
				conn.Close()
				t.Errorf("%s reached %s", from, to)
			}
		}
	}
}

// addresses6 gives a namespace more addresses than it should have.
func addresses6(t *testing.T, ns string, more ...netip.Addr) {
	t.Helper()
	err := netns.Do(ns, func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for _, a := range more {
			if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: onlyHost(a), Flags: unix.IFA_F_NODAD}); err != nil {
				return fmt.Errorf("%s: %w", a, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// restricted shows that a ruleset of the node's stops a pod by its second address, and
// a rule for the service's lets it pass.
func restricted(t *testing.T, n *node, a, b pod) {
	e, err := nft.Open(n.ns, "eksact-policy", nft.Options{Cut: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	defer e.Remove()
	service := ruleset.Set{Kind: ruleset.Blocks, Elements: map[ruleset.Element]struct{}{{Prefix: netip.PrefixFrom(ipv6.Metadata, 128)}: {}}}
	err = e.Load(&ruleset.Program{
		Sets:   map[string]ruleset.Set{"service": service},
		Chains: map[string]ruleset.Chain{"none": {}, "service": {Rules: []ruleset.Rule{{Peer: "service", Verdict: ruleset.Accept}}}},
		Egress: map[netip.Addr]string{ipv6.Local(a.addr): "none", ipv6.Local(b.addr): "service"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, err := token6(a.ns, ""); err == nil {
		t.Errorf("a pod that may send nothing: %d", code)
	}
	if code, err := answered6(b.ns); err != nil || code != 200 {
		t.Errorf("a pod that may send to the service: %d, %v", code, err)
	}
}

// The pod's addresses are those of the runtime's result; the second is none of them.
func TestSecondAddressIsNotKubernetes(t *testing.T) {
	ns, _ := nodes(t, 1)
	p := ns[0].add(t, nil)
	if strings.Contains(p.text, ipv6.Local(p.addr).String()) {
		t.Errorf("the result shows it: %s", p.text)
	}
}
