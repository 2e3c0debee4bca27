package elb

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// DescribeLoadBalancers lists load balancers, by name.
func (s *Service) DescribeLoadBalancers(_ context.Context, in *elbv2.DescribeLoadBalancersInput) (*elbv2.DescribeLoadBalancersOutput, error) {
	if len(in.Names) > 0 && len(in.LoadBalancerArns) > 0 {
		return nil, api.ValidationError("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	for _, arn := range in.LoadBalancerArns {
		if _, err := s.balancer(arn); err != nil {
			return nil, err
		}
	}
	if missing := missing(in.Names, s.networkNamed); len(missing) > 0 {
		return nil, &types.LoadBalancerNotFoundException{Message: aws.String("Load balancers '[" + strings.Join(missing, ", ") + "]' not found")}
	}
	var found []LoadBalancer
	for name, lb := range s.networks() {
		if chosen(in.Names, name) && chosen(in.LoadBalancerArns, s.BalancerARN(lb)) {
			found = append(found, lb)
		}
	}
	cut, next, err := page("DescribeLoadBalancers", found, func(lb LoadBalancer) string { return lb.Name }, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeLoadBalancersOutput{LoadBalancers: []types.LoadBalancer{}, NextMarker: next}
	for _, lb := range cut {
		out.LoadBalancers = append(out.LoadBalancers, s.balancerView(lb))
	}
	return out, nil
}

func (s *Service) balancerView(lb LoadBalancer) types.LoadBalancer {
	view := types.LoadBalancer{
		LoadBalancerArn:  aws.String(s.BalancerARN(lb)),
		LoadBalancerName: aws.String(lb.Name),
		DNSName:          aws.String(lb.DNSName),
		CreatedTime:      aws.Time(lb.CreatedAt),
		Scheme:           types.LoadBalancerSchemeEnum(lb.Scheme),
		Type:             types.LoadBalancerTypeEnumNetwork,
		IpAddressType:    types.IpAddressTypeIpv4,
		VpcId:            aws.String(lb.VPC),
		State:            &types.LoadBalancerState{Code: types.LoadBalancerStateEnum(lb.State)},
		SecurityGroups:   slices.Clone(lb.Groups),
	}
	if id := hostedZones[s.place.Region].network; id != "" {
		view.CanonicalHostedZoneId = aws.String(id)
	}
	if len(lb.Groups) > 0 {
		view.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = aws.String(string(types.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnumOn))
	}
	if lb.Reason != "" {
		view.State.Reason = aws.String(lb.Reason)
	}
	for _, z := range lb.Zones {
		zone := types.AvailabilityZone{ZoneName: aws.String(z.Name), SubnetId: aws.String(z.Subnet), LoadBalancerAddresses: []types.LoadBalancerAddress{}}
		if z.IP.IsValid() {
			a := types.LoadBalancerAddress{IpAddress: aws.String(z.IP.String())}
			if z.Allocation != "" {
				a.AllocationId = aws.String(z.Allocation)
			}
			if z.Private.IsValid() {
				a.PrivateIPv4Address = aws.String(z.Private.String())
			}
			zone.LoadBalancerAddresses = append(zone.LoadBalancerAddresses, a)
		}
		view.AvailabilityZones = append(view.AvailabilityZones, zone)
	}
	return view
}

// DescribeListeners lists the listeners of one load balancer, or those named.
func (s *Service) DescribeListeners(_ context.Context, in *elbv2.DescribeListenersInput) (*elbv2.DescribeListenersOutput, error) {
	if (in.LoadBalancerArn == nil) == (len(in.ListenerArns) == 0) {
		return nil, api.ValidationError("You must specify either listener ARNs or a load balancer ARN")
	}
	if in.LoadBalancerArn != nil {
		if _, err := s.balancer(*in.LoadBalancerArn); err != nil {
			return nil, err
		}
	}
	var found []types.Listener
	for _, lb := range s.networks() {
		for _, l := range lb.Listeners {
			arn := s.listenerARN(lb, l)
			if slices.Contains(in.ListenerArns, arn) || s.BalancerARN(lb) == aws.ToString(in.LoadBalancerArn) {
				found = append(found, s.listenerView(lb, l))
			}
		}
	}
	for _, arn := range in.ListenerArns {
		if !slices.ContainsFunc(found, func(l types.Listener) bool { return *l.ListenerArn == arn }) {
			return nil, &types.ListenerNotFoundException{Message: aws.String("One or more listeners not found")}
		}
	}
	byARN := func(l types.Listener) string { return *l.ListenerArn }
	slices.SortFunc(found, func(a, b types.Listener) int { return strings.Compare(byARN(a), byARN(b)) })
	cut, next, err := page("DescribeListeners", found, byARN, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	return &elbv2.DescribeListenersOutput{Listeners: append([]types.Listener{}, cut...), NextMarker: next}, nil
}

func (s *Service) listenerView(lb LoadBalancer, l Listener) types.Listener {
	g, _ := s.groups.Get(l.TargetGroup)
	group := aws.String(s.GroupARN(g))
	return types.Listener{
		ListenerArn:     aws.String(s.listenerARN(lb, l)),
		LoadBalancerArn: aws.String(s.BalancerARN(lb)),
		Protocol:        types.ProtocolEnum(l.Protocol),
		Port:            aws.Int32(l.Port),
		DefaultActions: []types.Action{{
			Type: types.ActionTypeEnumForward, Order: aws.Int32(1), TargetGroupArn: group,
			ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: group}}},
		}},
	}
}

