package elb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// fakeNetwork notes what it is to make.
type fakeNetwork struct {
	made   map[string]LoadBalancer
	groups map[string]TargetGroup
	fail   error
}

func (f *fakeNetwork) Make(_ context.Context, lb LoadBalancer, groups map[string]TargetGroup) (string, []Zone, error) {
	if f.fail != nil {
		return "", nil, f.fail
	}
	f.made[lb.Name], f.groups = lb, groups
	zones := slices.Clone(lb.Zones)
	for i := range zones {
		zones[i].IP = netip.AddrFrom4([4]byte{198, 18, 2, byte(i + 4)})
	}
	return lb.Name + "-" + lb.ID + ".elb.us-west-2.amazonaws.com", zones, nil
}

func (f *fakeNetwork) Unmake(_ context.Context, lb LoadBalancer) error {
	delete(f.made, lb.Name)
	return nil
}

func (f *fakeNetwork) Health(_ LoadBalancer, l Listener) []Target {
	var all []Target
	for _, t := range f.groups[l.TargetGroup].Registered {
		all = append(all, Target{ID: t.ID, Port: t.Port, Zone: t.Zone, State: "healthy"})
	}
	return all
}

func (f *fakeNetwork) Instance(id string) (netip.Addr, string, bool) {
	return netip.MustParseAddr("10.0.64.5"), "us-west-2a", id == "i-1"
}

func (f *fakeNetwork) Subnet(id string) (vpc, zone string, ok bool) {
	return "vpc-1", "us-west-2" + strings.TrimPrefix(id, "subnet-"), len(id) == len("subnet-a")
}

func (f *fakeNetwork) Block(subnet string) netip.Prefix {
	return netip.MustParsePrefix(map[string]string{"subnet-a": "10.0.0.0/19", "subnet-b": "10.0.32.0/19"}[subnet])
}

func (f *fakeNetwork) Group(id string) (string, bool) { return "vpc-1", id == "sg-1" || id == "sg-2" }

func (f *fakeNetwork) Allocation(id string) bool { return strings.HasPrefix(id, "eipalloc-") }

func (f *fakeNetwork) ZoneOf(a netip.Addr) (string, bool) {
	return "us-west-2a", netip.MustParsePrefix("10.0.0.0/16").Contains(a)
}

// workshop has a load balancer "a" of a Service, and a network that makes others.
func workshop(t *testing.T) (*Service, *fakeNetwork) {
	s, f := world(t), &fakeNetwork{made: map[string]LoadBalancer{}}
	s.UseNetwork(f)
	return s, f
}

