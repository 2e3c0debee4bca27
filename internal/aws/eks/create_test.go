package eks

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eksact/eksact/internal/aws/api"
)

func TestCreateShowsWhatEKSShows(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		hold := make(chan struct{})
		w.runtime.set(func(r *runtime) { r.hold = hold })
		out, err := w.CreateCluster(ctx, request("cluster", func(in *eks.CreateClusterInput) {
			in.Tags = map[string]string{"team": "a"}
			in.ResourcesVpcConfig.SecurityGroupIds = []string{"sg-mine"}
			in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(true), Types: []types.LogType{"scheduler", "api"}}}}
		}))
		if err != nil {
			t.Fatal(err)
		}
		c := out.Cluster
		if c.Status != types.ClusterStatusCreating || c.Endpoint != nil || c.Identity != nil || c.CertificateAuthority.Data != nil {
			t.Errorf("a new cluster: %v, endpoint %v", c.Status, c.Endpoint)
		}
		close(hold)
		settle()

		c = w.describe(t, ctx, "cluster")
		id := regexp.MustCompile(`^https://([0-9A-F]{32})\.gr7\.us-west-2\.eks\.amazonaws\.com$`).FindStringSubmatch(*c.Endpoint)
		if id == nil {
			t.Fatalf("endpoint %s", *c.Endpoint)
		}
		group := *c.ResourcesVpcConfig.ClusterSecurityGroupId
		if !regexp.MustCompile(`^sg-[0-9a-f]{17}$`).MatchString(group) {
			t.Errorf("cluster security group %s", group)
		}
		want := &types.Cluster{
			Name:                 aws.String("cluster"),
			Arn:                  aws.String("arn:aws:eks:us-west-2:111122223333:cluster/cluster"),
			CreatedAt:            c.CreatedAt,
			Version:              aws.String("1.37"),
			PlatformVersion:      aws.String("eks.1"),
			Status:               types.ClusterStatusActive,
			RoleArn:              aws.String(role),
			Endpoint:             c.Endpoint,
			CertificateAuthority: &types.Certificate{Data: aws.String("cGVtIG9mIGNsdXN0ZXI=")},
			Identity:             &types.Identity{Oidc: &types.OIDC{Issuer: aws.String("https://oidc.eks.us-west-2.amazonaws.com/id/" + id[1])}},
			AccessConfig:         &types.AccessConfigResponse{AuthenticationMode: "CONFIG_MAP", BootstrapClusterCreatorAdminPermissions: aws.Bool(true)},
			KubernetesNetworkConfig: &types.KubernetesNetworkConfigResponse{
				IpFamily: "ipv4", ServiceIpv4Cidr: aws.String("172.20.0.0/16"),
			},
			ResourcesVpcConfig: &types.VpcConfigResponse{
				VpcId: aws.String("vpc-1"), SubnetIds: []string{"subnet-a1", "subnet-b"}, SecurityGroupIds: []string{"sg-mine"},
				ClusterSecurityGroupId: aws.String(group), EndpointPublicAccess: true, PublicAccessCidrs: []string{"0.0.0.0/0"},
			},
			Logging: &types.Logging{ClusterLogging: []types.LogSetup{
				{Enabled: aws.Bool(true), Types: []types.LogType{"api", "scheduler"}},
				{Enabled: aws.Bool(false), Types: []types.LogType{"audit", "authenticator", "controllerManager"}},
			}},
			UpgradePolicy:      &types.UpgradePolicyResponse{SupportType: "EXTENDED"},
			DeletionProtection: aws.Bool(false),
			Tags:               map[string]string{"team": "a"},
			Health:             &types.ClusterHealth{Issues: []types.ClusterIssue{}},
		}
		if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(*want, types.Certificate{}, types.Identity{}, types.OIDC{}, types.AccessConfigResponse{},
			types.KubernetesNetworkConfigResponse{}, types.VpcConfigResponse{}, types.Logging{}, types.LogSetup{}, types.UpgradePolicyResponse{}, types.ClusterHealth{})); diff != "" {
			t.Errorf("DescribeCluster (-want +got):\n%s", diff)
		}
		if vpc, _ := w.network.SecurityGroupVPC(group); vpc != "vpc-1" {
			t.Errorf("the cluster security group is in VPC %q", vpc)
		}
		record, _ := w.Cluster("cluster")
		if record.Creator != (Principal{alice, "AIDAALICE"}) || !record.CreatorAdmin {
			t.Errorf("the creator is %+v", record.Creator)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	type change = func(*eks.CreateClusterInput)
	vpc := func(fn func(*types.VpcConfigRequest)) change {
		return func(in *eks.CreateClusterInput) { fn(in.ResourcesVpcConfig) }
	}
	services := func(cidr string) change {
		return func(in *eks.CreateClusterInput) {
			in.KubernetesNetworkConfig = &types.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: &cidr}
		}
	}
	access := func(mode types.AuthenticationMode, admin *bool) change {
		return func(in *eks.CreateClusterInput) {
			in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: mode, BootstrapClusterCreatorAdminPermissions: admin}
		}
	}
	logging := func(setups ...types.LogSetup) change {
		return func(in *eks.CreateClusterInput) { in.Logging = &types.Logging{ClusterLogging: setups} }
	}
	const invalidName = `The parameter name contains invalid characters. It should conform to the regular expression "^[0-9A-Za-z][A-Za-z0-9-_]*"In other words, it should start with a number or letter, and can contain numbers, letters, dashes, and underscores.`
	for _, test := range []struct {
		what    string
		change  change
		message string
	}{
		{"no name", func(in *eks.CreateClusterInput) { in.Name = nil }, "The parameter name is required."},
		{"a dash first", func(in *eks.CreateClusterInput) { in.Name = aws.String("-x") }, invalidName},
		{"a slash", func(in *eks.CreateClusterInput) { in.Name = aws.String("a/b") }, invalidName},
		{"a line's end", func(in *eks.CreateClusterInput) { in.Name = aws.String("a\n") }, invalidName},
		{"a long name", func(in *eks.CreateClusterInput) { in.Name = aws.String(strings.Repeat("x", 101)) }, "The parameter name can't be longer than 100 characters."},
		{"an old version", func(in *eks.CreateClusterInput) { in.Version = aws.String("1.33") }, "unsupported Kubernetes version 1.33"},
		{"the workshop's version", func(in *eks.CreateClusterInput) { in.Version = aws.String("1.14") }, "unsupported Kubernetes version 1.14"},
		{"a version that EKS has alone", func(in *eks.CreateClusterInput) { in.Version = aws.String("1.36") }, "unsupported Kubernetes version 1.36: eksact runs 1.35, 1.37"},
		{"a patch version", func(in *eks.CreateClusterInput) { in.Version = aws.String("1.37.2") }, "unsupported Kubernetes version 1.37.2"},
		{"no role", func(in *eks.CreateClusterInput) { in.RoleArn = nil }, "The role ARN is required."},
		{"another role", func(in *eks.CreateClusterInput) { in.RoleArn = aws.String("arn:aws:iam::111122223333:role/x") },
			"Role with arn: arn:aws:iam::111122223333:role/x, could not be assumed because it does not exist or the trusted entity is not correct"},
		{"no subnets", vpc(func(v *types.VpcConfigRequest) { v.SubnetIds = nil }), "Subnet Id is required"},
		{"one zone", vpc(func(v *types.VpcConfigRequest) { v.SubnetIds = []string{"subnet-a1", "subnet-a2"} }), "Subnets specified must be in at least two different AZs"},
		{"no such subnet", vpc(func(v *types.VpcConfigRequest) { v.SubnetIds = []string{"subnet-a1", "subnet-0"} }),
			"The subnet ID 'subnet-0' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidSubnetID.NotFound; Request ID: req-1; Proxy: null)"},
		{"two VPCs", vpc(func(v *types.VpcConfigRequest) { v.SubnetIds = []string{"subnet-a1", "subnet-x"} }), "Subnets specified must belong to the same VPC: subnet-x is not in vpc-1"},
		{"no such group", vpc(func(v *types.VpcConfigRequest) { v.SecurityGroupIds = []string{"sg-0"} }),
			"The security group 'sg-0' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidGroup.NotFound; Request ID: req-1; Proxy: null)"},
		{"a group elsewhere", vpc(func(v *types.VpcConfigRequest) { v.SecurityGroupIds = []string{"sg-other"} }), "Security group sg-other is not in the VPC of the subnets, vpc-1"},
		{"six groups", vpc(func(v *types.VpcConfigRequest) { v.SecurityGroupIds = strings.Split("abcdef", "") }), "At most 5 security groups can be given."},
		{"no endpoint", vpc(func(v *types.VpcConfigRequest) { v.EndpointPublicAccess = aws.Bool(false) }), "Private and public endpoint access cannot be false"},
		{"private callers", vpc(func(v *types.VpcConfigRequest) { v.PublicAccessCidrs = []string{"10.1.0.128/27", "10.1.0.96/27"} }),
			"The following CIDRs are not allowed in publicAccessCidrs: [10.1.0.128/27, 10.1.0.96/27]"},
		{"no CIDR", vpc(func(v *types.VpcConfigRequest) { v.PublicAccessCidrs = []string{"home"} }), "The following CIDRs are invalid in publicAccessCidrs: [home]"},
		{"public services", services("176.22.0.0/16"), "The serviceIpv4Cidr 176.22.0.0/16 must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."},
		{"overlapping services", services("10.0.128.0/20"), "The serviceIpv4Cidr 10.0.128.0/20 overlaps with the VPC's block 10.0.0.0/16."},
		{"few services", services("172.20.0.0/25"), "The serviceIpv4Cidr 172.20.0.0/25 must have a netmask between /12 and /24."},
		{"services with host bits", services("172.20.0.1/16"), "The serviceIpv4Cidr 172.20.0.1/16 is not a valid IPv4 CIDR block."},
		{"IPv6", func(in *eks.CreateClusterInput) {
			in.KubernetesNetworkConfig = &types.KubernetesNetworkConfigRequest{IpFamily: "ipv6"}
		}, "ipFamily ipv6 is not supported by eksact: the VPC has no IPv6 blocks"},
		{"no admin at all", access("CONFIG_MAP", aws.Bool(false)), "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP"},
		{"no mode", access("ANY", nil), "Invalid authentication mode: ANY"},
		{"a log type", logging(types.LogSetup{Enabled: aws.Bool(true), Types: []types.LogType{"etcd"}}), "Unknown cluster log type: etcd"},
		{"on and off", logging(types.LogSetup{Enabled: aws.Bool(true), Types: []types.LogType{"api"}}, types.LogSetup{Types: []types.LogType{"api"}}),
			"The log type api can't be both enabled and disabled."},
		{"customer keys", func(in *eks.CreateClusterInput) { in.EncryptionConfig = []types.EncryptionConfig{{}} },
			"encryptionConfig is not supported by eksact: there are no KMS keys; secrets are always encrypted, with a key of the cluster's own"},
		{"Auto Mode", func(in *eks.CreateClusterInput) {
			in.ComputeConfig = &types.ComputeConfigRequest{Enabled: aws.Bool(true)}
		},
			"computeConfig is not supported by eksact: there is no Auto Mode"},
		{"a reserved tag", func(in *eks.CreateClusterInput) { in.Tags = map[string]string{"aws:x": ""} }, "Tag keys that begin with aws: are reserved: aws:x"},
		{"a support type", func(in *eks.CreateClusterInput) { in.UpgradePolicy = &types.UpgradePolicyRequest{SupportType: "NONE"} }, "Invalid support type: NONE"},
	} {
		t.Run(test.what, func(t *testing.T) {
			inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
				_, err := w.CreateCluster(ctx, request("cluster", test.change))
				wantError(t, err, "InvalidParameterException", test.message)
				if n := w.clusters.Len(); n != 0 {
					t.Errorf("%d clusters exist", n)
				}
			})
		})
	}
}

