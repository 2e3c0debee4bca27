package ec2

import (
	"context"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// DescribeFlowLogs lists flow logs.
func (s *Service) DescribeFlowLogs(_ context.Context, in *ec2.DescribeFlowLogsInput) (*ec2.DescribeFlowLogsOutput, error) {
	if err := s.knowFlowLogs(in.FlowLogIds); err != nil {
		return nil, err
	}
	found, next, err := run(s.flowLogs, flowLogKind, query{in.DryRun, in.FlowLogIds, in.Filter, in.MaxResults, in.NextToken, "DescribeFlowLogs"},
		attributes[FlowLog]{
			"deliver-log-status":   func(f FlowLog) []string { return []string{f.status()} },
			"log-destination-type": func(f FlowLog) []string { return []string{string(f.destinationType())} },
			"flow-log-id":          func(f FlowLog) []string { return []string{f.ID} },
			"log-group-name":       func(f FlowLog) []string { return optional(f.LogGroup) },
			"resource-id":          func(f FlowLog) []string { return []string{f.Resource} },
			"traffic-type":         func(f FlowLog) []string { return []string{string(f.Traffic)} },
		}, func(f FlowLog) map[string]string { return f.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeFlowLogsOutput{NextToken: next, FlowLogs: []types.FlowLog{}}
	for _, f := range found {
		out.FlowLogs = append(out.FlowLogs, f.view())
	}
	return out, nil
}

// DeleteFlowLogs deletes all of those named, or none. What they delivered stays.
func (s *Service) DeleteFlowLogs(ctx context.Context, in *ec2.DeleteFlowLogsInput) (*ec2.DeleteFlowLogsOutput, error) {
	if len(in.FlowLogIds) == 0 {
		return nil, absent("FlowLogId")
	}
	if err := s.knowFlowLogs(in.FlowLogIds); err != nil {
		return nil, err
	}
	if err := (query{dryRun: in.DryRun}).check(flowLogKind); err != nil {
		return nil, err
	}
	return &ec2.DeleteFlowLogsOutput{Unsuccessful: []types.UnsuccessfulItem{}}, s.store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range in.FlowLogIds {
			s.flowLogs.In(tx).Delete(id)
		}
		return nil
	})
}

// knowFlowLogs refuses ids of flow logs that aren't there.
func (s *Service) knowFlowLogs(ids []string) error {
	for _, id := range ids {
		if _, ok := s.flowLogs.Get(id); !ok {
			return api.Errorf(http.StatusBadRequest, flowLogKind.notFound, "These flow log ids in the input list are not found: [TotalCount: %d] %s", len(ids), strings.Join(ids, " "))
		}
	}
	return nil
}

func (f FlowLog) status() string {
	if f.Failure != "" {
		return "FAILED"
	}
	return "SUCCESS"
}

func (f FlowLog) destinationType() types.LogDestinationType {
	if f.LogGroup != "" {
		return types.LogDestinationTypeCloudWatchLogs
	}
	return types.LogDestinationTypeS3
}

func (f FlowLog) view() types.FlowLog {
	view := types.FlowLog{
		FlowLogId: aws.String(f.ID), FlowLogStatus: aws.String("ACTIVE"), ResourceId: aws.String(f.Resource), TrafficType: f.Traffic,
		CreationTime: aws.Time(f.Created), LogFormat: aws.String(f.Format), MaxAggregationInterval: aws.Int32(f.Interval),
		LogDestinationType: f.destinationType(), LogDestination: aws.String(f.Destination), LogGroupName: pointer(f.LogGroup),
		DeliverLogsPermissionArn: pointer(f.Role), DeliverLogsStatus: aws.String(f.status()), DeliverLogsErrorMessage: pointer(f.Failure), Tags: tags(f.Tags),
	}
	if f.LogGroup == "" {
		view.DestinationOptions = &types.DestinationOptionsResponse{
			FileFormat: types.DestinationFileFormatPlainText, HiveCompatiblePartitions: aws.Bool(f.Hive), PerHourPartition: aws.Bool(f.PerHour),
		}
	}
	return view
}
