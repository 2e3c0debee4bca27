package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// history lists a stack's events, the oldest first. What is stored beyond the stack's
// count has not happened yet.
func (s *Service) history(r *Stack) []*Event {
	var list []*Event
	for _, e := range s.events.Shared(r.key() + "/") {
		if int64(len(list)) == r.Events {
			break
		}
		list = append(list, e)
	}
	return list
}

// newest lists a stack's events, the newest first.
func (s *Service) newest(r *Stack) []*Event {
	list := s.history(r)
	slices.Reverse(list)
	return list
}

// DescribeStackEvents lists what happened to a stack, the newest first.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
func (s *Service) DescribeStackEvents(_ context.Context, in *cloudformation.DescribeStackEventsInput) (*cloudformation.DescribeStackEventsOutput, error) {
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notListed, in.StackName)
	}
	list, next, err := page(s.newest(&r), in.NextToken, 100, func(e *Event) string { return e.ID })
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStackEventsOutput{NextToken: next, StackEvents: []types.StackEvent{}}
	for _, e := range list {
		out.StackEvents = append(out.StackEvents, types.StackEvent{
			EventId: &e.ID, StackId: &r.ID, StackName: &r.Name, Timestamp: &e.Time, ClientRequestToken: optional(e.Token),
			LogicalResourceId: &e.Record.Logical, PhysicalResourceId: &e.Record.PhysicalID, ResourceType: &e.Record.Type,
			ResourceStatus: types.ResourceStatus(e.Record.Status), ResourceStatusReason: optional(e.Record.Reason), ResourceProperties: optional(e.Shown),
		})
	}
	return out, nil
}

// DescribeEvents lists what happened to a stack, or what failed of it, the newest first.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
func (s *Service) DescribeEvents(_ context.Context, in *cloudformation.DescribeEventsInput) (*cloudformation.DescribeEventsOutput, error) {
	if err := unsupported(when(aws.ToString(in.OperationId) != "", "OperationId")); err != nil {
		return nil, err
	}
	var r Stack
	var c ChangeSet
	switch ok := false; {
	case aws.ToString(in.ChangeSetName) != "":
		var err error
		if r, c, err = s.findSet(in.StackName, in.ChangeSetName); err != nil {
			return nil, err
		}
		if c.ID != r.ChangeSet {
			return &cloudformation.DescribeEventsOutput{OperationEvents: []types.OperationEvent{}}, nil // it was not executed
		}
	case aws.ToString(in.StackName) == "":
		return nil, api.ValidationError("At least one of StackName, ChangeSetName or OperationId must be specified")
	default:
		if r, ok = s.find(in.StackName); !ok {
			return nil, noStack(notListed, in.StackName)
		}
	}
	failed := in.Filters != nil && aws.ToBool(in.Filters.FailedEvents)
	var kept []*Event
	for _, e := range s.newest(&r) {
		if failed && !strings.HasSuffix(string(e.Record.Status), "_FAILED") || c.ID != "" && e.Time.Before(r.Operation.Began) {
			continue
		}
		kept = append(kept, e)
	}
	list, next, err := page(kept, in.NextToken, 100, func(e *Event) string { return e.ID })
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeEventsOutput{NextToken: next, OperationEvents: []types.OperationEvent{}}
	for _, e := range list {
		kind := types.EventTypeStackEvent
		if strings.HasSuffix(string(e.Record.Status), "_FAILED") && e.Record.PhysicalID != r.ID {
			kind = types.EventTypeProvisioningError
		}
		out.OperationEvents = append(out.OperationEvents, types.OperationEvent{
			EventId: &e.ID, EventType: kind, StackId: &r.ID, Timestamp: &e.Time, ClientRequestToken: optional(e.Token),
			LogicalResourceId: &e.Record.Logical, PhysicalResourceId: &e.Record.PhysicalID, ResourceType: &e.Record.Type,
			ResourceStatus: types.ResourceStatus(e.Record.Status), ResourceStatusReason: optional(e.Record.Reason), ResourceProperties: optional(e.Shown),
		})
	}
	return out, nil
}

// lastTimes are when each of a stack's resources last changed its status.
func (s *Service) lastTimes(r *Stack) map[string]*Event {
	last := map[string]*Event{}
	for _, e := range s.history(r) {
		if e.Record.PhysicalID != r.ID {
			last[e.Record.Logical] = e
		}
	}
	return last
}
