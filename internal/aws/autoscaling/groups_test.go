package autoscaling_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/fleettest"
)

// account is one with machines, behind a front door.
type account struct {
	*doortest.Door
	*fleettest.Fleet
	c        *sdk.Client
	ec2      *awsec2.Client
	template string
}

func open(t *testing.T) *account {
	t.Helper()
	d := doortest.New(t)
	f := fleettest.New(t, d)
	a := &account{Door: d.Open(t, f.EC2.Service(), f.Groups.Service()), Fleet: f}
	f.Groups.UseDoor(a.Handler)
	f.Run(t)
	a.c, a.ec2 = sdk.NewFromConfig(a.Admin), awsec2.NewFromConfig(a.Admin)
	data := base64.StdEncoding.EncodeToString([]byte("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {cluster: {name: cluster}}\n"))
	out, err := a.ec2.CreateLaunchTemplate(t.Context(), &awsec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("nodes"), LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
		ImageId: aws.String(f.EC2.NodeImage("1.37", "x86_64")), InstanceType: "m5.large", UserData: &data, SecurityGroupIds: []string{fleettest.Group},
		TagSpecifications: []ec2types.LaunchTemplateTagSpecificationRequest{{ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("template")}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a.template = *out.LaunchTemplate.LaunchTemplateId
	return a
}

// input asks for a group in both subnets.
func (a *account) input(name string, least, most, want int32, change ...func(*sdk.CreateAutoScalingGroupInput)) *sdk.CreateAutoScalingGroupInput {
	in := &sdk.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &name, MinSize: &least, MaxSize: &most, DesiredCapacity: &want, VPCZoneIdentifier: aws.String(strings.Join(fleettest.Subnets, ",")),
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: &a.template},
		Tags:           []types.Tag{{Key: aws.String("team"), Value: aws.String("a"), PropagateAtLaunch: aws.Bool(true)}, {Key: aws.String("own"), Value: aws.String("b")}},
	}
	for _, fn := range change {
		fn(in)
	}
	return in
}

func (a *account) group(t *testing.T, name string) types.AutoScalingGroup {
	t.Helper()
	out, err := a.c.DescribeAutoScalingGroups(t.Context(), &sdk.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		t.Fatalf("group %s: %+v, %v", name, out, err)
	}
	return out.AutoScalingGroups[0]
}

// soon waits until it is so.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// settled waits until so many instances are in service, and none on their way.
func (a *account) settled(t *testing.T, name string, n int) []types.Instance {
	t.Helper()
	var all []types.Instance
	soon(t, name, func() bool {
		all = a.group(t, name).Instances
		return len(all) == n && !slices.ContainsFunc(all, func(i types.Instance) bool { return i.LifecycleState != types.LifecycleStateInService })
	})
	return all
}

func ids(all []types.Instance) (out []string) {
	for _, i := range all {
		out = append(out, *i.InstanceId)
	}
	slices.Sort(out)
	return out
}

