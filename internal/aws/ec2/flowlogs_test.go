package ec2

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/engine/flowlog"
)

// places are a bucket that may be written to, one that may not, and no log groups.
type places struct{ admitted []string }

func (p *places) AdmitToBucket(_ context.Context, bucket, folder string) error {
	switch bucket {
	case "logs":
		p.admitted = append(p.admitted, folder)
		return nil
	case "closed":
		return ErrNoAccess
	}
	return ErrNoDestination
}

func (p *places) AdmitToLogs(_ context.Context, group, role string) error {
	p.admitted = append(p.admitted, group+" by "+role)
	return nil
}

func wish(change func(*ec2.CreateFlowLogsInput)) *ec2.CreateFlowLogsInput {
	in := &ec2.CreateFlowLogsInput{
		ResourceType: types.FlowLogsResourceTypeVpc, ResourceIds: []string{"vpc-1"}, TrafficType: types.TrafficTypeAll,
		LogDestinationType: types.LogDestinationTypeS3, LogDestination: aws.String("arn:aws:s3:::logs"),
	}
	if change != nil {
		change(in)
	}
	return in
}

func TestFlowLogs(t *testing.T) {
	s := world(t)
	to := &places{}
	s.Deliveries = to
	create := func(change func(*ec2.CreateFlowLogsInput)) (*ec2.CreateFlowLogsOutput, error) {
		return s.CreateFlowLogs(t.Context(), wish(change))
	}
	made, err := create(func(in *ec2.CreateFlowLogsInput) {
		in.ResourceType, in.ResourceIds = types.FlowLogsResourceTypeNetworkInterface, []string{"eni-1"}
		in.LogDestination = aws.String("arn:aws:s3:::logs/vpc/a/")
		in.LogFormat, in.MaxAggregationInterval = aws.String("${version} ${tcp-flags}"), aws.Int32(60)
		in.DestinationOptions = &types.DestinationOptionsRequest{HiveCompatiblePartitions: aws.Bool(true)}
		in.ClientToken = aws.String("once")
		in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeVpcFlowLog, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}}
	})
	if err != nil || len(made.FlowLogIds) != 1 || len(made.Unsuccessful) != 0 {
		t.Fatalf("%+v, %v", made, err)
	}
	id := made.FlowLogIds[0]
	show := func(in ec2.DescribeFlowLogsInput) []types.FlowLog {
		t.Helper()
		out, err := s.DescribeFlowLogs(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		return out.FlowLogs
	}
	f := show(ec2.DescribeFlowLogsInput{FlowLogIds: []string{id}})[0]
	if *f.FlowLogStatus != "ACTIVE" || *f.DeliverLogsStatus != "SUCCESS" || *f.ResourceId != "eni-1" || f.TrafficType != "ALL" || *f.LogFormat != "${version} ${tcp-flags}" ||
		*f.MaxAggregationInterval != 60 || f.LogDestinationType != "s3" || *f.LogDestination != "arn:aws:s3:::logs/vpc/a/" || f.LogGroupName != nil ||
		!*f.DestinationOptions.HiveCompatiblePartitions || *f.DestinationOptions.PerHourPartition || f.DestinationOptions.FileFormat != "plain-text" || *f.Tags[0].Key != "team" {
		t.Errorf("described: %+v", f)
	}
	if len(to.admitted) != 1 || to.admitted[0] != "vpc/a/AWSLogs/aws-account-id=111122223333/" {
		t.Errorf("admitted %q", to.admitted)
	}
	if err := s.NoteDelivery(t.Context(), id, "Access error"); err != nil {
		t.Fatal(err)
	}
	if f := show(ec2.DescribeFlowLogsInput{Filter: []types.Filter{filter("deliver-log-status", "FAILED"), filter("tag:team", "red"), filter("resource-id", "eni-*")}}); len(f) != 1 || *f[0].DeliverLogsErrorMessage != "Access error" {
		t.Errorf("failed ones: %+v", f)
	}

	// The defaults, and a log group by its name.
	logs, err := create(func(in *ec2.CreateFlowLogsInput) {
		in.LogDestinationType, in.LogDestination, in.LogGroupName = "", nil, aws.String("flows")
		in.DeliverLogsPermissionArn = aws.String("arn:aws:iam::111122223333:role/r")
	})
	if err != nil {
		t.Fatal(err)
	}
	f = show(ec2.DescribeFlowLogsInput{FlowLogIds: logs.FlowLogIds})[0]
	if *f.LogFormat != flowlog.DefaultFormat || *f.MaxAggregationInterval != 600 || f.LogDestinationType != "cloud-watch-logs" || *f.LogGroupName != "flows" ||
		*f.LogDestination != "arn:aws:logs:us-west-2:111122223333:log-group:flows" || f.DestinationOptions != nil {
		t.Errorf("described: %+v", f)
	}
	if last := to.admitted[len(to.admitted)-1]; last != "flows by arn:aws:iam::111122223333:role/r" {
		t.Errorf("admitted %q", last)
	}

	deleted := func(ids ...string) error {
		_, err := s.DeleteFlowLogs(t.Context(), &ec2.DeleteFlowLogsInput{FlowLogIds: ids})
		return err
	}
	wantError(t, deleted(id, "fl-2"), "InvalidFlowLogId.NotFound", "These flow log ids in the input list are not found: [TotalCount: 2] "+id+" fl-2")
	if err := deleted(id); err != nil {
		t.Fatal(err)
	}
	if left := show(ec2.DescribeFlowLogsInput{}); len(left) != 1 || *left[0].FlowLogId != logs.FlowLogIds[0] {
		t.Errorf("left: %+v", left)
	}
	_, err = s.DescribeFlowLogs(t.Context(), &ec2.DescribeFlowLogsInput{FlowLogIds: []string{id}})
	wantError(t, err, "InvalidFlowLogId.NotFound", "These flow log ids in the input list are not found: [TotalCount: 1] "+id)
}

