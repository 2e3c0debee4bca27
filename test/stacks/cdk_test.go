package stacks

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/eksact/eksact/test/lab"
)

// app is a CDK app, whose second stage changes what can be.
const app = `const cdk = require('aws-cdk-lib'), iam = require('aws-cdk-lib/aws-iam'), s3 = require('aws-cdk-lib/aws-s3'), sns = require('aws-cdk-lib/aws-sns'), logs = require('aws-cdk-lib/aws-logs');
const second = process.env.SECOND === '1';
const stack = new cdk.Stack(new cdk.App(), 'App', {env: {account: '111122223333', region: 'us-west-2'}, tags: {team: 'a'}});
const role = new iam.Role(stack, 'Role', {assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'), description: second ? 'two' : 'one'});
const bucket = new s3.Bucket(stack, 'Bucket', {versioned: true, enforceSSL: true, removalPolicy: cdk.RemovalPolicy.DESTROY});
new iam.ManagedPolicy(stack, 'Policy', {roles: [role], statements: [new iam.PolicyStatement({actions: ['s3:GetObject'], resources: [bucket.arnForObjects('*')]})]});
const topic = new sns.Topic(stack, 'Topic', {displayName: second ? 'second' : 'first'});
topic.grantPublish(role);
new logs.LogGroup(stack, 'Logs', {retention: logs.RetentionDays.ONE_WEEK, removalPolicy: cdk.RemovalPolicy.DESTROY});
new cdk.CfnOutput(stack, 'TopicArn', {value: topic.topicArn});`

const assets = "cdk-hnb659fds-assets-111122223333-us-west-2"

// bootstrapped is CDK's whole cycle, twice, by its own command and library: nothing is left.
func bootstrapped(t *testing.T, sh lab.Terminal) {
	program, err := exec.LookPath("cdk")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	modules := filepath.Join(filepath.Dir(program), "..", "..")
	if _, missing := os.Stat(filepath.Join(modules, "aws-cdk-lib")); err != nil || missing != nil {
		t.Skip("cdk and its library are not installed: npm install aws-cdk@2.1148.1 aws-cdk-lib@2.276.0 constructs (214 MB), and its .bin on PATH")
	}
	sh = sh.With("CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1", "NODE_PATH="+modules).After("export NODE_EXTRA_CA_CERTS=$AWS_CA_BUNDLE")
	run := "node " + program + " --ci --no-notices "
	sh.Must(t, file("app.js", app)+"CDK_OUTDIR=$PWD/one node app.js && SECOND=1 CDK_OUTDIR=$PWD/two node app.js")
	for range 2 {
		began := time.Now()
		sh.Must(t, run+"bootstrap aws://111122223333/us-west-2 2>&1", "Environment aws://111122223333/us-west-2 bootstrapped")
		sh.Must(t, run+"--app one deploy --require-approval never 2>&1", "App.TopicArn = arn:aws:sns:us-west-2:111122223333:App-Topic")
		sh.Must(t, run+"--app one deploy --require-approval never 2>&1", "no changes")
		sh.Must(t, run+"--app two diff 2>&1", "two")
		sh.Must(t, run+"--app two deploy --require-approval never 2>&1", "App")
		sh.Must(t, "aws cloudformation describe-stacks --stack-name App --query 'Stacks[0].StackStatus' --output text", "UPDATE_COMPLETE")
		sh.Must(t, "aws sns list-tags-for-resource --resource-arn $(aws sns list-topics --query 'Topics[0].TopicArn' --output text) --output text", "aws:cloudformation:stack-name\tApp", "team\ta")
		sh.Must(t, run+"--app two destroy --force 2>&1", "destroyed")
		sh.Must(t, "aws cloudformation delete-stack --stack-name CDKToolkit && aws cloudformation wait stack-delete-complete --stack-name CDKToolkit")
		sh.Must(t, `aws s3api delete-objects --bucket `+assets+` --delete "$(aws s3api list-object-versions --bucket `+assets+` --output json --query '{Objects: Versions[].{Key: Key, VersionId: VersionId}}')" && aws s3 rb s3://`+assets)
		sh.Must(t, `echo $(aws s3 ls | wc -l) $(aws sns list-topics --query 'length(Topics)') $(aws ecr describe-repositories --query 'length(repositories)') $(aws ssm describe-parameters --query 'length(Parameters)')`, "0 0 0 0")
		sh.Must(t, `aws iam list-roles --query "length(Roles[?starts_with(RoleName, 'cdk-') || starts_with(RoleName, 'App-')])" --output text`, "0")
		t.Logf("bootstrap to destroy: %.0f s", time.Since(began).Seconds())
	}
}
