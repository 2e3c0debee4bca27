package flows_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ti-mo/conntrack"

	"github.com/eksact/eksact/internal/engine/flowlog"
	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/flows"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// gathering is a sink that fills a table.
type gathering struct {
	mu     sync.Mutex
	table  flowlog.Table
	ends   int
	flags  int
	missed int
}

func (g *gathering) Ended(c flowlog.Connection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends++
	g.table.Ended(&c, 0, time.Now().Unix())
}

func (g *gathering) Refused(r flowlog.Refused) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.table.Refuse(&r)
}

func (g *gathering) Flags(u flowlog.Tuple, flags uint8) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flags++
	g.table.Flags(u, flags)
}

func (g *gathering) Missed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missed++
}

// house is a VPC with two machines whose interfaces are logged.
type house struct {
	*vpc.Network
	a, b     netip.Addr
	nsA, nsB string
	seen     *gathering
	capture  *flows.Capture
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{Network: vpctest.Open(t), seen: &gathering{}}
	h.a, _ = vpctest.Private(h.Config, 0)
	h.b, _ = vpctest.Private(h.Config, 1)
	var err error
	if h.nsA, err = h.AttachHost(context.Background(), "a", h.a); err != nil {
		t.Fatal(err)
	}
	if h.nsB, err = h.AttachHost(context.Background(), "b", h.b); err != nil {
		t.Fatal(err)
	}
	ground := flowlog.NewGround([]netip.Prefix{h.VPC}, h.Resolver(), vpc.Metadata)
	ground.Add(&flowlog.Interface{ID: "eni-a", Addr: h.a})
	ground.Add(&flowlog.Interface{ID: "eni-b", Addr: h.b})
	h.seen.table.SetGround(ground)
	return h
}

