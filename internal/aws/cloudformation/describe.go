package cloudformation

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

func (s *Service) addDescriptions(v *api.Service) {
	api.Add(v, "DescribeStacks", s.DescribeStacks, named(s, func(in *cloudformation.DescribeStacksInput) *string { return in.StackName }))
	api.Add(v, "ListStacks", s.ListStacks, nil)
	api.Add(v, "DescribeStackEvents", s.DescribeStackEvents, named(s, func(in *cloudformation.DescribeStackEventsInput) *string { return in.StackName }))
	api.Add(v, "DescribeEvents", s.DescribeEvents, func(_ context.Context, in *cloudformation.DescribeEventsInput) []string {
		return s.setResource(in.StackName, in.ChangeSetName)
	})
	api.Add(v, "DescribeStackResource", s.DescribeStackResource, named(s, func(in *cloudformation.DescribeStackResourceInput) *string { return in.StackName }))
	api.Add(v, "DescribeStackResources", s.DescribeStackResources, func(_ context.Context, in *cloudformation.DescribeStackResourcesInput) []string {
		if r, ok := s.holder(in.PhysicalResourceId); ok && aws.ToString(in.StackName) == "" {
			return []string{r.ID}
		}
		return s.resource(in.StackName)
	})
	api.Add(v, "ListStackResources", s.ListStackResources, named(s, func(in *cloudformation.ListStackResourcesInput) *string { return in.StackName }))
	api.Add(v, "GetStackPolicy", s.GetStackPolicy, named(s, func(in *cloudformation.GetStackPolicyInput) *string { return in.StackName }))
}

// optional is nil for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// DescribeStacks shows a stack, or all that are there.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s *Service) DescribeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput) (*cloudformation.DescribeStacksOutput, error) {
	out := &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{}}
	if aws.ToString(in.StackName) != "" {
		r, ok := s.find(in.StackName)
		if !ok {
			return nil, noStack(notThere, in.StackName)
		}
		v, err := stackView(&r)
		out.Stacks = append(out.Stacks, v)
		return out, err
	}
	if err := s.Roles.Authorize(ctx, api.CallerFrom(ctx), "cloudformation:ListStacks", nil, nil); err != nil {
		return nil, denied(err)
	}
	list, next, err := page(s.all(false), in.NextToken, 50, func(r *Stack) string { return r.ID })
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		v, err := stackView(r)
		if err != nil {
			return nil, err
		}
		out.Stacks = append(out.Stacks, v)
	}
	out.NextToken = next
	return out, nil
}

// all lists the stacks, the newest first; deleted ones too if asked.
func (s *Service) all(deleted bool) []*Stack {
	var list []*Stack
	for _, r := range s.stacks.Shared("") {
		if deleted || r.Status != stack.DeleteComplete {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b *Stack) int { return b.Created.Compare(a.Created) })
	return list
}

func stackView(r *Stack) (types.Stack, error) {
	state, err := r.State.open()
	if err != nil {
		return types.Stack{}, err
	}
	v := types.Stack{
		StackId: &r.ID, StackName: &r.Name, StackStatus: types.StackStatus(r.Status), StackStatusReason: optional(r.Reason),
		CreationTime: &r.Created, LastUpdatedTime: timeOf(r.Updated), DeletionTime: timeOf(r.Deleted), Description: optional(r.Description),
		ChangeSetId: optional(r.ChangeSet), RoleARN: optional(r.RoleARN),
		DisableRollback: &r.DisableRollback, EnableTerminationProtection: &r.Protected,
		DriftInformation:      &types.StackDriftInformation{StackDriftStatus: types.StackDriftStatusNotChecked},
		RollbackConfiguration: &types.RollbackConfiguration{}, NotificationARNs: []string{}, Tags: tagsView(r.Tags),
	}
	if r.TimeoutMinutes > 0 {
		v.TimeoutInMinutes = &r.TimeoutMinutes
	}
	for _, name := range r.Capabilities {
		v.Capabilities = append(v.Capabilities, types.Capability(name))
	}
	if state.Deployed != nil {
		v.Parameters = parametersView(state.Deployed.Environment.Parameters)
	}
	for _, o := range state.Outputs {
		v.Outputs = append(v.Outputs, types.Output{OutputKey: &o.Name, OutputValue: &o.Value, Description: optional(o.Description), ExportName: optional(o.Export)})
	}
	return v, nil
}

func parametersView(values map[string]template.Value) []types.Parameter {
	var list []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		p := types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(v.Text), ResolvedValue: v.Resolved}
		if v.NoEcho {
			p.ParameterValue, p.ResolvedValue = aws.String("****"), nil
		}
		list = append(list, p)
	}
	return list
}

// ListStacks lists stacks, deleted ones too.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html
func (s *Service) ListStacks(_ context.Context, in *cloudformation.ListStacksInput) (*cloudformation.ListStacksOutput, error) {
	var list []*Stack
	for _, r := range s.all(true) {
		if len(in.StackStatusFilter) == 0 || slices.Contains(in.StackStatusFilter, types.StackStatus(r.Status)) {
			list = append(list, r)
		}
	}
	list, next, err := page(list, in.NextToken, 100, func(r *Stack) string { return r.ID })
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStacksOutput{NextToken: next, StackSummaries: []types.StackSummary{}}
	for _, r := range list {
		out.StackSummaries = append(out.StackSummaries, types.StackSummary{
			StackId: &r.ID, StackName: &r.Name, StackStatus: types.StackStatus(r.Status), StackStatusReason: optional(r.Reason), TemplateDescription: optional(r.Description),
			CreationTime: &r.Created, LastUpdatedTime: timeOf(r.Updated), DeletionTime: timeOf(r.Deleted),
			DriftInformation: &types.StackDriftInformationSummary{StackDriftStatus: types.StackDriftStatusNotChecked},
		})
	}
	return out, nil
}

// GetStackPolicy shows a stack's policy, which none has.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetStackPolicy.html
func (s *Service) GetStackPolicy(_ context.Context, in *cloudformation.GetStackPolicyInput) (*cloudformation.GetStackPolicyOutput, error) {
	if _, ok := s.find(in.StackName); !ok {
		return nil, noStack(notListed, in.StackName)
	}
	return &cloudformation.GetStackPolicyOutput{}, nil
}
