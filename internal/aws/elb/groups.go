package elb

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// CreateTargetGroup makes a target group for Network Load Balancers. One of the same
// name and settings is no error.
func (s *Service) CreateTargetGroup(ctx context.Context, in *elbv2.CreateTargetGroupInput) (*elbv2.CreateTargetGroupOutput, error) {
	g := TargetGroup{
		Name: aws.ToString(in.Name), ID: newID(), Protocol: string(in.Protocol), Port: aws.ToInt32(in.Port), VPC: aws.ToString(in.VpcId),
		TargetType: string(in.TargetType), ByAPI: true,
		Check: Check{Protocol: "TCP", Port: "traffic-port", Interval: 30 * time.Second, Timeout: 10 * time.Second, Healthy: 5, Unhealthy: 2},
	}
	if g.TargetType == "" {
		g.TargetType = string(types.TargetTypeEnumInstance)
	}
	udp := strings.Contains(g.Protocol, "UDP")
	g.Attributes = Attributes{Drain: 300 * time.Second, EndUnhealthy: true, EndDrained: udp, PreserveClient: udp || g.TargetType == "instance"}
	switch {
	case s.network == nil:
		return nil, unsupported("Creating target groups")
	case g.TargetType != "instance" && g.TargetType != "ip":
		return nil, unsupported("A target group of type " + g.TargetType)
	case g.Protocol == "":
		return nil, api.ValidationError("A protocol must be specified")
	case g.Protocol != "TCP" && g.Protocol != "UDP" && g.Protocol != "TCP_UDP":
		return nil, unsupported("A target group with protocol " + g.Protocol)
	case g.Port < 1 || g.Port > 65535:
		return nil, api.ValidationError("Target group port '%d' must be between '1' and '65535' inclusive", g.Port)
	case g.VPC == "":
		return nil, api.ValidationError("A VPC ID must be specified")
	case in.IpAddressType != "" && in.IpAddressType != types.TargetGroupIpAddressTypeEnumIpv4:
		return nil, unsupported("IP address type " + string(in.IpAddressType))
	case in.HealthCheckEnabled != nil && !*in.HealthCheckEnabled:
		return nil, &types.InvalidConfigurationRequestException{Message: aws.String("Health check enabled must be true for target groups with target type '" + g.TargetType + "'")}
	}
	if err := checkName("Target group", g.Name); err != nil {
		return nil, err
	}
	var err error
	if g.Tags, err = tagMap(in.Tags); err != nil {
		return nil, err
	}
	err = g.Check.change(checkChange{in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath, in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds, in.HealthyThresholdCount, in.UnhealthyThresholdCount, in.Matcher})
	if err != nil {
		return nil, err
	}
	s.making.Lock()
	defer s.making.Unlock()
	if old, ok := s.groups.Get(g.Name); ok {
		if !old.ByAPI || old.Protocol != g.Protocol || old.Port != g.Port || old.VPC != g.VPC || old.TargetType != g.TargetType || old.Check != g.Check {
			return nil, &types.DuplicateTargetGroupNameException{Message: aws.String("A target group with the same name '" + g.Name + "' exists, but with different settings")}
		}
		g = old
	} else if err := s.keep(ctx, func(tx *store.Tx) { s.groups.In(tx).Put(g.Name, g) }); err != nil {
		return nil, err
	}
	return &elbv2.CreateTargetGroupOutput{TargetGroups: []types.TargetGroup{s.groupView(g)}}, nil
}

// checkChange is what a call says of a health check.
type checkChange struct {
	protocol           types.ProtocolEnum
	port, path         *string
	interval, timeout  *int32
	healthy, unhealthy *int32
	matcher            *types.Matcher
}

