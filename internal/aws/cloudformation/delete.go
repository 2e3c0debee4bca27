package cloudformation

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

type deleteIn = cloudformation.DeleteStackInput

// previous are the values of a stack's parameters; nil where it has no template yet.
func previous(state *stack.State) map[string]template.Value {
	if state.Deployed == nil {
		return nil
	}
	return state.Deployed.Environment.Parameters
}

// DeleteStack deletes a stack. One that is not there is deleted.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
func (s *Service) DeleteStack(ctx context.Context, in *cloudformation.DeleteStackInput) (*cloudformation.DeleteStackOutput, error) {
	force := in.DeletionMode == types.DeletionModeForceDeleteStack
	if err := unsupported(when(force, "DeletionMode "+string(in.DeletionMode)), express(in.DeploymentConfig)); err != nil {
		return nil, err
	}
	out := &cloudformation.DeleteStackOutput{}
	r, ok := s.find(in.StackName)
	if !ok || r.Status == stack.DeleteComplete || r.repeated("DeleteStack", in.ClientRequestToken) {
		return out, nil
	}
	role, err := s.roleFor(ctx, in.RoleARN, r.RoleARN)
	if err != nil {
		return nil, err
	}
	idle, err := s.driver(r.key()).begin(ctx, nil, func(m *stack.Machine, r *Stack) (stack.Effects, error) {
		if r.Protected {
			return stack.Effects{}, api.ValidationError("Stack [%s] cannot be deleted while TerminationProtection is enabled", r.Name)
		}
		start := s.start(r.ID)
		start.Retain = in.RetainResources
		for _, name := range in.RetainResources {
			if m.State().Resources[name] == nil {
				return stack.Effects{}, api.ValidationError("Stack [%s] does not contain resource %s", r.Name, name)
			}
		}
		effects, err := m.Delete(start)
		if err == nil && len(effects.Records) > 0 {
			s.operate(ctx, r, "DeleteStack", in.ClientRequestToken)
			r.RoleARN = role
		}
		return effects, err
	})
	if err != nil {
		return nil, err
	}
	s.wait(ctx, idle)
	return out, nil
}

func (s *Service) addRollbacks(v *api.Service) {
	api.Add(v, "CancelUpdateStack", s.CancelUpdateStack, named(s, func(in *cloudformation.CancelUpdateStackInput) *string { return in.StackName }))
	api.Add(v, "ContinueUpdateRollback", s.ContinueUpdateRollback, named(s, func(in *cloudformation.ContinueUpdateRollbackInput) *string { return in.StackName }))
	api.Add(v, "RollbackStack", s.RollbackStack, named(s, func(in *cloudformation.RollbackStackInput) *string { return in.StackName }))
	api.Add(v, "UpdateTerminationProtection", s.UpdateTerminationProtection, named(s, func(in *cloudformation.UpdateTerminationProtectionInput) *string { return in.StackName }))
}

// CancelUpdateStack undoes an update in progress.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
func (s *Service) CancelUpdateStack(ctx context.Context, in *cloudformation.CancelUpdateStackInput) (*cloudformation.CancelUpdateStackOutput, error) {
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notListed, in.StackName)
	}
	_, err := s.driver(r.key()).begin(ctx, nil, func(m *stack.Machine, _ *Stack) (stack.Effects, error) { return m.Cancel() })
	if err != nil {
		return nil, err
	}
	return &cloudformation.CancelUpdateStackOutput{}, nil
}

// ContinueUpdateRollback tries again to undo an update that could not be undone.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html
func (s *Service) ContinueUpdateRollback(ctx context.Context, in *cloudformation.ContinueUpdateRollbackInput) (*cloudformation.ContinueUpdateRollbackOutput, error) {
	if err := unsupported(when(aws.ToBool(in.ForceRollback), "ForceRollback")); err != nil {
		return nil, err
	}
	_, err := s.rollback(ctx, in.StackName, in.RoleARN, "ContinueUpdateRollback", in.ClientRequestToken, func(m *stack.Machine, start stack.Start) (stack.Effects, error) {
		start.Skip = in.ResourcesToSkip
		return m.ContinueRollback(start)
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.ContinueUpdateRollbackOutput{}, nil
}

// RollbackStack undoes a creation or an update that failed and was left as it was.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html
func (s *Service) RollbackStack(ctx context.Context, in *cloudformation.RollbackStackInput) (*cloudformation.RollbackStackOutput, error) {
	if err := unsupported(when(aws.ToBool(in.RetainExceptOnCreate), "RetainExceptOnCreate"), express(in.DeploymentConfig)); err != nil {
		return nil, err
	}
	id, err := s.rollback(ctx, in.StackName, in.RoleARN, "RollbackStack", in.ClientRequestToken, (*stack.Machine).Rollback)
	if err != nil {
		return nil, err
	}
	return &cloudformation.RollbackStackOutput{StackId: &id}, nil
}

func (s *Service) rollback(ctx context.Context, name, given *string, call string, token *string, fn func(*stack.Machine, stack.Start) (stack.Effects, error)) (string, error) {
	r, ok := s.find(name)
	if !ok {
		return "", noStack(notListed, name)
	}
	if r.repeated(call, token) {
		return r.ID, nil
	}
	role, err := s.roleFor(ctx, given, r.RoleARN)
	if err != nil {
		return "", err
	}
	idle, err := s.driver(r.key()).begin(ctx, nil, func(m *stack.Machine, r *Stack) (stack.Effects, error) {
		effects, err := fn(m, s.start(r.ID))
		if err == nil {
			s.operate(ctx, r, call, token)
			r.RoleARN = role
		}
		return effects, err
	})
	if err != nil {
		return "", err
	}
	s.wait(ctx, idle)
	return r.ID, nil
}

// UpdateTerminationProtection protects a stack from being deleted, or no more.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateTerminationProtection.html
func (s *Service) UpdateTerminationProtection(ctx context.Context, in *cloudformation.UpdateTerminationProtectionInput) (*cloudformation.UpdateTerminationProtectionOutput, error) {
	r, ok := s.find(in.StackName)
	if !ok || r.Status == stack.DeleteComplete {
		return nil, noStack(notListed, in.StackName)
	}
	_, err := s.driver(r.key()).begin(ctx, nil, func(_ *stack.Machine, r *Stack) (stack.Effects, error) {
		r.Protected = *in.EnableTerminationProtection
		return stack.Effects{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.UpdateTerminationProtectionOutput{StackId: &r.ID}, nil
}