// must returns what a call answered.
func must[I, O any](t *testing.T, call func(context.Context, *I) (*O, error), in I) *O {
	t.Helper()
	out, err := call(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A load balancer's life by API calls, as the AWS Load Balancer Controller makes
// them.
func TestMadeByCalls(t *testing.T) {
	s, f := workshop(t)
	create := elbv2.CreateLoadBalancerInput{Name: aws.String("web"), Type: "network", Scheme: "internal", Subnets: []string{"subnet-a", "subnet-b"}, Tags: tagsV2("Team", "blue")}
	lb := must(t, s.CreateLoadBalancer, create).LoadBalancers[0]
	if *lb.LoadBalancerName != "web" || lb.State.Code != "active" || lb.Scheme != "internal" || len(lb.AvailabilityZones) != 2 ||
		*lb.AvailabilityZones[1].LoadBalancerAddresses[0].IpAddress != "198.18.2.5" || !strings.HasPrefix(*lb.DNSName, "web-") || *lb.VpcId != "vpc-1" {
		t.Errorf("%+v", lb)
	}
	if again := must(t, s.CreateLoadBalancer, create).LoadBalancers[0]; *again.LoadBalancerArn != *lb.LoadBalancerArn {
		t.Errorf("made twice: %s and %s", *again.LoadBalancerArn, *lb.LoadBalancerArn)
	}
	group := elbv2.CreateTargetGroupInput{
		Name: aws.String("web"), Protocol: "TCP", Port: aws.Int32(8080), VpcId: aws.String("vpc-1"), TargetType: "ip",
		HealthCheckProtocol: "HTTP", HealthCheckIntervalSeconds: aws.Int32(10),
	}
	g := must(t, s.CreateTargetGroup, group).TargetGroups[0]
	if *g.HealthCheckPath != "/" || *g.HealthCheckIntervalSeconds != 10 || *g.HealthCheckPort != "traffic-port" {
		t.Errorf("%+v", g)
	}
	must(t, s.RegisterTargets, elbv2.RegisterTargetsInput{TargetGroupArn: g.TargetGroupArn, Targets: []types.TargetDescription{{Id: aws.String("10.0.65.1")}, {Id: aws.String("10.0.65.2"), Port: aws.Int32(81)}}})
	health := func() string {
		out := ""
		for _, d := range must(t, s.DescribeTargetHealth, elbv2.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn}).TargetHealthDescriptions {
			out += fmt.Sprint(*d.Target.Id, ":", *d.Target.Port, " ", d.TargetHealth.State, " ")
		}
		return strings.TrimSpace(out)
	}
	if got := health(); got != "10.0.65.1:8080 unused 10.0.65.2:81 unused" {
		t.Errorf("before a listener: %s", got)
	}
	forward := []types.Action{{Type: "forward", TargetGroupArn: g.TargetGroupArn}}
	l := must(t, s.CreateListener, elbv2.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Protocol: "TCP", Port: aws.Int32(80), DefaultActions: forward}).Listeners[0]
	if got := health(); got != "10.0.65.1:8080 healthy 10.0.65.2:81 healthy" {
		t.Errorf("with a listener: %s", got)
	}
	if made := f.made["web"]; len(made.Listeners) != 1 || len(f.groups["web"].Registered) != 2 || f.groups["web"].Registered[0].Addr.String() != "10.0.65.1" {
		t.Errorf("made: %+v of %+v", made, f.groups)
	}
	must(t, s.DeregisterTargets, elbv2.DeregisterTargetsInput{TargetGroupArn: g.TargetGroupArn, Targets: []types.TargetDescription{{Id: aws.String("10.0.65.2")}}})
	if got := health(); got != "10.0.65.1:8080 healthy" {
		t.Errorf("deregistered: %s", got)
	}
	must(t, s.ModifyTargetGroupAttributes, elbv2.ModifyTargetGroupAttributesInput{TargetGroupArn: g.TargetGroupArn, Attributes: []types.TargetGroupAttribute{{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("20")}}})
	must(t, s.ModifyTargetGroup, elbv2.ModifyTargetGroupInput{TargetGroupArn: g.TargetGroupArn, HealthyThresholdCount: aws.Int32(3)})
	must(t, s.ModifyLoadBalancerAttributes, elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn, Attributes: []types.LoadBalancerAttribute{
		{Key: aws.String("load_balancing.cross_zone.enabled"), Value: aws.String("true")}, {Key: aws.String("deletion_protection.enabled"), Value: aws.String("false")},
	}})
	must(t, s.ModifyListener, elbv2.ModifyListenerInput{ListenerArn: l.ListenerArn, Port: aws.Int32(81)})
	if made, group := f.made["web"], f.groups["web"]; !made.CrossZone || made.Listeners[0].Port != 81 || group.Attributes.Drain.Seconds() != 20 || group.Check.Healthy != 3 {
		t.Errorf("changed: %+v of %+v", made, group)
	}
	_, err := s.DeleteTargetGroup(t.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: g.TargetGroupArn})
	wantError(t, err, "ResourceInUse", "Target group '"+*g.TargetGroupArn+"' is currently in use by a listener or a rule")
	must(t, s.DeleteListener, elbv2.DeleteListenerInput{ListenerArn: l.ListenerArn})
	if got := health(); got != "10.0.65.1:8080 unused" {
		t.Errorf("without a listener: %s", got)
	}
	must(t, s.DeleteTargetGroup, elbv2.DeleteTargetGroupInput{TargetGroupArn: g.TargetGroupArn})
	must(t, s.DeleteLoadBalancer, elbv2.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn})
	must(t, s.DeleteLoadBalancer, elbv2.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn})
	if _, there := s.TargetGroup("web"); there || len(f.made) != 0 {
		t.Errorf("left: %v", f.made)
	}
}

