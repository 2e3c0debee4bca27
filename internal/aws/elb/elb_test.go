package elb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

var created = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func balancer(name string, groups ...string) LoadBalancer {
	lb := LoadBalancer{
		Name: name, ID: "00000000000000aa", DNSName: name + "-1.us-west-2.elb.amazonaws.com", Scheme: "internet-facing", State: "active",
		VPC: "vpc-1", CreatedAt: created, Zones: []Zone{{Name: "us-west-2a", Subnet: "subnet-a", IP: netip.MustParseAddr("198.18.2.1")}},
		Tags: map[string]string{"kubernetes.io/service-name": "user1/nginx", "kubernetes.io/cluster/cluster": "owned"},
	}
	for i, g := range groups {
		lb.Listeners = append(lb.Listeners, Listener{ID: fmt.Sprintf("%016x", i), Protocol: "TCP", Port: int32(80 + i), TargetGroup: g})
	}
	return lb
}

func group(name string) TargetGroup {
	return TargetGroup{
		Name: name, ID: "00000000000000bb", Protocol: "TCP", Port: 31000, VPC: "vpc-1", TargetType: "instance",
		Check:   Check{Protocol: "TCP", Port: "traffic-port", Interval: 10 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 3},
		Targets: []Target{{ID: "i-1", Port: 31000, Zone: "us-west-2a", State: "healthy"}, {ID: "i-2", Port: 31000, State: "unhealthy", Reason: "Target.FailedHealthChecks", Description: "Health checks failed"}},
	}
}

func world(t *testing.T) *Service {
	t.Helper()
	st := store.NewMemory()
	t.Cleanup(st.Close)
	s := New(st, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"})
	if err := s.Put(t.Context(), balancer("a", "g80"), group("g80")); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	balancerARN = "arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/net/a/00000000000000aa"
	listenerARN = "arn:aws:elasticloadbalancing:us-west-2:111122223333:listener/net/a/00000000000000aa/0000000000000000"
	groupARN    = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/g80/00000000000000bb"
)

func wantError(t *testing.T, err error, code, message string) {
	t.Helper()
	var refused interface {
		error
		ErrorCode() string
		ErrorMessage() string
	}
	if !errors.As(err, &refused) {
		t.Fatalf("got error %v, want %s", err, code)
	}
	if refused.ErrorCode() != code || refused.ErrorMessage() != message {
		t.Errorf("got  %s: %s\nwant %s: %s", refused.ErrorCode(), refused.ErrorMessage(), code, message)
	}
}

func TestDescribe(t *testing.T) {
	s, ctx := world(t), t.Context()
	for _, in := range []*elbv2.DescribeLoadBalancersInput{{}, {Names: []string{"a"}}, {LoadBalancerArns: []string{balancerARN}}} {
		out, err := s.DescribeLoadBalancers(ctx, in)
		if err != nil || len(out.LoadBalancers) != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		lb := out.LoadBalancers[0]
		if *lb.LoadBalancerArn != balancerARN || *lb.DNSName != "a-1.us-west-2.elb.amazonaws.com" || lb.State.Code != "active" || lb.Type != "network" ||
			*lb.AvailabilityZones[0].LoadBalancerAddresses[0].IpAddress != "198.18.2.1" || !lb.CreatedTime.Equal(created) {
			t.Errorf("%+v", lb)
		}
	}
	for _, in := range []*elbv2.DescribeListenersInput{{LoadBalancerArn: aws.String(balancerARN)}, {ListenerArns: []string{listenerARN}}} {
		out, err := s.DescribeListeners(ctx, in)
		if err != nil || len(out.Listeners) != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		if l := out.Listeners[0]; *l.ListenerArn != listenerARN || *l.Port != 80 || *l.DefaultActions[0].TargetGroupArn != groupARN {
			t.Errorf("%+v", l)
		}
	}
	for _, in := range []*elbv2.DescribeTargetGroupsInput{{}, {Names: []string{"g80"}}, {LoadBalancerArn: aws.String(balancerARN)}, {TargetGroupArns: []string{groupARN}}} {
		out, err := s.DescribeTargetGroups(ctx, in)
		if err != nil || len(out.TargetGroups) != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		if g := out.TargetGroups[0]; *g.TargetGroupArn != groupARN || *g.HealthCheckIntervalSeconds != 10 || !slices.Equal(g.LoadBalancerArns, []string{balancerARN}) {
			t.Errorf("%+v", g)
		}
	}
	tags, err := s.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{balancerARN, groupARN}})
	if err != nil || len(tags.TagDescriptions) != 2 || *tags.TagDescriptions[0].Tags[1].Value != "user1/nginx" || len(tags.TagDescriptions[1].Tags) != 0 {
		t.Errorf("%+v, %v", tags, err)
	}
}