func TestAGroupsLife(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	must(a.c.CreateAutoScalingGroup(ctx, a.input("g", 1, 4, 3)))
	all := a.settled(t, "g", 3)
	zones := map[string]int{}
	for _, i := range all {
		zones[*i.AvailabilityZone]++
		m, _ := a.Machine(*i.InstanceId)
		if m.Tags["aws:autoscaling:groupName"] != "g" || m.Tags["team"] != "a" || m.Tags["own"] != "" || m.Tags["Name"] != "template" || *i.LaunchTemplate.Version != "1" {
			t.Errorf("instance %+v is tagged %v", i, m.Tags)
		}
	}
	if len(zones) != 2 {
		t.Errorf("instances are in %v", zones)
	}
	_, err := a.c.CreateAutoScalingGroup(ctx, a.input("g", 1, 4, 3))
	doortest.Refused(t, err, "AlreadyExists", "AutoScalingGroup by this name already exists")

	// Fewer: of the zone with the most, the oldest.
	must(a.c.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("g"), DesiredCapacity: aws.Int32(2)}))
	kept := a.settled(t, "g", 2)
	if *kept[0].AvailabilityZone == *kept[1].AvailabilityZone {
		t.Errorf("left are %v", ids(kept))
	}
	gone := slices.DeleteFunc(ids(all), func(id string) bool { return slices.Contains(ids(kept), id) })
	if m, _ := a.Machine(gone[0]); m.State != "terminated" {
		t.Errorf("%s is %s", gone[0], m.State)
	}

	// One that ends is replaced.
	must(a.ec2.TerminateInstances(ctx, &awsec2.TerminateInstancesInput{InstanceIds: ids(kept)[:1]}))
	soon(t, "a replacement", func() bool {
		now := ids(a.group(t, "g").Instances)
		return len(now) == 2 && !slices.Contains(now, ids(kept)[0])
	})
	now := a.settled(t, "g", 2)
	must(a.c.SetInstanceHealth(ctx, &sdk.SetInstanceHealthInput{InstanceId: now[0].InstanceId, HealthStatus: aws.String("Unhealthy")}))
	soon(t, "another", func() bool {
		return !slices.Contains(ids(a.group(t, "g").Instances), *now[0].InstanceId)
	})
	now = a.settled(t, "g", 2)
	out, err := a.c.TerminateInstanceInAutoScalingGroup(ctx, &sdk.TerminateInstanceInAutoScalingGroupInput{InstanceId: now[0].InstanceId, ShouldDecrementDesiredCapacity: aws.Bool(true)})
	if err != nil || !strings.Contains(*out.Activity.Cause, "in response to a user request") {
		t.Fatalf("%+v, %v", out, err)
	}
	now = a.settled(t, "g", 1)
	_, err = a.c.TerminateInstanceInAutoScalingGroup(ctx, &sdk.TerminateInstanceInAutoScalingGroupInput{InstanceId: now[0].InstanceId, ShouldDecrementDesiredCapacity: aws.Bool(true)})
	doortest.Refused(t, err, "ValidationError", "Currently, desiredSize equals minSize (1).")
	_, err = a.c.TerminateInstanceInAutoScalingGroup(ctx, &sdk.TerminateInstanceInAutoScalingGroupInput{InstanceIds: []string{*now[0].InstanceId}, ShouldDecrementDesiredCapacity: aws.Bool(true)})
	doortest.Refused(t, err, "ValidationError", "A list of instances to terminate is not supported")

	acts, err := a.c.DescribeScalingActivities(ctx, &sdk.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("g")})
	if err != nil || len(acts.Activities) != 9 { // 5 launches, 4 ends
		t.Fatalf("%d activities, %v", len(acts.Activities), err)
	}
	for i, x := range acts.Activities {
		if x.StatusCode != types.ScalingActivityStatusCodeSuccessful || x.EndTime == nil || i > 0 && x.StartTime.After(*acts.Activities[i-1].StartTime) {
			t.Errorf("activity %+v", x)
		}
	}
	_, err = a.c.DeleteAutoScalingGroup(ctx, &sdk.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("g")})
	doortest.Refused(t, err, "ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances")
	must(a.c.DeleteAutoScalingGroup(ctx, &sdk.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("g"), ForceDelete: aws.Bool(true)}))
	soon(t, "the group's end", func() bool {
		out, err := a.c.DescribeAutoScalingGroups(ctx, &sdk.DescribeAutoScalingGroupsInput{})
		return err == nil && len(out.AutoScalingGroups) == 0
	})
	if m, _ := a.Machine(*now[0].InstanceId); m.State != "terminated" {
		t.Errorf("it left an instance that is %s", m.State)
	}
}