func TestMakingIsRefused(t *testing.T) {
	s, f := workshop(t)
	network := func(change func(*elbv2.CreateLoadBalancerInput)) error {
		in := &elbv2.CreateLoadBalancerInput{Name: aws.String("web"), Type: "network", Subnets: []string{"subnet-a"}}
		change(in)
		_, err := s.CreateLoadBalancer(t.Context(), in)
		return err
	}
	group := func(change func(*elbv2.CreateTargetGroupInput)) error {
		in := &elbv2.CreateTargetGroupInput{Name: aws.String("g"), Protocol: "TCP", Port: aws.Int32(80), VpcId: aws.String("vpc-1")}
		change(in)
		_, err := s.CreateTargetGroup(t.Context(), in)
		return err
	}
	mine := must(t, s.CreateTargetGroup, elbv2.CreateTargetGroupInput{Name: aws.String("mine"), Protocol: "UDP", Port: aws.Int32(80), VpcId: aws.String("vpc-1")}).TargetGroups[0]
	lb := must(t, s.CreateLoadBalancer, elbv2.CreateLoadBalancerInput{Name: aws.String("own"), Type: "network", Subnets: []string{"subnet-a"}}).LoadBalancers[0]
	listener := func(protocol types.ProtocolEnum, actions ...types.Action) error {
		_, err := s.CreateListener(t.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: lb.LoadBalancerArn, Protocol: protocol, Port: aws.Int32(80), DefaultActions: actions})
		return err
	}
	register := func(arn *string, id string) error {
		_, err := s.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: arn, Targets: []types.TargetDescription{{Id: &id}}})
		return err
	}
	for _, test := range []struct {
		err           error
		code, message string
	}{
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Type = "" }), "UnsupportedOperation", "A load balancer of type application is not offered here"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Type = "gateway" }), "UnsupportedOperation", "A load balancer of type gateway is not offered here"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Name = aws.String("a") }), "DuplicateLoadBalancerName", "A load balancer with the same name 'a' exists, but with different settings"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Name = aws.String("internal-a") }), "ValidationError", "Load balancer name 'internal-a' cannot begin with 'internal-'"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Subnets = nil }), "ValidationError", "At least one subnet must be specified"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-none"} }), "SubnetNotFound", "The subnet ID 'subnet-none' is not valid"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.Subnets = []string{"subnet-a", "subnet-a"} }), "InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone"},
		{network(func(in *elbv2.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-1", "sg-9"} }), "InvalidSecurityGroup", "One or more security groups are invalid"},
		{network(func(in *elbv2.CreateLoadBalancerInput) {
			in.SubnetMappings = []types.SubnetMapping{{SubnetId: aws.String("subnet-b")}}
		}), "ValidationError", "You must specify either subnets or subnet mappings, but not both"},
		{group(func(in *elbv2.CreateTargetGroupInput) { in.TargetType = "lambda" }), "UnsupportedOperation", "A target group of type lambda is not offered here"},
		{group(func(in *elbv2.CreateTargetGroupInput) { in.Protocol = "HTTP" }), "UnsupportedOperation", "A target group with protocol HTTP is not offered here"},
		{group(func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckIntervalSeconds = aws.Int32(4) }), "ValidationError", "Health check interval '4' must be between '5' and '300' inclusive"},
		{group(func(in *elbv2.CreateTargetGroupInput) { in.Name = aws.String("g80") }), "DuplicateTargetGroupName", "A target group with the same name 'g80' exists, but with different settings"},
		{register(mine.TargetGroupArn, "i-9"), "InvalidTarget", "The following targets are not in a running state and cannot be registered: 'i-9'"},
		{register(aws.String(groupARN), "i-1"), "OperationNotPermitted", "Target group 'g80' belongs to a Kubernetes Service, which decides what it is"},
		{listener("TCP", types.Action{Type: "forward", TargetGroupArn: mine.TargetGroupArn}), "IncompatibleProtocols", "Listener protocol 'TCP' is not supported with a target group with the target group protocol 'UDP'"},
		{listener("TLS", types.Action{Type: "forward", TargetGroupArn: mine.TargetGroupArn}), "UnsupportedOperation", "A TLS listener is not offered here"},
		{listener("UDP"), "ValidationError", "A listener must have a default action"},
		{listener("UDP", types.Action{Type: "redirect"}), "InvalidLoadBalancerAction", "A Network Load Balancer's listener forwards; action type 'redirect' is not one of it"},
	} {
		wantError(t, test.err, test.code, test.message)
	}
	f.fail = errors.New("no")
	if network(func(*elbv2.CreateLoadBalancerInput) {}) == nil || listener("UDP", types.Action{Type: "forward", TargetGroupArn: mine.TargetGroupArn}) == nil {
		t.Error("what could not be made was answered as made")
	}
	if _, there := s.Get("web"); there {
		t.Error("and is listed")
	}
	if kept, _ := s.Get("own"); len(kept.Listeners) != 0 {
		t.Error("and has its listener")
	}
	_, err := s.DeleteLoadBalancer(t.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: aws.String(balancerARN)})
	wantError(t, err, "OperationNotPermitted", "Load balancer 'a' belongs to a Kubernetes Service, which decides what it is")
}