func TestCreateAccepts(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		c := w.create(t, ctx, "a", func(in *eks.CreateClusterInput) {
			in.Version = aws.String("1.35")
			in.ResourcesVpcConfig = &types.VpcConfigRequest{
				SubnetIds:            []string{"subnet-c", "subnet-d"},
				EndpointPublicAccess: aws.Bool(true), EndpointPrivateAccess: aws.Bool(false), PublicAccessCidrs: []string{"0.0.0.0/0"},
			}
			in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: "API_AND_CONFIG_MAP", BootstrapClusterCreatorAdminPermissions: aws.Bool(false)}
			in.ComputeConfig = &types.ComputeConfigRequest{Enabled: aws.Bool(false)}
			in.UpgradePolicy = &types.UpgradePolicyRequest{SupportType: "STANDARD"}
		})
		if *c.KubernetesNetworkConfig.ServiceIpv4Cidr != "10.100.0.0/16" {
			t.Errorf("services of a VPC outside 10.0.0.0/8: %s", *c.KubernetesNetworkConfig.ServiceIpv4Cidr)
		}
		if c.AccessConfig.AuthenticationMode != "API_AND_CONFIG_MAP" || *c.AccessConfig.BootstrapClusterCreatorAdminPermissions {
			t.Errorf("access config %+v", c.AccessConfig)
		}
		if record, _ := w.Cluster("a"); record.CreatorAdmin {
			t.Error("the creator is admin though it was not asked for")
		}
		if *c.Version != "1.35" || c.UpgradePolicy.SupportType != "STANDARD" {
			t.Errorf("version %s, support %s", *c.Version, c.UpgradePolicy.SupportType)
		}
		b := w.create(t, ctx, "b", func(in *eks.CreateClusterInput) {
			in.KubernetesNetworkConfig = &types.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String("192.168.8.0/22")}
		})
		if *b.KubernetesNetworkConfig.ServiceIpv4Cidr != "192.168.8.0/22" {
			t.Errorf("services asked for: %s", *b.KubernetesNetworkConfig.ServiceIpv4Cidr)
		}
	})
}

