package daemon

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/kube/cloud"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// fix gives a load balancer the addresses that its Service has chosen for it, and
// returns the allocations of the public ones by the names of their subnets. Checks
// have the words of AWS's controllers.
// https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/service/model_build_load_balancer.go
func (d *Daemon) fix(want cloud.Balancer, l *lb.LoadBalancer) (allocations map[string]string, err error) {
	if len(want.EIPs)+len(want.Private) == 0 {
		return nil, nil
	}
	subnets, err := d.balancers.Subnets(*l)
	if err != nil {
		return nil, err
	}
	l.Subnets = subnets // what was chosen for them must not move to others
	l.Fixed, allocations = map[string]lb.Fixed{}, map[string]string{}
	switch {
	case len(want.EIPs) > 0 && len(want.EIPs) != len(subnets) && want.Controller:
		return nil, fmt.Errorf("count of EIP allocations (%d) and subnets (%d) must match", len(want.EIPs), len(subnets))
	case len(want.EIPs) > 0 && len(want.EIPs) != len(subnets):
		return nil, fmt.Errorf("error creating load balancer: Must have same number of EIP AllocationIDs (%d) and SubnetIDs (%d)", len(want.EIPs), len(subnets))
	case len(want.Private) > 0 && len(want.Private) != len(subnets):
		return nil, fmt.Errorf("count of private IPv4 addresses (%d) and subnets (%d) must match", len(want.Private), len(subnets))
	}
	for i, id := range want.EIPs {
		public, _, ok := d.ec2.Allocation(id)
		if !ok {
			return nil, fmt.Errorf("AllocationIdNotFound: The allocation IDs '%s' do not exist", id)
		}
		l.Fixed[subnets[i]], allocations[subnets[i]] = lb.Fixed{Public: public}, id
	}
	if len(want.Private) == 0 {
		return allocations, nil
	}
	for _, s := range d.network.AllSubnets() {
		if !slices.Contains(subnets, s.Name) {
			continue
		}
		var within []netip.Addr
		for _, a := range want.Private {
			if s.Prefix.Contains(a) {
				within = append(within, a)
			}
		}
		if len(within) != 1 {
			return nil, fmt.Errorf("expect one private IPv4 address configured for subnet: %v", d.config.subnetID(s.Name))
		}
		l.Fixed[s.Name] = lb.Fixed{Private: within[0]}
	}
	return allocations, nil
}
