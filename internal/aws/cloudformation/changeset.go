package cloudformation

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
	"github.com/eksact/eksact/internal/store"
)

func (s *Service) addChangeSets(v *api.Service) {
	api.Add(v, "CreateChangeSet", s.CreateChangeSet, named(s, func(in *cloudformation.CreateChangeSetInput) *string { return in.StackName }))
	api.Add(v, "DescribeChangeSet", s.DescribeChangeSet, func(_ context.Context, in *cloudformation.DescribeChangeSetInput) []string {
		return s.setResource(in.StackName, in.ChangeSetName)
	})
	api.Add(v, "ExecuteChangeSet", s.ExecuteChangeSet, func(_ context.Context, in *cloudformation.ExecuteChangeSetInput) []string {
		return s.setResource(in.StackName, in.ChangeSetName)
	})
	api.Add(v, "DeleteChangeSet", s.DeleteChangeSet, func(_ context.Context, in *cloudformation.DeleteChangeSetInput) []string {
		return s.setResource(in.StackName, in.ChangeSetName)
	})
	api.Add(v, "ListChangeSets", s.ListChangeSets, named(s, func(in *cloudformation.ListChangeSetsInput) *string { return in.StackName }))
}

// setResource is the stack of a change set that a call names.
func (s *Service) setResource(stackName, set *string) []string {
	if aws.ToString(stackName) == "" {
		if r, _, err := s.findSet(stackName, set); err == nil {
			return []string{r.ID}
		}
		return nil
	}
	return s.resource(stackName)
}

// unchanged is why a change set without changes can't be executed.
const unchanged = "The submitted information didn't contain changes. Submit different information to create a change set."

func setKey(r *Stack, name string) string { return r.key() + "/" + name }

// findSet finds a change set by its ARN, or by its name and its stack's.
func (s *Service) findSet(stackName, set *string) (Stack, ChangeSet, error) {
	name := aws.ToString(set)
	missing := &types.ChangeSetNotFoundException{Message: aws.String("ChangeSet [" + name + "] does not exist")}
	if strings.HasPrefix(name, "arn:") {
		for key, c := range s.changes.Shared("") {
			if c.ID == name {
				r, _ := s.stacks.Get(key[:strings.LastIndexByte(key, '/')])
				return r, *c, nil
			}
		}
		return Stack{}, ChangeSet{}, missing
	}
	if aws.ToString(stackName) == "" {
		return Stack{}, ChangeSet{}, api.ValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	r, ok := s.find(stackName)
	if !ok {
		return r, ChangeSet{}, noStack(notListed, stackName)
	}
	c, ok := s.changes.Get(setKey(&r, name))
	if !ok {
		return r, c, missing
	}
	return r, c, nil
}

// CreateChangeSet says what a change would do, and keeps it. It is done when it answers.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
func (s *Service) CreateChangeSet(ctx context.Context, in *cloudformation.CreateChangeSetInput) (*cloudformation.CreateChangeSetOutput, error) {
	err := unsupported(
		when(len(in.NotificationARNs) > 0, "NotificationARNs"), when(len(in.ResourceTypes) > 0, "ResourceTypes"),
		when(triggers(in.RollbackConfiguration), "RollbackConfiguration"),
		when(in.ChangeSetType == types.ChangeSetTypeImport || len(in.ResourcesToImport) > 0, "ChangeSetType IMPORT"),
		when(in.DeploymentMode != "", "DeploymentMode "+string(in.DeploymentMode)),
		express(in.DeploymentConfig),
	)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	r, found := s.find(in.StackName)
	isNew := in.ChangeSetType == types.ChangeSetTypeCreate
	switch {
	case !found && !isNew:
		return nil, noStack(notListed, in.StackName)
	case found && isNew && r.Status != stack.ReviewInProgress:
		return nil, &types.AlreadyExistsException{Message: aws.String("Stack [" + r.Name + "] already exists and cannot be created again with the changeSet [" + *in.ChangeSetName + "].")}
	case found && !isNew && r.Status == stack.ReviewInProgress:
		return nil, api.ValidationError("Stack:%s is in %s state and can not be updated.", r.ID, r.Status)
	case found && r.Status.InProgress() && r.Status != stack.ReviewInProgress, r.Status == stack.RollbackComplete, r.Status == stack.DeleteComplete:
		return nil, api.ValidationError("Stack:%s is in %s state and can not be updated.", r.ID, r.Status)
	case !found:
		if err := checkName(*in.StackName); err != nil {
			return nil, err
		}
		r = s.newStack(ctx, *in.StackName, "CreateChangeSet", aws.ToString(in.ClientToken))
	}
	old, taken := s.changes.Get(setKey(&r, *in.ChangeSetName))
	switch {
	case taken && aws.ToString(in.ClientToken) != "" && old.Token == *in.ClientToken:
		return &cloudformation.CreateChangeSetOutput{Id: &old.ID, StackId: &r.ID}, nil
	case taken && old.Execution != string(types.ExecutionStatusExecuteComplete):
		return nil, &types.AlreadyExistsException{Message: aws.String("ChangeSet " + *in.ChangeSetName + " cannot be created because a ChangeSet with that name already exists.")}
	}
	role, err := s.roleFor(ctx, in.RoleARN, r.RoleARN)
	if err != nil {
		return nil, err
	}
	c, err := s.propose(ctx, &r, in, role)
	if err != nil {
		return nil, err
	}
	if !found {
		_, err := s.driver(r.key()).begin(ctx, &r, func(m *stack.Machine, _ *Stack) (stack.Effects, error) { return m.Review(), nil })
		if err != nil {
			return nil, err
		}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		s.changes.In(tx).Put(setKey(&r, c.Name), *c)
		return nil
	})
	return &cloudformation.CreateChangeSetOutput{Id: &c.ID, StackId: &r.ID}, err
}

