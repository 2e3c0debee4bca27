package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/api"
)

// answering serves one answer, or one error, over a real socket, and returns
// SDK clients of it.
func answering(t *testing.T, in, out any, fail error) map[string]any {
	codec := newTestCodec(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		call, err := codec.Route(r, body, scope(r))
		if err == nil && in != nil {
			err = call.Decode(in)
		}
		switch {
		case err != nil:
			t.Error(err)
			call.Fail(w, err, requestID)
		case fail != nil:
			call.Fail(w, fail, requestID)
		default:
			if err := call.Encode(w, out, requestID); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(server.Close)
	to := server.Listener.Addr().String()
	return sdkClients(func(r *http.Request) (*http.Response, error) {
		r.URL.Host = to // the name was signed; the test's server listens here
		// The SDK closes its body once there is an answer, and then says EOF from
		// WriteTo, which net/http takes for a failed write: it cuts the connection
		// while the answer is being read. Without WriteTo all is well.
		if r.Body != nil {
			r.Body = struct {
				io.Reader
				io.Closer
			}{r.Body, r.Body}
		}
		return server.Client().Do(r)
	})
}

func TestOverTheNetwork(t *testing.T) {
	ctx := context.Background()
	at := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	check := func(t *testing.T, name string, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := cmp.Diff(want, got, sameStruct); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}

	list := roles(100)
	got, err := answering(t, &iam.ListRolesInput{}, list, nil)["iam"].(*iam.Client).ListRoles(ctx, nil)
	check(t, "ListRoles", list, got, err)

	var in eks.CreateClusterInput
	want := &eks.CreateClusterInput{
		Name: aws.String("cluster"), RoleArn: aws.String("arn:aws:iam::111122223333:role/r"), ClientRequestToken: aws.String("t"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-1"}, EndpointPrivateAccess: aws.Bool(false)},
		Logging:            &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{Types: []ekstypes.LogType{"api", "audit"}, Enabled: aws.Bool(true)}}},
	}
	made := &eks.CreateClusterOutput{Cluster: &ekstypes.Cluster{Name: aws.String("cluster"), Status: "CREATING", CreatedAt: &at, Tags: map[string]string{}}}
	created, err := answering(t, &in, made, nil)["eks"].(*eks.Client).CreateCluster(ctx, want)
	check(t, "CreateCluster", made, created, err)
	check(t, "CreateCluster's input", want, &in, nil)

	update := &eks.DescribeUpdateOutput{Update: &ekstypes.Update{Id: aws.String("u"), Type: "LoggingUpdate", Params: []ekstypes.UpdateParam{{Type: "ClusterLogging", Value: aws.String("{}")}}, Errors: []ekstypes.ErrorDetail{}}}
	described, err := answering(t, &eks.DescribeUpdateInput{}, update, nil)["eks"].(*eks.Client).DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: aws.String("c"), UpdateId: aws.String("u")})
	check(t, "DescribeUpdate", update, described, err)

	instances := &ec2.DescribeInstancesOutput{Reservations: []ec2types.Reservation{{ReservationId: aws.String("r-1"), Instances: []ec2types.Instance{{InstanceId: aws.String("i-1"), LaunchTime: &at, Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("n")}}}}}}}
	asked := &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{{Name: aws.String("tag:Name"), Values: []string{"n"}}}}
	var seen ec2.DescribeInstancesInput
	found, err := answering(t, &seen, instances, nil)["ec2"].(*ec2.Client).DescribeInstances(ctx, asked)
	check(t, "DescribeInstances", instances, found, err)
	check(t, "DescribeInstances' input", asked, &seen, nil)

	balancers := &elb.DescribeLoadBalancersOutput{LoadBalancers: []elbtypes.LoadBalancer{{LoadBalancerName: aws.String("l"), Type: "network", State: &elbtypes.LoadBalancerState{Code: "active"}, CreatedTime: &at}}}
	lbs, err := answering(t, &elb.DescribeLoadBalancersInput{}, balancers, nil)["elasticloadbalancingv2"].(*elb.Client).DescribeLoadBalancers(ctx, nil)
	check(t, "DescribeLoadBalancers", balancers, lbs, err)
}

// TestErrorsReachTheSDK: a modelled error arrives as its own type, with its
// members; any other as its code and message.
func TestErrorsReachTheSDK(t *testing.T) {
	ctx := context.Background()
	_, err := answering(t, nil, nil, &ekstypes.ResourceInUseException{Message: aws.String("in use"), ClusterName: aws.String("c")})["eks"].(*eks.Client).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("c")})
	var inUse *ekstypes.ResourceInUseException
	if !errors.As(err, &inUse) || aws.ToString(inUse.ClusterName) != "c" || inUse.ErrorMessage() != "in use" {
		t.Errorf("EKS: %v", err)
	}
	_, err = answering(t, nil, nil, &iamtypes.EntityAlreadyExistsException{Message: aws.String("Role with name r already exists.")})["iam"].(*iam.Client).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String("{}")})
	var exists *iamtypes.EntityAlreadyExistsException
	if !errors.As(err, &exists) || exists.ErrorMessage() != "Role with name r already exists." {
		t.Errorf("IAM: %v", err)
	}
	for id, call := range map[string]func(any) error{
		"iam": func(c any) error { _, err := c.(*iam.Client).ListRoles(ctx, nil); return err },
		"ec2": func(c any) error { _, err := c.(*ec2.Client).DescribeVpcs(ctx, nil); return err },
		"eks": func(c any) error { _, err := c.(*eks.Client).ListClusters(ctx, nil); return err },
	} {
		var apiErr smithy.APIError
		if err := call(answering(t, nil, nil, api.Errorf(403, "SignatureDoesNotMatch", "a <b> & c"))[id]); !errors.As(err, &apiErr) || apiErr.ErrorCode() != "SignatureDoesNotMatch" || apiErr.ErrorMessage() != "a <b> & c" {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestConcurrentFirstCalls: plans are compiled once, whoever comes first.
func TestConcurrentFirstCalls(t *testing.T) {
	codec := newTestCodec(t)
	done := make(chan error)
	for range 16 {
		go func() {
			r, body := form("Action=RunInstances&Version=2016-11-15&MinCount=1")
			call, err := codec.Route(r, body, "ec2")
			if err == nil {
				err = call.Decode(&ec2.RunInstancesInput{})
			}
			if err == nil {
				err = call.Encode(httptest.NewRecorder(), &ec2.RunInstancesOutput{}, requestID)
			}
			done <- err
		}()
	}
	for range 16 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
