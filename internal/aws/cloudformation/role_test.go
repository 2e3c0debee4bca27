package cloudformation_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// deployer makes a role that stacks can be made as, and returns its ARN.
func (a *account) deployer(t *testing.T) string {
	t.Helper()
	out, err := a.iam.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("deployer"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	doortest.Must(t)(a.iam.AttachRolePolicy(t.Context(), &awsiam.AttachRolePolicyInput{RoleName: aws.String("deployer"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}))
	return *out.Role.Arn
}

func (a *account) dismiss(t *testing.T) {
	t.Helper()
	doortest.Must(t)(a.iam.DetachRolePolicy(t.Context(), &awsiam.DetachRolePolicyInput{RoleName: aws.String("deployer"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}))
	doortest.Must(t)(a.iam.DeleteRole(t.Context(), &awsiam.DeleteRoleInput{RoleName: aws.String("deployer")}))
}

// TestARoleThatIsGone: whatever would be carried out as a stack's own role is refused
// before it begins, and the stack stays as it was.
func TestARoleThatIsGone(t *testing.T) {
	a, ctx := open(t), t.Context()
	arn := a.deployer(t)
	asRole := func(in *cloudformation.CreateStackInput) { in.RoleARN = &arn }
	body := func(description string) string { return "Resources:\n" + role("A", ", Description: "+description) }
	id := a.create(t, "s", body("one"), asRole)
	broken := body("two") + "  P: {Type: AWS::IAM::InstanceProfile, DependsOn: A, Properties: {Roles: [nobody]}}\n"
	a.create(t, "kept", broken, asRole, func(in *cloudformation.CreateStackInput) { in.OnFailure = types.OnFailureDoNothing })
	a.is(t, "kept", types.StackStatusCreateFailed)
	a.create(t, "stuck", body("one")+"  P: {Type: AWS::IAM::InstanceProfile, DependsOn: A, Properties: {Roles: [!Ref A]}}\n", asRole)
	a.door.after = func(operation string) <-chan struct{} {
		if operation == "UpdateRole" { // the first change goes through, the way back does not
			a.dismiss(t)
			a.door.after = nil
		}
		return nil
	}
	if err := a.update(t, "stuck", body("two")+"  Q: {Type: AWS::IAM::InstanceProfile, DependsOn: A, Properties: {Roles: [nobody]}}\n"); err != nil {
		t.Fatal(err)
	}
	a.is(t, "stuck", types.StackStatusUpdateRollbackFailed)
	a.deployer(t)
	a.propose(t, "s", "set", body("two"), types.ChangeSetTypeUpdate)
	a.dismiss(t)

	s, template := aws.String("s"), aws.String(body("three"))
	calls := map[string]func(role *string) error{
		"UpdateStack": func(role *string) error {
			_, err := a.client.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: s, TemplateBody: template, Capabilities: iamCapability, RoleARN: role})
			return err
		},
		"DeleteStack": func(role *string) error {
			_, err := a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: s, RoleARN: role})
			return err
		},
		"CreateChangeSet": func(role *string) error {
			_, err := a.client.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{StackName: s, ChangeSetName: aws.String("late"), TemplateBody: template, Capabilities: iamCapability, RoleARN: role})
			return err
		},
		"ExecuteChangeSet": func(*string) error {
			_, err := a.client.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: s, ChangeSetName: aws.String("set")})
			return err
		},
		"RollbackStack": func(role *string) error {
			_, err := a.client.RollbackStack(ctx, &cloudformation.RollbackStackInput{StackName: aws.String("kept"), RoleARN: role})
			return err
		},
		"ContinueUpdateRollback": func(role *string) error {
			_, err := a.client.ContinueUpdateRollback(ctx, &cloudformation.ContinueUpdateRollbackInput{StackName: aws.String("stuck"), RoleARN: role})
			return err
		},
	}
	for name, call := range calls {
		for _, role := range []*string{nil, &arn} {
			t.Run(name, func(t *testing.T) {
				doortest.Refused(t, call(role), "ValidationError", "Role "+arn+" is invalid or cannot be assumed")
			})
		}
	}
	a.is(t, "s", types.StackStatusCreateComplete)
	a.is(t, "kept", types.StackStatusCreateFailed)
	a.is(t, "stuck", types.StackStatusUpdateRollbackFailed)

	// A role of the same name is as good.
	a.deployer(t)
	for _, name := range []string{"RollbackStack", "ContinueUpdateRollback", "ExecuteChangeSet", "DeleteStack"} {
		if err := calls[name](nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.is(t, "kept", types.StackStatusRollbackComplete)
	a.is(t, "stuck", types.StackStatusUpdateRollbackComplete)
	a.is(t, id, types.StackStatusDeleteComplete)
}

// TestARoleThatGoesMeanwhile: no service is said to have refused what was never asked.
func TestARoleThatGoesMeanwhile(t *testing.T) {
	a := open(t)
	arn := a.deployer(t)
	a.door.after = func(operation string) <-chan struct{} {
		if operation == "CreateLogGroup" {
			a.dismiss(t)
		}
		return nil
	}
	a.create(t, "s", "Resources:\n  L: {Type: AWS::Logs::LogGroup}\n  T: {Type: AWS::SNS::Topic, DependsOn: L}\n", func(in *cloudformation.CreateStackInput) { in.RoleARN = &arn })
	a.is(t, "s", types.StackStatusRollbackFailed)
	lines := a.events(t, "s")
	follows(t, lines, "s ROLLBACK_IN_PROGRESS", "L DELETE_FAILED Role "+arn+" is invalid or cannot be assumed", "s ROLLBACK_FAILED")
	for _, line := range lines {
		if text := "Role " + arn + " is invalid or cannot be assumed"; line == "T CREATE_FAILED "+text || line == "L CREATE_FAILED "+text {
			return
		}
	}
	t.Errorf("nothing failed for the role among %q", lines)
}
