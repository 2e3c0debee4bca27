package elb

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func mapping(subnet, allocation, private string) types.SubnetMapping {
	m := types.SubnetMapping{SubnetId: aws.String(subnet)}
	if allocation != "" {
		m.AllocationId = aws.String(allocation)
	}
	if private != "" {
		m.PrivateIPv4Address = aws.String(private)
	}
	return m
}

func TestChosenAddresses(t *testing.T) {
	s, f := workshop(t)
	asked := func(scheme types.LoadBalancerSchemeEnum, mappings ...types.SubnetMapping) elbv2.CreateLoadBalancerInput {
		return elbv2.CreateLoadBalancerInput{Name: aws.String("own"), Type: "network", Scheme: scheme, SubnetMappings: mappings}
	}
	out := must(t, s.CreateLoadBalancer, asked("internet-facing", mapping("subnet-a", "eipalloc-1", ""), mapping("subnet-b", "", ""))).LoadBalancers[0]
	at := out.AvailabilityZones[0].LoadBalancerAddresses[0]
	if aws.ToString(at.AllocationId) != "eipalloc-1" || out.AvailabilityZones[1].LoadBalancerAddresses[0].AllocationId != nil || f.made["own"].Zones[0].Allocation != "eipalloc-1" {
		t.Errorf("%+v, made %+v", at, f.made["own"].Zones)
	}
	// In a subnet that it stays in it keeps its address.
	set := must(t, s.SetSubnets, elbv2.SetSubnetsInput{LoadBalancerArn: out.LoadBalancerArn, Subnets: []string{"subnet-a"}})
	if len(set.AvailabilityZones) != 1 || aws.ToString(set.AvailabilityZones[0].LoadBalancerAddresses[0].AllocationId) != "eipalloc-1" || len(f.made["own"].Zones) != 1 {
		t.Errorf("%+v", set)
	}
	_, err := s.SetSubnets(t.Context(), &elbv2.SetSubnetsInput{LoadBalancerArn: out.LoadBalancerArn, SubnetMappings: []types.SubnetMapping{mapping("subnet-a", "eipalloc-2", "")}})
	wantError(t, err, "InvalidConfigurationRequest", "The addresses of subnet 'subnet-a' can't be changed while the load balancer is in it")
	_, err = s.SetSubnets(t.Context(), &elbv2.SetSubnetsInput{LoadBalancerArn: out.LoadBalancerArn})
	wantError(t, err, "ValidationError", "At least one subnet must be specified")
	_, err = s.SetSubnets(t.Context(), &elbv2.SetSubnetsInput{LoadBalancerArn: aws.String(balancerARN), Subnets: []string{"subnet-a"}})
	wantError(t, err, "OperationNotPermitted", "Load balancer 'a' belongs to a Kubernetes Service, which decides what it is")
	must(t, s.DeleteLoadBalancer, elbv2.DeleteLoadBalancerInput{LoadBalancerArn: out.LoadBalancerArn})

	out = must(t, s.CreateLoadBalancer, asked("internal", mapping("subnet-a", "", "10.0.0.9"))).LoadBalancers[0]
	if got := f.made["own"].Zones[0].Private; got != netip.MustParseAddr("10.0.0.9") || aws.ToString(out.AvailabilityZones[0].LoadBalancerAddresses[0].PrivateIPv4Address) != "10.0.0.9" {
		t.Errorf("made at %s: %+v", got, out.AvailabilityZones)
	}
	must(t, s.DeleteLoadBalancer, elbv2.DeleteLoadBalancerInput{LoadBalancerArn: out.LoadBalancerArn})
	for _, test := range []struct {
		in            elbv2.CreateLoadBalancerInput
		code, message string
	}{
		{asked("internal", mapping("subnet-a", "eipalloc-1", "")), "InvalidConfigurationRequest", "Elastic IP addresses can't be specified for an internal load balancer"},
		{asked("internet-facing", mapping("subnet-a", "", "10.0.0.9")), "InvalidConfigurationRequest", "Private IPv4 addresses can't be specified for an internet-facing load balancer"},
		{asked("internal", mapping("subnet-a", "", "10.0.32.9")), "InvalidConfigurationRequest", "The private IPv4 address '10.0.32.9' is not in the range of subnet 'subnet-a'"},
		{asked("internet-facing", mapping("subnet-a", "eip-1", "")), "AllocationIdNotFound", "The allocation IDs 'eip-1' do not exist"},
		{asked("internal", types.SubnetMapping{SubnetId: aws.String("subnet-a"), IPv6Address: aws.String("::1")}), "UnsupportedOperation", "A subnet mapping with an IPv6 address is not offered here"},
	} {
		_, err := s.CreateLoadBalancer(t.Context(), &test.in)
		wantError(t, err, test.code, test.message)
	}
}

