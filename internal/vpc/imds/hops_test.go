package imds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/imds"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// With real packets: the node reaches the service, a pod one hop behind it gets
// tokens only if the limit allows it, and the service knows whom it speaks to.
func TestHopLimit(t *testing.T) {
	n := vpctest.Open(t)
	addr, pods := vpctest.Private(n.Config, 0)
	nodeNS, err := n.AttachNode(context.Background(), "i-1", addr, pods)
	if err != nil {
		t.Fatal(err)
	}
	podNS := routedPod(t, nodeNS, pods.Addr())
	limit := 1
	server := imds.New(imds.Config{Instance: func(a netip.Addr) (imds.Instance, bool) {
		return imds.Instance{ID: "i-1", HopLimit: limit}, a == addr || pods.Contains(a)
	}})
	l, err := netns.Listen(n.World(), "tcp4", net.JoinHostPort(vpc.Metadata.String(), "80"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	}()

	token, err := request(nodeNS, "PUT", "/latest/api/token", "")
	if err != nil {
		t.Fatalf("the node with limit 1: %v", err)
	}
	if id, err := request(nodeNS, "GET", "/latest/meta-data/instance-id", token); err != nil || id != "i-1" {
		t.Fatalf("the node: %q, %v", id, err)
	}
	if token, err := request(podNS, "PUT", "/latest/api/token", ""); err == nil {
		t.Fatalf("a pod got the token %s with limit 1", token)
	} else if !os.IsTimeout(err) {
		t.Fatalf("a pod with limit 1: %v; want no answer", err)
	}
	// The path itself is open: other answers reach the pod.
	if _, err := request(podNS, "GET", "/latest/meta-data/instance-id", ""); err == nil || !strings.Contains(err.Error(), "401") {
		t.Fatalf("a pod without a token: %v", err)
	}
	limit = 2
	if _, err := request(podNS, "PUT", "/latest/api/token", ""); err != nil {
		t.Fatalf("a pod with limit 2: %v", err)
	}
	// From the Internet there is no way to it.
	if conn, err := net.DialTimeout("tcp4", net.JoinHostPort(n.Front().String(), "80"), time.Second); err == nil {
		conn.Close()
		t.Error("the host reached a port nobody listens on")
	}
}

func request(ns, method, path, token string) (string, error) {
	client := &http.Client{
		Timeout:   700 * time.Millisecond,
		Transport: &http.Transport{DialContext: netns.Dial(ns), DisableKeepAlives: true},
	}
	r, err := http.NewRequest(method, "http://169.254.169.254"+path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", "60")
	if token != "" {
		r.Header.Set("X-aws-ec2-metadata-token", token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		return "", fmt.Errorf("status %d", resp.StatusCode)
	}
	return string(body), err
}

// routedPod is a namespace behind the node, as the CNI plugin makes them.
func routedPod(t *testing.T, nodeNS string, addr netip.Addr) string {
	t.Helper()
	ns := filepath.Join(t.TempDir(), "pod")
	if err := netns.Create(ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netns.Delete(ns) })
	f, err := os.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	one := &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(32, 32)}
	gateway := net.ParseIP("169.254.1.1")
	end := func(name string, set func(h *netlink.Handle, l netlink.Link) error) func() error {
		return func() error {
			h, err := netlink.NewHandle()
			if err != nil {
				return err
			}
			defer h.Close()
			if name == "pod0" {
				veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "pod0", TxQLen: -1}, PeerName: "eth0", PeerTxQLen: -1, PeerNamespace: netlink.NsFd(int(f.Fd()))}
				if err := h.LinkAdd(veth); err != nil {
					return err
				}
			}
			l, err := h.LinkByName(name)
			if err != nil {
				return err
			}
			return errors.Join(h.LinkSetUp(l), set(h, l))
		}
	}
	err = netns.Do(nodeNS, end("pod0", func(h *netlink.Handle, l netlink.Link) error {
		return errors.Join(
			h.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: gateway, Mask: net.CIDRMask(32, 32)}}),
			h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: one, Scope: netlink.SCOPE_LINK}))
	}))
	if err != nil {
		t.Fatal(err)
	}
	err = netns.Do(ns, end("eth0", func(h *netlink.Handle, l netlink.Link) error {
		return errors.Join(
			h.AddrAdd(l, &netlink.Addr{IPNet: one}),
			h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: &net.IPNet{IP: gateway.To4(), Mask: net.CIDRMask(32, 32)}, Scope: netlink.SCOPE_LINK}),
			h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway}))
	}))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}
