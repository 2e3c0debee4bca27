package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/daemon/preflight"
	"github.com/eksact/eksact/internal/netns"
)

// On a machine with an address of the public range, doctor says so and how to mend it;
// once the network is made, that it takes a fresh start.
func TestDoctorTellsOfCollidingRanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("makes a network namespace: run the tests as root")
	}
	ns, state := filepath.Join(t.TempDir(), "ns"), t.TempDir()
	if err := netns.Create(ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netns.Delete(ns) })
	check := func() (found preflight.Check) {
		t.Helper()
		err := netns.Do(ns, func() error {
			all := Preflight(state, t.TempDir())
			i := slices.IndexFunc(all, func(c preflight.Check) bool { return c.Name == "address ranges" })
			if i >= 0 {
				found = all[i]
			}
			return nil
		})
		if err != nil || found.Name == "" {
			t.Fatalf("%v: there is no such check", err)
		}
		return found
	}
	if c := check(); c.Err != nil {
		t.Fatalf("nothing collides: %+v", c)
	}
	err := netns.Do(ns, func() error {
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan", TxQLen: -1}, PeerName: "lan1", PeerTxQLen: -1}
		if err := netlink.LinkAdd(link); err != nil {
			return err
		}
		return netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(198, 18, 5, 1).To4(), Mask: net.CIDRMask(24, 32)}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := check(); c.Err == nil || !strings.Contains(c.Err.Error(), "198.18.0.0/16 is in use: the host's own address 198.18.5.1") || !strings.HasPrefix(c.Mend, "choose a free /16 with --public-cidr") {
		t.Errorf("%+v", c)
	}
	if err := Default(state, t.TempDir()).Save(); err != nil {
		t.Fatal(err)
	}
	if c := check(); c.Err == nil || !strings.HasPrefix(c.Mend, "eksact down --purge, then choose a free /16 with --public-cidr") {
		t.Errorf("of a network that was made: %+v", c)
	}
}
