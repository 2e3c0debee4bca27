package elb

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// classicWorld has a Network Load Balancer "a" and Classic ones "c" and "d".
func classicWorld(t *testing.T) classicCalls {
	t.Helper()
	s := world(t)
	for _, name := range []string{"c", "d"} {
		lb := balancer(name)
		lb.Listeners = []Listener{{Protocol: "TCP", Port: 80, InstancePort: 31000}}
		lb.Zones = append(lb.Zones, Zone{Name: "us-west-2b", Subnet: "subnet-b", IP: netip.MustParseAddr("198.18.2.2")})
		lb.CrossZone = name == "d"
		lb.Classic = &Classic{
			Check: Check{Protocol: "HTTP", Port: "32000", Path: "/healthz", Interval: 10 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 6},
			Instances: []Target{
				{ID: "i-1", State: "healthy"}, {ID: "i-2", State: "unhealthy"}, {ID: "i-3", State: "initial"}, {ID: "i-4", State: "draining"}, {ID: "i-5", State: "unused"},
			},
			Idle: time.Minute, Drain: 20 * time.Second, ProxyProtocol: name == "d",
		}
		if err := s.Put(t.Context(), lb); err != nil {
			t.Fatal(err)
		}
	}
	return classicCalls{s}
}

func TestClassicDescribe(t *testing.T) {
	c, ctx := classicWorld(t), t.Context()
	out, err := c.DescribeLoadBalancers(ctx, &classic.DescribeLoadBalancersInput{})
	if err != nil || len(out.LoadBalancerDescriptions) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	d := out.LoadBalancerDescriptions[0]
	var ids []string
	for _, i := range d.Instances {
		ids = append(ids, *i.InstanceId)
	}
	l := d.ListenerDescriptions[0].Listener
	if *d.LoadBalancerName != "c" || *d.HealthCheck.Target != "HTTP:32000/healthz" || *d.HealthCheck.UnhealthyThreshold != 6 ||
		!slices.Equal(d.AvailabilityZones, []string{"us-west-2a", "us-west-2b"}) || !slices.Equal(d.Subnets, []string{"subnet-a", "subnet-b"}) ||
		!slices.Equal(ids, []string{"i-1", "i-2", "i-3", "i-5"}) || l.LoadBalancerPort != 80 || *l.InstancePort != 31000 || *d.CanonicalHostedZoneNameID != "Z1H1FL5HABSF5" {
		t.Errorf("%+v, instances %v", d, ids)
	}
	// The other API does not know them, nor this one the other's.
	v2, err := c.Service.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{})
	if err != nil || len(v2.LoadBalancers) != 1 || *v2.LoadBalancers[0].LoadBalancerName != "a" {
		t.Errorf("%+v, %v", v2, err)
	}
	_, err = c.Service.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"c"}})
	wantError(t, err, "LoadBalancerNotFound", "Load balancers '[c]' not found")
	_, err = c.DescribeLoadBalancers(ctx, &classic.DescribeLoadBalancersInput{LoadBalancerNames: []string{"c", "a"}})
	wantError(t, err, "LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'a'")
	one, err := c.DescribeLoadBalancers(ctx, &classic.DescribeLoadBalancersInput{PageSize: aws.Int32(1)})
	if err != nil || len(one.LoadBalancerDescriptions) != 1 || one.NextMarker == nil {
		t.Fatalf("%+v, %v", one, err)
	}
	two, err := c.DescribeLoadBalancers(ctx, &classic.DescribeLoadBalancersInput{PageSize: aws.Int32(1), Marker: one.NextMarker})
	if err != nil || *two.LoadBalancerDescriptions[0].LoadBalancerName != "d" || two.NextMarker != nil {
		t.Errorf("%+v, %v", two, err)
	}
}

