package cloudformation

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

type createIn = cloudformation.CreateStackInput

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)

const longestName = 128

// checkName holds a new stack's name against constraints that the model doesn't have, in
// words as the model's.
func checkName(name string) error {
	var broken []string
	if !stackName.MatchString(name) {
		broken = append(broken, "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
	}
	switch {
	case name == "":
		broken = append(broken, "have length greater than or equal to 1")
	case utf8.RuneCountInString(name) > longestName:
		broken = append(broken, fmt.Sprintf("have length less than or equal to %d", longestName))
	}
	if len(broken) == 0 {
		return nil
	}
	text, plural := "", ""
	for i, must := range broken {
		if i > 0 {
			text, plural = text+"; ", "s"
		}
		text += "Value '" + name + "' at 'stackName' failed to satisfy constraint: Member must " + must
	}
	return api.ValidationError("%d validation error%s detected: %s", len(broken), plural, text)
}

// CreateStack makes a stack, and answers when it is made or after a while.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
func (s *Service) CreateStack(ctx context.Context, in *cloudformation.CreateStackInput) (*cloudformation.CreateStackOutput, error) {
	err := unsupported(
		when(len(in.NotificationARNs) > 0, "NotificationARNs"), when(len(in.ResourceTypes) > 0, "ResourceTypes"),
		when(triggers(in.RollbackConfiguration), "RollbackConfiguration"), when(aws.ToBool(in.RetainExceptOnCreate), "RetainExceptOnCreate"),
		when(aws.ToString(in.StackPolicyBody) != "", "StackPolicyBody"), when(aws.ToString(in.StackPolicyURL) != "", "StackPolicyURL"),
		express(in.DeploymentConfig),
	)
	if err != nil {
		return nil, err
	}
	if err := checkName(*in.StackName); err != nil {
		return nil, err
	}
	if in.DisableRollback != nil && in.OnFailure != "" {
		return nil, api.ValidationError("You may only specify one of OnFailure or DisableRollback")
	}
	if err := cmp.Or(checkTags(in.Tags), checkUnique(in.Tags)); err != nil {
		return nil, err
	}
	id, idle, err := s.create(ctx, in)
	if err != nil {
		return nil, err
	}
	s.wait(ctx, idle)
	return &cloudformation.CreateStackOutput{StackId: &id}, nil
}

// create begins a stack, of whose name there is no other. Idle is closed when it is at
// rest.
func (s *Service) create(ctx context.Context, in *cloudformation.CreateStackInput) (id string, idle <-chan struct{}, err error) {
	s.naming.Lock()
	defer s.naming.Unlock()
	if old, ok := s.find(in.StackName); ok {
		if !old.repeated("CreateStack", in.ClientRequestToken) {
			return "", nil, &types.AlreadyExistsException{Message: aws.String("Stack [" + *in.StackName + "] already exists")}
		}
		return old.ID, s.driver(old.key()).resting(), nil
	}
	role, err := s.roleFor(ctx, in.RoleARN, "")
	if err != nil {
		return "", nil, err
	}
	text, err := s.text(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return "", nil, err
	}
	r := s.newStack(ctx, *in.StackName, "CreateStack", aws.ToString(in.ClientRequestToken))
	d, scope, err := s.deployment(ctx, wish{name: r.Name, id: r.ID, text: text, given: in.Parameters, tags: tagsOf(in.Tags), capabilities: in.Capabilities})
	if err != nil {
		return "", nil, err
	}
	r.Description, r.RoleARN, r.Capabilities = scope.Template.Description, role, capabilityNames(in.Capabilities)
	r.DisableRollback = aws.ToBool(in.DisableRollback) || in.OnFailure == types.OnFailureDoNothing
	r.Protected, r.TimeoutMinutes = aws.ToBool(in.EnableTerminationProtection), aws.ToInt32(in.TimeoutInMinutes)
	start := s.start(r.ID)
	start.DisableRollback, start.DeleteOnFailure = r.DisableRollback, in.OnFailure == types.OnFailureDelete
	idle, err = s.driver(r.key()).begin(ctx, &r, func(m *stack.Machine, _ *Stack) (stack.Effects, error) { return m.Create(d, start) })
	return r.ID, idle, err
}

// newStack is the record of a stack that is to be.
func (s *Service) newStack(ctx context.Context, name, call, token string) Stack {
	now := s.Now().UTC()
	return Stack{
		Name: name, ID: s.arn("stack/" + name + "/" + newID()), Created: now,
		Operation: Operation{Call: call, Token: token, Began: now, Actor: kept(api.CallerFrom(ctx))},
	}
}

// operate notes in a record that an operation begins.
func (s *Service) operate(ctx context.Context, r *Stack, call string, token *string) {
	r.Operation = Operation{Call: call, Token: aws.ToString(token), Began: s.Now().UTC(), Actor: kept(api.CallerFrom(ctx))}
}

// repeated says whether a call is the same as the one that began the stack's operation.
func (r *Stack) repeated(call string, token *string) bool {
	return aws.ToString(token) != "" && r.Operation.Call == call && r.Operation.Token == *token
}

func triggers(c *types.RollbackConfiguration) bool {
	return c != nil && (len(c.RollbackTriggers) > 0 || aws.ToInt32(c.MonitoringTimeInMinutes) > 0)
}

// express names the mode that answers before resources are stable.
func express(c *types.DeploymentConfig) string {
	return when(c != nil && c.Mode == types.DeploymentConfigModeExpress, "DeploymentConfig.Mode EXPRESS")
}

type updateIn = cloudformation.UpdateStackInput

// UpdateStack changes a stack, and answers when that is done or after a while.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
func (s *Service) UpdateStack(ctx context.Context, in *cloudformation.UpdateStackInput) (*cloudformation.UpdateStackOutput, error) {
	err := unsupported(
		when(len(in.NotificationARNs) > 0, "NotificationARNs"), when(len(in.ResourceTypes) > 0, "ResourceTypes"),
		when(triggers(in.RollbackConfiguration), "RollbackConfiguration"), when(aws.ToBool(in.RetainExceptOnCreate), "RetainExceptOnCreate"),
		when(aws.ToString(in.StackPolicyBody) != "", "StackPolicyBody"), when(aws.ToString(in.StackPolicyURL) != "", "StackPolicyURL"),
		when(aws.ToString(in.StackPolicyDuringUpdateBody) != "", "StackPolicyDuringUpdateBody"),
		when(aws.ToString(in.StackPolicyDuringUpdateURL) != "", "StackPolicyDuringUpdateURL"), express(in.DeploymentConfig),
	)
	if err != nil {
		return nil, err
	}
	r, ok := s.find(in.StackName)
	if !ok {
		return nil, noStack(notListed, in.StackName)
	}
	if r.repeated("UpdateStack", in.ClientRequestToken) {
		return &cloudformation.UpdateStackOutput{StackId: &r.ID}, nil
	}
	if err := checkUnique(in.Tags); err != nil {
		return nil, err
	}
	role, err := s.roleFor(ctx, in.RoleARN, r.RoleARN)
	if err != nil {
		return nil, err
	}
	w := wish{given: in.Parameters, capabilities: in.Capabilities}
	if w, err = s.changed(ctx, &r, w, in.UsePreviousTemplate, in.TemplateBody, in.TemplateURL, in.Tags); err != nil {
		return nil, err
	}
	idle, err := s.driver(r.key()).begin(ctx, nil, func(m *stack.Machine, r *Stack) (stack.Effects, error) {
		if r.Status.InProgress() || r.Status == stack.DeleteComplete {
			return m.Update(stack.Deployment{}, stack.Start{}) // which says why not
		}
		w.previous = previous(m.State())
		d, scope, err := s.deployment(ctx, w)
		if err != nil {
			return stack.Effects{}, err
		}
		start := s.start(r.ID)
		start.DisableRollback = aws.ToBool(in.DisableRollback)
		effects, err := m.Update(d, start)
		if err != nil {
			return effects, err
		}
		s.operate(ctx, r, "UpdateStack", in.ClientRequestToken)
		r.RoleARN, r.Updated, r.Description, r.Capabilities = role, r.Operation.Began, scope.Template.Description, capabilityNames(in.Capabilities)
		return effects, nil
	})
	if err != nil {
		return nil, err
	}
	s.wait(ctx, idle)
	return &cloudformation.UpdateStackOutput{StackId: &r.ID}, nil
}

// changed fills in what a change of a stack keeps.
func (s *Service) changed(ctx context.Context, r *Stack, w wish, keep *bool, body, address *string, tags []types.Tag) (wish, error) {
	w.name, w.id = r.Name, r.ID
	if err := checkTags(tags); err != nil {
		return w, err
	}
	state, err := r.State.open()
	if err != nil {
		return w, err
	}
	w.previous = previous(state)
	if w.tags = tagsOf(tags); tags == nil && state.Deployed != nil {
		w.tags = append([]spec.Tag{}, state.Deployed.Tags...)
	}
	if !aws.ToBool(keep) {
		w.text, err = s.text(ctx, body, address)
		return w, err
	}
	if aws.ToString(body)+aws.ToString(address) != "" {
		return w, api.ValidationError("You cannot specify both usePreviousTemplate and Template Body or Template URL.")
	}
	if state.Deployed == nil {
		return w, api.ValidationError("The stack has no template to use")
	}
	w.text = state.Deployed.Template
	return w, nil
}

// timeOf is nil for no time.
func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