func (c *Check) change(n checkChange) error {
	if n.protocol != "" {
		c.Protocol = string(n.protocol)
	}
	if n.port != nil {
		c.Port = *n.port
	}
	switch c.Protocol {
	case "TCP":
		if n.path != nil {
			return api.ValidationError("A health check path cannot be specified for health checks with protocol 'TCP'")
		}
		c.Path = ""
	case "HTTP", "HTTPS":
		if n.path != nil {
			c.Path = *n.path
		}
		if c.Path == "" {
			c.Path = "/"
		}
	default:
		return api.ValidationError("Health check protocol '%s' is not supported by a Network Load Balancer", c.Protocol)
	}
	if n.matcher != nil && aws.ToString(n.matcher.HttpCode) != "" && *n.matcher.HttpCode != "200-399" {
		return unsupported("Health check matcher " + *n.matcher.HttpCode)
	}
	if p, err := strconv.ParseUint(c.Port, 10, 16); c.Port != "traffic-port" && (err != nil || p == 0) {
		return api.ValidationError("Health check port '%s' is not valid", c.Port)
	}
	set := func(what string, to *int32, given *int32, low, high int32) error {
		if given != nil {
			*to = *given
		}
		if *to < low || *to > high {
			return api.ValidationError("%s '%d' must be between '%d' and '%d' inclusive", what, *to, low, high)
		}
		return nil
	}
	interval, timeout := int32(c.Interval/time.Second), int32(c.Timeout/time.Second)
	for _, err := range []error{
		set("Health check interval", &interval, n.interval, 5, 300), set("Health check timeout", &timeout, n.timeout, 2, 120),
		set("Healthy threshold count", &c.Healthy, n.healthy, 2, 10), set("Unhealthy threshold count", &c.Unhealthy, n.unhealthy, 2, 10),
	} {
		if err != nil {
			return err
		}
	}
	c.Interval, c.Timeout = time.Duration(interval)*time.Second, time.Duration(timeout)*time.Second
	return nil
}

// ModifyTargetGroup changes how health is checked: what is not given stays.
func (s *Service) ModifyTargetGroup(ctx context.Context, in *elbv2.ModifyTargetGroupInput) (*elbv2.ModifyTargetGroupOutput, error) {
	g, err := s.regroup(ctx, in.TargetGroupArn, func(g *TargetGroup) error {
		return g.Check.change(checkChange{in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath, in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds, in.HealthyThresholdCount, in.UnhealthyThresholdCount, in.Matcher})
	})
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyTargetGroupOutput{TargetGroups: []types.TargetGroup{s.groupView(g)}}, nil
}