func TestClassicAttributesAndPolicies(t *testing.T) {
	c, ctx := classicWorld(t), t.Context()
	out, err := c.DescribeLoadBalancerAttributes(ctx, &classic.DescribeLoadBalancerAttributesInput{LoadBalancerName: aws.String("d")})
	if err != nil {
		t.Fatal(err)
	}
	if a := out.LoadBalancerAttributes; !a.ConnectionDraining.Enabled || *a.ConnectionDraining.Timeout != 20 || *a.ConnectionSettings.IdleTimeout != 60 || !a.CrossZoneLoadBalancing.Enabled {
		t.Errorf("%+v", a)
	}
	for name, want := range map[string]int{"c": 0, "d": 1} {
		got, err := c.DescribeLoadBalancerPolicies(ctx, &classic.DescribeLoadBalancerPoliciesInput{LoadBalancerName: &name})
		if err != nil || len(got.PolicyDescriptions) != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	_, err = c.DescribeLoadBalancerPolicies(ctx, &classic.DescribeLoadBalancerPoliciesInput{LoadBalancerName: aws.String("c"), PolicyNames: []string{"x"}})
	wantError(t, err, "PolicyNotFound", "There is no policy with name x for load balancer c")
}

func TestClassicHealth(t *testing.T) {
	c, ctx := classicWorld(t), t.Context()
	show := func(ids ...string) []string {
		in := &classic.DescribeInstanceHealthInput{LoadBalancerName: aws.String("c")}
		for _, id := range ids {
			in.Instances = append(in.Instances, types.Instance{InstanceId: aws.String(id)})
		}
		out, err := c.DescribeInstanceHealth(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, s := range out.InstanceStates {
			list = append(list, *s.InstanceId+" "+*s.State+" "+*s.ReasonCode)
		}
		return list
	}
	if got, want := show(), []string{"i-1 InService N/A", "i-2 OutOfService Instance", "i-3 OutOfService ELB", "i-4 InService N/A", "i-5 OutOfService ELB"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := show("i-9", "i-1"), []string{"i-9 OutOfService Instance", "i-1 InService N/A"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if err := c.SetInstances(ctx, "c", []Target{{ID: "i-1", State: "unhealthy"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := show(), []string{"i-1 OutOfService Instance"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if err := c.SetInstances(ctx, "a", nil); err == nil {
		t.Error("a Network Load Balancer got instances")
	}
}

func TestTags(t *testing.T) {
	c, ctx := classicWorld(t), t.Context()
	tag := func(key, value string) types.Tag { return types.Tag{Key: aws.String(key), Value: aws.String(value)} }
	if _, err := c.AddTags(ctx, &classic.AddTagsInput{LoadBalancerNames: []string{"c"}, Tags: []types.Tag{tag("Team", "blue")}}); err != nil {
		t.Fatal(err)
	}
	if got := c.ofResource("arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/c", "aws:resourcetag/team").At(0); got != "blue" {
		t.Errorf("a policy sees the tag as %q", got)
	}
	// The controller's next look at its Service leaves them.
	lb, _ := c.Get("c")
	lb.Tags = map[string]string{"kubernetes.io/service-name": "user1/other"}
	if err := c.Put(ctx, lb); err != nil {
		t.Fatal(err)
	}
	out, err := c.DescribeTags(ctx, &classic.DescribeTagsInput{LoadBalancerNames: []string{"c"}})
	if err != nil || len(out.TagDescriptions[0].Tags) != 3 || *out.TagDescriptions[0].Tags[0].Value != "blue" || *out.TagDescriptions[0].Tags[2].Value != "user1/other" {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := c.RemoveTags(ctx, &classic.RemoveTagsInput{LoadBalancerNames: []string{"c"}, Tags: []types.TagKeyOnly{{Key: aws.String("Team")}}}); err != nil {
		t.Fatal(err)
	}
	if lb, _ := c.Get("c"); lb.Tags["Team"] != "" {
		t.Errorf("%v", lb.Tags)
	}
	_, err = c.AddTags(ctx, &classic.AddTagsInput{LoadBalancerNames: []string{"c"}, Tags: []types.Tag{tag("a", "1"), tag("a", "2")}})
	wantError(t, err, "DuplicateTagKeys", "The tag key 'a' was specified more than once")
	_, err = c.AddTags(ctx, &classic.AddTagsInput{LoadBalancerNames: []string{"c", "none"}, Tags: []types.Tag{tag("a", "1")}})
	wantError(t, err, "LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'none'")
	if lb, _ := c.Get("c"); lb.Tags["a"] != "" {
		t.Error("a call that failed added its tags to the first")
	}
}

func TestTagsOfVersion2(t *testing.T) {
	s, ctx := world(t), t.Context()
	add := &elbv2.AddTagsInput{ResourceArns: []string{balancerARN, groupARN, listenerARN}, Tags: tagsV2("Team", "blue")}
	if _, err := s.AddTags(ctx, add); err != nil {
		t.Fatal(err)
	}
	for _, arn := range add.ResourceArns {
		if got := s.ofResource(arn, "aws:resourcetag/Team").At(0); got != "blue" {
			t.Errorf("%s: %q", arn, got)
		}
	}
	if _, err := s.RemoveTags(ctx, &elbv2.RemoveTagsInput{ResourceArns: []string{groupARN}, TagKeys: []string{"Team", "none"}}); err != nil {
		t.Fatal(err)
	}
	if g, _ := s.TargetGroup("g80"); len(g.Tags) != 0 {
		t.Errorf("%v", g.Tags)
	}
	_, err := s.AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{balancerARN}, Tags: tagsV2("aws:x", "1")})
	wantError(t, err, "ValidationError", "The tag key 'aws:x' is not valid: it begins with aws:")
	_, err = s.AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{balancerARN + "0"}, Tags: tagsV2("x", "1")})
	wantError(t, err, "LoadBalancerNotFound", "One or more load balancers not found")
}

func TestAttributes(t *testing.T) {
	s, ctx := world(t), t.Context()
	lb, _ := s.Get("a")
	lb.CrossZone = true
	g := group("g80")
	g.Attributes = Attributes{Drain: 20 * time.Second, PreserveClient: true}
	if err := s.Put(ctx, lb, g); err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeLoadBalancerAttributes(ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: aws.String(balancerARN)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range out.Attributes {
		got[*a.Key] = *a.Value
	}
	groups, err := s.DescribeTargetGroupAttributes(ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(groupARN)})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range groups.Attributes {
		got["group: "+*a.Key] = *a.Value
	}
	for key, want := range map[string]string{
		"load_balancing.cross_zone.enabled": "true", "deletion_protection.enabled": "false",
		"group: deregistration_delay.timeout_seconds": "20", "group: preserve_client_ip.enabled": "true", "group: proxy_protocol_v2.enabled": "false",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %s", key, got[key], want)
		}
	}
}
