package daemon

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// From packets to what the official clients read: an accepted and a rejected
// connection of a machine, in a bucket and in a log group.
func TestFlowLogsArrive(t *testing.T) {
	network := vpctest.Open(t)
	own, _ := vpctest.Private(network.Config, 0)
	ns, err := network.AttachHost(t.Context(), "i-1", own)
	if err != nil {
		t.Fatal(err)
	}
	a := doortest.New(t)
	d := &Daemon{config: Config{Account: doortest.Number, Region: doortest.Place.Region}, network: network, store: a.Store, iam: a.IAM,
		ec2: ec2.New(a.Store, doortest.Place), logs: logs.New(logs.Deps{Store: a.Store, Place: doortest.Place, Events: doortest.Events(t), Now: time.Now})}
	if d.s3, err = s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM}); err != nil {
		t.Fatal(err)
	}
	d.ec2.Deliveries = deliveries{d}
	d.ec2.UseGround(&ground{d: d})
	must := doortest.Must(t)
	vpcID := d.config.vpcID()
	must(nil, d.ec2.PutVPC(t.Context(), ec2.VPC{ID: vpcID, CIDRs: []netip.Prefix{network.VPC}}))
	must(nil, d.ec2.PutInstance(t.Context(), ec2.Instance{ID: "i-1", State: ec2.Running, VPC: vpcID, PrivateIP: own, Interfaces: []ec2.Interface{{ID: "eni-1", IP: own}}}))
	door := a.Open(t, d.s3.Service(), d.ec2.Service(), d.logs.Service())
	bucket := awss3.NewFromConfig(door.Admin, func(o *awss3.Options) { o.UsePathStyle = true })
	must(bucket.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("flows"),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(doortest.Place.Region)}}))
	iam := awsiam.NewFromConfig(door.Admin)
	must(iam.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("flow"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":"sts:AssumeRole"}}`)}))
	must(iam.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: aws.String("flow"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}}`)}))

	f := newFlowLogs(d)
	f.window = time.Second
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.run(ctx) }()
	defer func() { stop(); <-ended }()
	client := awsec2.NewFromConfig(door.Admin)
	for _, in := range []*awsec2.CreateFlowLogsInput{
		{LogDestinationType: types.LogDestinationTypeS3, LogDestination: aws.String("arn:aws:s3:::flows")},
		{LogGroupName: aws.String("/flows"), DeliverLogsPermissionArn: aws.String("arn:aws:iam::" + doortest.Number + ":role/flow")},
	} {
		in.ResourceType, in.ResourceIds, in.TrafficType = types.FlowLogsResourceTypeVpc, []string{vpcID}, types.TrafficTypeAll
		out, err := client.CreateFlowLogs(t.Context(), in)
		if err != nil || len(out.Unsuccessful) > 0 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	inBucket := func() string { return contents(t, bucket) }
	inGroup := func() string { return events(t, cloudwatchlogs.NewFromConfig(door.Admin)) }
	wait(t, inBucket, " eni-1 - - - - - - - ") // it listens

	for _, to := range []string{network.Front().String() + ":80", network.Host().String() + ":9"} {
		dialing, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if c, err := netns.Dial(ns)(dialing, "tcp4", to); err == nil {
			c.Close()
		}
		cancel()
	}
	for _, read := range []func() string{inBucket, inGroup} {
		all := wait(t, read, " REJECT OK", " ACCEPT OK")
		for _, want := range []string{
			fmt.Sprintf("2 %s eni-1 %s %s ", doortest.Number, own, network.Front()),
			fmt.Sprintf("2 %s eni-1 %s %s ", doortest.Number, own, network.Host()),
		} {
			if !strings.Contains(all, want) {
				t.Errorf("lacks %q:\n%s", want, all)
			}
		}
	}
	for _, l := range d.ec2.FlowLogs() {
		if l.Failure != "" {
			t.Errorf("%s: %s", l.Destination, l.Failure)
		}
	}
	// Without its rights the role delivers nothing, and the flow log says so.
	must(iam.DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: aws.String("flow"), PolicyName: aws.String("p")}))
	wait(t, func() string {
		out, err := client.DescribeFlowLogs(t.Context(), &awsec2.DescribeFlowLogsInput{Filter: []types.Filter{{Name: aws.String("log-group-name"), Values: []string{"/flows"}}}})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.FlowLogs[0].DeliverLogsErrorMessage)
	}, "Access error")
}

// wait reads until all texts are there.
func wait(t *testing.T, read func() string, wants ...string) string {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		all, missing := read(), ""
		for _, want := range wants {
			if !strings.Contains(all, want) {
				missing = want
			}
		}
		if missing == "" {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("lacks %q:\n%s", missing, all)
		}
	}
}

// contents are all files of the bucket.
func contents(t *testing.T, c *awss3.Client) string {
	t.Helper()
	list, err := c.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("flows"), Prefix: aws.String("AWSLogs/" + doortest.Number + "/vpcflowlogs/us-west-2/")})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, o := range list.Contents {
		got, err := c.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("flows"), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		zip, err := gzip.NewReader(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, zip); err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
	}
	return all.String()
}

// events are those of the log group, of the interface's stream.
func events(t *testing.T, c *cloudwatchlogs.Client) string {
	t.Helper()
	out, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/flows"), LogStreamNames: []string{"eni-1-all"}})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, e := range out.Events {
		all = append(all, *e.Message)
	}
	return strings.Join(all, "\n")
}
