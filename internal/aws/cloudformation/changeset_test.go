package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func (a *account) propose(t *testing.T, stack, set, template string, kind types.ChangeSetType) *cloudformation.DescribeChangeSetOutput {
	t.Helper()
	in := &cloudformation.CreateChangeSetInput{StackName: &stack, ChangeSetName: &set, TemplateBody: &template, ChangeSetType: kind, Capabilities: iamCapability}
	doortest.Must(t)(a.client.CreateChangeSet(t.Context(), in))
	out, err := a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: &stack, ChangeSetName: &set, IncludePropertyValues: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCDKDeploys is what CDK's command calls, in its order: a change set that creates, is
// executed and followed by events; then one without changes; then one with.
func TestCDKDeploys(t *testing.T) {
	a := open(t)
	stack, set := aws.String("App"), aws.String("cdk-deploy-change-set")
	_, err := a.client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: stack})
	doortest.Refused(t, err, "ValidationError", "Stack with id App does not exist")
	_, err = a.client.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: stack})
	doortest.Refused(t, err, "ValidationError", "Stack with id App does not exist")

	one := "Resources:\n" + role("A", ", Description: one") + "  CDKMetadata: {Type: AWS::CDK::Metadata, Properties: {Analytics: v2}}\n"
	d := a.propose(t, "App", *set, one, types.ChangeSetTypeCreate)
	if d.Status != types.ChangeSetStatusCreateComplete || d.ExecutionStatus != types.ExecutionStatusAvailable || len(d.Changes) != 2 {
		t.Fatalf("the change set is %+v", d)
	}
	change := d.Changes[0].ResourceChange
	if change.Action != types.ChangeActionAdd || *change.LogicalResourceId != "A" || !strings.Contains(*change.AfterContext, `"Description":"one"`) {
		t.Errorf("the change is %+v", change)
	}
	a.is(t, "App", types.StackStatusReviewInProgress)
	template, err := a.client.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: stack, ChangeSetName: set})
	if err != nil || *template.TemplateBody != one {
		t.Errorf("the template is %+v, %v", template, err)
	}
	doortest.Must(t)(a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: stack, ChangeSetName: set, ClientRequestToken: aws.String("exec1")}))
	a.is(t, "App", types.StackStatusCreateComplete)
	if s := a.stack(t, "App"); aws.ToString(s.ChangeSetId) != *d.ChangeSetId {
		t.Errorf("the stack's change set is %v", s.ChangeSetId)
	}
	follows(t, a.events(t, "App"), "App REVIEW_IN_PROGRESS User Initiated", "App CREATE_IN_PROGRESS User Initiated", "A CREATE_COMPLETE", "App CREATE_COMPLETE")

	// The next deploy deletes the old change set and waits till it is gone.
	forget := func() {
		t.Helper()
		doortest.Must(t)(a.client.DeleteChangeSet(t.Context(), &cloudformation.DeleteChangeSetInput{StackName: stack, ChangeSetName: set}))
		_, err := a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: stack, ChangeSetName: set})
		doortest.Refused(t, err, "ChangeSetNotFound", "ChangeSet [cdk-deploy-change-set] does not exist")
	}
	forget()
	d = a.propose(t, "App", *set, one, types.ChangeSetTypeUpdate)
	if d.Status != types.ChangeSetStatusFailed || d.ExecutionStatus != types.ExecutionStatusUnavailable ||
		*d.StatusReason != "The submitted information didn't contain changes. Submit different information to create a change set." {
		t.Errorf("a change set without changes is %s %s %s", d.Status, d.ExecutionStatus, aws.ToString(d.StatusReason))
	}
	_, err = a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: stack, ChangeSetName: set})
	doortest.Refused(t, err, "InvalidChangeSetStatus", "cannot be executed in its current status of [FAILED]")
	forget()
	d = a.propose(t, "App", *set, strings.Replace(one, "one", "two", 1), types.ChangeSetTypeUpdate)
	change = d.Changes[0].ResourceChange
	if len(d.Changes) != 1 || change.Replacement != types.ReplacementFalse || len(change.Details) != 1 {
		t.Fatalf("the change is %+v", change)
	}
	if target := change.Details[0].Target; *target.Name != "Description" || *target.Path != "/Properties/Description" || *target.BeforeValue != "one" || *target.AfterValue != "two" {
		t.Errorf("the detail is %+v", target)
	}
	doortest.Must(t)(a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: stack, ChangeSetName: set}))
	a.is(t, "App", types.StackStatusUpdateComplete)

	// cdk diff's change set of its own, and destroy by ARN.
	a.propose(t, "App", "cdk-diff-change-set-1", strings.Replace(one, "A:", "B:", 1), types.ChangeSetTypeUpdate)
	doortest.Must(t)(a.client.DeleteChangeSet(t.Context(), &cloudformation.DeleteChangeSetInput{StackName: stack, ChangeSetName: aws.String("cdk-diff-change-set-1")}))
	id := a.stack(t, "App").StackId
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: id, DeploymentConfig: &types.DeploymentConfig{Mode: types.DeploymentConfigModeStandard}}))
	a.is(t, *id, types.StackStatusDeleteComplete)
}

