package iam_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
)

func TestAddingARoleToAProfileNeedsPassRole(t *testing.T) {
	a, ctx := open(t), t.Context()
	role := a.role(t, "node", trustEC2)
	profile := aws.String("node")
	ok(t)(a.admin.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: profile}))
	in := &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: aws.String("node")}
	sentence := "is not authorized to perform: iam:PassRole on resource: " + role + " because no identity-based policy allows the iam:PassRole action"

	alone := a.user(t, "alone", allow("iam:AddRoleToInstanceProfile"))
	_, err := alone.AddRoleToInstanceProfile(ctx, in)
	denied(t, err, "User: "+arn("user/alone")+" "+sentence)
	to := func(service string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:AddRoleToInstanceProfile","Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + role + `","Condition":{"StringEquals":{"iam:PassedToService":"` + service + `"}}}]}`
	}
	_, err = a.user(t, "eks", to("eks.amazonaws.com")).AddRoleToInstanceProfile(ctx, in)
	denied(t, err, sentence)
	passing := a.user(t, "ec2", to("ec2.amazonaws.com"))
	ok(t)(passing.AddRoleToInstanceProfile(ctx, in))

	got, err := a.admin.GetInstanceProfile(ctx, &awsiam.GetInstanceProfileInput{InstanceProfileName: profile})
	if err != nil || len(got.InstanceProfile.Roles) != 1 || *got.InstanceProfile.Roles[0].Arn != role {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = a.admin.AddRoleToInstanceProfile(ctx, in)
	refused(t, err, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	_, err = passing.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: aws.String("none")})
	refused(t, err, "NoSuchEntity", "The role with name none cannot be found.")
	_, err = passing.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("none"), RoleName: aws.String("node")})
	refused(t, err, "NoSuchEntity", "Instance Profile none cannot be found.")
}

// A Region that a policy names is the one that the call is made in.
func TestPassRoleKnowsTheRegion(t *testing.T) {
	a, ctx := open(t), t.Context()
	role := a.role(t, "r", trustEC2)
	a.user(t, "u", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-west-2"}}}]}`)
	u, _ := a.iam.UserByName("u")
	who := &api.Caller{Type: api.User, AccountID: number, ARN: arn("user/u"), PrincipalARN: arn("user/u"), PrincipalID: u.ID, UserID: u.ID, Name: "u", RequestedRegion: "us-west-2"}
	if err := a.iam.CheckPass(api.WithCaller(ctx, who), role, "eks.amazonaws.com"); err != nil {
		t.Error(err)
	}
	elsewhere := *who
	elsewhere.RequestedRegion = "us-east-1"
	err := a.iam.CheckPass(api.WithCaller(ctx, &elsewhere), role, "eks.amazonaws.com")
	refused(t, err, "AccessDeniedException", "iam:PassRole on resource: "+role+" with an explicit deny in an identity-based policy")
}

// nothing runs no clusters.
type nothing struct{}

func (nothing) Start(context.Context, eks.Cluster) (eks.Facts, error)      { return eks.Facts{}, nil }
func (nothing) Stop(context.Context, eks.Cluster) error                    { return nil }
func (nothing) SetLogging(context.Context, eks.Cluster, []string) error    { return nil }
func (nothing) SetAccess(context.Context, eks.Cluster, eks.Access) error   { return nil }
func (nothing) SetAddon(context.Context, eks.Cluster, eks.AddonWish) error { return nil }
func (nothing) RemoveAddon(context.Context, eks.Cluster, string) error     { return nil }

func TestCreatingAClusterNeedsPassRole(t *testing.T) {
	a := open(t, func(a *account) *api.Service {
		vpc := ec2.New(a.store, place, "us-west-2a", "us-west-2b")
		for _, err := range []error{
			vpc.PutVPC(t.Context(), ec2.VPC{ID: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}),
			vpc.PutSubnet(t.Context(), ec2.Subnet{ID: "subnet-a", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.64.0/19"), Zone: "us-west-2a"}),
			vpc.PutSubnet(t.Context(), ec2.Subnet{ID: "subnet-b", VPC: "vpc-1", CIDR: netip.MustParsePrefix("10.0.96.0/19"), Zone: "us-west-2b"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return eks.New(eks.Deps{Store: a.store, Place: place, Runtime: nothing{}, Roles: a.iam, Network: vpc, Now: time.Now, PatchVersions: map[string]string{"1.37": "1.37.2"}}).Service()
	})
	ctx := t.Context()
	role := a.role(t, "cluster", strings.Replace(trustEC2, "ec2.", "eks.", 1))
	create := func(user, document, role string) error {
		a.user(t, user, document)
		_, err := awseks.NewFromConfig(a.Keys(t, user)).CreateCluster(ctx, &awseks.CreateClusterInput{
			Name: &user, RoleArn: &role, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}},
		})
		return err
	}
	refused(t, create("nothing", "", role), "AccessDeniedException", "is not authorized to perform: eks:CreateCluster on resource: arn:aws:eks:us-west-2:"+number+":cluster/nothing")
	refused(t, create("alone", allow("eks:CreateCluster"), role), "AccessDeniedException",
		"User: "+arn("user/alone")+" is not authorized to perform: iam:PassRole on resource: "+role+" because no identity-based policy allows the iam:PassRole action")
	both := func(service string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:CreateCluster","Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"` + service + `"}}}]}`
	}
	refused(t, create("elsewhere", both("ec2.amazonaws.com"), role), "AccessDeniedException", "iam:PassRole")
	ok(t)(nil, create("both", both("eks.amazonaws.com"), role))
	other := a.role(t, "other", trustEC2) // trusts another service
	refused(t, create("wrong", both("eks.amazonaws.com"), other), "InvalidParameterException", "could not be assumed because it does not exist or the trusted entity is not correct")
}