func (h *house) listen(t testing.TB) {
	t.Helper()
	var err error
	if h.capture, err = flows.Start(h.World(), h.Rules(), h.seen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.capture.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// webOnly lets a machine be reached at port 80 alone, as a security group does.
func (h *house) webOnly(t testing.TB, a netip.Addr) {
	t.Helper()
	e, err := nft.Open(h.World(), "test", nft.Options{IPv4: true, Log: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	err = e.Load(&ruleset.Program{
		Chains:  map[string]ruleset.Chain{"web": {Ingress: true, Rules: []ruleset.Rule{{Proto: 6, First: 80, Last: 80, Verdict: ruleset.Accept}}}},
		Ingress: map[netip.Addr]string{a: "web"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// records closes windows until there are so many records of flows that have the
// text.
func (h *house) records(t *testing.T, text string, want int) []string {
	t.Helper()
	const format = "${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${action} ${tcp-flags} ${flow-direction}"
	f, err := flowlog.ParseFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		now := time.Now().Unix()
		all, err := h.capture.Connections()
		if err != nil {
			t.Fatal(err)
		}
		h.seen.mu.Lock()
		h.seen.table.Connections(all, 0, now, false)
		for _, r := range h.seen.table.Close(0, now) {
			if line := string(f.Append(nil, &r)); r.Status == flowlog.OK && strings.Contains(line, text) {
				lines = append(lines, line)
			}
		}
		h.seen.mu.Unlock()
		if len(lines) >= want || time.Now().After(deadline) {
			slices.Sort(lines)
			return lines
		}
	}
}

// flags waits for so many packets with flags.
func (h *house) flags(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		h.seen.mu.Lock()
		n := h.seen.flags
		h.seen.mu.Unlock()
		if n >= want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packets with flags, want %d", n, want)
		}
	}
}

func dial(t *testing.T, ns, to string) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return netns.Dial(ns)(ctx, "tcp4", to)
}

// An accepted connection, one that the far end's rules refuse and one that its own
// do, each with what AWS's records show of it.
func TestCapture(t *testing.T) {
	h := newHouse(t)
	vpctest.Serve(t, h.nsB, h.b.String()+":80", "b")
	h.webOnly(t, h.b)
	h.listen(t)
	if err := h.capture.LogFlags(true); err != nil {
		t.Fatal(err)
	}

	c, err := dial(t, h.nsA, h.b.String()+":80")
	if err != nil {
		t.Fatal(err)
	}
	port := c.LocalAddr().(*net.TCPAddr).Port
	fmt.Fprint(c, strings.Repeat("x", 1000))
	// The greeting too: closing with something unread is a reset.
	if _, err := io.ReadFull(c, make([]byte, 1000+len("b ")+len(h.a.String())+1)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	// SYN, SYN-ACK and FIN are on their way for a hundredth of a second.
	h.flags(t, 3)
	got := h.records(t, " 6 ", 4)
	want := []string{
		fmt.Sprintf("eni-a %s %s %d 80 6 ", h.a, h.b, port),
		fmt.Sprintf("eni-a %s %s 80 %d 6 ", h.b, h.a, port),
		fmt.Sprintf("eni-b %s %s %d 80 6 ", h.a, h.b, port),
		fmt.Sprintf("eni-b %s %s 80 %d 6 ", h.b, h.a, port),
	}
	for i := range want {
		if len(got) <= i || !strings.HasPrefix(got[i], want[i]) || !strings.Contains(got[i], " ACCEPT ") {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
	var packets, bytes, flags int
	if _, err := fmt.Sscanf(strings.TrimPrefix(got[0], want[0]), "%d %d ACCEPT %d", &packets, &bytes, &flags); err != nil || packets < 4 || bytes < 1000+40*packets || bytes > 1000+60*packets || flags != 3 {
		t.Errorf("of %q: %d packets, %d bytes, flags %d, %v", got[0], packets, bytes, flags, err)
	}
	if !strings.HasSuffix(got[0], " egress") || !strings.HasSuffix(got[1], " ingress") || !strings.Contains(got[1], " ACCEPT 18 ") {
		t.Errorf("flags and directions: %q", got)
	}

	if _, err := dial(t, h.nsA, h.b.String()+":22"); err == nil {
		t.Fatal("port 22 is open")
	}
	got = h.records(t, " 22 6 ", 2)
	if len(got) != 2 || !strings.HasPrefix(got[0], fmt.Sprintf("eni-a %s %s ", h.a, h.b)) || !strings.Contains(got[0], " 22 6 1 60 ACCEPT 2 egress") ||
		!strings.HasPrefix(got[1], fmt.Sprintf("eni-b %s %s ", h.a, h.b)) || !strings.Contains(got[1], " 22 6 1 60 REJECT 2 ingress") {
		t.Errorf("refused by the far end: %q", got)
	}

	if _, err := dial(t, h.nsA, h.Host().String()+":9"); err == nil {
		t.Fatal("the host is reachable")
	}
	got = h.records(t, " 9 6 ", 1)
	if len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf("eni-a %s %s ", h.a, h.Host())) || !strings.Contains(got[0], " 9 6 1 60 REJECT 2 egress") {
		t.Errorf("refused by its own end: %q", got)
	}
	if h.seen.missed != 0 {
		t.Errorf("missed something %d times", h.seen.missed)
	}
}

// Connections that begin and end between two lists are in the window by their end.
func TestEnds(t *testing.T) {
	h := newHouse(t)
	h.listen(t)
	const count = 50
	far, err := netns.ListenPacket(h.nsB, "udp4", h.b.String()+":53")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	// What is sent before the kernel has seen both ends of a new link come up is lost.
	for c, err := netns.Dial(h.nsA)(t.Context(), "udp4", h.b.String()+":53"); ; {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "?")
		far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, _, err := far.ReadFrom(make([]byte, 10)); err == nil {
			defer c.Close()
			break
		}
	}
	// A UDP flow ends when it is deleted: no need to wait for the kernel's half minute.
	for range count {
		c, err := netns.Dial(h.nsA)(t.Context(), "udp4", h.b.String()+":53")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "hello")
		far.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := far.ReadFrom(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		defer c.Close() // later: another flow could get its port
	}
	err = netns.Do(h.World(), func() error {
		c, err := conntrack.Dial(nil)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Flush()
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, line := range h.records(t, " 17 ", 2*count) {
		var eni, from, to, action string
		var fromPort, toPort, proto, packets, bytes int
		fmt.Sscan(line, &eni, &from, &to, &fromPort, &toPort, &proto, &packets, &bytes, &action)
		if proto == 17 && packets == 1 && bytes == 33 && action == "ACCEPT" {
			total++
		}
	}
	if total != 2*count || h.seen.ends < count {
		t.Errorf("%d records of %d flows, %d ends", total, count, h.seen.ends)
	}
}
