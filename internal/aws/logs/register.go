package logs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eksact/eksact/internal/aws/api"
)

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "cloudwatchlogs", Action: "logs", Resource: s.ofResource}
	s.addGroups(svc)
	s.addEvents(svc)
	s.addFilters(svc)
	s.addExports(svc)
	s.addQueries(svc)
	s.addScheduled(svc)
	return svc
}

// onGroup registers an operation on one group, which its input names.
func onGroup[I, O any](s *Service, svc *api.Service, name string, handle func(context.Context, *I) (*O, error), group func(*I) *string) {
	api.Add(svc, name, handle, func(_ context.Context, in *I) []string { return s.ofGroup(group(in), nil) })
}

// tagsNeed is the action that tagging something at its creation needs beside.
func tagsNeed(tags map[string]string, resources []string) []api.Need {
	if len(tags) == 0 {
		return nil
	}
	return []api.Need{{Action: "logs:TagResource", Resources: resources}}
}

func (s *Service) addGroups(svc *api.Service) {
	onGroup(s, svc, "CreateLogGroup", s.CreateLogGroup, func(in *cloudwatchlogs.CreateLogGroupInput) *string { return in.LogGroupName })
	api.WithNeeds(svc, "CreateLogGroup", func(_ context.Context, in *cloudwatchlogs.CreateLogGroupInput) []api.Need {
		return tagsNeed(in.Tags, s.ofGroup(in.LogGroupName, nil))
	})
	onGroup(s, svc, "DeleteLogGroup", s.DeleteLogGroup, func(in *cloudwatchlogs.DeleteLogGroupInput) *string { return in.LogGroupName })
	api.Add(svc, "DescribeLogGroups", s.DescribeLogGroups, func(context.Context, *cloudwatchlogs.DescribeLogGroupsInput) []string {
		return []string{s.groupARN(":log-stream:")}
	})
	api.Add(svc, "ListLogGroups", s.ListLogGroups, nil)
	onGroup(s, svc, "PutRetentionPolicy", s.PutRetentionPolicy, func(in *cloudwatchlogs.PutRetentionPolicyInput) *string { return in.LogGroupName })
	onGroup(s, svc, "DeleteRetentionPolicy", s.DeleteRetentionPolicy, func(in *cloudwatchlogs.DeleteRetentionPolicyInput) *string { return in.LogGroupName })
	api.Add(svc, "PutLogGroupDeletionProtection", s.PutLogGroupDeletionProtection, func(_ context.Context, in *cloudwatchlogs.PutLogGroupDeletionProtectionInput) []string {
		return s.ofGroup(nil, in.LogGroupIdentifier)
	})
	onGroup(s, svc, "TagLogGroup", s.TagLogGroup, func(in *cloudwatchlogs.TagLogGroupInput) *string { return in.LogGroupName })
	onGroup(s, svc, "UntagLogGroup", s.UntagLogGroup, func(in *cloudwatchlogs.UntagLogGroupInput) *string { return in.LogGroupName })
	onGroup(s, svc, "ListTagsLogGroup", s.ListTagsLogGroup, func(in *cloudwatchlogs.ListTagsLogGroupInput) *string { return in.LogGroupName })
	api.Add(svc, "TagResource", s.TagResource, func(_ context.Context, in *cloudwatchlogs.TagResourceInput) []string {
		return s.ofTagged(in.ResourceArn)
	})
	api.Add(svc, "UntagResource", s.UntagResource, func(_ context.Context, in *cloudwatchlogs.UntagResourceInput) []string {
		return s.ofTagged(in.ResourceArn)
	})
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *cloudwatchlogs.ListTagsForResourceInput) []string {
		return s.ofTagged(in.ResourceArn)
	})
	api.Add(svc, "CreateLogStream", s.CreateLogStream, func(_ context.Context, in *cloudwatchlogs.CreateLogStreamInput) []string {
		return s.ofStream(in.LogGroupName, nil, in.LogStreamName)
	})
	api.Add(svc, "DeleteLogStream", s.DeleteLogStream, func(_ context.Context, in *cloudwatchlogs.DeleteLogStreamInput) []string {
		return s.ofStream(in.LogGroupName, nil, in.LogStreamName)
	})
	api.Add(svc, "DescribeLogStreams", s.DescribeLogStreams, func(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput) []string {
		return s.ofGroup(in.LogGroupName, in.LogGroupIdentifier)
	})
}

