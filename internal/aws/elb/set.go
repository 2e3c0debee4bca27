package elb

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// addSetting adds the operations that set something of a load balancer or listener
// that is there.
func (s *Service) addSetting(svc *api.Service) {
	api.Add(svc, "SetSubnets", s.SetSubnets, func(_ context.Context, in *elbv2.SetSubnetsInput) []string {
		return []string{aws.ToString(in.LoadBalancerArn)}
	})
	api.WithKeys(svc, "SetSubnets", func(_ context.Context, in *elbv2.SetSubnetsInput, key string) policy.Values {
		if key == "elasticloadbalancing:subnet" {
			return policy.Many(named(in.Subnets, in.SubnetMappings))
		}
		return policy.Values{}
	})
	api.Add(svc, "SetSecurityGroups", s.SetSecurityGroups, func(_ context.Context, in *elbv2.SetSecurityGroupsInput) []string {
		return []string{aws.ToString(in.LoadBalancerArn)}
	})
	api.WithKeys(svc, "SetSecurityGroups", func(_ context.Context, in *elbv2.SetSecurityGroupsInput, key string) policy.Values {
		if key == "elasticloadbalancing:securitygroup" {
			return policy.Many(in.SecurityGroups)
		}
		return policy.Values{}
	})
	api.Add(svc, "DescribeListenerAttributes", s.DescribeListenerAttributes, nil)
	api.Add(svc, "ModifyListenerAttributes", s.ModifyListenerAttributes, func(_ context.Context, in *elbv2.ModifyListenerAttributesInput) []string {
		return []string{aws.ToString(in.ListenerArn)}
	})
}

// named are the ids of subnets that a call names in either way.
func named(subnets []string, mappings []types.SubnetMapping) []string {
	all := slices.Clone(subnets)
	for _, m := range mappings {
		all = append(all, aws.ToString(m.SubnetId))
	}
	return all
}

// SetSubnets puts a load balancer into these subnets, in place of those it is in. In
// those that it stays in it keeps its addresses.
func (s *Service) SetSubnets(ctx context.Context, in *elbv2.SetSubnetsInput) (*elbv2.SetSubnetsOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, err := s.own(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if in.IpAddressType != "" && in.IpAddressType != types.IpAddressTypeIpv4 {
		return nil, unsupported("IP address type " + string(in.IpAddressType))
	}
	mappings, err := mapped(in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	vpc, zones, err := s.zonesOf(mappings, lb.Scheme)
	if err != nil {
		return nil, err
	}
	if vpc != lb.VPC {
		return nil, &types.InvalidConfigurationRequestException{Message: aws.String("All subnets must belong to the same VPC")}
	}
	for i, z := range zones {
		for _, old := range lb.Zones {
			switch {
			case old.Subnet != z.Subnet:
			case z.Allocation == "" && !z.Private.IsValid():
				zones[i] = old
			case z.Allocation != old.Allocation || z.Private != old.Private:
				return nil, &types.InvalidConfigurationRequestException{Message: aws.String("The addresses of subnet '" + z.Subnet + "' can't be changed while the load balancer is in it")}
			}
		}
	}
	lb.Zones = zones
	if err := s.relisten(ctx, lb); err != nil {
		return nil, err
	}
	lb, _ = s.balancers.Get(lb.Name)
	return &elbv2.SetSubnetsOutput{AvailabilityZones: s.balancerView(lb).AvailabilityZones, IpAddressType: types.IpAddressTypeIpv4}, nil
}

// SetSecurityGroups puts a load balancer into these security groups. One that was made
// without any can't have any.
func (s *Service) SetSecurityGroups(ctx context.Context, in *elbv2.SetSecurityGroupsInput) (*elbv2.SetSecurityGroupsOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, err := s.own(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	switch {
	case in.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic == types.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnumOff:
		return nil, unsupported("A load balancer that does not enforce its groups on PrivateLink's traffic")
	case len(lb.Groups) == 0:
		return nil, &types.InvalidConfigurationRequestException{Message: aws.String("Security groups can't be set for a Network Load Balancer that was created without security groups")}
	case len(in.SecurityGroups) == 0:
		return nil, &types.InvalidConfigurationRequestException{Message: aws.String("At least one security group must be specified")}
	}
	if lb.Groups, err = s.groupsOf(lb.VPC, in.SecurityGroups); err != nil {
		return nil, err
	}
	if err := s.relisten(ctx, lb); err != nil {
		return nil, err
	}
	return &elbv2.SetSecurityGroupsOutput{
		SecurityGroupIds: slices.Clone(lb.Groups), EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic: types.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnumOn,
	}, nil
}

// idleTimeout is the one attribute of a Network Load Balancer's listener.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
const idleTimeout = "tcp.idle_timeout.seconds"

// Idle timeouts, in seconds.
const leastIdle, usualIdle, mostIdle = 60, 350, 6000

func (l Listener) attributes() []types.ListenerAttribute {
	if l.Protocol == "UDP" {
		return []types.ListenerAttribute{}
	}
	idle := usualIdle
	if l.Idle > 0 {
		idle = int(l.Idle / time.Second)
	}
	return []types.ListenerAttribute{{Key: aws.String(idleTimeout), Value: aws.String(strconv.Itoa(idle))}}
}

// DescribeListenerAttributes shows a listener's attributes.
func (s *Service) DescribeListenerAttributes(_ context.Context, in *elbv2.DescribeListenerAttributesInput) (*elbv2.DescribeListenerAttributesOutput, error) {
	lb, i, err := s.listener(aws.ToString(in.ListenerArn))
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeListenerAttributesOutput{Attributes: lb.Listeners[i].attributes()}, nil
}

// ModifyListenerAttributes changes how long connections of a listener may be silent.
func (s *Service) ModifyListenerAttributes(ctx context.Context, in *elbv2.ModifyListenerAttributesInput) (*elbv2.ModifyListenerAttributesOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, i, err := s.ownListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	lb.Listeners = slices.Clone(lb.Listeners)
	l := &lb.Listeners[i]
	for _, a := range in.Attributes {
		key, value := aws.ToString(a.Key), aws.ToString(a.Value)
		if key != idleTimeout || l.Protocol == "UDP" {
			return nil, api.ValidationError("Listener attribute key '%s' is not recognized", key)
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < leastIdle || n > mostIdle {
			return nil, api.Errorf(http.StatusBadRequest, "ValidationError", "'%s' must be between '%d' and '%d' inclusive", key, leastIdle, mostIdle)
		}
		l.Idle = time.Duration(n) * time.Second
	}
	if err := s.relisten(ctx, lb); err != nil {
		return nil, err
	}
	return &elbv2.ModifyListenerAttributesOutput{Attributes: l.attributes()}, nil
}