// TestCDKsFailure: what failed is asked for by itself.
func TestCDKsFailure(t *testing.T) {
	a := open(t)
	d := a.propose(t, "App", "set", "Resources:\n  P: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [nobody]}}\n", types.ChangeSetTypeCreate)
	doortest.Must(t)(a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: aws.String("App"), ChangeSetName: d.ChangeSetId}))
	a.is(t, "App", types.StackStatusRollbackComplete)
	out, err := a.client.DescribeEvents(t.Context(), &cloudformation.DescribeEventsInput{StackName: aws.String("App"), Filters: &types.EventFilter{FailedEvents: aws.Bool(true)}})
	if err != nil || len(out.OperationEvents) != 1 || *out.OperationEvents[0].LogicalResourceId != "P" || !strings.Contains(*out.OperationEvents[0].ResourceStatusReason, "nobody") {
		t.Errorf("failed are %+v, %v", out, err)
	}
	if got, err := a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{ChangeSetName: d.ChangeSetId}); err != nil || got.ExecutionStatus != types.ExecutionStatusExecuteFailed {
		t.Errorf("the change set is %+v, %v", got, err)
	}
}

// TestEksctlsServiceAccount is what eksctl calls for a role of a service account, and to
// change it and take it away.
func TestEksctlsServiceAccount(t *testing.T) {
	a := open(t)
	name := aws.String("eksctl-c-addon-iamserviceaccount-default-sa")
	template := `{"AWSTemplateFormatVersion":"2010-09-09","Description":"IAM role for serviceaccount \"default/sa\" [created and managed by eksctl]",
	"Resources":{"Role1":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Statement":[{"Action":["sts:AssumeRoleWithWebIdentity"],"Effect":"Allow",
	"Principal":{"Federated":"arn:aws:iam::` + number + `:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/X"}}],"Version":"2012-10-17"},
	"ManagedPolicyArns":["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}}},
	"Outputs":{"Role1":{"Value":{"Fn::GetAtt":"Role1.Arn"}}}}`
	// A change of a stack has its tags twice.
	tags := []types.Tag{{Key: aws.String("alpha.eksctl.io/cluster-name"), Value: aws.String("old")}, {Key: aws.String("eksctl.cluster.k8s.io/v1alpha1/cluster-name"), Value: aws.String("c")}, {Key: aws.String("alpha.eksctl.io/cluster-name"), Value: aws.String("c")}}
	if list, err := a.client.ListStacks(t.Context(), &cloudformation.ListStacksInput{StackStatusFilter: []types.StackStatus{types.StackStatusCreateComplete}}); err != nil || len(list.StackSummaries) != 0 {
		t.Fatalf("stacks are %+v, %v", list, err)
	}
	made, err := a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: name, TemplateBody: &template, Tags: tags[1:], Capabilities: []types.Capability{types.CapabilityCapabilityIam}, EnableTerminationProtection: aws.Bool(false), DisableRollback: aws.Bool(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.is(t, *name, types.StackStatusCreateComplete)
	s := a.stack(t, *made.StackId)
	if len(s.Outputs) != 1 || !strings.HasPrefix(*s.Outputs[0].OutputValue, "arn:aws:iam::"+number+":role/eksctl-c-addon-iamserviceaccount") {
		t.Errorf("outputs are %+v", s.Outputs)
	}
	changed := strings.Replace(template, "AmazonS3ReadOnlyAccess", "AmazonEKSWorkerNodePolicy", 1)
	set, err := a.client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: name, ChangeSetName: aws.String("eksctl-update-1"), TemplateBody: &changed, Tags: tags, Capabilities: []types.Capability{types.CapabilityCapabilityIam},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: made.StackId, ChangeSetName: set.Id}); err != nil || d.Status != types.ChangeSetStatusCreateComplete {
		t.Fatalf("the change set is %+v, %v", d, err)
	}
	doortest.Must(t)(a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: made.StackId, ChangeSetName: set.Id}))
	a.is(t, *name, types.StackStatusUpdateComplete)
	if got := a.stack(t, *name).Tags; len(got) != 2 || *got[0].Value != "c" || *got[1].Value != "c" {
		t.Errorf("tags are %+v", got)
	}
	resources, err := a.client.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: name})
	if err != nil || len(resources.StackResources) != 1 {
		t.Fatalf("resources are %+v, %v", resources, err)
	}
	physical := resources.StackResources[0].PhysicalResourceId
	attached, err := a.iam.ListAttachedRolePolicies(t.Context(), &awsiam.ListAttachedRolePoliciesInput{RoleName: physical})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "AmazonEKSWorkerNodePolicy" {
		t.Errorf("attached are %+v, %v", attached, err)
	}
	doortest.Must(t)(a.client.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: made.StackId, EnableTerminationProtection: aws.Bool(false)}))
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: made.StackId}))
	a.is(t, *made.StackId, types.StackStatusDeleteComplete)
}

