package vpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Endpoint is the public face of a control plane.
type Endpoint struct {
	ControlPlane string // its name
	Public       []netip.Addr
	// Sources are who reaches it, as addresses of the Internet: the VPC's own come
	// from its NAT gateway's. None: nobody.
	Sources []netip.Prefix
}

func (e Endpoint) admits(a netip.Addr) bool {
	return slices.ContainsFunc(e.Sources, func(p netip.Prefix) bool { return p.Contains(a) })
}

// SetEndpoints makes these the public endpoints: nobody reaches another address of
// API(). What is refused is dropped, as on AWS; connections that are open and may be
// no more are ended.
func (n *Network) SetEndpoints(ctx context.Context, all []Endpoint) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var rules []nft.Endpoint
	for _, e := range all {
		rules = append(rules, nft.Endpoint{Addrs: e.Public, Sources: e.Sources})
	}
	if err := n.rules.ApplyEndpoints(n.API(), rules); err != nil {
		return explain(err)
	}
	var failed error
	for _, e := range all {
		failed = errors.Join(failed, n.endStrangers(e))
	}
	return errors.Join(failed, ctx.Err())
}

// endStrangers ends the connections to a control plane's public addresses that its
// sources don't allow.
func (n *Network) endStrangers(e Endpoint) error {
	return n.end(e.ControlPlane, func(local, remote netip.Addr) bool {
		return slices.Contains(e.Public, local) && !e.admits(remote)
	})
}

// EndConnections ends those to addresses of a control plane's own. Their clients make
// new ones, if they may.
func (n *Network) EndConnections(controlPlane string, to []netip.Addr) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.end(controlPlane, func(local, _ netip.Addr) bool { return slices.Contains(to, local) })
}

// end resets connections of a control plane.
func (n *Network) end(controlPlane string, which func(local, remote netip.Addr) bool) error {
	path := n.ControlPlaneNetNS(controlPlane)
	if !netns.Exists(path) {
		return nil
	}
	return endIn(path, "control plane "+controlPlane, which)
}

// endIn resets connections of a namespace. A kernel that can't leaves them: those that
// the rules refuse are reset at their next packet.
func endIn(path, of string, which func(local, remote netip.Addr) bool) error {
	s, err := enter(path)
	if err != nil {
		return err
	}
	defer s.close()
	return netns.Do(path, func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} { // the latter for what listens to both
			sockets, err := s.SocketDiagTCP(family)
			if err != nil {
				return fmt.Errorf("connections of %s: %w", of, err)
			}
			for _, c := range sockets {
				local, remote := unmap(c.ID.Source), unmap(c.ID.Destination)
				if c.State == listening || !which(local, remote) {
					continue
				}
				err := s.SocketDestroy(&net.TCPAddr{IP: local.AsSlice(), Port: int(c.ID.SourcePort)}, &net.TCPAddr{IP: remote.AsSlice(), Port: int(c.ID.DestinationPort)})
				if errors.Is(err, unix.EOPNOTSUPP) {
					return nil
				}
				if err != nil && !errors.Is(err, unix.ENOENT) {
					return fmt.Errorf("ending a connection of %s: %w", of, err)
				}
			}
		}
		return nil
	})
}

// listening is TCP_LISTEN of the kernel.
const listening = 10

func unmap(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
