package daemon

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// from is for clients in a namespace that call whoever answers at an address.
func from(ns string, to netip.Addr, admin aws.Credentials) aws.Config {
	url := "http://" + net.JoinHostPort(to.String(), "443")
	return aws.Config{
		Region: doortest.Place.Region, BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: awscredentials.NewStaticCredentialsProvider(admin.AccessKeyID, admin.SecretAccessKey, ""),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return netns.Dial(ns)(ctx, network, address)
		}}},
	}
}

// TestCallsThroughEndpoints: the official clients' calls from a machine of the VPC,
// through endpoints and beside them, meet bucket policies and endpoint policies by the
// way their packets took.
func TestCallsThroughEndpoints(t *testing.T) {
	a := doortest.New(t)
	d := groundedOn(t, a.Store)
	var err error
	if d.s3, err = s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM}); err != nil {
		t.Fatal(err)
	}
	door := a.Front(t, d.s3.Service(), d.ec2.Service())
	door.Ways = d.ways.of
	ctx := d.openDoorsFor(t, door)
	address, pods := vpctest.Private(d.network.Config, 1)
	node, err := d.network.AttachNode(ctx, "i-1", address, pods)
	if err != nil {
		t.Fatal(err)
	}
	must, key := doortest.Must(t), a.AdminKey(t)
	bucketAt := func(ns string) *awss3.Client {
		return awss3.NewFromConfig(from(ns, d.network.S3(), key), func(o *awss3.Options) { o.UsePathStyle = true })
	}
	inside, outside := bucketAt(node), bucketAt("")
	name, object := aws.String("guarded"), aws.String("key")
	must(outside.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(doortest.Place.Region)}}))
	must(outside.PutObject(ctx, &awss3.PutObjectInput{Bucket: name, Key: object, Body: strings.NewReader("secret")}))

	vpcID := aws.String(d.config.vpcID())
	tables, err := d.ec2.DescribeRouteTables(ctx, &awsec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: aws.String("association.subnet-id"), Values: []string{d.config.subnetID("private-a")}}}})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := d.ec2.CreateVpcEndpoint(ctx, &awsec2.CreateVpcEndpointInput{VpcId: vpcID, ServiceName: aws.String("com.amazonaws.us-west-2.s3"), RouteTableIds: []string{*tables.RouteTables[0].RouteTableId}})
	if err != nil {
		t.Fatal(err)
	}
	id := gateway.VpcEndpoint.VpcEndpointId
	must(outside.PutBucketPolicy(ctx, &awss3.PutBucketPolicyInput{Bucket: name, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject",
		"Resource":"arn:aws:s3:::guarded/*","Condition":{"StringNotEquals":{"aws:SourceVpce":"` + *id + `"}}}]}`)}))
	read := func(c *awss3.Client) error {
		_, err := c.GetObject(ctx, &awss3.GetObjectInput{Bucket: name, Key: object})
		return err
	}
	if err := read(inside); err != nil {
		t.Errorf("through the endpoint: %v", err)
	}
	doortest.Refused(t, read(outside), "AccessDenied", "with an explicit deny in a resource-based policy")
	_, err = awssts.NewFromConfig(from(node, d.network.S3(), key)).GetSessionToken(ctx, &awssts.GetSessionTokenInput{})
	doortest.Refused(t, err, "SignatureDoesNotMatch", "Credential should be scoped to correct service: 's3'.")
	must(d.ec2.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: id, PolicyDocument: aws.String(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"*"}]}`)}))
	doortest.Refused(t, read(inside), "AccessDenied", "because no VPC endpoint policy allows the s3:GetObject action")
	must(inside.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: name}))
	must(d.ec2.ModifyVpcEndpoint(ctx, &awsec2.ModifyVpcEndpointInput{VpcEndpointId: id, ResetPolicy: aws.Bool(true), RemoveRouteTableIds: []string{*tables.RouteTables[0].RouteTableId}}))
	doortest.Refused(t, read(inside), "AccessDenied", "with an explicit deny in a resource-based policy") // by the NAT gateway now

	// STS, by an address.
	group := d.config.resourceID("sg", "default")
	must(d.ec2.AuthorizeSecurityGroupIngress(ctx, &awsec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpProtocol: aws.String("-1"), CidrIp: aws.String(d.network.VPC.String())}))
	made, err := d.ec2.CreateVpcEndpoint(ctx, &awsec2.CreateVpcEndpointInput{
		VpcId: vpcID, ServiceName: aws.String("com.amazonaws.us-west-2.sts"), VpcEndpointType: ec2types.VpcEndpointTypeInterface, SubnetIds: []string{d.config.subnetID("private-a")},
		PolicyDocument: aws.String(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
			{"Effect":"Deny","Principal":"*","Action":"sts:GetFederationToken","Resource":"*","Condition":{"IpAddress":{"aws:VpcSourceIp":"` + address.String() + `"}}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := d.names.Addrs("sts.us-west-2.amazonaws.com", dns.Inside)
	through, beside := awssts.NewFromConfig(from(node, at[0], key)), awssts.NewFromConfig(from(node, d.network.Front(), key))
	federate := func(c *awssts.Client) error {
		_, err := c.GetFederationToken(ctx, &awssts.GetFederationTokenInput{Name: aws.String("federated")})
		return err
	}
	must(through.GetSessionToken(ctx, &awssts.GetSessionTokenInput{}))
	doortest.Refused(t, federate(through), "AccessDenied", "with an explicit deny in a VPC endpoint policy")
	if err := federate(beside); err != nil {
		t.Errorf("beside the endpoint: %v", err)
	}
	if err := a.Trail.Flush(); err != nil {
		t.Fatal(err)
	}
	records, err := cloudtrail.Read(a.TrailDir, d.started)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, r := range records {
		if strings.Contains(string(r.Raw), `"vpcEndpointId":"`+*made.VpcEndpoint.VpcEndpointId+`"`) {
			by[r.EventName+" "+r.SourceIPAddress]++
		}
	}
	if len(by) != 2 || by["GetSessionToken "+address.String()] != 1 || by["GetFederationToken "+address.String()] != 1 {
		t.Errorf("events by the endpoint: %v", by)
	}
}
