package eks_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	awselb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/store"
)

// account serves EKS, EC2 and ELB over the wire, without authentication, to the
// official SDK's clients.
type account struct {
	ec2 *ec2.Service
	elb *elb.Service
	aws aws.Config
}

func newAccount(t *testing.T) *account {
	t.Helper()
	st := store.NewMemory()
	t.Cleanup(st.Close)
	place := api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}
	a := &account{ec2: ec2.New(st, place, "us-west-2a", "us-west-2b"), elb: elb.New(st, place)}
	clusters := eks.New(eks.Deps{Store: st, Place: place, Runtime: quick{}, Roles: anyRole{}, Network: a.ec2, Now: time.Now, PatchVersions: map[string]string{"1.37": "1.37.2"}})

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { clusters.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done })

	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(serve(codec, clusters.Service(), a.ec2.Service(), a.elb.Service()))
	t.Cleanup(server.Close)
	a.aws = aws.Config{
		Region: "us-west-2", BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1, HTTPClient: client.New(nil),
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	}
	return a
}

var scope = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request`)

func serve(codec *wire.Codec, services ...*api.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
		call, err := codec.Route(r, body, signed[1])
		if err != nil {
			call.Fail(w, err, "request-1")
			return
		}
		for _, s := range services {
			op, ok := s.Operations[call.Operation.Name]
			if s.ID != call.Service.ID() || !ok {
				continue
			}
			in := op.Input()
			if err = call.Decode(in); err == nil {
				err = call.Validate(in)
			}
			var out any
			if err == nil {
				who := &api.Caller{Type: api.User, PrincipalARN: "arn:aws:iam::111122223333:user/alice", PrincipalID: "AIDAALICE"}
				out, err = op.Handle(api.WithCaller(r.Context(), who), in)
			}
			if err != nil {
				call.Fail(w, err, "request-1")
				return
			}
			call.Encode(w, out, "request-1")
			return
		}
		http.NotFound(w, r)
	})
}

// quick is a runtime whose clusters serve at once.
type quick struct{}

func (quick) Start(context.Context, eks.Cluster) (eks.Facts, error) {
	return eks.Facts{CertificateAuthority: []byte("pem"), PlatformVersion: "eks.1"}, nil
}
func (quick) Stop(context.Context, eks.Cluster) error                    { return nil }
func (quick) SetLogging(context.Context, eks.Cluster, []string) error    { return nil }
func (quick) SetAccess(context.Context, eks.Cluster, eks.Access) error   { return nil }
func (quick) SetAddon(context.Context, eks.Cluster, eks.AddonWish) error { return nil }
func (quick) RemoveAddon(context.Context, eks.Cluster, string) error     { return nil }

type anyRole struct{}

func (anyRole) Assumable(context.Context, string, string) bool  { return true }
func (anyRole) CheckPass(context.Context, string, string) error { return nil }
func (anyRole) PrincipalID(arn string) (string, bool)           { return "ID-" + arn, true }

func (a *account) network(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	err := errors.Join(
		a.ec2.PutVPC(ctx, ec2.VPC{ID: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}),
		a.ec2.PutSubnet(ctx, ec2.Subnet{ID: "subnet-a", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.64.0/19"), Zone: "us-west-2a"}),
		a.ec2.PutSubnet(ctx, ec2.Subnet{ID: "subnet-b", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.96.0/19"), Zone: "us-west-2b"}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// A cluster's whole life through the SDK, its waiters and its error types.
func TestSDK(t *testing.T) {
	a := newAccount(t)
	a.network(t)
	ctx := t.Context()
	client := awseks.NewFromConfig(a.aws)
	name := aws.String("cluster")
	in := &awseks.CreateClusterInput{
		Name: name, RoleArn: aws.String("arn:aws:iam::111122223333:role/eks"), Tags: map[string]string{"a b": "c/d"},
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}},
	}
	created, err := client.CreateCluster(ctx, in)
	if err != nil || created.Cluster.Status != types.ClusterStatusCreating {
		t.Fatalf("%+v, %v", created, err)
	}
	const patience = 10 * time.Second
	fast := func(o *awseks.ClusterActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}
	if err := awseks.NewClusterActiveWaiter(client, fast).Wait(ctx, &awseks.DescribeClusterInput{Name: name}, patience); err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Cluster
	if ca, err := base64.StdEncoding.DecodeString(*c.CertificateAuthority.Data); err != nil || string(ca) != "pem" {
		t.Errorf("CA %q, %v", ca, err)
	}
	if c.Tags["a b"] != "c/d" || c.Health == nil || len(c.Logging.ClusterLogging) != 1 || *c.KubernetesNetworkConfig.ServiceIpv4Cidr != "172.20.0.0/16" {
		t.Errorf("%+v", c)
	}

	in.ClientRequestToken = nil // the SDK draws a new one
	_, err = client.CreateCluster(ctx, in)
	var used *types.ResourceInUseException
	if !errors.As(err, &used) || *used.Message != "Cluster already exists with name: cluster" || aws.ToString(used.ClusterName) != "cluster" {
		t.Errorf("creating it twice: %v", err)
	}

	update, err := client.UpdateClusterConfig(ctx, &awseks.UpdateClusterConfigInput{
		Name: name, Logging: &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(true), Types: []types.LogType{"audit"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for status := update.Update.Status; status != types.UpdateStatusSuccessful; time.Sleep(time.Millisecond) {
		u, err := client.DescribeUpdate(ctx, &awseks.DescribeUpdateInput{Name: name, UpdateId: update.Update.Id})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", u, err)
		}
		status = u.Update.Status
	}
	if list, err := client.ListUpdates(ctx, &awseks.ListUpdatesInput{Name: name}); err != nil || len(list.UpdateIds) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := client.TagResource(ctx, &awseks.TagResourceInput{ResourceArn: c.Arn, Tags: map[string]string{"x": "y"}}); err != nil {
		t.Error(err)
	}
	if _, err := client.UntagResource(ctx, &awseks.UntagResourceInput{ResourceArn: c.Arn, TagKeys: []string{"a b"}}); err != nil {
		t.Error(err)
	}
	if tags, err := client.ListTagsForResource(ctx, &awseks.ListTagsForResourceInput{ResourceArn: c.Arn}); err != nil || len(tags.Tags) != 1 || tags.Tags["x"] != "y" {
		t.Errorf("%+v, %v", tags, err)
	}
	if list, err := client.ListClusters(ctx, &awseks.ListClustersInput{}); err != nil || len(list.Clusters) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	versions, err := client.DescribeClusterVersions(ctx, &awseks.DescribeClusterVersionsInput{DefaultOnly: aws.Bool(true)})
	if err != nil || len(versions.ClusterVersions) != 1 || !versions.ClusterVersions[0].DefaultVersion || versions.ClusterVersions[0].ReleaseDate.Year() != 2026 {
		t.Errorf("%+v, %v", versions, err)
	}

	groups, err := awsec2.NewFromConfig(a.aws).DescribeSecurityGroups(ctx, &awsec2.DescribeSecurityGroupsInput{GroupIds: []string{*c.ResourcesVpcConfig.ClusterSecurityGroupId}})
	if err != nil || *groups.SecurityGroups[0].VpcId != "vpc-1" {
		t.Errorf("the cluster security group: %+v, %v", groups, err)
	}

	if _, err := client.DeleteCluster(ctx, &awseks.DeleteClusterInput{Name: name}); err != nil {
		t.Fatal(err)
	}
	gone := func(o *awseks.ClusterDeletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}
	if err := awseks.NewClusterDeletedWaiter(client, gone).Wait(ctx, &awseks.DescribeClusterInput{Name: name}, patience); err != nil {
		t.Fatal(err)
	}
	_, err = client.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: name})
	var notFound *types.ResourceNotFoundException
	if !errors.As(err, &notFound) || *notFound.Message != "No cluster found for name: cluster." {
		t.Errorf("got %v", err)
	}
}

func TestSDKOfEC2AndELB(t *testing.T) {
	a := newAccount(t)
	a.network(t)
	ctx := t.Context()
	machines := awsec2.NewFromConfig(a.aws)
	err := a.ec2.PutInstance(ctx, ec2.Instance{
		ID: "i-0123456789abcdef0", Reservation: "r-1", State: ec2.Running, Type: "m5.large", LaunchTime: time.Now(), Arch: "x86_64", VPC: "vpc-1",
		Subnet: "subnet-a", Zone: "us-west-2a", PrivateIP: netip.MustParseAddr("10.0.64.10"), PrivateDNS: "ip-10-0-64-10.us-west-2.compute.internal",
		Tags: map[string]string{"Name": "cluster-ng-Node"},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := machines.DescribeInstances(ctx, &awsec2.DescribeInstancesInput{
		Filters: []ec2types.Filter{{Name: aws.String("tag:Name"), Values: []string{"cluster-*"}}, {Name: aws.String("instance-state-name"), Values: []string{"running"}}},
	})
	if err != nil || len(list.Reservations) != 1 || *list.Reservations[0].Instances[0].PrivateIpAddress != "10.0.64.10" {
		t.Errorf("%+v, %v", list, err)
	}
	subnets, err := machines.DescribeSubnets(ctx, &awsec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-b"}})
	if err != nil || len(subnets.Subnets) != 1 || *subnets.Subnets[0].CidrBlock != "10.0.96.0/19" {
		t.Errorf("%+v, %v", subnets, err)
	}
	if vpcs, err := machines.DescribeVpcs(ctx, &awsec2.DescribeVpcsInput{}); err != nil || len(vpcs.Vpcs) != 1 {
		t.Errorf("%+v, %v", vpcs, err)
	}
	if zones, err := machines.DescribeAvailabilityZones(ctx, &awsec2.DescribeAvailabilityZonesInput{}); err != nil || len(zones.AvailabilityZones) != 2 {
		t.Errorf("%+v, %v", zones, err)
	}
	_, err = machines.DescribeInstances(ctx, &awsec2.DescribeInstancesInput{InstanceIds: []string{"i-9"}})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidInstanceID.NotFound" || refused.ErrorMessage() != "The instance ID 'i-9' does not exist" {
		t.Errorf("got %v", err)
	}

	balancers := awselb.NewFromConfig(a.aws)
	err = a.elb.Put(ctx, elb.LoadBalancer{
		Name: "a1", ID: "1111111111111111", DNSName: "a1-1.us-west-2.elb.amazonaws.com", Scheme: "internet-facing", State: "active", VPC: "vpc-1", CreatedAt: time.Now(),
		Listeners: []elb.Listener{{ID: "2222222222222222", Protocol: "TCP", Port: 80, TargetGroup: "k8s-nginx"}},
	}, elb.TargetGroup{Name: "k8s-nginx", ID: "3333333333333333", Protocol: "TCP", Port: 31000, VPC: "vpc-1", TargetType: "instance",
		Targets: []elb.Target{{ID: "i-0123456789abcdef0", Port: 31000, State: "healthy"}}})
	if err != nil {
		t.Fatal(err)
	}
	lbs, err := balancers.DescribeLoadBalancers(ctx, &awselb.DescribeLoadBalancersInput{Names: []string{"a1"}})
	if err != nil || *lbs.LoadBalancers[0].DNSName != "a1-1.us-west-2.elb.amazonaws.com" {
		t.Fatalf("%+v, %v", lbs, err)
	}
	listeners, err := balancers.DescribeListeners(ctx, &awselb.DescribeListenersInput{LoadBalancerArn: lbs.LoadBalancers[0].LoadBalancerArn})
	if err != nil || *listeners.Listeners[0].Port != 80 {
		t.Fatalf("%+v, %v", listeners, err)
	}
	health, err := balancers.DescribeTargetHealth(ctx, &awselb.DescribeTargetHealthInput{TargetGroupArn: listeners.Listeners[0].DefaultActions[0].TargetGroupArn})
	if err != nil || health.TargetHealthDescriptions[0].TargetHealth.State != "healthy" {
		t.Errorf("%+v, %v", health, err)
	}
	_, err = balancers.DescribeLoadBalancers(ctx, &awselb.DescribeLoadBalancersInput{Names: []string{"none"}})
	if !errors.As(err, &refused) || refused.ErrorCode() != "LoadBalancerNotFound" || refused.ErrorMessage() != "Load balancers '[none]' not found" {
		t.Errorf("got %v", err)
	}
}
