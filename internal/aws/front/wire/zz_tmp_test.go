package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func TestCLI(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	codec := newTestCodec(t)
	outs := map[string]any{
		"GetCallerIdentity": identity, "ListRoles": &iam.ListRolesOutput{Roles: roles(1).Roles},
		"DescribeCluster": &eks.DescribeClusterOutput{Cluster: &ekstypes.Cluster{Name: aws.String("c"), CreatedAt: &at}},
		"DescribeInstances": &ec2.DescribeInstancesOutput{Reservations: []ec2types.Reservation{{ReservationId: aws.String("r-1"), Instances: []ec2types.Instance{{InstanceId: aws.String("i-1"), LaunchTime: &at}}}}},
		"DescribeLoadBalancers": &elb.DescribeLoadBalancersOutput{LoadBalancers: []elbtypes.LoadBalancer{{LoadBalancerName: aws.String("l"), CreatedTime: &at}}},
		"DescribeLogGroups": &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: []cwt.LogGroup{{LogGroupName: aws.String("g"), CreationTime: aws.Int64(5)}}},
		"DescribeAccessEntry": &ekstypes.ResourceNotFoundException{Message: aws.String("nope")},
		"GetRole": &iamtypes.NoSuchEntityException{Message: aws.String("nope")},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		call, err := codec.Route(r, body, scope(r))
		if err != nil { t.Log(err); call.Fail(w, err, requestID); return }
		out := outs[call.Operation.Name]
		if e, ok := out.(error); ok { call.Fail(w, e, requestID); return }
		if out == nil { call.Fail(w, io.EOF, requestID); return }
		if err := call.Encode(w, out, requestID); err != nil { t.Error(err) }
	}))
	for _, args := range [][]string{{"sts","get-caller-identity"},{"iam","list-roles"},{"eks","describe-cluster","--name","c"},{"ec2","describe-instances","--filters","Name=x,Values=1,2"},{"elbv2","describe-load-balancers"},{"logs","describe-log-groups"},{"eks","describe-access-entry","--cluster-name","c","--principal-arn","arn:aws:iam::1:role/a/b"},{"iam","get-role","--role-name","x"},{"iam","delete-role","--role-name","x"}} {
		c := exec.Command("aws", append(args, "--endpoint-url", s.URL, "--region", "us-west-2", "--output", "json")...)
		c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x", "AWS_MAX_ATTEMPTS=1")
		b, err := c.CombinedOutput()
		t.Logf("%v: %v\n%.300s", args, err, b)
	}
}