func TestHooks(t *testing.T) {
	a := open(t)
	ctx, must, name := t.Context(), doortest.Must(t), aws.String("g")
	must(a.c.CreateAutoScalingGroup(ctx, a.input("g", 0, 2, 1, func(in *sdk.CreateAutoScalingGroupInput) {
		in.LifecycleHookSpecificationList = []types.LifecycleHookSpecification{
			{LifecycleHookName: aws.String("in"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"), DefaultResult: aws.String("CONTINUE"), HeartbeatTimeout: aws.Int32(30)},
			{LifecycleHookName: aws.String("out"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING")},
		}
	})))
	state := func() string {
		all := a.group(t, "g").Instances
		if len(all) == 0 {
			return "none"
		}
		return string(all[0].LifecycleState)
	}
	soon(t, "waiting", func() bool { return state() == "Pending:Wait" })
	id := a.group(t, "g").Instances[0].InstanceId
	_, err := a.c.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{AutoScalingGroupName: name, LifecycleHookName: aws.String("out"), InstanceId: id, LifecycleActionResult: aws.String("CONTINUE")})
	doortest.Refused(t, err, "ValidationError", "No active Lifecycle Action found with instance ID "+*id)
	must(a.c.RecordLifecycleActionHeartbeat(ctx, &sdk.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: name, LifecycleHookName: aws.String("in"), InstanceId: id}))
	must(a.c.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{AutoScalingGroupName: name, LifecycleHookName: aws.String("in"), InstanceId: id, LifecycleActionResult: aws.String("CONTINUE")}))
	soon(t, "service", func() bool { return state() == "InService" })
	must(a.c.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: aws.Int32(0)}))
	soon(t, "waiting", func() bool { return state() == "Terminating:Wait" })
	if m, _ := a.Machine(*id); m.State != "running" {
		t.Errorf("an instance that waits is %s", m.State)
	}
	must(a.c.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{AutoScalingGroupName: name, LifecycleHookName: aws.String("out"), InstanceId: id, LifecycleActionResult: aws.String("CONTINUE")}))
	soon(t, "the end", func() bool { return state() == "none" })
	// A launch that is abandoned ends, and is tried again.
	must(a.c.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: aws.Int32(1)}))
	soon(t, "waiting", func() bool { return state() == "Pending:Wait" })
	first := a.group(t, "g").Instances[0].InstanceId
	must(a.c.DeleteLifecycleHook(ctx, &sdk.DeleteLifecycleHookInput{AutoScalingGroupName: name, LifecycleHookName: aws.String("out")}))
	must(a.c.CompleteLifecycleAction(ctx, &sdk.CompleteLifecycleActionInput{AutoScalingGroupName: name, LifecycleHookName: aws.String("in"), InstanceId: first, LifecycleActionResult: aws.String("ABANDON")}))
	soon(t, "another", func() bool {
		all := a.group(t, "g").Instances
		return len(all) == 1 && *all[0].InstanceId != *first && all[0].LifecycleState == "Pending:Wait"
	})
	hooks, err := a.c.DescribeLifecycleHooks(ctx, &sdk.DescribeLifecycleHooksInput{AutoScalingGroupName: name})
	if err != nil || len(hooks.LifecycleHooks) != 1 || *hooks.LifecycleHooks[0].HeartbeatTimeout != 30 || *hooks.LifecycleHooks[0].GlobalTimeout != 3000 {
		t.Errorf("%+v, %v", hooks, err)
	}
}

