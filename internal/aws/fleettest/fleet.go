// Package fleettest gives the tests of services an EC2 whose machines are records that
// start and end by themselves, in a VPC with two subnets, and Auto Scaling over it. Only
// tests import it.
package fleettest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
)

// Cluster is the one that nodes can join.
const Cluster = "cluster"

// Subnets are those of the VPC, in two zones.
var Subnets = []string{"subnet-0a", "subnet-0b"}

// VPC is the one that runs, Group a security group of it.
const (
	VPC   = "vpc-0a"
	Group = "sg-0a"
)

// Fleet is an account's machines.
type Fleet struct {
	EC2    *ec2.Service
	Groups *autoscaling.Service

	mu       sync.Mutex
	taken    int
	full     map[string]bool // subnets without room
	clusters []string
}

// New makes the services of an account.
func New(t testing.TB, a *doortest.Account) *Fleet {
	t.Helper()
	f := &Fleet{EC2: ec2.New(a.Store, doortest.Place, "us-west-2a", "us-west-2b"), full: map[string]bool{}, clusters: []string{Cluster}}
	f.EC2.UseGround(f)
	f.EC2.UseProfiles(a.IAM)
	f.Groups = autoscaling.New(autoscaling.Deps{Store: a.Store, Place: doortest.Place, Machines: f, Sessions: a.STS, Roles: a.IAM, Now: time.Now})
	seed := ec2.Seed{
		VPC:     ec2.VPC{ID: VPC, CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}},
		Parts:   ec2.VPCParts{RouteTable: "rtb-0a", Association: "rtbassoc-0a", ACL: "acl-0a", Group: "sg-0default"},
		Gateway: ec2.InternetGateway{ID: "igw-0a", VPC: VPC},
	}
	for i, id := range Subnets {
		seed.Subnets = append(seed.Subnets, ec2.Subnet{ID: id, VPC: VPC, CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24), Zone: "us-west-2" + string(rune('a'+i))})
	}
	if err := errors.Join(f.EC2.Plant(t.Context(), seed), f.EC2.PutSecurityGroup(t.Context(), Group, VPC, "nodes", "of nodes", nil)); err != nil {
		t.Fatal(err)
	}
	return f
}

// Run drives the groups until the test ends.
func (f *Fleet) Run(t testing.TB) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Groups.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
}

// Fill leaves a subnet without room, or gives it some again.
func (f *Fleet) Fill(subnet string, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full[subnet] = full
}

// Join lets nodes join another cluster.
func (f *Fleet) Join(cluster string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clusters = append(f.clusters, cluster)
}

// Machine implements autoscaling.Machines.
func (f *Fleet) Machine(id string) (autoscaling.Machine, bool) {
	i, ok := f.EC2.Instance(id)
	return machine(i), ok
}

func machine(i ec2.Instance) autoscaling.Machine {
	return autoscaling.Machine{ID: i.ID, Zone: i.Zone, Subnet: i.Subnet, Type: i.Type, Image: i.Image, State: string(i.State), Tags: i.Tags}
}

// WatchMachines implements autoscaling.Machines.
func (f *Fleet) WatchMachines(fn func(autoscaling.Machine)) (stop func()) {
	return f.EC2.WatchInstances(func(_ string, _, new *ec2.Instance) {
		if new != nil {
			fn(machine(*new))
		}
	})
}

// SubnetPlace implements autoscaling.Machines.
func (f *Fleet) SubnetPlace(id string) (vpc, zone string, ok bool) { return f.EC2.SubnetPlace(id) }

// TemplateNames implements autoscaling.Machines.
func (f *Fleet) TemplateNames(id, name, version string) (string, string, error) {
	return f.EC2.TemplateNames(id, name, version)
}

// What follows implements ec2.Ground.

func (f *Fleet) VPC() string                                              { return VPC }
func (f *Fleet) Settle(context.Context) error                             { return nil }
func (f *Fleet) Used(string) int                                          { return 0 }
func (f *Fleet) Take(context.Context, string, string) (netip.Addr, error) { return netip.Addr{}, nil }
func (f *Fleet) Release(context.Context, string) error                    { return nil }
func (f *Fleet) PublicPool() netip.Prefix                                 { return netip.MustParsePrefix("198.18.4.0/24") }
func (f *Fleet) Unreserve(context.Context, string) error                  { return nil }
func (f *Fleet) Arch() string                                             { return "x86_64" }
func (f *Fleet) Console(string) ([]byte, error)                           { return nil, nil }
func (f *Fleet) Start(ctx context.Context, id string) error {
	return f.to(ctx, id, ec2.Pending, ec2.Running)
}
func (f *Fleet) Stop(ctx context.Context, id string) error {
	return f.to(ctx, id, ec2.Stopping, ec2.Stopped)
}
func (f *Fleet) Reboot(ctx context.Context, id string) error {
	return f.to(ctx, id, ec2.Running, ec2.Running)
}
func (f *Fleet) Terminate(ctx context.Context, id string) error {
	return f.to(ctx, id, ec2.ShuttingDown, ec2.Terminated)
}

// to brings a machine into a state, and into another a moment later.
func (f *Fleet) to(ctx context.Context, id string, now, later ec2.State) error {
	if err := f.EC2.SetState(ctx, id, now, ""); err != nil {
		return err
	}
	go func() { _ = f.EC2.SetState(context.WithoutCancel(ctx), id, later, "") }()
	return nil
}

// Free implements ec2.Ground: what is in 192.168.0.0/16 runs too.
func (f *Fleet) Free(block netip.Prefix) bool {
	return netip.MustParsePrefix("192.168.0.0/16").Contains(block.Addr())
}

// Reserve implements ec2.Ground.
func (f *Fleet) Reserve(_ context.Context, subnet, _ string, _ int) (ec2.Spot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full[subnet] {
		return ec2.Spot{}, ec2.ErrFull
	}
	f.taken++
	return ec2.Spot{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(f.taken)}), Pods: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(f.taken), 0}), 27), MAC: "02:00:00:00:00:01"}, nil
}

// Joinable implements ec2.Ground.
func (f *Fleet) Joinable(cluster string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.clusters, cluster) {
		return errors.New("there is none")
	}
	return nil
}
