package vpc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// side is one end of a link: a namespace, opened.
type side struct {
	*netlink.Handle
	file *os.File
	kept keptRoutes // of a namespace whose routes are kept: those made
}

// enter opens the namespace named by path; an empty path is the process's own.
func enter(path string) (*side, error) {
	file := path
	if file == "" {
		// Of this thread: another may be visiting elsewhere just now.
		file = "/proc/thread-self/ns/net"
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	s := &side{file: f}
	err = netns.Do(path, func() (err error) {
		s.Handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *side) close() {
	if s.Handle != nil {
		s.Handle.Close()
	}
	s.file.Close()
}

// plug is one end of a veth.
type plug struct {
	at   *side
	name string
	mac  net.HardwareAddr
}

// pair makes sure that a veth joins the two plugs, and is up. Ends found without
// each other are removed first.
func pair(outer, inner plug, mtu int) (netlink.Link, netlink.Link, error) {
	out, in, err := found(outer, inner)
	if err != nil {
		return nil, nil, err
	}
	if out == nil {
		veth := &netlink.Veth{
			LinkAttrs:        netlink.LinkAttrs{Name: outer.name, MTU: mtu, HardwareAddr: outer.mac, TxQLen: 1000},
			PeerName:         inner.name,
			PeerHardwareAddr: inner.mac,
			PeerTxQLen:       1000,
			PeerMTU:          uint32(mtu),
			PeerNamespace:    netlink.NsFd(int(inner.at.file.Fd())),
		}
		if err := outer.at.LinkAdd(veth); err != nil {
			return nil, nil, fmt.Errorf("making veth %s to %s: %w", outer.name, inner.name, err)
		}
		if out, in, err = found(outer, inner); err != nil {
			return nil, nil, err
		}
		if out == nil {
			return nil, nil, fmt.Errorf("veth %s to %s was removed by another", outer.name, inner.name)
		}
	}
	for p, l := range map[*plug]netlink.Link{&outer: out, &inner: in} {
		if l.Attrs().MTU != mtu {
			if err := p.at.LinkSetMTU(l, mtu); err != nil {
				return nil, nil, fmt.Errorf("setting MTU %d of %s: %w", mtu, p.name, err)
			}
		}
		if l.Attrs().Flags&net.FlagUp == 0 {
			if err := p.at.LinkSetUp(l); err != nil {
				return nil, nil, fmt.Errorf("setting %s up: %w", p.name, err)
			}
		}
	}
	outer.carries()
	inner.carries()
	return out, in, nil
}

// carries returns when an end that was set up sends, or a second has passed. The kernel
// gets to that a while after both ends are up, and loses what is sent before; asked for the
// link it does it at once, since Linux 6.8.
func (p plug) carries() {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if l, err := p.at.LinkByName(p.name); err != nil || l.Attrs().OperState == netlink.OperUp {
			return
		}
	}
}

// found returns the two ends when they are each other's, as wanted; else it
// removes whatever has their names and returns nil.
func found(outer, inner plug) (netlink.Link, netlink.Link, error) {
	out, err := outer.at.link(outer.name)
	if err != nil {
		return nil, nil, err
	}
	in, err := inner.at.link(inner.name)
	if err != nil {
		return nil, nil, err
	}
	if out != nil && in != nil && out.Attrs().ParentIndex == in.Attrs().Index && in.Attrs().ParentIndex == out.Attrs().Index &&
		out.Attrs().HardwareAddr.String() == outer.mac.String() && in.Attrs().HardwareAddr.String() == inner.mac.String() {
		return out, in, nil
	}
	if out != nil {
		if err := outer.at.unlink(outer.name); err != nil {
			return nil, nil, err
		}
	}
	if in != nil {
		if err := inner.at.unlink(inner.name); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}

// link finds a link by name; nil when there is none.
func (s *side) link(name string) (netlink.Link, error) {
	l, err := s.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for link %s: %w", name, err)
	}
	return l, nil
}

// unlink removes a link, if it is there.
func (s *side) unlink(name string) error {
	l, err := s.link(name)
	if err != nil || l == nil {
		return err
	}
	if err := s.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing link %s: %w", name, err)
	}
	return nil
}

// addresses makes sure that the link has these addresses, without the route to
// the prefix that the kernel would add: routes here are all explicit.
func (s *side) addresses(l netlink.Link, all ...netip.Prefix) error {
	for _, p := range all {
		addr := &netlink.Addr{IPNet: ipnet(p), Flags: unix.IFA_F_NOPREFIXROUTE}
		if p.Addr().Is6() {
			addr.Flags |= unix.IFA_F_NODAD // nobody else can have it
		}
		if err := s.AddrReplace(l, addr); err != nil {
			return fmt.Errorf("address %s on %s: %w", p, l.Attrs().Name, err)
		}
	}
	return nil
}

// neighbour makes addr's hardware address known on the link for good.
func (s *side) neighbour(l netlink.Link, addr netip.Addr, mac net.HardwareAddr) error {
	err := s.NeighSet(&netlink.Neigh{
		LinkIndex: l.Attrs().Index, Family: familyOf(addr), State: netlink.NUD_PERMANENT,
		IP: addr.AsSlice(), HardwareAddr: mac,
	})
	if err != nil {
		return fmt.Errorf("neighbour %s on %s: %w", addr, l.Attrs().Name, err)
	}
	return nil
}

// onLink routes a destination straight to the link.
func (s *side) onLink(l netlink.Link, dst netip.Prefix, src netip.Addr) error {
	return s.route(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipnet(dst), Src: src.AsSlice(), Scope: netlink.SCOPE_LINK})
}

// via routes a destination to a neighbour on the link.
func (s *side) via(l netlink.Link, dst netip.Prefix, gateway, src netip.Addr) error {
	return s.route(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipnet(dst), Gw: gateway.AsSlice(), Src: src.AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
}

// unreachable makes what no longer route takes of dst refused at once.
func (s *side) unreachable(dst netip.Prefix) error {
	return s.route(&netlink.Route{Dst: ipnet(dst), Type: unix.RTN_UNREACHABLE})
}

func (s *side) route(r *netlink.Route) error {
	if err := s.RouteReplace(r); err != nil {
		return fmt.Errorf("route to %s: %w", r.Dst, err)
	}
	if s.kept != nil {
		s.kept[r.Dst.String()] = *r
	}
	return nil
}

// up sets a namespace's loopback up and gives it further addresses.
func (s *side) loopback(more ...netip.Addr) error {
	lo, err := s.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if err := s.LinkSetUp(lo); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	for _, a := range more {
		if err := s.addresses(lo, host(a)); err != nil {
			return err
		}
	}
	return nil
}

// settings writes sysctls of the namespace: paths under /proc/sys/net.
func settings(ns string, values map[string]string) error {
	return netns.Do(ns, func() error {
		for name, value := range values {
			path := filepath.Join("/proc/sys/net", name)
			if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
				return fmt.Errorf("setting %s to %s: %w", path, value, err)
			}
		}
		return nil
	})
}

// linkName is world's end of the link of id: 13 bytes, the same for the same id.
func linkName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "v-" + hex.EncodeToString(sum[:5])
}

// MAC is the hardware address of a machine's eth0, derived from its id.
func MAC(id string) net.HardwareAddr { return hardware("machine", id) }

func hardware(role, id string) net.HardwareAddr {
	sum := sha256.Sum256([]byte(role + "\x00" + id))
	// Locally administered, unicast, as EC2's begin.
	return net.HardwareAddr{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}
}

func ipnet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func familyOf(a netip.Addr) int {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

var everything = netip.MustParsePrefix("0.0.0.0/0")
