// Package uplink gives tests a machine whose every packet to the outside is
// counted.
//
// A Host is a network namespace with a loopback and one link out, the uplink, on
// which the default route leads to any address there is. At the other end, in a
// namespace of its own too, nobody answers, and every frame that arrives is
// noted. What a test runs on the Host (eksact and all it starts, aws, kubectl)
// believes to be on a machine with a network; nothing of it can reach the real
// one. A packet that leaves unasked is a packet noted, whatever process sent it
// and by whatever protocol: there is no rule that could miss it.
//
// That the counter counts is shown by a packet that the Host itself sends, at the
// beginning and at the end.
package uplink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"

	"github.com/eksact/eksact/internal/netns"
)

// The uplink's ends, and where the control packet goes: addresses set aside for
// documentation, which no program has a reason to call.
var (
	near    = netip.MustParsePrefix("203.0.113.2/24")
	far     = netip.MustParsePrefix("203.0.113.1/24")
	nowhere = netip.MustParseAddrPort("198.51.100.9:9")
)

// Host is the machine. Make one with New.
type Host struct {
	t    testing.TB
	path string // file of its namespace

	mu   sync.Mutex
	sent []string
}

// New makes a Host that ends with the test.
func New(t testing.TB) *Host {
	t.Helper()
	h := &Host{t: t}
	dir := h.folder()
	h.path = filepath.Join(dir, "host")
	outside := filepath.Join(dir, "outside")
	for _, ns := range []string{h.path, outside} {
		h.must(netns.Create(ns))
		h.must(netns.Do(ns, quiet))
	}
	h.must(netns.Do(h.path, forward))
	h.must(h.link(outside))
	h.must(h.watch(outside))
	h.must(h.watchResolvers())
	h.Control()
	return h
}

func (h *Host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("uplink: %v", err)
	}
}

// quiet keeps the kernel from speaking of its own accord on links to come.
func quiet() error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a kernel without IPv6
	}
	return err
}

// forward makes the machine pass on what comes in, as one with Docker on it does.
func forward() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }

// The hardware addresses of the uplink's ends. Each end knows the other's, so
// that no packet waits for an answer and none is an answer.
var (
	nearMAC = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	farMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 1}
)

// link joins the two namespaces.
func (h *Host) link(outside string) error {
	peer, err := vnetns.GetFromPath(outside)
	if err != nil {
		return err
	}
	defer peer.Close()
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.HardwareAddr = "uplink", nearMAC
	// Two ends of the same index would be taken for no pair, and carry packets a
	// second later only (linkwatch_urgent_event of the kernel).
	attributes.Index = 100
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: "outside", PeerHardwareAddr: farMAC, PeerNamespace: netlink.NsFd(peer)}
	if err := netns.Do(h.path, func() error { return netlink.LinkAdd(veth) }); err != nil {
		return err
	}
	if err := netns.Do(outside, func() error { return up("outside", far, near.Addr(), nearMAC) }); err != nil {
		return err
	}
	return netns.Do(h.path, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return errors.Join(
			netlink.LinkSetUp(lo),
			up("uplink", near, far.Addr(), farMAC),
			netlink.RouteAdd(&netlink.Route{LinkIndex: attributes.Index, Gw: far.Addr().AsSlice()}),
			await(attributes.Index),
		)
	})
}

// up gives one end its address and makes the other known to it.
func up(name string, address netip.Prefix, other netip.Addr, otherMAC net.HardwareAddr) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	ip := &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}
	return errors.Join(
		netlink.AddrAdd(l, &netlink.Addr{IPNet: ip}),
		netlink.LinkSetUp(l),
		netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: other.AsSlice(), HardwareAddr: otherMAC}),
	)
}

// await returns when the link carries packets.
func await(index int) error {
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l, err := netlink.LinkByIndex(index)
		if err != nil {
			return err
		}
		if l.Attrs().OperState == netlink.OperUp {
			return nil
		}
	}
	return errors.New("the link does not come up")
}

// watchResolvers listens where the machine's resolv.conf names a resolver on
// loopback: a question to it would go on to the network, on a real machine.
func (h *Host) watchResolvers() error {
	data, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		address, err := netip.ParseAddr(fields[1])
		if err != nil || !address.IsLoopback() {
			continue // its packets are seen on the uplink
		}
		c, err := netns.ListenPacket(h.path, "udp", netip.AddrPortFrom(address, 53).String())
		if err != nil {
			return err
		}
		h.t.Cleanup(func() { c.Close() })
		go func() {
			for buf := make([]byte, 1500); ; {
				n, _, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				h.note("a question to the machine's resolver: " + question(buf[:n]))
			}
		}()
	}
	return nil
}

func (h *Host) note(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, what)
}

// Path is the file of the Host's network namespace.
func (h *Host) Path() string { return h.path }

// Here makes a command, and what it starts, run on the Host.
func (h *Host) Here(cmd *exec.Cmd) *exec.Cmd {
	h.t.Helper()
	h.must(cmd.Err)
	nsenter, err := exec.LookPath("nsenter")
	h.must(err)
	cmd.Args = append([]string{"nsenter", "--net=" + h.path, "--", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = nsenter
	return cmd
}

// Sent lists what has left the Host by its uplink, each packet in words.
func (h *Host) Sent() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sent)
}

// Await returns when a packet was noted in whose description want is.
func (h *Host) Await(want string) {
	h.t.Helper()
	for end := time.Now().Add(120 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if slices.ContainsFunc(h.Sent(), func(packet string) bool { return strings.Contains(packet, want) }) {
			return
		}
	}
	h.t.Errorf("no packet %q was noted, but %q", want, h.Sent())
}

// Control sends one packet and makes sure that it, and it alone, is noted; then
// it is forgotten.
func (h *Host) Control() {
	h.t.Helper()
	before := len(h.Sent())
	h.must(netns.Do(h.path, func() error {
		c, err := net.Dial("udp", nowhere.String())
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("counted?"))
		return err
	}))
	want := fmt.Sprintf("udp to %v", nowhere)
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		found := slices.Index(h.sent[before:], want)
		if found >= 0 {
			h.sent = slices.Delete(h.sent, before+found, before+found+1)
		}
		h.mu.Unlock()
		if found >= 0 {
			return
		}
	}
	h.t.Fatalf("uplink: the counter does not count: a packet %q was sent and not noted", want)
}

// CheckNothingSent fails the test when anything but the control has left.
func (h *Host) CheckNothingSent() {
	h.t.Helper()
	h.Control()
	sent := h.Sent()
	if len(sent) == 0 {
		h.t.Log("packets that left the machine unasked: 0")
		return
	}
	h.t.Errorf("%d packets left the machine unasked:\n  %s", len(sent), strings.Join(sent[:min(len(sent), 20)], "\n  "))
}
