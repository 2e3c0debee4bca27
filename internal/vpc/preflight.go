package vpc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/ipv6"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Problem is something that keeps the network from being made.
type Problem struct {
	What string // one line
	Hint string // what to do about it
}

// Preflight tries, in a namespace that it throws away, what the network is made
// of, and looks for conflicts with the host's own network. Empty means all is
// well. It changes nothing.
func Preflight(c Config) []Problem {
	if os.Geteuid() != 0 {
		return []Problem{{"not root: network namespaces can't be made", "run it as root (sudo)"}}
	}
	var out []Problem
	add := func(err error) {
		if err != nil {
			out = append(out, problem(err))
		}
	}
	add(c.check())
	add(conflicts(c))
	dir, err := os.MkdirTemp("", "eksact-preflight-")
	if err != nil {
		return append(out, problem(err))
	}
	defer os.RemoveAll(dir)
	ns := filepath.Join(dir, "ns")
	if err := netns.Create(ns); err != nil {
		return append(out, problem(explain(err)))
	}
	defer netns.Delete(ns)
	add(explain(tryVeth(ns)))
	add(explain(settings(ns, routerSettings)))
	missing := nft.Missing(ns)
	if ipv6.Known() {
		missing = append(missing, nft.Missing6(ns)...)
	}
	for _, m := range missing {
		out = append(out, Problem{"the kernel lacks " + m, kernelHint})
	}
	return out
}

// Check refuses a configuration that can't work on this host: ranges that overlap,
// or that the host uses itself.
func Check(c Config) error { return errors.Join(c.check(), conflicts(c)) }

const kernelHint = "load the modules (modprobe veth nf_tables nft_ct nft_nat nft_masq nft_numgen nft_fib_ipv4 nft_reject_ipv4 nft_fib_ipv6 nft_reject_ipv6 nf_conntrack), or use a kernel that has them"

func problem(err error) Problem {
	p := Problem{What: err.Error()}
	if lines := hint.Lines(err); len(lines) > 0 {
		p.Hint = lines[0]
	}
	return p
}

func tryVeth(ns string) error {
	s, err := enter(ns)
	if err != nil {
		return err
	}
	defer s.close()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "probe0", TxQLen: -1}, PeerName: "probe1", PeerTxQLen: -1}
	if err := s.LinkAdd(veth); err != nil {
		return fmt.Errorf("making a veth: %w", err)
	}
	return nil
}

// conflicts refuses a public range that the host uses itself: its addresses, and
// routes into or across the range. Wider routes that stand for "everything"
// (default, a VPN's halves of it) are none: ours is more specific. The VPC's
// range can't conflict, for the host gets no route to it.
func conflicts(c Config) error {
	home, err := enter("")
	if err != nil {
		return err
	}
	defer home.close()
	l, err := home.link(c.HostLink())
	if err != nil {
		return err
	}
	index := -1
	if l != nil {
		if !ours(l, c) {
			return hint.New(fmt.Sprintf("the host already has a link named %s that is not ours", c.HostLink()),
				"remove it: ip link del "+c.HostLink())
		}
		index = l.Attrs().Index
	}
	addrs, err := home.AddrList(nil, unix.AF_INET)
	if err != nil {
		return fmt.Errorf("listing the host's addresses: %w", err)
	}
	for _, a := range addrs {
		if p, ok := prefixOf(a.IPNet); ok && a.LinkIndex != index && c.Public.Contains(p.Addr()) {
			return taken(c, fmt.Sprintf("the host's own address %s", p.Addr()))
		}
	}
	routes, err := home.RouteListFiltered(unix.AF_INET, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("listing the host's routes: %w", err)
	}
	for _, r := range routes {
		if p, ok := prefixOf(r.Dst); ok && r.LinkIndex != index && p.Bits() >= 8 && p.Overlaps(c.Public) {
			return taken(c, fmt.Sprintf("the host's route to %s", p))
		}
	}
	return nil
}

func taken(c Config, by string) error {
	return hint.New(fmt.Sprintf("the address range %s is in use: %s", c.Public, by),
		"choose a free /16 with --public-cidr, for example --public-cidr 100.127.0.0/16")
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP.To4())
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr, bits), ok
}

// explain adds to kernel refusals what usually is behind them.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return hint.Wrap(err, "run it as root (in a container: with --privileged)")
	case errors.Is(err, unix.EROFS):
		return hint.Wrap(err, "/proc/sys is read-only: in a container, run it with --privileged")
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT):
		return hint.Wrap(err, kernelHint)
	}
	return err
}