// propose plans a change that will be carried out as role.
func (s *Service) propose(ctx context.Context, r *Stack, in *cloudformation.CreateChangeSetInput, role string) (*ChangeSet, error) {
	w := wish{given: in.Parameters, capabilities: in.Capabilities}
	w, err := s.changed(ctx, r, w, in.UsePreviousTemplate, in.TemplateBody, in.TemplateURL, in.Tags)
	if err != nil {
		return nil, err
	}
	d, scope, err := s.deployment(ctx, w)
	if err != nil {
		return nil, err
	}
	state, err := r.State.open()
	if err != nil {
		return nil, err
	}
	before, err := state.Plan()
	if err != nil {
		return nil, refusal(err)
	}
	p, err := plan.Make(before, plan.Stack{Scope: scope, Tags: d.Tags})
	if err != nil {
		return nil, refusal(err)
	}
	c := &ChangeSet{
		Name: *in.ChangeSetName, ID: s.arn("changeSet/" + *in.ChangeSetName + "/" + newID()), Description: aws.ToString(in.Description), Created: s.Now().UTC(),
		Create: in.ChangeSetType == types.ChangeSetTypeCreate, Status: string(types.ChangeSetStatusCreateComplete), Execution: string(types.ExecutionStatusAvailable),
		Capabilities: capabilityNames(in.Capabilities), RoleARN: aws.ToString(in.RoleARN), OnFailure: string(in.OnStackFailure), Nested: aws.ToBool(in.IncludeNestedStacks), Token: aws.ToString(in.ClientToken),
	}
	if c.Importing = aws.ToBool(in.ImportExistingResources); c.Importing {
		c.Reason = s.importable(ctx, role, scope, p.Changes)
	}
	if p.Empty() {
		c.Reason = unchanged
	}
	if c.Reason != "" {
		c.Status, c.Execution = string(types.ChangeSetStatusFailed), string(types.ExecutionStatusUnavailable)
	}
	c.Body, err = pack(&Proposal{Deployment: d, Description: scope.Template.Description, Changes: p.Changes})
	return c, err
}

