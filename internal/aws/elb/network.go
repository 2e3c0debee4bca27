package elb

import (
	"context"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/store"
)

// Network is what makes load balancers that API calls ask for.
type Network interface {
	// Make makes or changes a load balancer, with the groups that its listeners
	// forward to by name, and returns its DNS name and where it is.
	Make(ctx context.Context, lb LoadBalancer, groups map[string]TargetGroup) (dnsName string, zones []Zone, err error)
	// Unmake takes it away again. One that is not there is no error.
	Unmake(ctx context.Context, lb LoadBalancer) error
	// Health shows the targets of a load balancer's listener.
	Health(lb LoadBalancer, l Listener) []Target
	// Instance finds the address and zone of an instance that runs.
	Instance(id string) (addr netip.Addr, zone string, ok bool)
	// Subnet finds the VPC and zone of a subnet, Block its addresses.
	Subnet(id string) (vpc, zone string, ok bool)
	Block(subnet string) netip.Prefix
	// Group finds the VPC of a security group.
	Group(id string) (vpc string, ok bool)
	// Allocation tells whether there is an Elastic IP address of an id.
	Allocation(id string) bool
	// ZoneOf finds the zone of an address of a VPC.
	ZoneOf(a netip.Addr) (zone string, ok bool)
}

// UseNetwork makes the calls that create work: before, they are refused.
func (s *Service) UseNetwork(n Network) { s.network = n }

// own finds a load balancer that an API call made. Those of Services are changed by
// their Services alone: what the API changed would be changed back.
func (s *Service) own(arn *string) (LoadBalancer, error) {
	lb, err := s.balancer(aws.ToString(arn))
	if err == nil && !lb.ByAPI {
		err = notPermitted("Load balancer '" + lb.Name + "' belongs to a Kubernetes Service, which decides what it is")
	}
	return lb, err
}

func (s *Service) ownGroup(arn *string) (TargetGroup, error) {
	g, err := s.group(aws.ToString(arn))
	if err == nil && !g.ByAPI {
		err = notPermitted("Target group '" + g.Name + "' belongs to a Kubernetes Service, which decides what it is")
	}
	return g, err
}

func notPermitted(text string) error {
	return &types.OperationNotPermittedException{Message: aws.String(text)}
}

// keep writes records in one transaction.
func (s *Service) keep(ctx context.Context, write func(tx *store.Tx)) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		write(tx)
		return nil
	})
}

// apply makes what is recorded of a load balancer true, with s.making held.
func (s *Service) apply(ctx context.Context, name string) error {
	lb, _ := s.balancers.Get(name)
	groups := map[string]TargetGroup{}
	for _, l := range lb.Listeners {
		groups[l.TargetGroup], _ = s.groups.Get(l.TargetGroup)
	}
	dnsName, zones, err := s.network.Make(ctx, lb, groups)
	if err != nil {
		return err
	}
	lb.DNSName, lb.Zones, lb.State = dnsName, zones, string(types.LoadBalancerStateEnumActive)
	if err := s.keep(ctx, func(tx *store.Tx) { s.balancers.In(tx).Put(name, lb) }); err != nil {
		return err
	}
	return s.Refresh(ctx, name)
}

// applyGroup does so for all load balancers that forward to a group.
func (s *Service) applyGroup(ctx context.Context, group string) error {
	for name, lb := range s.networks() {
		if slices.ContainsFunc(lb.Listeners, func(l Listener) bool { return l.TargetGroup == group }) {
			if err := s.apply(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Refresh shows how the targets of a load balancer fare now.
func (s *Service) Refresh(ctx context.Context, name string) error {
	lb, ok := s.balancers.Get(name)
	if !ok || !lb.ByAPI {
		return nil
	}
	for _, l := range lb.Listeners {
		if err := s.SetTargets(ctx, l.TargetGroup, s.network.Health(lb, l)); err != nil {
			return err
		}
	}
	return nil
}

// settle shows the targets of groups that nothing forwards to any more as unused.
func (s *Service) settle(ctx context.Context) error {
	return s.keep(ctx, func(tx *store.Tx) {
		for name, g := range s.groups.In(tx).List("") {
			if g.ByAPI && len(s.groupView(g).LoadBalancerArns) == 0 {
				g.unused()
				s.groups.In(tx).Put(name, g)
			}
		}
	})
}
