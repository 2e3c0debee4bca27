package elb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// unsupported refuses what AWS has and we have not, by name.
func unsupported(what string) error {
	return api.Errorf(http.StatusBadRequest, "UnsupportedOperation", "%s is not offered here", what)
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

func checkName(kind, name string) error {
	switch {
	case len(name) == 0 || len(name) > 32:
		return api.ValidationError("%s name '%s' must have between 1 and 32 characters", kind, name)
	case !validName.MatchString(name):
		return api.ValidationError("%s name '%s' can only contain characters that are alphanumeric characters and hyphens(-), and cannot begin or end with a hyphen", kind, name)
	case kind == "Load balancer" && strings.HasPrefix(name, "internal-"):
		return api.ValidationError("Load balancer name '%s' cannot begin with 'internal-'", name)
	}
	return nil
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func tagMap(tags []types.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range tags {
		key := aws.ToString(t.Key)
		if err := checkTag(key, aws.ToString(t.Value)); err != nil {
			return nil, err
		}
		if _, twice := out[key]; twice {
			return nil, &types.DuplicateTagKeysException{Message: aws.String("The tag key '" + key + "' was specified more than once")}
		}
		out[key] = aws.ToString(t.Value)
	}
	return out, nil
}

// CreateLoadBalancer makes a Network Load Balancer. One of the same name and settings
// is no error.
func (s *Service) CreateLoadBalancer(ctx context.Context, in *elbv2.CreateLoadBalancerInput) (*elbv2.CreateLoadBalancerOutput, error) {
	lb, err := s.wanted(in)
	if err != nil {
		return nil, err
	}
	s.making.Lock()
	defer s.making.Unlock()
	if old, ok := s.balancers.Get(lb.Name); ok {
		if !old.ByAPI || old.Scheme != lb.Scheme || !slices.Equal(subnetsOf(old), subnetsOf(lb)) || !slices.Equal(old.Groups, lb.Groups) {
			return nil, &types.DuplicateLoadBalancerNameException{Message: aws.String("A load balancer with the same name '" + lb.Name + "' exists, but with different settings")}
		}
		return &elbv2.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{s.balancerView(old)}}, nil
	}
	if err := s.keep(ctx, func(tx *store.Tx) { s.balancers.In(tx).Put(lb.Name, lb) }); err != nil {
		return nil, err
	}
	if err := s.apply(ctx, lb.Name); err != nil {
		again := context.WithoutCancel(ctx)
		_ = s.network.Unmake(again, lb) // what of it was made
		_ = s.keep(again, func(tx *store.Tx) { s.balancers.In(tx).Delete(lb.Name) })
		return nil, err
	}
	lb, _ = s.balancers.Get(lb.Name)
	return &elbv2.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{s.balancerView(lb)}}, nil
}

