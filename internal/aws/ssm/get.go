package ssm

import (
	"context"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

// GetParameter shows a parameter's newest version, or the one that a selector says.
func (s *Service) GetParameter(_ context.Context, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	p, err := s.get(aws.ToString(in.Name))
	if err != nil {
		return nil, err
	}
	return &ssm.GetParameterOutput{Parameter: p}, nil
}

// GetParameters shows several, and says which are not there.
func (s *Service) GetParameters(_ context.Context, in *ssm.GetParametersInput) (*ssm.GetParametersOutput, error) {
	out := &ssm.GetParametersOutput{Parameters: []types.Parameter{}, InvalidParameters: []string{}}
	names := slices.Compact(slices.Sorted(slices.Values(in.Names)))
	for _, n := range names {
		if p, err := s.get(n); err != nil {
			out.InvalidParameters = append(out.InvalidParameters, n)
		} else {
			out.Parameters = append(out.Parameters, *p)
		}
	}
	return out, nil
}

// get finds a version by NAME, NAME:VERSION or NAME:LABEL.
func (s *Service) get(asked string) (*types.Parameter, error) {
	name, selector := selected(asked)
	if public, ok := s.public()[name]; ok {
		if selector != "" && selector != ":1" {
			return nil, noVersion(selector[1:], name)
		}
		return s.view(name, public, selector), nil
	}
	p, ok := s.find(name)
	if !ok {
		return nil, &types.ParameterNotFound{}
	}
	if selector == "" {
		return s.view(p.Name, p.Version, ""), nil
	}
	wanted := selector[1:]
	for _, v := range s.versions.Shared(p.Name + ":") {
		if number(v.Number) == wanted || slices.Contains(v.Labels, wanted) {
			return s.view(p.Name, *v, selector), nil
		}
	}
	return nil, noVersion(wanted, p.Name)
}

func noVersion(wanted, name string) error {
	if _, err := strconv.ParseInt(wanted, 10, 64); err == nil {
		return &types.ParameterVersionNotFound{Message: aws.String("Systems Manager could not find version " + wanted + " of " + name + ". Verify the version and try again.")}
	}
	return &types.ParameterVersionNotFound{Message: aws.String("Systems Manager could not find the label " + wanted + " of " + name + ". Verify the label and try again.")}
}

func (s *Service) view(name string, v Version, selector string) *types.Parameter {
	out := &types.Parameter{
		ARN: aws.String(s.arn(name)), Name: aws.String(name), Type: types.ParameterType(v.Type), Value: aws.String(v.Value),
		DataType: aws.String(v.DataType), Version: v.Number, LastModifiedDate: aws.Time(v.Modified),
	}
	if selector != "" {
		out.Selector = &selector
	}
	return out
}

// GetParametersByPath shows what is below a path, AWS's own parameters too.
func (s *Service) GetParametersByPath(_ context.Context, in *ssm.GetParametersByPathInput) (*ssm.GetParametersByPathOutput, error) {
	path := aws.ToString(in.Path)
	if err := checkPath(path); err != nil {
		return nil, err
	}
	match, err := filter(in.ParameterFilters, "Type", "KeyId", "Label")
	if err != nil {
		return nil, err
	}
	all := map[string]Parameter{}
	for name, p := range s.parameters.List("/") {
		all[name] = p
	}
	for name, v := range s.public() {
		all[name] = Parameter{Name: name, Version: v}
	}
	var names []string
	labels := labelsOf(in.ParameterFilters)
	for name, p := range all {
		if !under(name, path, aws.ToBool(in.Recursive)) || !match(&p) {
			continue
		}
		if labels != nil {
			v, ok := s.labelled(name, labels)
			if !ok {
				continue
			}
			p.Version = v
			all[name] = p
		}
		names = append(names, name)
	}
	page, next, err := pageOf(names, in.MaxResults, 10, in.NextToken, []any{in.Path, in.Recursive, in.ParameterFilters})
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParametersByPathOutput{Parameters: []types.Parameter{}, NextToken: next}
	for _, name := range page {
		out.Parameters = append(out.Parameters, *s.view(name, all[name].Version, ""))
	}
	return out, nil
}

// labelled is the version of a parameter that has one of the labels.
func (s *Service) labelled(name string, labels []string) (Version, bool) {
	for _, v := range s.versions.Shared(name + ":") {
		if slices.ContainsFunc(v.Labels, func(l string) bool { return slices.Contains(labels, l) }) {
			return *v, true
		}
	}
	return Version{}, false
}

// GetParameterHistory lists a parameter's versions, the oldest first.
func (s *Service) GetParameterHistory(_ context.Context, in *ssm.GetParameterHistoryInput) (*ssm.GetParameterHistoryOutput, error) {
	p, ok := s.find(aws.ToString(in.Name))
	if !ok {
		return nil, &types.ParameterNotFound{}
	}
	all := map[string]Version{}
	var keys []string
	for key, v := range s.versions.List(p.Name + ":") {
		all[key] = v
		keys = append(keys, key)
	}
	page, next, err := pageOf(keys, in.MaxResults, 50, in.NextToken, []any{"history", p.Name})
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParameterHistoryOutput{Parameters: []types.ParameterHistory{}, NextToken: next}
	for _, key := range page {
		v := all[key]
		h := types.ParameterHistory{
			Name: aws.String(p.Name), Type: types.ParameterType(v.Type), Value: aws.String(v.Value), Version: v.Number, DataType: aws.String(v.DataType),
			LastModifiedDate: aws.Time(v.Modified), LastModifiedUser: aws.String(v.User), Tier: types.ParameterTier(v.Tier),
			Labels: slices.Clone(v.Labels), Policies: []types.ParameterInlinePolicy{},
			Description: given(v.Description), AllowedPattern: given(v.Pattern),
		}
		if h.Labels == nil {
			h.Labels = []string{}
		}
		out.Parameters = append(out.Parameters, h)
	}
	return out, nil
}

// given is nil for what nobody gave.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
