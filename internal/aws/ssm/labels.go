package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/store"
)

// mostLabels is how many a version can have.
const mostLabels = 10

var labelForm = regexp.MustCompile(`^[a-zA-Z_.-][a-zA-Z0-9_.-]{0,99}$`)

// isLabel: a label begins with no digit, and with neither aws nor ssm.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html
func isLabel(l string) bool {
	lower := strings.ToLower(l)
	return labelForm.MatchString(l) && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

// LabelParameterVersion gives a version labels, which others of the parameter lose.
func (s *Service) LabelParameterVersion(ctx context.Context, in *ssm.LabelParameterVersionInput) (*ssm.LabelParameterVersionOutput, error) {
	out := &ssm.LabelParameterVersionOutput{InvalidLabels: []string{}}
	var good []string
	for _, l := range in.Labels {
		switch {
		case !isLabel(l):
			out.InvalidLabels = append(out.InvalidLabels, l)
		case !slices.Contains(good, l):
			good = append(good, l)
		}
	}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, in.Name)
		if err != nil {
			return err
		}
		out.ParameterVersion = p.Number
		if in.ParameterVersion != nil {
			out.ParameterVersion = *in.ParameterVersion
		}
		target, ok := s.versions.In(tx).Get(versionKey(p.Name, out.ParameterVersion))
		if !ok {
			return noVersion(number(out.ParameterVersion), p.Name)
		}
		for key, v := range s.versions.In(tx).List(p.Name + ":") {
			if kept := without(v.Labels, good); v.Number != target.Number && len(kept) != len(v.Labels) {
				v.Labels = kept
				s.versions.In(tx).Put(key, v)
			}
		}
		target.Labels = append(without(target.Labels, good), good...)
		if len(target.Labels) > mostLabels {
			return &types.ParameterVersionLabelLimitExceeded{Message: aws.String("A parameter version can have a maximum of ten labels.Move one or more labels to another version and try again.")}
		}
		s.versions.In(tx).Put(versionKey(p.Name, target.Number), target)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UnlabelParameterVersion takes labels away from a version.
func (s *Service) UnlabelParameterVersion(ctx context.Context, in *ssm.UnlabelParameterVersionInput) (*ssm.UnlabelParameterVersionOutput, error) {
	var out *ssm.UnlabelParameterVersionOutput
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		out = &ssm.UnlabelParameterVersionOutput{RemovedLabels: []string{}, InvalidLabels: []string{}}
		p, err := s.named(tx, in.Name)
		if err != nil {
			return err
		}
		key := versionKey(p.Name, aws.ToInt64(in.ParameterVersion))
		v, ok := s.versions.In(tx).Get(key)
		if !ok {
			return noVersion(number(aws.ToInt64(in.ParameterVersion)), p.Name)
		}
		for _, l := range in.Labels {
			if slices.Contains(v.Labels, l) {
				out.RemovedLabels = append(out.RemovedLabels, l)
			} else {
				out.InvalidLabels = append(out.InvalidLabels, l)
			}
		}
		v.Labels = without(v.Labels, in.Labels)
		s.versions.In(tx).Put(key, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) named(tx *store.Tx, name *string) (Parameter, error) {
	p, ok := s.findIn(s.parameters.In(tx).Get, aws.ToString(name))
	if !ok {
		return p, &types.ParameterNotFound{Message: aws.String("Parameter " + aws.ToString(name) + " not found.")}
	}
	return p, nil
}

// without is a new list.
func without(list, less []string) []string {
	var kept []string
	for _, l := range list {
		if !slices.Contains(less, l) {
			kept = append(kept, l)
		}
	}
	return kept
}
