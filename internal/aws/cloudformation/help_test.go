package cloudformation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/api"
	service "github.com/eksact/eksact/internal/aws/cloudformation"
	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/ecr"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/fleettest"
	"github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/aws/sns"
	"github.com/eksact/eksact/internal/aws/ssm"
)

const number = doortest.Number

// account is an account with the services that stacks are made of, behind its front
// door. Clusters are records: nothing runs.
type account struct {
	*doortest.Door
	stacks *service.Service
	door   *gated
	fleet  *fleettest.Fleet
	client *cloudformation.Client
	iam    *awsiam.Client
	s3     *awss3.Client
}

// gated is the front door as the service sees it, which tests can hold.
type gated struct {
	api.Door
	hold, after func(operation string) <-chan struct{} // nil: no call is held, before or after
}

func (g *gated) Do(ctx context.Context, who api.Caller, service, operation string, in any) (any, error) {
	if g.hold != nil {
		if wait := g.hold(operation); wait != nil {
			<-wait
		}
	}
	out, err := g.Door.Do(ctx, who, service, operation, in)
	if g.after != nil {
		if wait := g.after(operation); wait != nil {
			<-wait
		}
	}
	return out, err
}

func open(t testing.TB) *account {
	t.Helper()
	a := &account{}
	at := doortest.New(t)
	buckets, err := s3.New(s3.Config{Store: at.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: at.IAM})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(buckets.Close)
	a.fleet = fleettest.New(t, at)
	network := a.fleet.EC2
	if err := network.PutPrefixList(t.Context(), ec2.PrefixList{ID: "pl-1", Name: "com.amazonaws.us-west-2.s3", Owner: "AWS", Family: "IPv4"}); err != nil {
		t.Fatal(err)
	}
	clusters := eks.New(eks.Deps{Store: at.Store, Place: doortest.Place, Runtime: idle{}, Roles: at.IAM, Network: network, PodRoles: at.IAM, Now: time.Now, PatchVersions: map[string]string{"1.37": "1.37.2"}, Fleet: a.fleet, Images: a.fleet, Nodes: &fleettest.Nodes{}, Sessions: at.STS})
	repositories, err := ecr.New(ecr.Deps{Store: at.Store, Place: doortest.Place, IAM: at.IAM, Dir: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { clusters.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	deps := a.deps(at)
	a.stacks = service.New(deps)
	t.Cleanup(func() { a.stacks.Close() })
	alarms, err := cloudwatch.New(cloudwatch.Deps{Store: at.Store, Place: doortest.Place, Dir: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	a.Door = at.Open(t, alarms.Service(), buckets.Service(), network.Service(), clusters.Service(), a.fleet.Groups.Service(), logs.New(logs.Deps{Store: at.Store, Place: doortest.Place, Events: doortest.Events(t), Now: time.Now}).Service(),
		ssm.New(ssm.Deps{Store: at.Store, Place: doortest.Place, Now: time.Now}).Service(),
		sns.New(sns.Deps{Store: at.Store, Place: doortest.Place, IAM: at.IAM, Now: time.Now}).Service(), repositories.Service(), a.stacks.Service())
	a.door = &gated{Door: a.Door.Handler}
	a.fleet.Groups.UseDoor(a.Door.Handler)
	clusters.UseDoor(a.Door.Handler)
	a.fleet.Run(t)
	a.stacks.UseDoor(a.door)
	a.client, a.iam = cloudformation.NewFromConfig(a.Admin), awsiam.NewFromConfig(a.Admin)
	a.s3 = awss3.NewFromConfig(a.Admin, func(o *awss3.Options) { o.UsePathStyle = true })
	return a
}

func (a *account) deps(at *doortest.Account) service.Deps {
	return service.Deps{
		Store: at.Store, Place: doortest.Place, Zones: []string{"us-west-2a", "us-west-2b"}, Roles: at.IAM, Sessions: at.STS, Now: time.Now,
	}
}

// idle is what runs behind clusters: nothing.
type idle struct{}

func (idle) Start(context.Context, eks.Cluster) (eks.Facts, error)      { return eks.Facts{}, nil }
func (idle) Stop(context.Context, eks.Cluster) error                    { return nil }
func (idle) SetLogging(context.Context, eks.Cluster, []string) error    { return nil }
func (idle) SetAccess(context.Context, eks.Cluster, eks.Access) error   { return nil }
func (idle) SetAddon(context.Context, eks.Cluster, eks.AddonWish) error { return nil }
func (idle) RemoveAddon(context.Context, eks.Cluster, string) error     { return nil }

var iamCapability = []types.Capability{types.CapabilityCapabilityNamedIam}

// create makes a stack, which must succeed to be begun.
func (a *account) create(t testing.TB, name, template string, change ...func(*cloudformation.CreateStackInput)) string {
	t.Helper()
	in := &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template, Capabilities: iamCapability}
	for _, c := range change {
		c(in)
	}
	out, err := a.client.CreateStack(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.StackId
}

func (a *account) update(t *testing.T, name, template string) error {
	t.Helper()
	_, err := a.client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: &name, TemplateBody: &template, Capabilities: iamCapability})
	return err
}

// stack describes a stack that is there.
func (a *account) stack(t testing.TB, name string) types.Stack {
	t.Helper()
	out, err := a.client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Stacks[0]
}

// is checks a stack's status.
func (a *account) is(t testing.TB, name string, want types.StackStatus) {
	t.Helper()
	if !strings.HasSuffix(string(want), "_IN_PROGRESS") {
		a.ends(t, name) // on a busy machine after the call's answer
	}
	if s := a.stack(t, name); s.StackStatus != want {
		t.Errorf("%s is %s (%s), want %s:\n%s", name, s.StackStatus, aws.ToString(s.StackStatusReason), want, strings.Join(a.events(t, name), "\n"))
	}
}

// ends waits until nothing is being done to a stack that is there.
func (a *account) ends(t testing.TB, name string) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); strings.HasSuffix(string(a.stack(t, name).StackStatus), "_IN_PROGRESS"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is %s still", name, a.stack(t, name).StackStatus)
		}
	}
}

// events are a stack's, the oldest first: "Logical STATUS reason".
func (a *account) events(t testing.TB, name string) []string {
	t.Helper()
	var lines []string
	p := cloudformation.NewDescribeStackEventsPaginator(a.client, &cloudformation.DescribeStackEventsInput{StackName: &name})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.StackEvents {
			line := fmt.Sprintf("%s %s", *e.LogicalResourceId, e.ResourceStatus)
			if e.ResourceStatusReason != nil {
				line += " " + *e.ResourceStatusReason
			}
			lines = append(lines, line)
		}
	}
	slices.Reverse(lines)
	return lines
}

// follows checks that lines come in this order among others.
func follows(t *testing.T, lines []string, want ...string) {
	t.Helper()
	i := 0
	for _, line := range lines {
		if i < len(want) && strings.HasPrefix(line, want[i]) {
			i++
		}
	}
	if i < len(want) {
		t.Errorf("%q does not come in its place among\n%s", want[i], strings.Join(lines, "\n"))
	}
}

const trust = `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}`
