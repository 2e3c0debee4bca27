package stacks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/test/lab"
)

const (
	account = "111122223333"
	assets  = "cdk-hnb659fds-assets-" + account + "-us-west-2"
)

// cdkApp is the app in the folder cdk, whose cluster has a node, with CDK's own command and
// library from npm.
type cdkApp struct {
	sh     lab.Terminal
	config aws.Config
	at     string // where npm's modules are
}

// newCDK has the library make both stages of the app; nil without npm.
func newCDK(t *testing.T, sh lab.Terminal, config aws.Config) *cdkApp {
	at := lab.Modules(t, filepath.Join(lab.Root(t), "test", "stacks", "cdk"))
	if at == "" {
		return nil
	}
	ami, instance := "AL2023_X86_64_STANDARD", "m5.large"
	if runtime.GOARCH == "arm64" {
		ami, instance = "AL2023_ARM_64_STANDARD", "m6g.large"
	}
	sh = sh.With("CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1", "ACCOUNT="+account, "ADMIN=arn:aws:iam::"+account+":user/admin", "CLUSTER=app", "AMI_TYPE="+ami, "INSTANCE_TYPE="+instance).
		After("export NODE_EXTRA_CA_CERTS=$AWS_CA_BUNDLE")
	subnets, err := ec2.NewFromConfig(config).DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{})
	must(t, err)
	var zones, ids []string
	vpc := ""
	for _, s := range subnets.Subnets {
		for _, tag := range s.Tags {
			if *tag.Key == "kubernetes.io/role/internal-elb" {
				vpc, zones, ids = *s.VpcId, append(zones, *s.AvailabilityZone), append(ids, *s.SubnetId)
			}
		}
	}
	c := &cdkApp{sh: sh.With("VPC="+vpc, "ZONES="+strings.Join(zones, " "), "SUBNETS="+strings.Join(ids, " ")), config: config, at: at}
	c.sh.Must(t, "node "+at+"/app.js")
	return c
}

func (c *cdkApp) run(t *testing.T, line string, wants ...string) {
	t.Helper()
	began := time.Now()
	c.sh.Must(t, "node "+c.at+"/node_modules/aws-cdk/bin/cdk --ci --no-notices "+line+" 2>&1", wants...)
	t.Logf("cdk %s: %.1f s", line, time.Since(began).Seconds())
}

// cycle is CDK's whole cycle, over TLS. What CDK keeps, for safety, of its own is kept for
// the next cycle, which takes it over.
func (c *cdkApp) cycle(t *testing.T, deployed func()) {
	began, ctx, stacks := time.Now(), t.Context(), cloudformation.NewFromConfig(c.config)
	c.run(t, "bootstrap aws://"+account+"/us-west-2", "Environment aws://"+account+"/us-west-2 bootstrapped")
	c.run(t, "--app one deploy --require-approval never", "App.TopicArn = arn:aws:sns:us-west-2:"+account+":App-Topic")
	deployed()
	c.run(t, "--app one diff --fail", "There were no differences")
	c.run(t, "--app two deploy --require-approval never", "App")
	c.second(t)
	c.run(t, "--app two destroy --force", "destroyed")
	_, err := stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("CDKToolkit")})
	must(t, err)
	must(t, cloudformation.NewStackDeleteCompleteWaiter(stacks).Wait(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("CDKToolkit")}, lab.Busy*time.Minute))
	t.Logf("bootstrap to destroy: %.0f s", time.Since(began).Seconds())
}

// second looks at what the second stage changed.
func (c *cdkApp) second(t *testing.T) {
	ctx := t.Context()
	out, err := cloudformation.NewFromConfig(c.config).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("App")})
	must(t, err)
	topic := aws.ToString(out.Stacks[0].Outputs[0].OutputValue)
	attributes, err := sns.NewFromConfig(c.config).GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
	must(t, err)
	tags, err := sns.NewFromConfig(c.config).ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: &topic})
	must(t, err)
	tagged := map[string]string{}
	for _, tag := range tags.Tags {
		tagged[*tag.Key] = *tag.Value
	}
	alarms, err := cloudwatch.NewFromConfig(c.config).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("App-Alarm")})
	must(t, err)
	clusters := eks.NewFromConfig(c.config)
	groups, err := clusters.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: aws.String("app")})
	must(t, err)
	nodes, err := clusters.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String("app"), NodegroupName: &groups.Nodegroups[0]})
	must(t, err)
	got := fmt.Sprintln(out.Stacks[0].StackStatus, attributes.Attributes["DisplayName"], tagged["aws:cloudformation:stack-name"], tagged["team"], len(alarms.MetricAlarms), *alarms.MetricAlarms[0].Threshold,
		nodes.Nodegroup.Labels["stage"], nodes.Nodegroup.Tags["team"], nodes.Nodegroup.Tags["aws:cloudformation:stack-name"])
	if got != "UPDATE_COMPLETE two App a 1 10 two a App\n" {
		t.Errorf("the second stage is %s", got)
	}
}

// empty deletes what CDK's own stack kept, and looks for what else is left.
func (c *cdkApp) empty(t *testing.T, before map[string][]string) {
	ctx, objects, bucket := t.Context(), s3.NewFromConfig(c.config, func(o *s3.Options) { o.UsePathStyle = true }), aws.String(assets)
	versions, err := objects.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket})
	must(t, err)
	for _, v := range versions.Versions {
		_, err := objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: v.Key, VersionId: v.VersionId})
		must(t, err)
	}
	_, err = objects.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	must(t, err)
	if after := things(t, c.config); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("there is %v; before there was %v", after, before)
	}
}

