package cloudformation

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// listed are a stack's resources, with the events that say when they changed.
func (s *Service) listed(r *Stack) ([]stack.Listed, map[string]*Event, error) {
	state, err := r.State.open()
	if err != nil {
		return nil, nil, err
	}
	return state.List(), s.lastTimes(r), nil
}

// changedAt is when a resource last changed.
func changedAt(r *Stack, last map[string]*Event, logical string) *Event {
	if e := last[logical]; e != nil {
		return e
	}
	return &Event{Time: r.Created}
}

// DescribeStackResource shows one resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html
func (s *Service) DescribeStackResource(_ context.Context, in *cloudformation.DescribeStackResourceInput) (*cloudformation.DescribeStackResourceOutput, error) {
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notNamed, in.StackName)
	}
	list, last, err := s.listed(&r)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		if x.Logical != *in.LogicalResourceId {
			continue
		}
		v := &types.StackResourceDetail{
			LogicalResourceId: &x.Logical, PhysicalResourceId: optional(x.PhysicalID), ResourceType: &x.Type, StackId: &r.ID, StackName: &r.Name,
			ResourceStatus: types.ResourceStatus(x.Status), ResourceStatusReason: optional(x.Reason), LastUpdatedTimestamp: &changedAt(&r, last, x.Logical).Time,
			DriftInformation: &types.StackResourceDriftInformation{StackResourceDriftStatus: types.StackResourceDriftStatusNotChecked},
			Metadata:         aws.String("{}"),
		}
		if x.Metadata != nil {
			if text, err := json.Marshal(x.Metadata); err == nil {
				v.Metadata = aws.String(string(text))
			}
		}
		return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: v}, nil
	}
	return nil, api.ValidationError("Resource %s does not exist for stack %s", *in.LogicalResourceId, *in.StackName)
}

// holder finds the stack that has a resource, by the resource's physical id.
func (s *Service) holder(physical *string) (Stack, bool) {
	if aws.ToString(physical) == "" {
		return Stack{}, false
	}
	for _, r := range s.all(false) {
		state, err := r.State.open()
		if err != nil {
			continue
		}
		for _, x := range state.List() {
			if x.PhysicalID == *physical {
				return *r, true
			}
		}
	}
	return Stack{}, false
}

// DescribeStackResources shows a stack's resources, or those of the stack that has one.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html
func (s *Service) DescribeStackResources(_ context.Context, in *cloudformation.DescribeStackResourcesInput) (*cloudformation.DescribeStackResourcesOutput, error) {
	var r Stack
	var ok bool
	switch name, physical := aws.ToString(in.StackName), aws.ToString(in.PhysicalResourceId); {
	case name != "" && physical != "":
		return nil, api.ValidationError("Both StackName and PhysicalResourceId cannot be specified in the same request")
	case name == "" && physical == "":
		return nil, api.ValidationError("At least one of StackName or PhysicalResourceId must be specified")
	case physical != "":
		if r, ok = s.holder(&physical); !ok {
			return nil, api.ValidationError("Stack for %s does not exist", physical)
		}
	default:
		if r, ok = s.find(in.StackName); !ok {
			return nil, noStack(notThere, in.StackName)
		}
	}
	list, last, err := s.listed(&r)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStackResourcesOutput{StackResources: []types.StackResource{}}
	for _, x := range list {
		if want := aws.ToString(in.LogicalResourceId); want != "" && want != x.Logical {
			continue
		}
		out.StackResources = append(out.StackResources, types.StackResource{
			LogicalResourceId: &x.Logical, PhysicalResourceId: optional(x.PhysicalID), ResourceType: &x.Type, StackId: &r.ID, StackName: &r.Name,
			ResourceStatus: types.ResourceStatus(x.Status), ResourceStatusReason: optional(x.Reason), Timestamp: &changedAt(&r, last, x.Logical).Time,
			DriftInformation: &types.StackResourceDriftInformation{StackResourceDriftStatus: types.StackResourceDriftStatusNotChecked},
		})
	}
	return out, nil
}

// ListStackResources lists a stack's resources.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
func (s *Service) ListStackResources(_ context.Context, in *cloudformation.ListStackResourcesInput) (*cloudformation.ListStackResourcesOutput, error) {
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notThere, in.StackName)
	}
	all, last, err := s.listed(&r)
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, in.NextToken, 100, func(x stack.Listed) string { return x.Logical })
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackResourcesOutput{NextToken: next, StackResourceSummaries: []types.StackResourceSummary{}}
	for _, x := range list {
		out.StackResourceSummaries = append(out.StackResourceSummaries, types.StackResourceSummary{
			LogicalResourceId: &x.Logical, PhysicalResourceId: optional(x.PhysicalID), ResourceType: &x.Type,
			ResourceStatus: types.ResourceStatus(x.Status), ResourceStatusReason: optional(x.Reason), LastUpdatedTimestamp: &changedAt(&r, last, x.Logical).Time,
			DriftInformation: &types.StackResourceDriftInformationSummary{StackResourceDriftStatus: types.StackResourceDriftStatusNotChecked},
		})
	}
	return out, nil
}