func TestSetSecurityGroups(t *testing.T) {
	s, f := workshop(t)
	in := elbv2.CreateLoadBalancerInput{Name: aws.String("own"), Type: "network", Subnets: []string{"subnet-a"}, SecurityGroups: []string{"sg-2", "sg-1"}}
	lb := must(t, s.CreateLoadBalancer, in).LoadBalancers[0]
	if !slices.Equal(lb.SecurityGroups, []string{"sg-1", "sg-2"}) || aws.ToString(lb.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic) != "on" {
		t.Errorf("%+v", lb)
	}
	in.SecurityGroups = []string{"sg-1"}
	_, err := s.CreateLoadBalancer(t.Context(), &in)
	wantError(t, err, "DuplicateLoadBalancerName", "A load balancer with the same name 'own' exists, but with different settings")
	set := func(arn *string, groups ...string) (*elbv2.SetSecurityGroupsOutput, error) {
		return s.SetSecurityGroups(t.Context(), &elbv2.SetSecurityGroupsInput{LoadBalancerArn: arn, SecurityGroups: groups})
	}
	if out, err := set(lb.LoadBalancerArn, "sg-2"); err != nil || !slices.Equal(out.SecurityGroupIds, []string{"sg-2"}) || !slices.Equal(f.made["own"].Groups, []string{"sg-2"}) {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = set(lb.LoadBalancerArn, "sg-9")
	wantError(t, err, "InvalidSecurityGroup", "One or more security groups are invalid")
	_, err = set(lb.LoadBalancerArn)
	wantError(t, err, "InvalidConfigurationRequest", "At least one security group must be specified")
	in.Name, in.SecurityGroups = aws.String("without"), nil
	without := must(t, s.CreateLoadBalancer, in).LoadBalancers[0]
	_, err = set(without.LoadBalancerArn, "sg-1")
	wantError(t, err, "InvalidConfigurationRequest", "Security groups can't be set for a Network Load Balancer that was created without security groups")
}

func TestListenerAttributes(t *testing.T) {
	s, f := workshop(t)
	lb := must(t, s.CreateLoadBalancer, elbv2.CreateLoadBalancerInput{Name: aws.String("own"), Type: "network", Subnets: []string{"subnet-a"}}).LoadBalancers[0]
	listener := func(protocol types.ProtocolEnum, port int32) *string {
		g := must(t, s.CreateTargetGroup, elbv2.CreateTargetGroupInput{Name: aws.String(string(protocol)), Protocol: protocol, Port: aws.Int32(80), VpcId: aws.String("vpc-1")}).TargetGroups[0]
		return must(t, s.CreateListener, elbv2.CreateListenerInput{
			LoadBalancerArn: lb.LoadBalancerArn, Protocol: protocol, Port: aws.Int32(port), DefaultActions: []types.Action{{Type: "forward", TargetGroupArn: g.TargetGroupArn}},
		}).Listeners[0].ListenerArn
	}
	tcp, udp := listener("TCP", 80), listener("UDP", 81)
	shown := func(arn *string) string {
		text := ""
		for _, a := range must(t, s.DescribeListenerAttributes, elbv2.DescribeListenerAttributesInput{ListenerArn: arn}).Attributes {
			text += *a.Key + "=" + *a.Value
		}
		return text
	}
	if got := shown(tcp); got != "tcp.idle_timeout.seconds=350" || shown(udp) != "" {
		t.Errorf("at first: %q, %q", got, shown(udp))
	}
	set := func(arn *string, key, value string) error {
		_, err := s.ModifyListenerAttributes(t.Context(), &elbv2.ModifyListenerAttributesInput{ListenerArn: arn, Attributes: []types.ListenerAttribute{{Key: &key, Value: &value}}})
		return err
	}
	if err := set(tcp, "tcp.idle_timeout.seconds", "60"); err != nil || shown(tcp) != "tcp.idle_timeout.seconds=60" || f.made["own"].Listeners[0].Idle != time.Minute {
		t.Errorf("changed: %v, %q, made %+v", err, shown(tcp), f.made["own"].Listeners)
	}
	wantError(t, set(tcp, "tcp.idle_timeout.seconds", "59"), "ValidationError", "'tcp.idle_timeout.seconds' must be between '60' and '6000' inclusive")
	wantError(t, set(tcp, "routing.http.response.server.enabled", "true"), "ValidationError", "Listener attribute key 'routing.http.response.server.enabled' is not recognized")
	wantError(t, set(udp, "tcp.idle_timeout.seconds", "60"), "ValidationError", "Listener attribute key 'tcp.idle_timeout.seconds' is not recognized")
	_, err := s.DescribeListenerAttributes(t.Context(), &elbv2.DescribeListenerAttributesInput{ListenerArn: aws.String("arn:none")})
	wantError(t, err, "ListenerNotFound", "One or more listeners not found")
}

// The calls as clients send them, and the condition keys that policies see of them.
func TestSettingsThroughTheDoor(t *testing.T) {
	s, _ := workshop(t)
	lb := must(t, s.CreateLoadBalancer, elbv2.CreateLoadBalancerInput{Name: aws.String("own"), Type: "network", Subnets: []string{"subnet-a"}, SecurityGroups: []string{"sg-1"}}).LoadBalancers[0]
	g := must(t, s.CreateTargetGroup, elbv2.CreateTargetGroupInput{Name: aws.String("g"), Protocol: "TCP", Port: aws.Int32(80), VpcId: aws.String("vpc-1")}).TargetGroups[0]
	l := must(t, s.CreateListener, elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancerArn, Protocol: "TCP", Port: aws.Int32(80), DefaultActions: []types.Action{{Type: "forward", TargetGroupArn: g.TargetGroupArn}},
	}).Listeners[0]
	door := doortest.New(t).Open(t, s.Service())
	c := elbv2.NewFromConfig(door.User(t, "keeper", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["elasticloadbalancing:DescribeListenerAttributes","elasticloadbalancing:ModifyListenerAttributes"],"Resource":"*"},
		{"Effect":"Allow","Action":"elasticloadbalancing:SetSecurityGroups","Resource":"*","Condition":{"ForAllValues:StringEquals":{"elasticloadbalancing:SecurityGroup":"sg-2"}}},
		{"Effect":"Allow","Action":"elasticloadbalancing:SetSubnets","Resource":"*","Condition":{"ForAllValues:StringEquals":{"elasticloadbalancing:Subnet":"subnet-b"}}}]}`))
	ctx := t.Context()
	modified, err := c.ModifyListenerAttributes(ctx, &elbv2.ModifyListenerAttributesInput{ListenerArn: l.ListenerArn, Attributes: []types.ListenerAttribute{{Key: aws.String("tcp.idle_timeout.seconds"), Value: aws.String("600")}}})
	if err != nil || *modified.Attributes[0].Value != "600" {
		t.Errorf("%+v, %v", modified, err)
	}
	if shown, err := c.DescribeListenerAttributes(ctx, &elbv2.DescribeListenerAttributesInput{ListenerArn: l.ListenerArn}); err != nil || *shown.Attributes[0].Value != "600" {
		t.Errorf("%+v, %v", shown, err)
	}
	if out, err := c.SetSecurityGroups(ctx, &elbv2.SetSecurityGroupsInput{LoadBalancerArn: lb.LoadBalancerArn, SecurityGroups: []string{"sg-2"}}); err != nil || !slices.Equal(out.SecurityGroupIds, []string{"sg-2"}) {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = c.SetSecurityGroups(ctx, &elbv2.SetSecurityGroupsInput{LoadBalancerArn: lb.LoadBalancerArn, SecurityGroups: []string{"sg-1"}})
	doortest.Refused(t, err, "AccessDenied", "is not authorized to perform: elasticloadbalancing:SetSecurityGroups")
	if out, err := c.SetSubnets(ctx, &elbv2.SetSubnetsInput{LoadBalancerArn: lb.LoadBalancerArn, SubnetMappings: []types.SubnetMapping{mapping("subnet-b", "eipalloc-1", "")}}); err != nil || len(out.AvailabilityZones) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = c.SetSubnets(ctx, &elbv2.SetSubnetsInput{LoadBalancerArn: lb.LoadBalancerArn, SubnetMappings: []types.SubnetMapping{mapping("subnet-a", "", "")}})
	doortest.Refused(t, err, "AccessDenied", "is not authorized to perform: elasticloadbalancing:SetSubnets")
}
