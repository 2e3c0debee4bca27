package cloudformation

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

func (s *Service) addTemplates(v *api.Service) {
	api.Add(v, "GetTemplate", s.GetTemplate, func(_ context.Context, in *cloudformation.GetTemplateInput) []string {
		return s.setResource(in.StackName, in.ChangeSetName)
	})
	api.Add(v, "GetTemplateSummary", s.GetTemplateSummary, named(s, func(in *cloudformation.GetTemplateSummaryInput) *string { return in.StackName }))
	api.Add(v, "ValidateTemplate", s.ValidateTemplate, nil)
}

// GetTemplate shows the template of a stack or a change set, as it was given.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplate.html
func (s *Service) GetTemplate(_ context.Context, in *cloudformation.GetTemplateInput) (*cloudformation.GetTemplateOutput, error) {
	out := &cloudformation.GetTemplateOutput{StagesAvailable: []types.TemplateStage{types.TemplateStageOriginal, types.TemplateStageProcessed}}
	if aws.ToString(in.ChangeSetName) != "" {
		_, c, err := s.findSet(in.StackName, in.ChangeSetName)
		if err != nil {
			return nil, err
		}
		body, err := c.Body.open()
		if err != nil {
			return nil, err
		}
		out.TemplateBody = &body.Deployment.Template
		return out, nil
	}
	if aws.ToString(in.StackName) == "" {
		return nil, api.ValidationError("At least one of StackName or ChangeSetName must be specified")
	}
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notThere, in.StackName)
	}
	state, err := r.State.open()
	if err != nil {
		return nil, err
	}
	if state.Deployed != nil { // a stack that has but a change set has no template: CDK asks for it
		out.TemplateBody = &state.Deployed.Template
	}
	return out, nil
}

// summary is what can be said of a template by itself.
func (s *Service) summary(ctx context.Context, body, address *string) (*template.Template, []types.Capability, *string, error) {
	text, err := s.text(ctx, body, address)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := parse(text)
	if err != nil {
		return nil, nil, nil, err
	}
	capability, kinds := spec.Capabilities(t)
	if capability == "" {
		return t, []types.Capability{}, nil, nil
	}
	return t, []types.Capability{types.Capability(capability)}, aws.String("The following resource(s) require capabilities: [" + strings.Join(kinds, ", ") + "]"), nil
}

// ValidateTemplate says whether a template is one.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html
func (s *Service) ValidateTemplate(ctx context.Context, in *cloudformation.ValidateTemplateInput) (*cloudformation.ValidateTemplateOutput, error) {
	t, capabilities, why, err := s.summary(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ValidateTemplateOutput{
		Description: optional(t.Description), Capabilities: capabilities, CapabilitiesReason: why, Parameters: []types.TemplateParameter{}, DeclaredTransforms: []string{},
	}
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, types.TemplateParameter{ParameterKey: &p.Name, DefaultValue: p.Default, Description: optional(p.Description), NoEcho: &p.NoEcho})
	}
	return out, nil
}

// GetTemplateSummary says what is in a template, or a stack's.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html
func (s *Service) GetTemplateSummary(ctx context.Context, in *cloudformation.GetTemplateSummaryInput) (*cloudformation.GetTemplateSummaryOutput, error) {
	if err := unsupported(when(in.StackSetName != nil, "StackSetName"), when(in.CallAs == types.CallAsDelegatedAdmin, "CallAs")); err != nil {
		return nil, err
	}
	if aws.ToString(in.StackName) != "" {
		got, err := s.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: in.StackName})
		if err != nil {
			return nil, err
		}
		if got.TemplateBody == nil {
			return nil, api.ValidationError("Stack [%s] has no template", *in.StackName)
		}
		return summaryOf(*got.TemplateBody)
	}
	text, err := s.text(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	return summaryOf(text)
}

func summaryOf(text string) (*cloudformation.GetTemplateSummaryOutput, error) {
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.GetTemplateSummaryOutput{
		Version: aws.String("2010-09-09"), Description: optional(t.Description), Parameters: []types.ParameterDeclaration{}, ResourceTypes: []string{}, DeclaredTransforms: []string{},
	}
	if capability, kinds := spec.Capabilities(t); capability != "" {
		out.Capabilities = []types.Capability{types.Capability(capability)}
		out.CapabilitiesReason = aws.String("The following resource(s) require capabilities: [" + strings.Join(kinds, ", ") + "]")
	}
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, types.ParameterDeclaration{
			ParameterKey: &p.Name, ParameterType: aws.String(string(p.Type)), DefaultValue: p.Default, Description: optional(p.Description), NoEcho: &p.NoEcho,
			ParameterConstraints: &types.ParameterConstraints{AllowedValues: p.AllowedValues},
		})
	}
	where := map[string]int{}
	for _, r := range t.Resources {
		out.ResourceTypes = append(out.ResourceTypes, r.Type)
		i, known := where[r.Type]
		if !known {
			i = len(out.ResourceIdentifierSummaries)
			where[r.Type] = i
			kind, _ := spec.Find(r.Type)
			out.ResourceIdentifierSummaries = append(out.ResourceIdentifierSummaries, types.ResourceIdentifierSummary{ResourceType: aws.String(r.Type), ResourceIdentifiers: kind.Identifier})
		}
		x := &out.ResourceIdentifierSummaries[i]
		x.LogicalResourceIds = append(x.LogicalResourceIds, r.Name)
	}
	slices.Sort(out.ResourceTypes)
	if t.Metadata != nil {
		if raw, err := json.Marshal(t.Metadata.Literal()); err == nil {
			out.Metadata = aws.String(string(raw))
		}
	}
	return out, nil
}