// TestChangeSetsRefused: what is not there, or in the wrong state.
func TestChangeSetsRefused(t *testing.T) {
	a := open(t)
	template := "Resources: {M: {Type: AWS::CDK::Metadata}}"
	_, err := a.client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c"), TemplateBody: &template})
	doortest.Refused(t, err, "ValidationError", "Stack [s] does not exist")
	_, err = a.client.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c")})
	doortest.Refused(t, err, "ValidationError", "Stack [s] does not exist")
	_, err = a.client.DeleteChangeSet(t.Context(), &cloudformation.DeleteChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c")})
	doortest.Refused(t, err, "ValidationError", "Stack [s] does not exist")
	a.create(t, "s", template)
	_, err = a.client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c"), TemplateBody: &template, ChangeSetType: types.ChangeSetTypeCreate})
	doortest.Refused(t, err, "AlreadyExistsException", "Stack [s] already exists")
	doortest.Must(t)(a.client.DeleteChangeSet(t.Context(), &cloudformation.DeleteChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c")}))
}

// TestAChangeSetIsExecutedOnce, and not once its stack is another.
func TestAChangeSetIsExecutedOnce(t *testing.T) {
	a := open(t)
	body := func(description string) string { return "Resources:\n" + role("A", ", Description: "+description) }
	a.create(t, "s", body("one"))
	execute := func(set string) error {
		_, err := a.client.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: aws.String("s"), ChangeSetName: &set})
		return err
	}
	two := a.propose(t, "s", "two", body("two"), types.ChangeSetTypeUpdate)
	if err := execute("two"); err != nil {
		t.Fatal(err)
	}
	doortest.Refused(t, execute("two"), "InvalidChangeSetStatus", "ChangeSet ["+*two.ChangeSetId+"] cannot be executed in its current execution status of [EXECUTE_COMPLETE]")
	a.propose(t, "s", "three", body("three"), types.ChangeSetTypeUpdate)
	if err := a.update(t, "s", body("four")); err != nil {
		t.Fatal(err)
	}
	doortest.Refused(t, execute("three"), "InvalidChangeSetStatus", "cannot be executed in its current execution status of [OBSOLETE]")
	doortest.Refused(t, execute("two"), "InvalidChangeSetStatus", "cannot be executed in its current execution status of [EXECUTE_COMPLETE]")
}