func TestLaunchesThatFail(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	a.Fill(fleettest.Subnets[0], true)
	must(a.c.CreateAutoScalingGroup(ctx, a.input("g", 0, 9, 2)))
	for _, i := range a.settled(t, "g", 2) {
		if *i.AvailabilityZone != "us-west-2b" {
			t.Errorf("launched in %s, where there is no room", *i.AvailabilityZone)
		}
	}
	a.Fill(fleettest.Subnets[1], true)
	must(a.c.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("g"), DesiredCapacity: aws.Int32(3)}))
	soon(t, "a failure", func() bool {
		out, err := a.c.DescribeScalingActivities(ctx, &sdk.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("g")})
		return err == nil && out.Activities[0].StatusCode == types.ScalingActivityStatusCodeFailed && strings.Contains(*out.Activities[0].StatusMessage, "There are not enough free addresses in subnet")
	})
	// Suspended processes do nothing.
	must(a.c.SuspendProcesses(ctx, &sdk.SuspendProcessesInput{AutoScalingGroupName: aws.String("g"), ScalingProcesses: []string{"Launch", "Terminate"}}))
	a.Fill(fleettest.Subnets[1], false)
	must(a.c.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("g"), DesiredCapacity: aws.Int32(1)}))
	time.Sleep(100 * time.Millisecond)
	if g := a.group(t, "g"); len(g.Instances) != 2 || len(g.SuspendedProcesses) != 2 {
		t.Errorf("while suspended: %+v", g)
	}
	must(a.c.ResumeProcesses(ctx, &sdk.ResumeProcessesInput{AutoScalingGroupName: aws.String("g")}))
	a.settled(t, "g", 1)
}

