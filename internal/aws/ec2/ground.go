package ec2

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/store"
)

// Ground is what stands behind the records: the machine's network, and the
// machines. A VPC runs if no address of it is another's that does; all others are
// records: nothing can be launched in them.
type Ground interface {
	// VPC is the id of the VPC that runs from the beginning.
	VPC() string
	// Free says whether a block's addresses are nothing else's but, maybe, other VPCs'.
	Free(block netip.Prefix) bool
	// Settle makes the network what the records say (see Layout). It is called
	// after each change of them, and may be called at any time.
	Settle(ctx context.Context) error
	// Used counts the addresses of a subnet that are given out.
	Used(subnet string) int
	// Take gives owner an address of a subnet, Release takes all of the owner's back.
	Take(ctx context.Context, subnet, owner string) (netip.Addr, error)
	Release(ctx context.Context, owner string) error
	// PublicPool are the addresses that Elastic IP addresses are of.
	PublicPool() netip.Prefix

	// Reserve draws what an instance needs of a subnet: an address, and those of so many
	// pods. ErrFull says that there are not enough. Unreserve gives them back.
	Reserve(ctx context.Context, subnet, instance string, pods int) (Spot, error)
	Unreserve(ctx context.Context, instance string) error
	// Joinable is why no node can join a cluster, or nil.
	Joinable(cluster string) error
	// Arch is what machines here are, "x86_64" or "arm64".
	Arch() string

	// Stop, Start, Reboot and Terminate do it to an instance's machine. They return
	// when the change has begun and is recorded; it ends by itself.
	Stop(ctx context.Context, instance string) error
	Start(ctx context.Context, instance string) error
	Reboot(ctx context.Context, instance string) error
	Terminate(ctx context.Context, instance string) error
	// Console is what the machine has said at its start.
	Console(instance string) ([]byte, error)
}

// Spot is an instance's place in a subnet.
type Spot struct {
	Address netip.Addr
	Pods    netip.Prefix
	MAC     string
}

// ErrFull says that a subnet has not enough free addresses.
var ErrFull = errors.New("not enough free addresses")

// UseGround puts the records on real ground, before the first call.
func (s *Service) UseGround(g Ground) { s.ground = g }

// runs says whether a VPC is more than a record.
func (s *Service) runs(vpc string) bool {
	if s.ground == nil || s.ground.VPC() == vpc {
		return s.ground != nil
	}
	v, _ := s.vpcFamily.table.Get(vpc)
	return v.Runs
}

// canRun says whether a new VPC of a block can run.
func (s *Service) canRun(tx *store.Tx, block netip.Prefix) bool {
	if s.ground == nil || !s.ground.Free(block) {
		return false
	}
	return !slices.ContainsFunc(s.vpcFamily.list(tx), func(v VPC) bool { return v.Runs && v.CIDRs[0].Overlaps(block) })
}

// Running are the VPCs that run, by id.
func (s *Service) Running() []VPC {
	return slices.DeleteFunc(s.vpcFamily.all(), func(v VPC) bool { return !s.runs(v.ID) })
}

// change commits records, and makes the network follow if they are of a VPC that
// runs. A network that can't follow is an error of ours; the next change, or start,
// tries again.
func (s *Service) change(ctx context.Context, fn func(*store.Tx) error, vpc string) error {
	if err := s.store.Update(ctx, fn); err != nil {
		return err
	}
	return s.settle(ctx, vpc)
}

func (s *Service) settle(ctx context.Context, vpc string) error {
	if !s.runs(vpc) {
		return nil
	}
	if err := s.ground.Settle(ctx); err != nil {
		return fmt.Errorf("the network does not follow its records: %w", err)
	}
	return nil
}

// Layout is what the network of a VPC is to be.
type Layout struct {
	Subnets []SubnetLayout // by id
	// Open says that an internet gateway is attached, and some subnet's routes lead
	// to it: what is outside can reach what is published inside.
	Open bool
	// Public maps instances' private addresses to their public ones, Pods the blocks of
	// their pods, whose packets leave the VPC as their node's: the VPC CNI's default.
	// https://docs.aws.amazon.com/eks/latest/userguide/external-snat.html
	Public map[netip.Addr]netip.Addr
	Pods   map[netip.Prefix]netip.Addr
	// Endpoints lead to services without the Internet.
	Endpoints []EndpointLayout
}

// SubnetLayout is a subnet, and where its packets to outside of the VPC go.
type SubnetLayout struct {
	Subnet
	Routes []Exit // the most specific first
}

// Exit is a route out of the VPC. What is neither Direct nor has a Source or an
// Endpoint goes nowhere.
type Exit struct {
	To     netip.Prefix
	Direct bool       // by the internet gateway: from an instance's own public address
	Source netip.Addr // by a NAT gateway: from its address
	// Endpoint is the number of the gateway endpoint by which it leads; 0 is none.
	Endpoint uint32
}

// Layout reads from the records what a VPC's network is to be.
func (s *Service) Layout(vpc string) Layout {
	l := Layout{Public: map[netip.Addr]netip.Addr{}, Pods: map[netip.Prefix]netip.Addr{}, Endpoints: s.endpointLayouts(vpc)}
	for _, n := range s.subnetFamily.all() {
		if n.VPC != vpc {
			continue
		}
		exits := s.exits(n)
		l.Subnets = append(l.Subnets, SubnetLayout{n, exits})
		for _, e := range exits {
			l.Open = l.Open || e.Direct
		}
	}
	for _, a := range s.addressFamily.all() {
		if i, ok := s.instances.Get(a.Instance); ok && i.VPC == vpc {
			l.Public[a.PrivateIP] = a.PublicIP
		}
	}
	for _, i := range s.Instances() {
		if i.VPC == vpc && i.PublicIP.IsValid() {
			l.Public[i.PrivateIP] = i.PublicIP
		}
		if public, ok := l.Public[i.PrivateIP]; ok && i.VPC == vpc {
			for _, n := range i.Interfaces {
				for _, block := range n.Prefixes {
					l.Pods[block] = public
				}
			}
		}
	}
	return l
}