// ExecuteChangeSet does what a change set says, and answers when it is done or after a
// while.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
func (s *Service) ExecuteChangeSet(ctx context.Context, in *cloudformation.ExecuteChangeSetInput) (*cloudformation.ExecuteChangeSetOutput, error) {
	if err := unsupported(when(aws.ToBool(in.RetainExceptOnCreate), "RetainExceptOnCreate")); err != nil {
		return nil, err
	}
	out := &cloudformation.ExecuteChangeSetOutput{}
	r, c, err := s.findSet(in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	if r.repeated("ExecuteChangeSet", in.ClientRequestToken) {
		return out, nil
	}
	if c.Status != string(types.ChangeSetStatusCreateComplete) {
		return nil, wrongSetStatus(&c, "executed", "status", c.Status)
	}
	if c.Execution != string(types.ExecutionStatusAvailable) {
		return nil, wrongSetStatus(&c, "executed", "execution status", c.Execution)
	}
	role, err := s.roleFor(ctx, &c.RoleARN, r.RoleARN)
	if err != nil {
		return nil, err
	}
	body, err := c.Body.open()
	if err != nil {
		return nil, err
	}
	idle, err := s.driver(r.key()).begin(ctx, nil, func(m *stack.Machine, r *Stack) (stack.Effects, error) {
		start := s.start(r.ID)
		start.DisableRollback = aws.ToBool(in.DisableRollback) || c.OnFailure == string(types.OnStackFailureDoNothing)
		start.Imports = imports(body.Changes)
		start.DeleteOnFailure = c.Create && c.OnFailure == string(types.OnStackFailureDelete)
		do := m.Update
		if c.Create {
			do = m.Create
		}
		effects, err := do(body.Deployment, start)
		if err != nil {
			return effects, err
		}
		s.operate(ctx, r, "ExecuteChangeSet", in.ClientRequestToken)
		r.RoleARN, r.ChangeSet, r.Description, r.Capabilities = role, c.ID, body.Description, c.Capabilities
		r.DisableRollback = r.DisableRollback || c.Create && start.DisableRollback
		if !c.Create {
			r.Updated = r.Operation.Began
		}
		return effects, nil
	})
	if err != nil {
		return nil, err
	}
	s.wait(ctx, idle)
	return out, nil
}

// wrongSetStatus says that a change set's status, or that of its execution, doesn't allow
// something.
func wrongSetStatus(c *ChangeSet, done, which, status string) error {
	return &types.InvalidChangeSetStatusException{Message: aws.String("ChangeSet [" + c.ID + "] cannot be " + done + " in its current " + which + " of [" + status + "]")}
}

// executed keeps the change set that the stack's operation executes in step with it; all
// others of the stack are of no use any more. Of those an update by itself leaves the
// record.
func (d *driver) executed(tx *store.Tx, status stack.Status) {
	call := d.r.Operation.Call
	if call != "ExecuteChangeSet" && call != "UpdateStack" {
		return
	}
	sets := d.s.changes.In(tx)
	for key, c := range sets.List(d.key + "/") {
		if call == "UpdateStack" || c.ID != d.r.ChangeSet {
			switch {
			case c.Created.After(d.r.Operation.Began):
			case call == "ExecuteChangeSet":
				sets.Delete(key)
			case c.Execution == string(types.ExecutionStatusAvailable):
				c.Execution = string(types.ExecutionStatusObsolete)
				sets.Put(key, c)
			}
			continue
		}
		now := types.ExecutionStatusExecuteInProgress
		switch {
		case status == stack.CreateComplete || status == stack.UpdateComplete:
			now = types.ExecutionStatusExecuteComplete
		case !status.InProgress():
			now = types.ExecutionStatusExecuteFailed
		}
		if c.Execution != string(now) {
			c.Execution = string(now)
			sets.Put(key, c)
		}
	}
}

// DeleteChangeSet forgets a change set. One that is not there is forgotten.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html
func (s *Service) DeleteChangeSet(ctx context.Context, in *cloudformation.DeleteChangeSetInput) (*cloudformation.DeleteChangeSetOutput, error) {
	out := &cloudformation.DeleteChangeSetOutput{}
	r, c, err := s.findSet(in.StackName, in.ChangeSetName)
	if _, missing := err.(*types.ChangeSetNotFoundException); missing {
		return out, nil
	} else if err != nil {
		return nil, err
	}
	if c.Execution == string(types.ExecutionStatusExecuteInProgress) {
		return nil, wrongSetStatus(&c, "deleted", "execution status", c.Execution)
	}
	return out, s.Store.Update(ctx, func(tx *store.Tx) error {
		s.changes.In(tx).Delete(setKey(&r, c.Name))
		return nil
	})
}

// tagsView shows a stack's tags.
func tagsView(list []spec.Tag) []types.Tag {
	out := []types.Tag{}
	for _, t := range list {
		out = append(out, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out
}