func TestCreateNeedsPassRole(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		denied := errors.New("not authorized to perform: iam:PassRole")
		w.roles.passErr = denied
		if _, err := w.CreateCluster(ctx, request("cluster")); !errors.Is(err, denied) {
			t.Errorf("got %v", err)
		}
		w.roles.passErr = nil
		_, err := w.CreateCluster(api.WithCaller(ctx, &api.Caller{Type: api.Anonymous}), request("cluster"))
		wantError(t, err, "AccessDeniedException", "A cluster can't be created anonymously.")
	})
}

func TestCreateTwice(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		token := func(in *eks.CreateClusterInput) { in.ClientRequestToken = aws.String("token-1") }
		first := w.create(t, ctx, "cluster", token)

		_, err := w.CreateCluster(ctx, request("cluster"))
		wantError(t, err, "ResourceInUseException", "Cluster already exists with name: cluster")

		again, err := w.CreateCluster(ctx, request("cluster", token))
		if err != nil || *again.Cluster.Endpoint != *first.Endpoint || again.Cluster.Status != types.ClusterStatusActive {
			t.Errorf("the same request again: %v, %v", again, err)
		}
		const used = "The clientRequestToken was already used by a request with different parameters."
		_, err = w.CreateCluster(ctx, request("cluster", token, func(in *eks.CreateClusterInput) { in.Version = aws.String("1.35") }))
		wantError(t, err, "InvalidParameterException", used)
		_, err = w.CreateCluster(ctx, request("other", token))
		wantError(t, err, "InvalidParameterException", used)
	})
}