// things are the names of what the account has of the app's types.
func things(t *testing.T, config aws.Config) map[string][]string {
	t.Helper()
	ctx, all := t.Context(), map[string][]string{}
	objects := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	buckets, err := objects.ListBuckets(ctx, &s3.ListBucketsInput{})
	must(t, err)
	for _, b := range buckets.Buckets {
		all["buckets"] = append(all["buckets"], *b.Name)
	}
	topics, err := sns.NewFromConfig(config).ListTopics(ctx, &sns.ListTopicsInput{})
	must(t, err)
	for _, x := range topics.Topics {
		all["topics"] = append(all["topics"], *x.TopicArn)
	}
	repositories, err := ecr.NewFromConfig(config).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
	must(t, err)
	for _, r := range repositories.Repositories {
		all["repositories"] = append(all["repositories"], *r.RepositoryName)
	}
	parameters, err := ssm.NewFromConfig(config).DescribeParameters(ctx, &ssm.DescribeParametersInput{})
	must(t, err)
	for _, p := range parameters.Parameters {
		all["parameters"] = append(all["parameters"], *p.Name)
	}
	alarms, err := cloudwatch.NewFromConfig(config).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{})
	must(t, err)
	for _, a := range alarms.MetricAlarms {
		all["alarms"] = append(all["alarms"], *a.AlarmName)
	}
	clusters, err := eks.NewFromConfig(config).ListClusters(ctx, &eks.ListClustersInput{})
	must(t, err)
	all["clusters"] = clusters.Clusters
	groups, err := cloudwatchlogs.NewFromConfig(config).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("App")})
	must(t, err)
	for _, g := range groups.LogGroups {
		all["log groups"] = append(all["log groups"], *g.LogGroupName)
	}
	networks := ec2.NewFromConfig(config)
	security, err := networks.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{})
	must(t, err)
	for _, g := range security.SecurityGroups {
		all["security groups"] = append(all["security groups"], *g.GroupName)
	}
	machines, err := networks.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	must(t, err)
	for _, r := range machines.Reservations {
		for _, i := range r.Instances {
			if i.State.Name != "terminated" {
				all["instances"] = append(all["instances"], *i.InstanceId)
			}
		}
	}
	all["roles"] = roles(ctx, t, config)
	return all
}

// roles are the account's, less those that services have for themselves.
func roles(ctx context.Context, t *testing.T, config aws.Config) (names []string) {
	t.Helper()
	p := iam.NewListRolesPaginator(iam.NewFromConfig(config), &iam.ListRolesInput{})
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		must(t, err)
		for _, r := range out.Roles {
			if !strings.HasPrefix(*r.Path, "/aws-service-role/") {
				names = append(names, *r.RoleName)
			}
		}
	}
	return names
}

// associated runs a pod on the app's node, and asks whose credentials it is given.
func (c *cdkApp) associated(t *testing.T, l *lab.Lab) {
	vpc := l.Shell().AWS(t, "2")
	vpc.Must(t, "aws eks update-kubeconfig --name app && kubectl get nodes -l stage=one", " Ready ")
	vpc.Must(t, "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DescribeNetworkInterfaces --query 'Events[].CloudTrailEvent' --output text",
		"assumed-role/App-CNI", "/eks-app-aws-node-", "amazon-vpc-cni-k8s")
	vpc.Must(t, "kubectl get pods --namespace kube-system -l '!k8s-app' 2>&1", "No resources found") // the pod that had the token is gone
	vpc.Must(t, `kubectl create serviceaccount reader && kubectl apply -f - <<'EOF' && kubectl wait --for=condition=Ready pod/reader --timeout=180s || { kubectl describe pod reader; false; }
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  serviceAccountName: reader
  tolerations: [{operator: Exists}]
  terminationGracePeriodSeconds: 0
  containers: [{name: reader, image: busybox, imagePullPolicy: IfNotPresent, command: [sleep, infinity]}]
EOF`)
	// Without a launch template a node group's pods reach the metadata service.
	vpc.Must(t, `kubectl exec reader -- sh -c 'printf "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nConnection: close\r\n\r\n" | timeout 30 nc 169.254.169.254 80'`, "HTTP/1.1 200 OK")
	keys := vpc.Must(t, `kubectl exec reader -- sh -c 'timeout 60 wget -qO- --header "Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)" $AWS_CONTAINER_CREDENTIALS_FULL_URI' |
jq -r '"\(.AccessKeyId) \(.SecretAccessKey) \(.Token)"'`, "ASIA")
	parts := strings.Fields(keys)
	who := c.config
	who.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: parts[0], SecretAccessKey: parts[1], SessionToken: parts[2]}, nil
	})
	identity, err := sts.NewFromConfig(who).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	must(t, err)
	if !strings.Contains(*identity.Arn, ":assumed-role/App-Pods") {
		t.Errorf("the pod is %s", *identity.Arn)
	}
	objects := s3.NewFromConfig(who, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := objects.ListBuckets(t.Context(), &s3.ListBucketsInput{}); err != nil {
		t.Errorf("what the role may: %v", err)
	}
	var refused interface{ ErrorCode() string }
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("not-by-a-reader")}); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDenied" {
		t.Errorf("what the role may not: %v", err)
	}
}