// ModifyTargetGroupAttributes changes a group's attributes.
func (s *Service) ModifyTargetGroupAttributes(ctx context.Context, in *elbv2.ModifyTargetGroupAttributesInput) (*elbv2.ModifyTargetGroupAttributesOutput, error) {
	_, err := s.regroup(ctx, in.TargetGroupArn, func(g *TargetGroup) error {
		for _, a := range in.Attributes {
			if err := g.Attributes.set(g.Protocol, aws.ToString(a.Key), aws.ToString(a.Value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out, err := s.DescribeTargetGroupAttributes(ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: in.TargetGroupArn})
	if err != nil {
		return nil, err
	}
	return &elbv2.ModifyTargetGroupAttributesOutput{Attributes: out.Attributes}, nil
}

func (a *Attributes) set(protocol, key, value string) error {
	flags := map[string]*bool{
		"stickiness.enabled": &a.Sticky, "preserve_client_ip.enabled": &a.PreserveClient, "proxy_protocol_v2.enabled": &a.ProxyProtocol,
		"deregistration_delay.connection_termination.enabled": &a.EndDrained, "target_health_state.unhealthy.connection_termination.enabled": &a.EndUnhealthy,
	}
	to, isFlag := flags[key]
	switch {
	case isFlag && value != "true" && value != "false":
		return api.ValidationError("Target group attribute '%s' cannot be '%s': it must be true or false", key, value)
	case isFlag:
		*to = value == "true"
	case key == "deregistration_delay.timeout_seconds":
		v, err := strconv.Atoi(value)
		if err != nil || v < 0 || v > 3600 {
			return api.ValidationError("Target group attribute '%s' must be between '0' and '3600' inclusive", key)
		}
		a.Drain = time.Duration(v) * time.Second
	case key == "stickiness.type" && value == "source_ip":
	default:
		return unsupported("Target group attribute " + key + "=" + value)
	}
	if protocol != "TCP" && (!a.PreserveClient || a.ProxyProtocol) {
		return &types.InvalidConfigurationRequestException{Message: aws.String("Client IP preservation can't be disabled, nor proxy protocol v2 enabled, for target groups with protocol " + protocol)}
	}
	return nil
}

// regroup changes a group and what forwards to it.
func (s *Service) regroup(ctx context.Context, arn *string, change func(*TargetGroup) error) (TargetGroup, error) {
	s.making.Lock()
	defer s.making.Unlock()
	g, err := s.ownGroup(arn)
	if err != nil {
		return g, err
	}
	if err := change(&g); err != nil {
		return g, err
	}
	if err := s.keep(ctx, func(tx *store.Tx) { s.groups.In(tx).Put(g.Name, g) }); err != nil {
		return g, err
	}
	return g, s.applyGroup(ctx, g.Name)
}

// DeleteTargetGroup deletes a group that nothing forwards to. One that is not there
// is no error.
func (s *Service) DeleteTargetGroup(ctx context.Context, in *elbv2.DeleteTargetGroupInput) (*elbv2.DeleteTargetGroupOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if _, err := s.group(aws.ToString(in.TargetGroupArn)); err != nil {
		return &elbv2.DeleteTargetGroupOutput{}, nil
	}
	g, err := s.ownGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	if len(s.groupView(g).LoadBalancerArns) > 0 {
		return nil, &types.ResourceInUseException{Message: aws.String("Target group '" + s.GroupARN(g) + "' is currently in use by a listener or a rule")}
	}
	return &elbv2.DeleteTargetGroupOutput{}, s.keep(ctx, func(tx *store.Tx) { s.groups.In(tx).Delete(g.Name) })
}

// RegisterTargets adds targets to a group. Those that are there are no error.
func (s *Service) RegisterTargets(ctx context.Context, in *elbv2.RegisterTargetsInput) (*elbv2.RegisterTargetsOutput, error) {
	_, err := s.regroup(ctx, in.TargetGroupArn, func(g *TargetGroup) error {
		for _, d := range in.Targets {
			t, err := s.target(*g, d)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(g.Registered, t.is) {
				g.Registered = append(slices.Clone(g.Registered), t)
			}
		}
		g.unused()
		return nil
	})
	return &elbv2.RegisterTargetsOutput{}, err
}

// DeregisterTargets takes targets out of a group; without a port, on all of theirs.
func (s *Service) DeregisterTargets(ctx context.Context, in *elbv2.DeregisterTargetsInput) (*elbv2.DeregisterTargetsOutput, error) {
	_, err := s.regroup(ctx, in.TargetGroupArn, func(g *TargetGroup) error {
		for _, d := range in.Targets {
			g.Registered = slices.DeleteFunc(slices.Clone(g.Registered), func(t Target) bool {
				return t.ID == aws.ToString(d.Id) && (d.Port == nil || t.Port == *d.Port)
			})
		}
		g.unused()
		return nil
	})
	return &elbv2.DeregisterTargetsOutput{}, err
}

func (t Target) is(o Target) bool { return t.ID == o.ID && t.Port == o.Port }

// unused shows a group's targets as those of a group that no listener forwards to;
// what forwards to it shows them anew.
func (g *TargetGroup) unused() {
	g.Targets = nil
	for _, t := range g.Registered {
		t.State, t.Reason = string(types.TargetHealthStateEnumUnused), string(types.TargetHealthReasonEnumNotInUse)
		t.Description = "Target group is not configured to receive traffic from the load balancer"
		g.Targets = append(g.Targets, t)
	}
}

// target is a target that a call names.
func (s *Service) target(g TargetGroup, d types.TargetDescription) (Target, error) {
	t := Target{ID: aws.ToString(d.Id), Port: g.Port}
	if d.Port != nil {
		t.Port = *d.Port
	}
	invalid := func(why string) (Target, error) {
		return t, &types.InvalidTargetException{Message: aws.String(why)}
	}
	if t.Port < 1 || t.Port > 65535 {
		return t, api.ValidationError("Port '%d' must be between '1' and '65535' inclusive", t.Port)
	}
	if g.TargetType == string(types.TargetTypeEnumInstance) {
		addr, zone, ok := s.network.Instance(t.ID)
		if !ok {
			return invalid("The following targets are not in a running state and cannot be registered: '" + t.ID + "'")
		}
		t.Addr, t.Zone = addr, zone
		return t, nil
	}
	addr, err := netip.ParseAddr(t.ID)
	if err != nil || !addr.Is4() {
		return t, api.ValidationError("The IP address '%s' is not a valid IPv4 address", t.ID)
	}
	zone, ok := s.network.ZoneOf(addr)
	if !ok {
		return invalid("The IP address '" + t.ID + "' must be within the VPC '" + g.VPC + "'")
	}
	t.Addr, t.Zone = addr, zone
	return t, nil
}