func TestFlowLogsOnce(t *testing.T) {
	s := world(t)
	s.Deliveries = &places{}
	create := func(token string, ids ...string) (*ec2.CreateFlowLogsOutput, error) {
		return s.CreateFlowLogs(t.Context(), wish(func(in *ec2.CreateFlowLogsInput) {
			in.ResourceType, in.ResourceIds, in.ClientToken = types.FlowLogsResourceTypeSubnet, ids, &token
		}))
	}
	first, err := create("t", "subnet-b", "subnet-a")
	if err != nil {
		t.Fatal(err)
	}
	again, err := create("t", "subnet-b", "subnet-a")
	if err != nil || len(again.FlowLogIds) != 2 || again.FlowLogIds[0] != first.FlowLogIds[0] || again.FlowLogIds[1] != first.FlowLogIds[1] {
		t.Errorf("made %q, then %+v, %v", first.FlowLogIds, again, err)
	}
	_, err = create("t", "subnet-a")
	wantError(t, err, "IdempotentParameterMismatch", "The client token 't' was already used with different parameters.")
	_, err = create("", "subnet-a")
	wantError(t, err, "FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination.")
	if n := len(s.FlowLogs()); n != 2 {
		t.Errorf("%d flow logs", n)
	}
}

func TestFlowLogsRefused(t *testing.T) {
	s := world(t)
	s.Deliveries = &places{}
	type input = ec2.CreateFlowLogsInput
	group := func(in *input) {
		in.LogDestinationType, in.LogDestination, in.LogGroupName = "", nil, aws.String("flows")
	}
	for name, test := range map[string]struct {
		change        func(*input)
		code, message string
	}{
		"no resource":    {func(in *input) { in.ResourceIds = nil }, "MissingParameter", "The request must contain the parameter ResourceId"},
		"no traffic":     {func(in *input) { in.TrafficType = "" }, "MissingParameter", "The request must contain the parameter TrafficType"},
		"traffic":        {func(in *input) { in.TrafficType = "SOME" }, "InvalidParameterValue", "The value 'SOME' is not valid for parameter TrafficType."},
		"type":           {func(in *input) { in.ResourceType = "Net" }, "InvalidParameterValue", "The value 'Net' is not valid for parameter ResourceType."},
		"transit":        {func(in *input) { in.ResourceType = "TransitGateway" }, "UnsupportedOperation", "A flow log of a resource of type TransitGateway is not supported."},
		"unknown VPC":    {func(in *input) { in.ResourceIds = []string{"vpc-2"} }, "InvalidVpcID.NotFound", "The vpc ID 'vpc-2' does not exist"},
		"interval":       {func(in *input) { in.MaxAggregationInterval = aws.Int32(10) }, "InvalidParameter", "Invalid Flow Log Max Aggregation Interval"},
		"format":         {func(in *input) { in.LogFormat = aws.String("${version} ") }, "InvalidParameter", "1 validation error detected: Value '${version} ' at 'logFormat' has an invalid format"},
		"group and s3":   {func(in *input) { in.LogGroupName = aws.String("g") }, "InvalidParameter", "LogDestination type must be cloud-watch-logs if LogGroupName is provided."},
		"role and s3":    {func(in *input) { in.DeliverLogsPermissionArn = aws.String("r") }, "InvalidParameter", "DeliverLogsPermissionArn is not applicable for s3 delivery"},
		"no destination": {func(in *input) { in.LogDestination = nil }, "InvalidParameter", "LogDestination can't be empty if LogGroupName is not provided."},
		"reserved":       {func(in *input) { in.LogDestination = aws.String("arn:aws:s3:::logs/AWSLogs") }, "InvalidParameter", "LogDestination: arn:aws:s3:::logs/AWSLogs is not a valid ARN of a bucket or of a folder in it"},
		"parquet": {func(in *input) {
			in.DestinationOptions = &types.DestinationOptionsRequest{FileFormat: types.DestinationFileFormatParquet}
		}, "UnsupportedOperation", "File format parquet is not supported."},
		"firehose": {func(in *input) { in.LogDestinationType = types.LogDestinationTypeKinesisDataFirehose }, "UnsupportedOperation", "Delivery to kinesis-data-firehose is not supported."},
		"no role":  {group, "InvalidParameter", "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs."},
		"two places": {func(in *input) {
			group(in)
			in.LogDestination = aws.String("arn:aws:logs:us-west-2:111122223333:log-group:x")
		}, "InvalidParameter", "Please only provide LogGroupName or only provide LogDestination."},
		"dry": {func(in *input) { in.DryRun = aws.Bool(true) }, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.CreateFlowLogs(t.Context(), wish(test.change))
			wantError(t, err, test.code, test.message)
		})
	}
	for bucket, message := range map[string]string{
		"nothing": "LogDestination: nothing does not exist",
		"closed":  "Access Denied for LogDestination: closed. Please check LogDestination permission",
	} {
		out, err := s.CreateFlowLogs(t.Context(), wish(func(in *input) { in.LogDestination = aws.String("arn:aws:s3:::" + bucket + "/x") }))
		if err != nil || len(out.FlowLogIds) != 0 || len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].ResourceId != "vpc-1" ||
			*out.Unsuccessful[0].Error.Code != "400" || *out.Unsuccessful[0].Error.Message != message {
			t.Errorf("%s: %+v, %v", bucket, out, err)
		}
	}
	if n := len(s.FlowLogs()); n != 0 {
		t.Errorf("%d flow logs were made", n)
	}
}

// Creating asks for what AWS asks for.
func TestFlowLogPermissions(t *testing.T) {
	s := world(t)
	s.Deliveries = &places{}
	door := doortest.New(t).Open(t, s.Service())
	for name, test := range map[string]struct{ actions, resource, refused string }{
		"all":           {`"ec2:CreateFlowLogs","logs:CreateLogDelivery"`, "*", ""},
		"no delivery":   {`"ec2:CreateFlowLogs"`, "*", "logs:CreateLogDelivery"},
		"another VPC":   {`"ec2:CreateFlowLogs","logs:CreateLogDelivery"`, "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-2", "ec2:CreateFlowLogs"},
		"not flow logs": {`"ec2:DescribeFlowLogs"`, "*", "ec2:CreateFlowLogs"},
	} {
		t.Run(name, func(t *testing.T) {
			client := ec2.NewFromConfig(door.User(t, "u-"+strings.ReplaceAll(name, " ", "-"), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[`+test.actions+`],"Resource":"`+test.resource+`"}]}`))
			_, err := client.CreateFlowLogs(t.Context(), wish(nil))
			if test.refused == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			doortest.Refused(t, err, "UnauthorizedOperation", "")
		})
	}
}