func TestCreateAtOnceMakesOne(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		errs := make(chan error)
		for range 10 {
			go func() {
				_, err := w.CreateCluster(ctx, request("cluster"))
				errs <- err
			}()
		}
		made := 0
		for range 10 {
			if err := <-errs; err == nil {
				made++
			} else {
				wantError(t, err, "ResourceInUseException", "Cluster already exists with name: cluster")
			}
		}
		if made != 1 {
			t.Errorf("%d calls made the cluster", made)
		}
	})
}

func TestQuota(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		for i := range maxClusters {
			w.create(t, ctx, fmt.Sprint("c", i))
		}
		_, err := w.CreateCluster(ctx, request("more"))
		wantError(t, err, "ResourceLimitExceededException", "Cluster limit exceeded for account.")
	})
}

// A cluster without self-managed add-ons has none, and no Fargate profile either: what
// eksctl asks for and looks at.
func TestBareCluster(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		if _, err := w.CreateCluster(ctx, request("cluster", func(in *eks.CreateClusterInput) { in.BootstrapSelfManagedAddons = aws.Bool(false) })); err != nil {
			t.Fatal(err)
		}
		if c, _ := w.Cluster("cluster"); !c.Bare {
			t.Error("it begins with add-ons")
		}
		out, err := w.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: aws.String("cluster")})
		if err != nil || len(out.FargateProfileNames) != 0 {
			t.Errorf("%+v, %v", out, err)
		}
		_, err = w.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: aws.String("none")})
		wantError(t, err, "ResourceNotFoundException", "No cluster found for name: none.")
		_, err = w.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: aws.String("cluster"), FargateProfileName: aws.String("fp")})
		wantError(t, err, "ResourceNotFoundException", "No Fargate Profile found with name: fp.")
	})
}
