package lb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/vpc"
)

// Place says where Ensure will make a load balancer, and keeps the addresses for
// it.
func (b *Balancers) Place(ctx context.Context, l LoadBalancer) (Result, error) {
	l, err := l.complete()
	if err != nil {
		return Result{}, err
	}
	b.change.Lock()
	defer b.change.Unlock()
	addrs, err := b.place(ctx, l)
	return Result{l.dnsName(b.region), addrs}, err
}

// place gives a load balancer its addresses, the same at each call.
func (b *Balancers) place(ctx context.Context, l LoadBalancer) ([]Address, error) {
	subnets, err := b.subnets(l)
	if err != nil {
		return nil, fmt.Errorf("load balancer %s: %w", l.ID, err)
	}
	var out []Address
	for _, s := range subnets {
		a := Address{Zone: s.Zone, Subnet: s.Name}
		if a.Private, err = b.private(ctx, l, s.Name); err != nil {
			return nil, fmt.Errorf("load balancer %s: %w", l.ID, err)
		}
		if a.Public = l.Fixed[s.Name].Public; l.Scheme == InternetFacing && !a.Public.IsValid() {
			if a.Public, err = b.addresses.Address(ctx, vpc.RangeBalancers, owner(l.ID, s.Name)); err != nil {
				return nil, fmt.Errorf("load balancer %s: %w", l.ID, err)
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// private is the address of the interface in a subnet: the one that was chosen, or one
// that is drawn.
func (b *Balancers) private(ctx context.Context, l LoadBalancer, subnet string) (netip.Addr, error) {
	if want := l.Fixed[subnet].Private; want.IsValid() {
		return want, b.addresses.Claim(ctx, subnet, owner(l.ID, subnet), want)
	}
	return b.addresses.Address(ctx, subnet, owner(l.ID, subnet))
}

// Subnets are the names of the subnets that a load balancer would be in.
func (b *Balancers) Subnets(l LoadBalancer) (names []string, err error) {
	if l, err = l.complete(); err != nil {
		return nil, err
	}
	all, err := b.subnets(l)
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names, err
}

// subnets are those that a load balancer is in: those it names, or one of each
// zone, public for one that faces the Internet, else private where there is one.
func (b *Balancers) subnets(l LoadBalancer) ([]vpc.Subnet, error) {
	var out []vpc.Subnet
	all := b.network.AllSubnets()
	zoned := func(zone string) bool {
		return slices.ContainsFunc(out, func(s vpc.Subnet) bool { return s.Zone == zone })
	}
	for _, name := range l.Subnets {
		i := slices.IndexFunc(all, func(s vpc.Subnet) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no subnet %q", name)
		}
		if s := all[i]; zoned(s.Zone) {
			return nil, fmt.Errorf("two subnets of zone %s", s.Zone)
		}
		out = append(out, all[i])
	}
	if len(l.Subnets) > 0 {
		return out, nil
	}
	for _, s := range all {
		if b.rangeOf(l).Contains(s.Prefix.Addr()) && s.Public == (l.Scheme == InternetFacing) && !zoned(s.Zone) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("could not find any suitable subnets for creating the ELB") // as AWS's controller says it
	}
	return out, nil
}

// rangeOf is the range of a load balancer's VPC.
func (b *Balancers) rangeOf(l LoadBalancer) netip.Prefix {
	if l.Range.IsValid() {
		return l.Range
	}
	return b.network.VPC
}

// owner names an address of a load balancer to the allocator.
func owner(id, subnet string) string { return "lb/" + id + "@" + subnet }

// release gives all addresses of a load balancer back.
func (b *Balancers) release(ctx context.Context, id string) error {
	for _, o := range b.addresses.Owners(owner(id, "")) {
		if err := b.addresses.Release(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// abandon gives back an address that a load balancer has no more.
func (b *Balancers) abandon(ctx context.Context, r record, a Address) error {
	if !slices.Contains(r.private(), a.Private) {
		if err := b.letGo(a.Private); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(r.Addrs, func(now Address) bool { return now.Subnet == a.Subnet }) {
		return nil // the lease is that of the address there now
	}
	return b.addresses.Release(ctx, owner(r.ID, a.Subnet))
}

// private are the addresses of a load balancer's interfaces.
func (r record) private() []netip.Addr {
	var all []netip.Addr
	for _, a := range r.Addrs {
		all = append(all, a.Private)
	}
	return all
}

// in is the address in a zone, or else the first.
func (r *record) in(zone string) (Address, bool) {
	for _, a := range r.Addrs {
		if a.Zone == zone {
			return a, true
		}
	}
	if len(r.Addrs) == 0 {
		return Address{}, false
	}
	return r.Addrs[0], true
}
