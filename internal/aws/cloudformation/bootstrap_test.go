package cloudformation_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// app is a CDK app. Its second stage changes what can be.
const app = `
const cdk = require('aws-cdk-lib'), iam = require('aws-cdk-lib/aws-iam'), s3 = require('aws-cdk-lib/aws-s3'), sns = require('aws-cdk-lib/aws-sns'), logs = require('aws-cdk-lib/aws-logs');
const second = process.env.SECOND === '1';
const app = new cdk.App();
const stack = new cdk.Stack(app, 'App', {env: {account: '111122223333', region: 'us-west-2'}, tags: {team: 'a'}});
const role = new iam.Role(stack, 'Role', {assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'), description: second ? 'two' : 'one'});
const bucket = new s3.Bucket(stack, 'Bucket', {versioned: true, encryption: s3.BucketEncryption.S3_MANAGED, enforceSSL: true, removalPolicy: cdk.RemovalPolicy.DESTROY, lifecycleRules: [{expiration: cdk.Duration.days(second ? 9 : 8)}]});
new iam.ManagedPolicy(stack, 'Policy', {roles: [role], statements: [new iam.PolicyStatement({actions: ['s3:GetObject'], resources: [bucket.arnForObjects('*')]})]});
const topic = new sns.Topic(stack, 'Topic', {displayName: second ? 'second' : 'first'});
topic.grantPublish(role);
topic.addToResourcePolicy(new iam.PolicyStatement({principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')], actions: ['sns:Publish'], resources: [topic.topicArn]}));
new logs.LogGroup(stack, 'Logs', {retention: logs.RetentionDays.ONE_WEEK, removalPolicy: cdk.RemovalPolicy.DESTROY});
new cdk.CfnOutput(stack, 'TopicArn', {value: topic.topicArn});
`

// TestTheRealCDKFromBootstrapToDestroy runs CDK's own command and library, where they are
// installed side by side, over TLS, which the bootstrap bucket's policy asks for.
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
	for name, text := range map[string]string{
		"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), "app.js": app,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := synthesized(t, modules, dir, ""), synthesized(t, modules, dir, "1")
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
		run("App.TopicArn = arn:aws:sns:us-west-2:"+number+":App-Topic", "deploy", "--app", one, "--require-approval", "never")
		a.is(t, "App", types.StackStatusCreateComplete)
		run("no changes", "deploy", "--app", one, "--require-approval", "never")
		run("two", "diff", "--app", two)
		run("App", "deploy", "--app", two, "--require-approval", "never")
		a.is(t, "App", types.StackStatusUpdateComplete)
		run("destroyed", "destroy", "--app", two, "--force")
		a.unstrap(t)
	}
}

// synthesized is the folder of the app's cloud assembly, made by the library itself.
func synthesized(t *testing.T, modules, dir, second string) string {
	t.Helper()
	out := filepath.Join(dir, "assembly"+second)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "app.js"))
	cmd.Env = append(os.Environ(), "CDK_OUTDIR="+out, "NODE_PATH="+modules, "SECOND="+second)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
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
	if got := a.roles(t); len(got) != 0 {
		t.Errorf("roles are left: %v", got)
	}
	stacks, err := a.client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	if err != nil || len(stacks.Stacks) != 0 {
		t.Errorf("stacks are left: %+v, %v", stacks, err)
	}
}