// wanted reads what a call asks for.
func (s *Service) wanted(in *elbv2.CreateLoadBalancerInput) (LoadBalancer, error) {
	lb := LoadBalancer{
		Name: aws.ToString(in.Name), ID: newID(), Scheme: string(in.Scheme), ByAPI: true,
		State: string(types.LoadBalancerStateEnumProvisioning), CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	if lb.Scheme == "" {
		lb.Scheme = string(types.LoadBalancerSchemeEnumInternetFacing)
	}
	switch {
	case s.network == nil:
		return lb, unsupported("Creating load balancers")
	case in.Type == "" || in.Type == types.LoadBalancerTypeEnumApplication:
		return lb, unsupported("A load balancer of type application")
	case in.Type != types.LoadBalancerTypeEnumNetwork:
		return lb, unsupported("A load balancer of type " + string(in.Type))
	case in.IpAddressType != "" && in.IpAddressType != types.IpAddressTypeIpv4:
		return lb, unsupported("IP address type " + string(in.IpAddressType))
	case in.CustomerOwnedIpv4Pool != nil || in.IpamPools != nil:
		return lb, unsupported("An address pool")
	case lb.Scheme != "internal" && lb.Scheme != "internet-facing":
		return lb, &types.InvalidSchemeException{Message: aws.String("The requested scheme '" + lb.Scheme + "' is not valid")}
	}
	if err := checkName("Load balancer", lb.Name); err != nil {
		return lb, err
	}
	mappings, err := mapped(in.Subnets, in.SubnetMappings)
	if err != nil {
		return lb, err
	}
	if lb.Tags, err = tagMap(in.Tags); err != nil {
		return lb, err
	}
	if lb.VPC, lb.Zones, err = s.zonesOf(mappings, lb.Scheme); err != nil {
		return lb, err
	}
	lb.Groups, err = s.groupsOf(lb.VPC, in.SecurityGroups)
	return lb, err
}

// mapped are subnets that a call names in either way.
func mapped(subnets []string, mappings []types.SubnetMapping) ([]types.SubnetMapping, error) {
	switch {
	case len(subnets) > 0 && len(mappings) > 0:
		return nil, api.ValidationError("You must specify either subnets or subnet mappings, but not both")
	case len(subnets)+len(mappings) == 0:
		return nil, api.ValidationError("At least one subnet must be specified")
	}
	for _, id := range subnets {
		mappings = append(mappings, types.SubnetMapping{SubnetId: aws.String(id)})
	}
	return mappings, nil
}

// groupsOf checks the security groups that a load balancer is to have.
func (s *Service) groupsOf(vpc string, ids []string) ([]string, error) {
	for _, id := range ids {
		if in, ok := s.network.Group(id); !ok || in != vpc {
			return nil, &types.InvalidSecurityGroupException{Message: aws.String("One or more security groups are invalid")}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(ids))), nil
}

// zonesOf finds where subnets are: each in another zone of one VPC.
func (s *Service) zonesOf(mappings []types.SubnetMapping, scheme string) (vpc string, zones []Zone, err error) {
	for _, m := range mappings {
		id := aws.ToString(m.SubnetId)
		in, zone, ok := s.network.Subnet(id)
		switch {
		case !ok:
			return "", nil, &types.SubnetNotFoundException{Message: aws.String("The subnet ID '" + id + "' is not valid")}
		case vpc != "" && in != vpc:
			return "", nil, &types.InvalidConfigurationRequestException{Message: aws.String("All subnets must belong to the same VPC")}
		case slices.ContainsFunc(zones, func(z Zone) bool { return z.Name == zone }):
			return "", nil, &types.InvalidConfigurationRequestException{Message: aws.String("A load balancer cannot be attached to multiple subnets in the same Availability Zone")}
		}
		vpc = in
		z := Zone{Name: zone, Subnet: id}
		if err := s.choose(&z, m, scheme); err != nil {
			return "", nil, err
		}
		zones = append(zones, z)
	}
	return vpc, zones, nil
}

// choose takes the addresses that a mapping says.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SubnetMapping.html
func (s *Service) choose(z *Zone, m types.SubnetMapping, scheme string) error {
	internal := scheme == string(types.LoadBalancerSchemeEnumInternal)
	wrong := func(text string) error {
		return &types.InvalidConfigurationRequestException{Message: aws.String(text)}
	}
	switch {
	case m.IPv6Address != nil || m.SourceNatIpv6Prefix != nil:
		return unsupported("A subnet mapping with an IPv6 address")
	case m.AllocationId != nil && internal:
		return wrong("Elastic IP addresses can't be specified for an internal load balancer")
	case m.PrivateIPv4Address != nil && !internal:
		return wrong("Private IPv4 addresses can't be specified for an internet-facing load balancer")
	case m.AllocationId != nil:
		if z.Allocation = *m.AllocationId; !s.network.Allocation(z.Allocation) {
			return &types.AllocationIdNotFoundException{Message: aws.String("The allocation IDs '" + z.Allocation + "' do not exist")}
		}
	case m.PrivateIPv4Address != nil:
		a, err := netip.ParseAddr(*m.PrivateIPv4Address)
		if err != nil || !s.network.Block(z.Subnet).Contains(a) {
			return wrong("The private IPv4 address '" + *m.PrivateIPv4Address + "' is not in the range of subnet '" + z.Subnet + "'")
		}
		z.Private = a
	}
	return nil
}

func subnetsOf(lb LoadBalancer) []string {
	var ids []string
	for _, z := range lb.Zones {
		ids = append(ids, z.Subnet)
	}
	slices.Sort(ids)
	return ids
}

// DeleteLoadBalancer deletes a load balancer with its listeners. One that is not
// there is no error.
func (s *Service) DeleteLoadBalancer(ctx context.Context, in *elbv2.DeleteLoadBalancerInput) (*elbv2.DeleteLoadBalancerOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if _, err := s.balancer(aws.ToString(in.LoadBalancerArn)); err != nil {
		return &elbv2.DeleteLoadBalancerOutput{}, nil
	}
	lb, err := s.own(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if err := s.network.Unmake(ctx, lb); err != nil {
		return nil, err
	}
	if err := s.keep(ctx, func(tx *store.Tx) { s.balancers.In(tx).Delete(lb.Name) }); err != nil {
		return nil, err
	}
	return &elbv2.DeleteLoadBalancerOutput{}, s.settle(ctx)
}

// ModifyLoadBalancerAttributes changes what can be changed here: cross-zone load
// balancing. Of other attributes only the values they have are taken.
func (s *Service) ModifyLoadBalancerAttributes(ctx context.Context, in *elbv2.ModifyLoadBalancerAttributesInput) (*elbv2.ModifyLoadBalancerAttributesOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, err := s.own(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	now, err := s.DescribeLoadBalancerAttributes(ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: in.LoadBalancerArn})
	if err != nil {
		return nil, err
	}
	for _, a := range in.Attributes {
		key, value := aws.ToString(a.Key), aws.ToString(a.Value)
		i := slices.IndexFunc(now.Attributes, func(b types.LoadBalancerAttribute) bool { return *b.Key == key })
		switch {
		case i < 0:
			return nil, api.ValidationError("Load balancer attribute key '%s' is not recognized", key)
		case key == "load_balancing.cross_zone.enabled" && (value == "true" || value == "false"):
			lb.CrossZone = value == "true"
		case value != *now.Attributes[i].Value:
			return nil, unsupported("Load balancer attribute " + key + "=" + value)
		}
	}
	if err := s.keep(ctx, func(tx *store.Tx) { s.balancers.In(tx).Put(lb.Name, lb) }); err != nil {
		return nil, err
	}
	if err := s.apply(ctx, lb.Name); err != nil {
		return nil, err
	}
	out, err := s.DescribeLoadBalancerAttributes(ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: in.LoadBalancerArn})
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyLoadBalancerAttributesOutput{Attributes: out.Attributes}, nil
}