func (s *Service) addEvents(svc *api.Service) {
	api.Add(svc, "PutLogEvents", s.PutLogEvents, func(_ context.Context, in *cloudwatchlogs.PutLogEventsInput) []string {
		return s.ofStream(in.LogGroupName, nil, in.LogStreamName)
	})
	api.Add(svc, "GetLogEvents", s.GetLogEvents, func(_ context.Context, in *cloudwatchlogs.GetLogEventsInput) []string {
		return s.ofStream(in.LogGroupName, in.LogGroupIdentifier, in.LogStreamName)
	})
	api.Add(svc, "FilterLogEvents", s.FilterLogEvents, func(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput) []string {
		return s.ofGroup(in.LogGroupName, in.LogGroupIdentifier)
	})
	api.Add(svc, "GetLogRecord", s.GetLogRecord, func(_ context.Context, in *cloudwatchlogs.GetLogRecordInput) []string {
		return s.ofRecord(in.LogRecordPointer)
	})
	api.Add(svc, "StartLiveTail", s.StartLiveTail, func(_ context.Context, in *cloudwatchlogs.StartLiveTailInput) (all []string) {
		for i := range in.LogGroupIdentifiers {
			all = append(all, s.ofGroup(nil, &in.LogGroupIdentifiers[i])...)
		}
		return all
	})
}

func (s *Service) addFilters(svc *api.Service) {
	onGroup(s, svc, "PutMetricFilter", s.PutMetricFilter, func(in *cloudwatchlogs.PutMetricFilterInput) *string { return in.LogGroupName })
	onGroup(s, svc, "DeleteMetricFilter", s.DeleteMetricFilter, func(in *cloudwatchlogs.DeleteMetricFilterInput) *string { return in.LogGroupName })
	onGroup(s, svc, "DescribeMetricFilters", s.DescribeMetricFilters, func(in *cloudwatchlogs.DescribeMetricFiltersInput) *string { return in.LogGroupName })
	api.Add(svc, "TestMetricFilter", s.TestMetricFilter, nil)
	api.Add(svc, "PutSubscriptionFilter", s.PutSubscriptionFilter, func(_ context.Context, in *cloudwatchlogs.PutSubscriptionFilterInput) []string {
		all := s.ofGroup(in.LogGroupName, nil)
		if s.isDestination(in.DestinationArn) {
			all = append(all, *in.DestinationArn)
		}
		return all
	})
	onGroup(s, svc, "DeleteSubscriptionFilter", s.DeleteSubscriptionFilter, func(in *cloudwatchlogs.DeleteSubscriptionFilterInput) *string { return in.LogGroupName })
	onGroup(s, svc, "DescribeSubscriptionFilters", s.DescribeSubscriptionFilters, func(in *cloudwatchlogs.DescribeSubscriptionFiltersInput) *string { return in.LogGroupName })
	api.Add(svc, "PutDestination", s.PutDestination, func(_ context.Context, in *cloudwatchlogs.PutDestinationInput) []string {
		return s.ofDestination(in.DestinationName)
	})
	api.WithNeeds(svc, "PutDestination", func(_ context.Context, in *cloudwatchlogs.PutDestinationInput) []api.Need {
		return tagsNeed(in.Tags, s.ofDestination(in.DestinationName))
	})
	api.Add(svc, "PutDestinationPolicy", s.PutDestinationPolicy, func(_ context.Context, in *cloudwatchlogs.PutDestinationPolicyInput) []string {
		return s.ofDestination(in.DestinationName)
	})
	api.Add(svc, "DeleteDestination", s.DeleteDestination, func(_ context.Context, in *cloudwatchlogs.DeleteDestinationInput) []string {
		return s.ofDestination(in.DestinationName)
	})
	api.Add(svc, "DescribeDestinations", s.DescribeDestinations, nil)
}

func (s *Service) addExports(svc *api.Service) {
	onGroup(s, svc, "CreateExportTask", s.CreateExportTask, func(in *cloudwatchlogs.CreateExportTaskInput) *string { return in.LogGroupName })
	api.Add(svc, "CancelExportTask", s.CancelExportTask, nil)
	api.Add(svc, "DescribeExportTasks", s.DescribeExportTasks, nil)
}

