package ecr

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/eksact/eksact/internal/aws/ownpolicy"
	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// mostOfPolicy is the size of a repository's policy in bytes.
const mostOfPolicy = 10 << 10

const badPolicy = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"

// SetRepositoryPolicy gives a repository its policy.
func (s *Service) SetRepositoryPolicy(ctx context.Context, in *ecr.SetRepositoryPolicyInput) (*ecr.SetRepositoryPolicyOutput, error) {
	text := aws.ToString(in.PolicyText)
	if len(text) > mostOfPolicy {
		return nil, invalid("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Member must have length less than or equal to %d'", mostOfPolicy)
	}
	stored, err := s.policies.Check(s.IAM, text, isAction, func(string) bool { return false })
	var foreign *ownpolicy.Foreign
	var malformed *policy.Error
	switch {
	case errors.As(err, &foreign), errors.As(err, &malformed):
		return nil, invalid(badPolicy)
	case err != nil:
		return nil, invalid("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'")
	}
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error { r.Policy = stored; return nil })
	if err != nil {
		return nil, err
	}
	return &ecr.SetRepositoryPolicyOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, PolicyText: aws.String(s.policies.Shown(s.IAM, s.arn(r.Name)))}, nil
}

// isAction says whether a pattern covers an action on repositories.
func isAction(pattern string) bool {
	lower := strings.ToLower(pattern)
	name, ok := strings.CutPrefix(lower, "ecr:")
	if !ok || strings.ContainsAny(name, `[]\`) {
		return false
	}
	table, found := actions.Service("ecr")
	if !found {
		return false
	}
	for _, a := range table.Actions {
		if covered, err := path.Match(name, strings.ToLower(a.Name)); err == nil && covered && len(a.Resources) > 0 {
			return true
		}
	}
	return false
}

func (s *Service) noPolicy(what, name string) *string {
	return aws.String(what + " does not exist for the repository " + s.inRegistry(name))
}

// GetRepositoryPolicy shows it.
func (s *Service) GetRepositoryPolicy(_ context.Context, in *ecr.GetRepositoryPolicyInput) (*ecr.GetRepositoryPolicyOutput, error) {
	r, err := s.repository(s.repositories.Get, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	text := s.policies.Shown(s.IAM, s.arn(r.Name))
	if text == "" {
		return nil, &types.RepositoryPolicyNotFoundException{Message: s.noPolicy("Repository policy", r.Name)}
	}
	return &ecr.GetRepositoryPolicyOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, PolicyText: &text}, nil
}

// DeleteRepositoryPolicy takes it away.
func (s *Service) DeleteRepositoryPolicy(ctx context.Context, in *ecr.DeleteRepositoryPolicyInput) (*ecr.DeleteRepositoryPolicyOutput, error) {
	text := s.policies.Shown(s.IAM, s.arn(aws.ToString(in.RepositoryName)))
	r, err := s.change(ctx, in.RegistryId, in.RepositoryName, func(r *Repository) error {
		if r.Policy == "" {
			return &types.RepositoryPolicyNotFoundException{Message: s.noPolicy("Repository policy", r.Name)}
		}
		r.Policy = ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryPolicyOutput{RegistryId: &s.Place.AccountID, RepositoryName: &r.Name, PolicyText: &text}, nil
}
