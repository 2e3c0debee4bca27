package cloudformation_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/fleettest"
)

// TestTheRealCDKFromBootstrapToDestroy runs CDK's own command and library, where they are
// installed side by side, over TLS, which the bootstrap bucket's policy asks for. The app is
// that of test/stacks, which installs them.
func TestTheRealCDKFromBootstrapToDestroy(t *testing.T) {
	program, err := exec.LookPath("cdk")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		t.Skip("cdk is not on PATH: npm install aws-cdk@2.1148.1 aws-cdk-lib@2.276.0 constructs")
	}
	modules := filepath.Join(filepath.Dir(program), "..", "..")
	if _, err := os.Stat(filepath.Join(modules, "aws-cdk-lib")); err != nil {
		t.Skip("aws-cdk-lib is not beside cdk: npm install aws-cdk@2.1148.1 aws-cdk-lib@2.276.0 constructs")
	}
	a := open(t)
	server := httptest.NewTLSServer(a.Handler)
	defer server.Close()
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	synthesize(t, modules, dir)
	key := a.AdminKey(t)
	run := func(want string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append(args, "--ci", "--no-notices")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey,
			"AWS_REGION=us-west-2", "AWS_EC2_METADATA_DISABLED=true", "HOME="+dir, "CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1",
			"NODE_EXTRA_CA_CERTS="+filepath.Join(dir, "ca.pem"), "AWS_CA_BUNDLE="+filepath.Join(dir, "ca.pem"))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("cdk %s: %v, without %q:\n%s", strings.Join(args, " "), err, want, out)
		}
		t.Logf("cdk %s\n%s", strings.Join(args, " "), out)
	}
	for range 2 {
		run("Environment aws://"+number+"/us-west-2 bootstrapped", "bootstrap", "aws://"+number+"/us-west-2")
		a.is(t, "CDKToolkit", types.StackStatusCreateComplete)
		run("App.TopicArn = arn:aws:sns:us-west-2:"+number+":App-Topic", "deploy", "--app", "one", "--require-approval", "never")
		a.is(t, "App", types.StackStatusCreateComplete)
		run("no changes", "deploy", "--app", "one", "--require-approval", "never")
		run("AmazonEKSEditPolicy", "diff", "--app", "two")
		run("App", "deploy", "--app", "two", "--require-approval", "never")
		a.is(t, "App", types.StackStatusUpdateComplete)
		run("destroyed", "destroy", "--app", "two", "--force")
		a.unstrap(t)
	}
}

// synthesize has the library make the app's two stages, in the folders one and two.
func synthesize(t *testing.T, modules, dir string) {
	t.Helper()
	app, err := filepath.Abs("../../../test/stacks/cdk/app.js")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", app)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "ACCOUNT="+number, "AWS_REGION=us-west-2", "ADMIN=arn:aws:iam::"+number+":user/admin", "CLUSTER=cluster", "VPC="+fleettest.VPC,
		"ZONES=us-west-2a us-west-2b", "SUBNETS="+strings.Join(fleettest.Subnets, " "), "AMI_TYPE=AL2023_X86_64_STANDARD", "INSTANCE_TYPE=m5.large")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// unstrap deletes what bootstrapping made, the bucket with its versions among it, and
// looks for what is left.
func (a *account) unstrap(t *testing.T) {
	t.Helper()
	ctx, bucket := t.Context(), aws.String("cdk-hnb659fds-assets-"+number+"-us-west-2")
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("CDKToolkit")}))
	list, err := a.s3.ListObjectVersions(ctx, &awss3.ListObjectVersionsInput{Bucket: bucket})
	if err != nil || len(list.Versions) == 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, v := range list.Versions {
		doortest.Must(t)(a.s3.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: bucket, Key: v.Key, VersionId: v.VersionId}))
	}
	doortest.Must(t)(a.s3.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: bucket}))
	buckets, err := a.s3.ListBuckets(ctx, &awss3.ListBucketsInput{})
	if err != nil || len(buckets.Buckets) != 0 {
		t.Errorf("buckets are left: %+v, %v", buckets, err)
	}
	topics, err := awssns.NewFromConfig(a.Admin).ListTopics(ctx, &awssns.ListTopicsInput{})
	if err != nil || len(topics.Topics) != 0 {
		t.Errorf("topics are left: %+v, %v", topics, err)
	}
	repositories, err := awsecr.NewFromConfig(a.Admin).DescribeRepositories(ctx, &awsecr.DescribeRepositoriesInput{})
	if err != nil || len(repositories.Repositories) != 0 {
		t.Errorf("repositories are left: %+v, %v", repositories, err)
	}
	if got := slices.DeleteFunc(a.roles(t), func(name string) bool { return strings.HasPrefix(name, "AWSServiceRoleFor") }); len(got) != 0 {
		t.Errorf("roles are left: %v", got)
	}
	stacks, err := a.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil || len(stacks.Stacks) != 0 {
		t.Errorf("stacks are left: %+v, %v", stacks, err)
	}
}
