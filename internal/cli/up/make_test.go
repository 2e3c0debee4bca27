package up

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
	eksservice "github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/fleettest"
	"github.com/eksact/eksact/internal/daemon"
)

// idle is a runtime whose clusters serve at once and do nothing.
type idle struct{}

func (idle) Start(context.Context, eksservice.Cluster) (eksservice.Facts, error) {
	return eksservice.Facts{}, nil
}
func (idle) Stop(context.Context, eksservice.Cluster) error                           { return nil }
func (idle) SetLogging(context.Context, eksservice.Cluster, []string) error           { return nil }
func (idle) SetAccess(context.Context, eksservice.Cluster, eksservice.Access) error   { return nil }
func (idle) SetAddon(context.Context, eksservice.Cluster, eksservice.AddonWish) error { return nil }
func (idle) RemoveAddon(context.Context, eksservice.Cluster, string) error            { return nil }

// TestMadeAndCompared makes a file's cluster by real services, and compares it with the
// file and with others.
func TestMadeAndCompared(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the machines of the test are x86_64")
	}
	at := doortest.New(t)
	fleet := fleettest.New(t, at)
	clusters := eksservice.New(eksservice.Deps{
		Store: at.Store, Place: doortest.Place, Runtime: idle{}, Roles: at.IAM, PodRoles: at.IAM, Network: fleet.EC2, Now: time.Now, PatchVersions: map[string]string{"1.37": "1.37.2"},
		Fleet: fleet, Images: fleet, Nodes: &fleettest.Nodes{}, Sessions: at.STS,
	})
	door := at.Open(t, fleet.EC2.Service(), fleet.Groups.Service(), clusters.Service())
	fleet.Groups.UseDoor(door.Handler)
	clusters.UseDoor(door.Handler)
	fleet.Run(t)
	running, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { clusters.Run(running); close(done) }()
	t.Cleanup(func() { stop(); <-done })
	ctx := t.Context()
	a := account{iam.NewFromConfig(door.Admin), eks.NewFromConfig(door.Admin), ec2.NewFromConfig(door.Admin)}
	must := doortest.Must(t)
	must(a.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: fleettest.Subnets, Tags: []ec2types.Tag{
		{Key: aws.String("eksact/default"), Value: aws.String("true")}, {Key: aws.String("kubernetes.io/role/elb"), Value: aws.String("1")},
	}}))

	const text = head + `cloudWatch: {clusterLogging: {enableTypes: [audit]}}
vpc: {clusterEndpoints: {privateAccess: true}}
accessConfig:
  authenticationMode: API
  bootstrapClusterCreatorAdminPermissions: false
  accessEntries:
  - principalARN: arn:aws:iam::111122223333:user/viewer
    kubernetesGroups: [viewers]
    accessPolicies: [{policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy, accessScope: {type: namespace, namespaces: [b, a]}}]
iam:
  podIdentityAssociations:
  - {namespace: default, serviceAccountName: p, permissionPolicyARNs: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]}
addons: [{name: eks-pod-identity-agent}, {name: coredns, configurationValues: '{"replicaCount": 1}'}]
managedNodeGroups:
- {name: p, instanceType: m5.large, desiredCapacity: 0, minSize: 0, maxSize: 2, labels: {tier: web}, taints: {only: "x:NoSchedule"}, updateConfig: {maxUnavailable: 1}}
`
	m := fileOf(t, text)
	c := daemon.Default(t.TempDir(), t.TempDir())

	err := a.requires(ctx, m)
	if !errors.Is(err, errFile) || !strings.Contains(err.Error(), m.file+":10:19: accessConfig.accessEntries[0].principalARN: there is no arn:aws:iam::111122223333:user/viewer") {
		t.Fatalf("a user that is not there: %v", err)
	}
	must(a.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("viewer")}))
	make := func(m *manifest) {
		t.Helper()
		for _, step := range []func(context.Context, *manifest) error{a.requires, a.clusterOf} {
			if err := step(ctx, m); err != nil {
				t.Fatal(err)
			}
		}
		if err := clusters.WaitServing(ctx, m.Name); err != nil {
			t.Fatal(err)
		}
		for _, step := range []func(context.Context, *manifest) error{a.addonsOf, a.nodegroupsOf, a.rolesOf, a.entriesOf} {
			if err := step(ctx, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	make(m)
	again := fileOf(t, text)
	if err := a.compare(ctx, again, c); err != nil || len(again.warnings) > 0 {
		t.Fatalf("what was made is not what the file says: %v %q", err, again.warnings)
	}
	for _, s := range again.wants() {
		if again.have[s.key] != s.want && !strings.HasPrefix(s.key, "account/") {
			t.Errorf("%s: what is there is not looked at (%q, want %q)", s.key, again.have[s.key], s.want)
		}
	}
	make(again) // makes nothing more

	refused := func(from, to, want string) {
		t.Helper()
		m := fileOf(t, strings.Replace(text, from, to, 1))
		if err := a.compare(ctx, m, c); err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, errFile) || strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("%s: %v, want %s", to, err, want)
		}
	}
	refused("privateAccess: true", "privateAccess: false", "the file says false, and there is true")
	refused("[audit]", "[audit, api]", "the file says api, audit, and there is audit")
	refused("Mode: API", "Mode: API_AND_CONFIG_MAP", "the file says API_AND_CONFIG_MAP, and there is API")
	refused("metadata: {name: c}", "metadata: {name: c, tags: {team: a}}", `the file says a, and there is ""`)
	refused("Permissions: false", "Permissions: true", "the file says true, and there is false")
	refused("[viewers]", "[readers]", "the file says readers, and there is viewers")
	refused("[b, a]", "[b]", "the file says for b, and there is for a, b")
	refused("AmazonEKSViewPolicy", "AmazonEKSEditPolicy", "the file doesn't name what is there: access policy arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")
	refused("AmazonS3ReadOnlyAccess", "AmazonSSMReadOnlyAccess", "the file doesn't name what is there: role eksctl-c-podidentityrole-default-p-Role1: policy arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
	refused(`"replicaCount": 1`, `"replicaCount": 2`, `the file says {"replicaCount":2}, and there is {"replicaCount":1}`)
	refused("maxSize: 2", "maxSize: 3", "managedNodeGroups[0].maxSize: the file says 3, and there is 2")
	refused("tier: web", "tier: db", "managedNodeGroups[0].labels.tier: the file says db, and there is web")
	refused("x:NoSchedule", "x:NoExecute", "the file says only=x:NoExecute, and there is only=x:NoSchedule")
	refused("name: p, ", "name: p, privateNetworking: true, ", "privateNetworking: the file says true, and there is false")

	// By a call, after all of it was made.
	out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &m.Name})
	if err != nil {
		t.Fatal(err)
	}
	if err := keep(again, c, *out.Cluster.CreatedAt); err != nil {
		t.Fatal(err)
	}
	must(a.eks.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
		ClusterName: &m.Name, PrincipalArn: aws.String("arn:aws:iam::111122223333:user/viewer"), PolicyArn: aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"),
		AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeCluster},
	}))
	m = fileOf(t, text)
	if err := a.compare(ctx, m, c); err != nil || len(m.warnings) != 1 || !strings.Contains(m.warnings[0], "the file says for a, b, and there is for the cluster") {
		t.Errorf("what a call has changed: %v %q", err, m.warnings)
	}
	if err := a.entriesOf(ctx, m); err != nil {
		t.Error(err)
	}
	if have, err := a.policiesOf(ctx, m.Name, "arn:aws:iam::111122223333:user/viewer"); err != nil || have["arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"] != "for the cluster" {
		t.Errorf("what a call has changed is changed back: %v, %v", have, err)
	}
}