func TestRefusals(t *testing.T) {
	a := open(t)
	ctx := t.Context()
	for _, test := range []struct {
		change func(*sdk.CreateAutoScalingGroupInput)
		text   string
	}{
		{func(in *sdk.CreateAutoScalingGroupInput) { in.LaunchTemplate = nil }, "Valid requests must contain either LaunchTemplate"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.LaunchConfigurationName = aws.String("x") }, "LaunchConfigurationName is not supported by eksact"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.TargetGroupARNs = []string{"x"} }, "TargetGroupARNs is not supported by eksact"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.HealthCheckType = aws.String("ELB") }, "HealthCheckType ELB is not supported"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = nil }, "At least one Availability Zone or VPC Subnet is required."},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = aws.String("subnet-1") }, "The subnet ID 'subnet-1' does not exist"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.MinSize, in.MaxSize = aws.Int32(2), aws.Int32(1) }, "Max bound, 1, must be greater than or equal to min bound, 2"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.DesiredCapacity = aws.Int32(9) }, "Desired capacity:9 must be between the specified min size:1 and max size:2"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.LaunchTemplate.Version = aws.String("7") }, "Could not find launch template version 7"},
		{func(in *sdk.CreateAutoScalingGroupInput) {
			in.TerminationPolicies = []string{"ClosestToNextInstanceHour"}
		}, "Termination policy ClosestToNextInstanceHour"},
		{func(in *sdk.CreateAutoScalingGroupInput) { in.Tags[0].Key = aws.String("aws:x") }, "aws:x"},
		{func(in *sdk.CreateAutoScalingGroupInput) {
			in.MixedInstancesPolicy, in.LaunchTemplate = &types.MixedInstancesPolicy{
				LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: in.LaunchTemplate}, InstancesDistribution: &types.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: aws.Int32(0)},
			}, nil
		}, "Spot capacity"},
	} {
		_, err := a.c.CreateAutoScalingGroup(ctx, a.input("r", 1, 2, 1, test.change))
		doortest.Refused(t, err, "ValidationError", test.text)
	}
	_, err := a.c.SetDesiredCapacity(ctx, &sdk.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("r"), DesiredCapacity: aws.Int32(1)})
	doortest.Refused(t, err, "ValidationError", "AutoScalingGroup name not found - AutoScalingGroup 'r' not found")

	// Who may not launch of the template can't have a group do it.
	limited := sdk.NewFromConfig(a.User(t, "limited", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["autoscaling:*","iam:CreateServiceLinkedRole"],"Resource":"*"}]}`))
	_, err = limited.CreateAutoScalingGroup(ctx, a.input("limited", 1, 2, 1))
	doortest.Refused(t, err, "ValidationError", "You are not authorized to use launch template: "+a.template)
	sized := sdk.NewFromConfig(a.User(t, "sized", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["autoscaling:*","ec2:*"],"Resource":"*"},{"Effect":"Deny","Action":"autoscaling:*","Resource":"*","Condition":{"NumericGreaterThan":{"autoscaling:MaxSize":"3"}}}]}`))
	_, err = sized.CreateAutoScalingGroup(ctx, a.input("big", 1, 4, 1))
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
		t.Errorf("a group beyond its maker's bounds: %v", err)
	}
	doortest.Must(t)(sized.CreateAutoScalingGroup(ctx, a.input("small", 0, 3, 0)))
	typed := sdk.NewFromConfig(a.User(t, "typed", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["autoscaling:*","ec2:*"],"Resource":"*"},{"Effect":"Deny","Action":"autoscaling:*","Resource":"*","Condition":{"ForAnyValue:StringLike":{"autoscaling:InstanceTypes":"m5.1*"}}}]}`))
	for kind, code := range map[string]string{"m5.12xlarge": "AccessDenied", "m5.xlarge": ""} {
		_, err = typed.CreateAutoScalingGroup(ctx, a.input("typed", 0, 1, 0, func(in *sdk.CreateAutoScalingGroupInput) {
			in.MixedInstancesPolicy, in.LaunchTemplate = &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
				LaunchTemplateSpecification: in.LaunchTemplate, Overrides: []types.LaunchTemplateOverrides{{InstanceType: &kind}},
			}}, nil
		}))
		if errors.As(err, &refused); code == "" && err != nil || code != "" && (err == nil || refused.ErrorCode() != code) {
			t.Errorf("a group of %s: %v", kind, err)
		}
	}
}

func TestTypesAndTags(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	must(a.c.CreateAutoScalingGroup(ctx, a.input("g", 1, 2, 1, func(in *sdk.CreateAutoScalingGroupInput) {
		in.MixedInstancesPolicy, in.LaunchTemplate = &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
			LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("nodes"), Version: aws.String("$Latest")},
			Overrides:                   []types.LaunchTemplateOverrides{{InstanceType: aws.String("m6g.large")}, {InstanceType: aws.String("m5.xlarge")}}, // the first doesn't fit the image
		}}, nil
	})))
	if i := a.settled(t, "g", 1)[0]; *i.InstanceType != "m5.xlarge" {
		t.Errorf("launched is %+v", i)
	}
	must(a.c.CreateOrUpdateTags(ctx, &sdk.CreateOrUpdateTagsInput{Tags: []types.Tag{{ResourceId: aws.String("g"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("team"), Value: aws.String("c"), PropagateAtLaunch: aws.Bool(false)}}}))
	must(a.c.DeleteTags(ctx, &sdk.DeleteTagsInput{Tags: []types.Tag{{ResourceId: aws.String("g"), Key: aws.String("own")}}}))
	tags, err := a.c.DescribeTags(ctx, &sdk.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("auto-scaling-group"), Values: []string{"g"}}}})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "c" || *tags.Tags[0].PropagateAtLaunch {
		t.Errorf("%+v, %v", tags, err)
	}
	found, err := a.c.DescribeAutoScalingGroups(ctx, &sdk.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag:team"), Values: []string{"x"}}}})
	if err != nil || len(found.AutoScalingGroups) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	must(a.c.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("g"), MinSize: aws.Int32(2)}))
	all := a.settled(t, "g", 2)
	out, err := a.c.DetachInstances(ctx, &sdk.DetachInstancesInput{AutoScalingGroupName: aws.String("g"), InstanceIds: ids(all)[:1], ShouldDecrementDesiredCapacity: aws.Bool(false)})
	if err != nil || len(out.Activities) != 1 {
		t.Fatal(out, err)
	}
	a.settled(t, "g", 2)
	if m, _ := a.Machine(ids(all)[0]); m.State != "running" {
		t.Errorf("a detached instance is %s", m.State)
	}
	must(a.c.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("g"), MaxSize: aws.Int32(3)}))
	must(a.c.AttachInstances(ctx, &sdk.AttachInstancesInput{AutoScalingGroupName: aws.String("g"), InstanceIds: ids(all)[:1]}))
	if now := ids(a.settled(t, "g", 3)); !slices.Contains(now, ids(all)[0]) {
		t.Errorf("members are %v", now)
	}
}
