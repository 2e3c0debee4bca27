package cloudformation

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/plan"
)

// DescribeChangeSet shows a change set.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
func (s *Service) DescribeChangeSet(_ context.Context, in *cloudformation.DescribeChangeSetInput) (*cloudformation.DescribeChangeSetOutput, error) {
	r, c, err := s.findSet(in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	body, err := c.Body.open()
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeChangeSetOutput{
		ChangeSetId: &c.ID, ChangeSetName: &c.Name, StackId: &r.ID, StackName: &r.Name, CreationTime: &c.Created, Description: optional(c.Description),
		Status: types.ChangeSetStatus(c.Status), ExecutionStatus: types.ExecutionStatus(c.Execution), StatusReason: optional(c.Reason),
		Parameters: parametersView(body.Deployment.Environment.Parameters), Tags: tagsView(body.Deployment.Tags), NotificationARNs: []string{},
		RollbackConfiguration: &types.RollbackConfiguration{}, IncludeNestedStacks: &c.Nested, ImportExistingResources: &c.Importing,
		OnStackFailure: types.OnStackFailure(c.OnFailure), Changes: []types.Change{},
	}
	for _, name := range c.Capabilities {
		out.Capabilities = append(out.Capabilities, types.Capability(name))
	}
	all := []types.Change{}
	for _, change := range body.Changes {
		all = append(all, types.Change{Type: types.ChangeTypeResource, ResourceChange: changeView(&change, aws.ToBool(in.IncludePropertyValues))})
	}
	out.Changes, out.NextToken, err = page(all, in.NextToken, 100, func(x types.Change) string { return *x.ResourceChange.LogicalResourceId })
	return out, err
}

func changeView(c *plan.Change, values bool) *types.ResourceChange {
	v := &types.ResourceChange{
		Action: types.ChangeAction(c.Action), LogicalResourceId: &c.Logical, PhysicalResourceId: optional(c.PhysicalID), ResourceType: &c.Type,
		Replacement: types.Replacement(c.Replacement), PolicyAction: types.PolicyAction(c.Policy),
		Scope: []types.ResourceAttribute{}, Details: []types.ResourceChangeDetail{},
	}
	for _, part := range c.Scope {
		v.Scope = append(v.Scope, types.ResourceAttribute(part))
	}
	if values {
		v.BeforeContext, v.AfterContext = shownContext(c.Before), shownContext(c.After)
	}
	for _, d := range c.Details {
		v.Details = append(v.Details, detailViews(&d, values)...)
	}
	return v
}

// detailViews shows a detail, once for each value that changes if values are asked for.
func detailViews(d *plan.Detail, values bool) []types.ResourceChangeDetail {
	one := func() types.ResourceChangeDetail {
		x := types.ResourceChangeDetail{
			ChangeSource: types.ChangeSource(d.Source), CausingEntity: optional(d.Cause), Evaluation: types.EvaluationType(d.Evaluation),
			Target: &types.ResourceTargetDefinition{Attribute: types.ResourceAttribute(d.Attribute), Name: optional(d.Name)},
		}
		if d.Attribute == "Properties" || d.Attribute == "Tags" {
			x.Target.RequiresRecreation = types.RequiresRecreation(d.Recreation)
		}
		return x
	}
	if !values || len(d.Values) == 0 {
		return []types.ResourceChangeDetail{one()}
	}
	var list []types.ResourceChangeDetail
	for _, value := range d.Values {
		x := one()
		x.Target.Path, x.Target.AttributeChangeType = &value.Path, types.AttributeChangeType(value.Kind)
		x.Target.BeforeValue, x.Target.AfterValue = shownValue(value.Before), shownValue(value.After)
		list = append(list, x)
	}
	return list
}

// shownContext is a resource as it is before or after; nil where there is none.
func shownContext(properties map[string]any) *string {
	if properties == nil {
		return nil
	}
	text, err := json.Marshal(map[string]any{"Properties": properties})
	if err != nil {
		return nil
	}
	return aws.String(string(text))
}

func shownValue(v any) *string {
	if v == nil {
		return nil
	}
	if s, ok := template.Text(v); ok {
		return &s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return aws.String(string(text))
}

// ListChangeSets lists a stack's change sets.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html
func (s *Service) ListChangeSets(_ context.Context, in *cloudformation.ListChangeSetsInput) (*cloudformation.ListChangeSetsOutput, error) {
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notListed, in.StackName)
	}
	list := []types.ChangeSetSummary{}
	for _, c := range s.changes.List(r.key() + "/") {
		list = append(list, types.ChangeSetSummary{
			ChangeSetId: &c.ID, ChangeSetName: &c.Name, StackId: &r.ID, StackName: &r.Name, CreationTime: &c.Created, Description: optional(c.Description),
			Status: types.ChangeSetStatus(c.Status), ExecutionStatus: types.ExecutionStatus(c.Execution), StatusReason: optional(c.Reason),
			IncludeNestedStacks: &c.Nested, ImportExistingResources: &c.Importing,
		})
	}
	slices.SortStableFunc(list, func(a, b types.ChangeSetSummary) int { return b.CreationTime.Compare(*a.CreationTime) })
	var err error
	out := &cloudformation.ListChangeSetsOutput{}
	out.Summaries, out.NextToken, err = page(list, in.NextToken, 100, func(x types.ChangeSetSummary) string { return *x.ChangeSetId })
	return out, err
}
