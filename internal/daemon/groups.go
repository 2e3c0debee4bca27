package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/secgroup"
	"github.com/eksact/eksact/internal/vpc"
)

// groups keeps the network to what security groups let through.
type groups struct {
	mu     sync.Mutex // one setting at a time, each of what is recorded then
	router *vpc.Groups
	nodes  map[string]*vpc.Groups // by instance id, that have pods with interfaces of their own
}

// openGroups begins to enforce security groups. Until then those of before go on.
func (d *Daemon) openGroups(ctx context.Context) (err error) {
	if d.groups.router, err = d.network.OpenGroups(); err != nil {
		return err
	}
	d.groups.nodes = map[string]*vpc.Groups{}
	s3 := "com.amazonaws." + d.config.Region + ".s3"
	block := netip.PrefixFrom(d.network.S3(), d.network.S3().BitLen())
	err = errors.Join(
		d.ec2.PutDefaultGroup(ctx, d.config.resourceID("sg", "default"), d.config.vpcID()),
		d.ec2.PutAWSPrefixList(ctx, d.config.resourceID("pl", s3), s3, []netip.Prefix{block}),
	)
	d.ec2.Enforce = d.enforceGroups // from here on at each change; both of above at once, here
	return errors.Join(err, d.enforceGroups(ctx))
}

// closeGroups lets go of the rules, which stay.
func (d *Daemon) closeGroups() {
	if d.groups.router != nil {
		_ = d.groups.router.Close()
	}
	for _, g := range d.groups.nodes {
		_ = g.Close()
	}
}

// enforceGroups makes packets meet the security groups as they are recorded. It
// returns when they do.
func (d *Daemon) enforceGroups(context.Context) error {
	d.groups.mu.Lock()
	defer d.groups.mu.Unlock()
	s := d.groupState()
	// On nodes first: what a pod may not do there it could do before it is the
	// router's business.
	if err := errors.Join(d.enforceOnNodes(s), d.groups.router.Set(s), d.balancers.Regroup()); err != nil {
		return fmt.Errorf("enforcing security groups: %w", err)
	}
	return nil
}

// groupState is what the EC2 API has recorded, as the compiler reads it. Interfaces
// without groups (those of load balancers and NAT gateways, on AWS too) are not
// restricted.
func (d *Daemon) groupState() *secgroup.State {
	s := &secgroup.State{}
	for _, g := range d.ec2.SecurityGroups() {
		out := secgroup.Group{ID: g.ID}
		for _, r := range g.Rules {
			rule, err := groupRule(r)
			if err != nil { // allowing less is what is left
				slog.Error("a security group's rule can't be enforced", "group", g.ID, "rule", r.ID, "error", err)
				continue
			}
			out.Rules = append(out.Rules, rule)
		}
		s.Groups = append(s.Groups, out)
	}
	for _, l := range d.ec2.PrefixLists() {
		out := secgroup.List{ID: l.ID}
		for _, e := range l.Entries() {
			out.Blocks = append(out.Blocks, e.CIDR)
		}
		s.Lists = append(s.Lists, out)
	}
	for _, n := range d.interfaces() {
		if len(n.Groups) > 0 {
			s.Interfaces = append(s.Interfaces, groupInterface(n))
		}
	}
	letClients(s, d.balancers.Clients)
	return s
}

func groupInterface(n ec2.NetworkInterface) secgroup.Interface {
	out := secgroup.Interface{ID: n.ID, Addresses: n.Secondary, Prefixes: n.Prefixes, Groups: n.Groups}
	if n.IP.IsValid() {
		out.Addresses = append([]netip.Addr{n.IP}, n.Secondary...)
	}
	return out
}

// protocolNumbers are those of the protocols that EC2 knows by name.
var protocolNumbers = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}

func groupRule(r ec2.Rule) (secgroup.Rule, error) {
	out := secgroup.Rule{ID: r.ID, Egress: r.Egress, Block: r.CIDR, Group: r.Group, List: r.PrefixList}
	switch number, known := protocolNumbers[r.Protocol]; {
	case r.Protocol == "-1":
		out.Any = true
		return out, nil
	case known:
		out.Proto = number
	default:
		n, err := strconv.ParseUint(r.Protocol, 10, 8)
		if err != nil {
			return out, fmt.Errorf("protocol %q", r.Protocol)
		}
		out.Proto = uint8(n)
	}
	switch r.Protocol {
	case "tcp", "udp":
		out.First, out.Last = uint16(r.From), uint16(r.To)
	case "icmp", "icmpv6":
		out.Type, out.Code = int16(r.From), int16(r.To)
	}
	return out, nil
}
