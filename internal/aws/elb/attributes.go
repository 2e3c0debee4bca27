package elb

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// DescribeLoadBalancerAttributes shows a Network Load Balancer's attributes.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
func (s *Service) DescribeLoadBalancerAttributes(_ context.Context, in *elbv2.DescribeLoadBalancerAttributesInput) (*elbv2.DescribeLoadBalancerAttributesOutput, error) {
	lb, err := s.balancer(aws.ToString(in.LoadBalancerArn))
	if err != nil {
		return nil, err
	}
	out := &elbv2.DescribeLoadBalancerAttributesOutput{}
	for _, a := range [][2]string{
		{"deletion_protection.enabled", "false"},
		{"access_logs.s3.enabled", "false"},
		{"access_logs.s3.bucket", ""},
		{"access_logs.s3.prefix", ""},
		{"load_balancing.cross_zone.enabled", strconv.FormatBool(lb.CrossZone)},
		{"ipv6.deny_all_igw_traffic", "false"},
		{"dns_record.client_routing_policy", "any_availability_zone"},
		{"zonal_shift.config.enabled", "false"},
	} {
		out.Attributes = append(out.Attributes, types.LoadBalancerAttribute{Key: aws.String(a[0]), Value: aws.String(a[1])})
	}
	return out, nil
}

// DescribeTargetGroupAttributes shows a target group's attributes.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
func (s *Service) DescribeTargetGroupAttributes(_ context.Context, in *elbv2.DescribeTargetGroupAttributesInput) (*elbv2.DescribeTargetGroupAttributesOutput, error) {
	g, err := s.group(aws.ToString(in.TargetGroupArn))
	if err != nil {
		return nil, err
	}
	a, out := g.Attributes, &elbv2.DescribeTargetGroupAttributesOutput{}
	for _, a := range [][2]string{
		{"stickiness.enabled", strconv.FormatBool(a.Sticky)},
		{"stickiness.type", "source_ip"},
		{"deregistration_delay.timeout_seconds", strconv.Itoa(int(a.Drain / time.Second))},
		{"deregistration_delay.connection_termination.enabled", strconv.FormatBool(a.EndDrained)},
		{"preserve_client_ip.enabled", strconv.FormatBool(a.PreserveClient)},
		{"proxy_protocol_v2.enabled", strconv.FormatBool(a.ProxyProtocol)},
		{"load_balancing.cross_zone.enabled", "use_load_balancer_configuration"},
		{"target_health_state.unhealthy.connection_termination.enabled", strconv.FormatBool(a.EndUnhealthy)},
		{"target_health_state.unhealthy.draining_interval_seconds", "0"},
		{"target_group_health.dns_failover.minimum_healthy_targets.count", "1"},
		{"target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"},
		{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"},
		{"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"},
	} {
		out.Attributes = append(out.Attributes, types.TargetGroupAttribute{Key: aws.String(a[0]), Value: aws.String(a[1])})
	}
	return out, nil
}
