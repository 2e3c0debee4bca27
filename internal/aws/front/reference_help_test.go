package front_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscloudformation "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awscloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/cloudformation"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/ecr"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/eksauth"
	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/iamtoolbox"
	"github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/route53"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/aws/sns"
	"github.com/eksact/eksact/internal/aws/ssm"
)

// everyService is a front door with all the services that the daemon has, and one
// tagged and bounded thing of each kind.
func everyService(t testing.TB) (*front.Front, *iam.IAM) {
	a := doortest.New(t)
	clusters := eks.New(eks.Deps{Store: a.Store, Place: doortest.Place, Runtime: idle{}, Roles: trusting{}, Network: flat{}, Now: time.Now, PatchVersions: map[string]string{"1.37": "1.37.2"}})
	makeThings(t, a.IAM, clusters)
	buckets, err := s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM})
	if err != nil {
		t.Fatal(err)
	}
	network := ec2.New(a.Store, doortest.Place)
	makeNetwork(t, network)
	makeGroups(t, network)
	zones := route53.New(route53.Deps{Store: a.Store, Place: doortest.Place, Now: time.Now, VPC: func(string) bool { return true }})
	stacks := cloudformation.New(cloudformation.Deps{Store: a.Store, Place: doortest.Place, Roles: a.IAM, Sessions: a.STS})
	t.Cleanup(stacks.Close)
	makeStack(t, stacks)
	fleet := autoscaling.New(autoscaling.Deps{Store: a.Store, Place: doortest.Place, Now: time.Now})
	group := autoscaling.Group{Name: thing, ID: thing, Tags: []autoscaling.Tag{{Key: "Team", Value: "a"}}, Members: []autoscaling.Member{{ID: thing}}}
	if err := fleet.PutGroup(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	parameters := ssm.New(ssm.Deps{Store: a.Store, Place: doortest.Place, Now: time.Now})
	makeParameter(t, parameters)
	alarms, err := cloudwatch.New(cloudwatch.Deps{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	makeAlarm(t, alarms)
	topics := sns.New(sns.Deps{Store: a.Store, Place: doortest.Place, IAM: a.IAM, Now: time.Now})
	makeTopic(t, topics)
	repositories, err := ecr.New(ecr.Deps{Store: a.Store, Place: doortest.Place, IAM: a.IAM, Dir: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	makeRepository(t, repositories)
	return a.Front(t,
		stacks.Service(),
		alarms.Service(),
		fleet.Service(),
		clusters.Service(),
		eksauth.New(eksauth.Deps{Clusters: clusters}).Service(),
		zones.Service(),
		network.Service(),
		balancersOf(t, a).Service(),
		cloudtrail.NewHistory(a.Trail, a.TrailDir, time.Now).Service(),
		buckets.Service(),
		logs.New(logs.Deps{Store: a.Store, Place: doortest.Place, Events: doortest.Events(t), Now: time.Now}).Service(),
		iamtoolbox.New(a.IAM).Service(),
		parameters.Service(),
		topics.Service(),
		repositories.Service(),
	), a.IAM
}

// makeAlarm makes an alarm called thing.
func makeAlarm(t testing.TB, s *cloudwatch.Service) {
	t.Helper()
	_, err := s.PutCompositeAlarm(t.Context(), &awscloudwatch.PutCompositeAlarmInput{
		AlarmName: aws.String(thing), AlarmRule: aws.String("TRUE"), Tags: []cloudwatchtypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// makeStack makes a stack called thing.
func makeStack(t testing.TB, s *cloudformation.Service) {
	t.Helper()
	ctx := api.WithCaller(t.Context(), &api.Caller{Type: api.Account, AccountID: number, PrincipalARN: "arn:aws:iam::" + number + ":root", PrincipalID: number})
	_, err := s.CreateStack(ctx, &awscloudformation.CreateStackInput{
		StackName: aws.String(thing), TemplateBody: aws.String("Resources: {M: {Type: AWS::CDK::Metadata}}"),
		Tags: []cfntypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// makeParameter makes a parameter called thing.
func makeParameter(t testing.TB, s *ssm.Service) {
	t.Helper()
	_, err := s.PutParameter(t.Context(), &awsssm.PutParameterInput{
		Name: aws.String(thing), Value: aws.String("v"), Type: ssmtypes.ParameterTypeString, Tags: []ssmtypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// makeTopic makes a topic called thing.
func makeTopic(t testing.TB, s *sns.Service) {
	t.Helper()
	if _, err := s.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: aws.String(thing), Tags: []snstypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}}}); err != nil {
		t.Fatal(err)
	}
}

// makeRepository makes a repository called thing.
func makeRepository(t testing.TB, s *ecr.Service) {
	t.Helper()
	if _, err := s.CreateRepository(t.Context(), &awsecr.CreateRepositoryInput{RepositoryName: aws.String(thing), Tags: []ecrtypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}}}); err != nil {
		t.Fatal(err)
	}
}

func makeThings(t testing.TB, i *iam.IAM, e *eks.Service) {
	t.Helper()
	ctx := api.WithCaller(t.Context(), &api.Caller{
		Type: api.Account, AccountID: number, PrincipalARN: "arn:aws:iam::" + number + ":root", PrincipalID: number,
	})
	tags := []iamtypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}}
	name, boundary := aws.String(thing), aws.String("arn:aws:iam::"+number+":policy/"+thing)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(i.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: name, Tags: tags,
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)}))
	must(i.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: name, Tags: tags, PermissionsBoundary: boundary,
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}}`)}))
	must(i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: name, Tags: tags, PermissionsBoundary: boundary}))
	must(i.CreateVirtualMFADevice(ctx, &awsiam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: name, Tags: tags}))
	must(i.CreateOpenIDConnectProvider(ctx, &awsiam.CreateOpenIDConnectProviderInput{Url: aws.String("https://" + thing), ThumbprintList: []string{strings.Repeat("0", 40)}, Tags: tags}))
	must(i.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: name, Tags: tags}))
	must(e.CreateCluster(ctx, &awseks.CreateClusterInput{
		Name: name, RoleArn: aws.String("arn:aws:iam::" + number + ":role/" + thing), Tags: map[string]string{"Team": "a"},
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}},
	}))
}

// makeNetwork records one of each kind of EC2's.
func makeNetwork(t testing.TB, s *ec2.Service) {
	t.Helper()
	ctx, tags, cidr, name := t.Context(), map[string]string{"Team": "a"}, netip.MustParsePrefix("10.0.0.0/16"), thing
	_, keyErr := s.CreateKeyPair(ctx, &awsec2.CreateKeyPairInput{KeyName: &name, TagSpecifications: []ec2types.TagSpecification{
		{ResourceType: ec2types.ResourceTypeKeyPair, Tags: []ec2types.Tag{{Key: aws.String("Team"), Value: aws.String("a")}}},
	}})
	err := errors.Join(keyErr,
		s.Plant(ctx, ec2.Seed{
			VPC:     ec2.VPC{ID: thing, CIDRs: []netip.Prefix{cidr}, Tags: tags},
			Parts:   ec2.VPCParts{RouteTable: "main", Association: "main", ACL: thing, Group: "default"},
			Subnets: []ec2.Subnet{{ID: thing, VPC: thing, CIDR: cidr, Zone: "us-west-2a", Tags: tags}},
			Gateway: ec2.InternetGateway{ID: thing, VPC: thing, Tags: tags},
			Address: ec2.Address{ID: thing, PublicIP: cidr.Addr(), Association: thing, Instance: thing, Tags: tags},
			NAT:     ec2.NATGateway{ID: thing, VPC: thing, Subnet: thing, Tags: tags},
			Tables:  []ec2.RouteTable{{ID: thing, VPC: thing, Associations: []ec2.Association{{ID: thing, Subnet: thing}}, Tags: tags}},
		}),
		s.PutInstance(ctx, ec2.Instance{ID: thing, Type: "m5.large", VPC: thing, Zone: "us-west-2a", ProfileARN: "arn:aws:iam::" + number + ":instance-profile/" + thing, Tags: tags}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// makeGroups makes one of each that has to do with security groups, all called
// thing.
func makeGroups(t testing.TB, s *ec2.Service) {
	t.Helper()
	ctx, tags := t.Context(), map[string]string{"Team": "a"}
	rule := ec2.Rule{ID: thing, Protocol: "-1", From: -1, To: -1, PrefixList: thing, Tags: tags}
	err := errors.Join(
		s.RestoreGroup(ctx, ec2.SecurityGroup{ID: thing, VPC: thing, Name: thing, Rules: []ec2.Rule{rule}, Tags: tags}),
		s.PutPrefixList(ctx, ec2.PrefixList{ID: thing, Name: thing, Owner: number, Family: "IPv4", MaxEntries: 1, Version: 1, Tags: tags}),
		s.PutFlowLog(ctx, ec2.FlowLog{ID: thing, Resource: thing, Tags: tags}),
		s.PutVPCEndpoint(ctx, ec2.VPCEndpoint{ID: thing, VPC: thing, Service: "com.amazonaws.us-west-2.sts", Type: ec2types.VpcEndpointTypeInterface, Tags: tags}),
		s.PutNetworkInterface(ctx, ec2.NetworkInterface{ID: thing, VPC: thing, Subnet: thing, Zone: "us-west-2a", Groups: []string{thing}, Tags: tags}),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// balancersOf makes a load balancer with its listener and group, all called thing.
func balancersOf(t testing.TB, a *doortest.Account) *elb.Service {
	t.Helper()
	s, tags := elb.New(a.Store, doortest.Place), map[string]string{"Team": "a"}
	err := s.Put(t.Context(), elb.LoadBalancer{
		Name: thing, ID: thing, Tags: tags, Listeners: []elb.Listener{{ID: thing, Protocol: "TCP", Port: 80, TargetGroup: thing, Tags: tags}},
	}, elb.TargetGroup{Name: thing, ID: thing, Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What EKS needs, to make a record of a cluster that never starts.
type (
	idle     struct{}
	trusting struct{}
	flat     struct{}
)

func (idle) Start(context.Context, eks.Cluster) (eks.Facts, error)      { return eks.Facts{}, nil }
func (idle) Stop(context.Context, eks.Cluster) error                    { return nil }
func (idle) SetLogging(context.Context, eks.Cluster, []string) error    { return nil }
func (idle) SetAccess(context.Context, eks.Cluster, eks.Access) error   { return nil }
func (idle) SetAddon(context.Context, eks.Cluster, eks.AddonWish) error { return nil }
func (idle) RemoveAddon(context.Context, eks.Cluster, string) error     { return nil }
func (trusting) PrincipalID(string) (string, bool)                      { return "", false }
func (trusting) Assumable(context.Context, string, string) bool         { return true }
func (trusting) CheckPass(context.Context, string, string) error        { return nil }
func (flat) SubnetPlace(id string) (vpc, zone string, ok bool) {
	return "vpc-1", "us-west-2" + id[len(id)-1:], true
}
func (flat) VPCRanges(string) ([]netip.Prefix, bool) {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}, true
}
func (flat) SecurityGroupVPC(string) (vpc string, ok bool)     { return "vpc-1", true }
func (flat) RemoveSecurityGroup(context.Context, string) error { return nil }
func (flat) PutSecurityGroup(context.Context, string, string, string, string, map[string]string) error {
	return nil
}