func TestTargetHealth(t *testing.T) {
	s, ctx := world(t), t.Context()
	show := func(targets ...types.TargetDescription) []string {
		out, err := s.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(groupARN), Targets: targets})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, d := range out.TargetHealthDescriptions {
			list = append(list, fmt.Sprint(*d.Target.Id, ":", *d.Target.Port, " ", d.TargetHealth.State, " ", d.TargetHealth.Reason, " ", aws.ToString(d.HealthCheckPort)))
		}
		return list
	}
	if got, want := show(), []string{"i-1:31000 healthy  31000", "i-2:31000 unhealthy Target.FailedHealthChecks 31000"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	asked := []types.TargetDescription{{Id: aws.String("i-2")}, {Id: aws.String("i-1"), Port: aws.Int32(1)}}
	if got, want := show(asked...), []string{"i-2:31000 unhealthy Target.FailedHealthChecks 31000", "i-1:1 unused Target.NotRegistered "}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if err := s.SetTargets(ctx, "g80", []Target{{ID: "i-1", Port: 31000, State: "draining"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := show(), []string{"i-1:31000 draining  31000"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if err := s.SetTargets(ctx, "none", nil); err == nil {
		t.Error("targets of a group that isn't there were taken")
	}
}

func TestNotFound(t *testing.T) {
	s, ctx := world(t), t.Context()
	_, err := s.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"a", "b", "c"}})
	wantError(t, err, "LoadBalancerNotFound", "Load balancers '[b, c]' not found")
	_, err = s.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{balancerARN + "0"}})
	wantError(t, err, "LoadBalancerNotFound", "One or more load balancers not found")
	_, err = s.DescribeListeners(ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listenerARN, "x"}})
	wantError(t, err, "ListenerNotFound", "One or more listeners not found")
	_, err = s.DescribeListeners(ctx, &elbv2.DescribeListenersInput{})
	wantError(t, err, "ValidationError", "You must specify either listener ARNs or a load balancer ARN")
	_, err = s.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"x"}})
	wantError(t, err, "TargetGroupNotFound", "One or more target groups not found")
	_, err = s.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String("x")})
	wantError(t, err, "TargetGroupNotFound", "One or more target groups not found")
	_, err = s.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{"x"}})
	wantError(t, err, "ValidationError", "'x' is not a valid ARN of a load balancer, listener or target group")
}

func TestPutAndDelete(t *testing.T) {
	s, ctx := world(t), t.Context()
	names := func() []string {
		out, err := s.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
		if err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, g := range out.TargetGroups {
			list = append(list, *g.TargetGroupName)
		}
		return list
	}
	if err := s.Put(ctx, balancer("b", "none")); err == nil {
		t.Error("a listener that forwards to nothing was taken")
	}
	if _, ok := s.Get("b"); ok {
		t.Error("and was kept")
	}
	if err := s.Put(ctx, balancer("b", "g80", "g81"), group("g81")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, balancer("b", "g80", "g82"), group("g82")); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{"g80", "g82"}) {
		t.Errorf("after a port changed: %v", got)
	}
	for _, name := range []string{"b", "none"} {
		if err := s.Delete(ctx, name); err != nil || !slices.Equal(names(), []string{"g80"}) {
			t.Errorf("after %s went: %v, %v", name, names(), err)
		}
	}
	if err := s.Delete(ctx, "a"); err != nil || len(names()) != 0 {
		t.Errorf("after all went: %v, %v", names(), err)
	}
}

func TestPages(t *testing.T) {
	s, ctx := world(t), t.Context()
	want := []string{"a"}
	for i := range 4 {
		name := fmt.Sprint("b", i)
		want = append(want, name)
		if err := s.Put(ctx, balancer(name, "g80")); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	in := &elbv2.DescribeLoadBalancersInput{PageSize: aws.Int32(2)}
	var marker *string
	for {
		out, err := s.DescribeLoadBalancers(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, lb := range out.LoadBalancers {
			got = append(got, *lb.LoadBalancerName)
		}
		if out.NextMarker == nil {
			break
		}
		in.Marker, marker = out.NextMarker, out.NextMarker
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	_, err := s.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Marker: marker})
	wantError(t, err, "ValidationError", "Invalid marker: "+*marker)
	_, err = s.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{PageSize: aws.Int32(401)})
	wantError(t, err, "ValidationError", "Page size must be between 1 and 400")
}

func tagsV2(key, value string) []types.Tag {
	return []types.Tag{{Key: aws.String(key), Value: aws.String(value)}}
}