func (s *Service) addQueries(svc *api.Service) {
	api.Add(svc, "StartQuery", s.StartQuery, func(_ context.Context, in *cloudwatchlogs.StartQueryInput) []string { return s.queried(in) })
	api.Add(svc, "GetQueryResults", s.GetQueryResults, func(_ context.Context, in *cloudwatchlogs.GetQueryResultsInput) []string {
		return s.ofQuery(in.QueryId)
	})
	api.Add(svc, "StopQuery", s.StopQuery, nil)
	api.Add(svc, "DescribeQueries", s.DescribeQueries, nil)
	api.Add(svc, "ListLogGroupsForQuery", s.ListLogGroupsForQuery, nil)
	api.Add(svc, "GetLogGroupFields", s.GetLogGroupFields, func(_ context.Context, in *cloudwatchlogs.GetLogGroupFieldsInput) []string {
		return s.ofGroup(in.LogGroupName, in.LogGroupIdentifier)
	})
	api.Add(svc, "PutQueryDefinition", s.PutQueryDefinition, nil)
	api.Add(svc, "DeleteQueryDefinition", s.DeleteQueryDefinition, nil)
	api.Add(svc, "DescribeQueryDefinitions", s.DescribeQueryDefinitions, nil)
	api.Add(svc, "CreateLookupTable", s.CreateLookupTable, func(_ context.Context, in *cloudwatchlogs.CreateLookupTableInput) []string {
		return []string{s.lookupTableARN(in.LookupTableName)}
	})
	api.WithNeeds(svc, "CreateLookupTable", func(_ context.Context, in *cloudwatchlogs.CreateLookupTableInput) []api.Need {
		return append(tagsNeed(in.Tags, []string{s.lookupTableARN(in.LookupTableName)}), s.resultsNeed(in.QueryId)...)
	})
	api.Add(svc, "UpdateLookupTable", s.UpdateLookupTable, func(_ context.Context, in *cloudwatchlogs.UpdateLookupTableInput) []string {
		return arns(in.LookupTableArn)
	})
	api.WithNeeds(svc, "UpdateLookupTable", func(_ context.Context, in *cloudwatchlogs.UpdateLookupTableInput) []api.Need {
		return s.resultsNeed(in.QueryId)
	})
	api.Add(svc, "GetLookupTable", s.GetLookupTable, func(_ context.Context, in *cloudwatchlogs.GetLookupTableInput) []string {
		return arns(in.LookupTableArn)
	})
	api.Add(svc, "DeleteLookupTable", s.DeleteLookupTable, func(_ context.Context, in *cloudwatchlogs.DeleteLookupTableInput) []string {
		return arns(in.LookupTableArn)
	})
	api.Add(svc, "DescribeLookupTables", s.DescribeLookupTables, nil)
}

func (s *Service) addScheduled(svc *api.Service) {
	anyOne := func() []string { return []string{s.scheduledARN("*")} }
	api.Add(svc, "CreateScheduledQuery", s.CreateScheduledQuery, func(context.Context, *cloudwatchlogs.CreateScheduledQueryInput) []string { return anyOne() })
	api.WithNeeds(svc, "CreateScheduledQuery", func(_ context.Context, in *cloudwatchlogs.CreateScheduledQueryInput) []api.Need {
		return tagsNeed(in.Tags, anyOne())
	})
	api.Add(svc, "UpdateScheduledQuery", s.UpdateScheduledQuery, func(_ context.Context, in *cloudwatchlogs.UpdateScheduledQueryInput) []string {
		return s.ofScheduled(in.Identifier)
	})
	api.Add(svc, "GetScheduledQuery", s.GetScheduledQuery, func(_ context.Context, in *cloudwatchlogs.GetScheduledQueryInput) []string {
		return s.ofScheduled(in.Identifier)
	})
	api.Add(svc, "GetScheduledQueryHistory", s.GetScheduledQueryHistory, func(_ context.Context, in *cloudwatchlogs.GetScheduledQueryHistoryInput) []string {
		return s.ofScheduled(in.Identifier)
	})
	api.Add(svc, "DeleteScheduledQuery", s.DeleteScheduledQuery, func(_ context.Context, in *cloudwatchlogs.DeleteScheduledQueryInput) []string {
		return s.ofScheduled(in.Identifier)
	})
	api.Add(svc, "ListScheduledQueries", s.ListScheduledQueries, nil)
}

func arns(arn *string) []string {
	if arn == nil {
		return nil
	}
	return []string{*arn}
}