// DescribeTargetGroups lists target groups, by name.
func (s *Service) DescribeTargetGroups(_ context.Context, in *elbv2.DescribeTargetGroupsInput) (*elbv2.DescribeTargetGroupsOutput, error) {
	var of []string // names of the groups of the load balancer asked for
	if in.LoadBalancerArn != nil {
		lb, err := s.balancer(*in.LoadBalancerArn)
		if err != nil {
			return nil, err
		}
		of = []string{""} // no group's name: a load balancer without listeners has none
		for _, l := range lb.Listeners {
			of = append(of, l.TargetGroup)
		}
	}
	for _, arn := range in.TargetGroupArns {
		if _, err := s.group(arn); err != nil {
			return nil, err
		}
	}
	if len(missing(in.Names, s.groups.Get)) > 0 {
		return nil, &types.TargetGroupNotFoundException{Message: aws.String("One or more target groups not found")}
	}
	var found []TargetGroup
	for name, g := range s.groups.List("") {
		if chosen(of, name) && chosen(in.Names, name) && chosen(in.TargetGroupArns, s.GroupARN(g)) {
			found = append(found, g)
		}
	}
	cut, next, err := page("DescribeTargetGroups", found, func(g TargetGroup) string { return g.Name }, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTargetGroupsOutput{TargetGroups: []types.TargetGroup{}, NextMarker: next}
	for _, g := range cut {
		out.TargetGroups = append(out.TargetGroups, s.groupView(g))
	}
	return out, nil
}

func (s *Service) groupView(g TargetGroup) types.TargetGroup {
	view := types.TargetGroup{
		TargetGroupArn:             aws.String(s.GroupARN(g)),
		TargetGroupName:            aws.String(g.Name),
		Protocol:                   types.ProtocolEnum(g.Protocol),
		Port:                       aws.Int32(g.Port),
		VpcId:                      aws.String(g.VPC),
		TargetType:                 types.TargetTypeEnum(g.TargetType),
		IpAddressType:              types.TargetGroupIpAddressTypeEnumIpv4,
		HealthCheckEnabled:         aws.Bool(true),
		HealthCheckProtocol:        types.ProtocolEnum(g.Check.Protocol),
		HealthCheckPort:            aws.String(g.Check.Port),
		HealthCheckIntervalSeconds: seconds(g.Check.Interval),
		HealthCheckTimeoutSeconds:  seconds(g.Check.Timeout),
		HealthyThresholdCount:      aws.Int32(g.Check.Healthy),
		UnhealthyThresholdCount:    aws.Int32(g.Check.Unhealthy),
		LoadBalancerArns:           []string{},
	}
	if g.Check.Path != "" {
		view.HealthCheckPath = aws.String(g.Check.Path)
		view.Matcher = &types.Matcher{HttpCode: aws.String("200-399")}
	}
	for _, lb := range s.networks() {
		if slices.ContainsFunc(lb.Listeners, func(l Listener) bool { return l.TargetGroup == g.Name }) {
			view.LoadBalancerArns = append(view.LoadBalancerArns, s.BalancerARN(lb))
		}
	}
	return view
}

// DescribeTargetHealth says how a group's targets fare. Those asked for that are
// not registered are unused.
func (s *Service) DescribeTargetHealth(_ context.Context, in *elbv2.DescribeTargetHealthInput) (*elbv2.DescribeTargetHealthOutput, error) {
	g, err := s.group(aws.ToString(in.TargetGroupArn))
	if err != nil {
		return nil, err
	}
	targets := g.Targets
	if len(in.Targets) > 0 {
		targets = nil
		for _, asked := range in.Targets {
			targets = append(targets, registered(g, asked))
		}
	}
	out := &elbv2.DescribeTargetHealthOutput{TargetHealthDescriptions: []types.TargetHealthDescription{}}
	for _, t := range targets {
		view := types.TargetHealthDescription{
			Target:       &types.TargetDescription{Id: aws.String(t.ID), Port: aws.Int32(t.Port)},
			TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnum(t.State), Reason: types.TargetHealthReasonEnum(t.Reason)},
		}
		if t.Zone != "" {
			view.Target.AvailabilityZone = aws.String(t.Zone)
		}
		if t.Description != "" {
			view.TargetHealth.Description = aws.String(t.Description)
		}
		if t.Reason != string(types.TargetHealthReasonEnumNotRegistered) {
			view.HealthCheckPort = aws.String(g.checkPort(t))
		}
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, view)
	}
	return out, nil
}

// registered is the target that is asked for; without a port, the group's.
func registered(g TargetGroup, asked types.TargetDescription) Target {
	port := g.Port
	if asked.Port != nil {
		port = *asked.Port
	}
	for _, t := range g.Targets {
		if t.ID == aws.ToString(asked.Id) && t.Port == port {
			return t
		}
	}
	return Target{
		ID: aws.ToString(asked.Id), Port: port,
		State:       string(types.TargetHealthStateEnumUnused),
		Reason:      string(types.TargetHealthReasonEnumNotRegistered),
		Description: "Target is not registered to the target group",
	}
}

// chosen says whether value is among wanted; no wishes choose all.
func chosen(wanted []string, value string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

// missing are the names that get doesn't know.
func missing[T any](names []string, get func(string) (T, bool)) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := get(name); return ok })
}

func seconds(d time.Duration) *int32 { return aws.Int32(int32(d / time.Second)) }
