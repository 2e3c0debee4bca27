package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/doortest"
)

func role(name, properties string) string {
	return "  " + name + ": {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: " + trust + properties + "}}\n"
}

func (a *account) roles(t *testing.T) (names []string) {
	t.Helper()
	out, err := a.iam.ListRoles(t.Context(), &awsiam.ListRolesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out.Roles {
		names = append(names, *r.RoleName)
	}
	return names
}

func TestAReplacementGoesInTheCleanup(t *testing.T) {
	a := open(t)
	a.create(t, "s", "Resources:\n"+role("A", `, RoleName: one`))
	if err := a.update(t, "s", "Resources:\n"+role("A", `, RoleName: two`)); err != nil {
		t.Fatal(err)
	}
	follows(t, a.events(t, "s"),
		"A UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.",
		"A UPDATE_IN_PROGRESS Resource creation Initiated", "A UPDATE_COMPLETE", "s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
		"A DELETE_IN_PROGRESS", "A DELETE_COMPLETE", "s UPDATE_COMPLETE")
	if got := a.roles(t); len(got) != 1 || got[0] != "two" {
		t.Errorf("roles are %v", got)
	}
}

func TestAFailedCreationIsRolledBack(t *testing.T) {
	a := open(t)
	a.create(t, "s", "Resources:\n"+role("A", "")+
		"  B: {Type: AWS::IAM::ManagedPolicy, DependsOn: A, Properties: {PolicyDocument: {Version: \"2012-10-17\", Statement: [{Effect: Perhaps}]}}}\n")
	a.is(t, "s", types.StackStatusRollbackComplete)
	lines := a.events(t, "s")
	follows(t, lines, "A CREATE_COMPLETE", `B CREATE_FAILED Resource handler returned message: "`, "s ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [B]. Rollback requested by user.",
		"A DELETE_COMPLETE", "s ROLLBACK_COMPLETE")
	if !strings.Contains(strings.Join(lines, "\n"), `(Service: Iam, Status Code: 400, Request ID: `) {
		t.Errorf("no reason among %s", strings.Join(lines, "\n"))
	}
	if got := a.roles(t); len(got) != 0 {
		t.Errorf("roles are left: %v", got)
	}
	doortest.Refused(t, a.update(t, "s", "Resources:\n"+role("A", "")), "ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated.")
	_, err := a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: aws.String("Resources:\n" + role("A", "")), Capabilities: iamCapability})
	doortest.Refused(t, err, "AlreadyExistsException", "Stack [s] already exists")

	// As it was, if asked.
	a.create(t, "kept", "Resources:\n"+role("A", "")+"  B: {Type: AWS::S3::Bucket, DependsOn: A, Properties: {CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: [a]}]}}}\n",
		func(in *cloudformation.CreateStackInput) { in.OnFailure = types.OnFailureDoNothing })
	a.is(t, "kept", types.StackStatusCreateFailed)
	follows(t, a.events(t, "kept"), "B CREATE_FAILED Encountered unsupported property CorsConfiguration")
	doortest.Must(t)(a.client.RollbackStack(t.Context(), &cloudformation.RollbackStackInput{StackName: aws.String("kept")}))
	a.is(t, "kept", types.StackStatusRollbackComplete)
}

func TestAFailedUpdateIsRolledBack(t *testing.T) {
	a := open(t)
	a.create(t, "s", "Resources:\n"+role("A", ", RoleName: one, Description: before"))
	err := a.update(t, "s", "Resources:\n"+role("A", ", RoleName: one, Description: after")+
		"  B: {Type: AWS::IAM::InstanceProfile, DependsOn: A, Properties: {Roles: [nobody]}}\n")
	if err != nil {
		t.Fatal(err)
	}
	a.is(t, "s", types.StackStatusUpdateRollbackComplete)
	follows(t, a.events(t, "s"), "s UPDATE_IN_PROGRESS", "A UPDATE_COMPLETE", "B CREATE_FAILED", "s UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [B]. ",
		"A UPDATE_COMPLETE", "s UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "B DELETE_COMPLETE", "s UPDATE_ROLLBACK_COMPLETE")
	got, err := a.iam.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("one")})
	if err != nil || *got.Role.Description != "before" {
		t.Errorf("the role is %+v, %v", got, err)
	}
	profiles, err := a.iam.ListInstanceProfiles(t.Context(), &awsiam.ListInstanceProfilesInput{})
	if err != nil || len(profiles.InstanceProfiles) != 0 {
		t.Errorf("profiles are left: %+v, %v", profiles, err)
	}
}

func TestAnExportInUseStays(t *testing.T) {
	a := open(t)
	base := "Resources:\n  M: {Type: AWS::CDK::Metadata}\nOutputs:\n  X: {Value: hello, Export: {Name: shared}}\n"
	a.create(t, "base", base)
	a.create(t, "user", "Resources:\n"+role("A", ", Description: !ImportValue shared"))
	a.is(t, "user", types.StackStatusCreateComplete)
	exports, err := a.client.ListExports(t.Context(), &cloudformation.ListExportsInput{})
	if err != nil || len(exports.Exports) != 1 || *exports.Exports[0].Value != "hello" {
		t.Errorf("exports are %+v, %v", exports, err)
	}
	imports, err := a.client.ListImports(t.Context(), &cloudformation.ListImportsInput{ExportName: aws.String("shared")})
	if err != nil || len(imports.Imports) != 1 || imports.Imports[0] != "user" {
		t.Errorf("imports are %+v, %v", imports, err)
	}
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("base")}))
	a.is(t, "base", types.StackStatusDeleteFailed)
	if s := a.stack(t, "base"); !strings.Contains(aws.ToString(s.StackStatusReason), "Cannot delete export shared as it is in use by user.") {
		t.Errorf("the reason is %s", aws.ToString(s.StackStatusReason))
	}
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("user")}))
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("base")}))
	out, err := a.client.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{})
	if err != nil || len(out.Stacks) != 0 {
		t.Errorf("stacks are left: %+v, %v", out, err)
	}
	a.create(t, "alone", "Resources:\n"+role("A", ", Description: !ImportValue absent"))
	a.is(t, "alone", types.StackStatusRollbackComplete)
	if lines := strings.Join(a.events(t, "alone"), "\n"); !strings.Contains(lines, "No export named absent found") {
		t.Errorf("no reason among\n%s", lines)
	}
}

func TestRetainedAndProtected(t *testing.T) {
	a := open(t)
	id := a.create(t, "s", "Resources:\n  B: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: kept-bucket}}\n"+role("A", ""),
		func(in *cloudformation.CreateStackInput) { in.EnableTerminationProtection = aws.Bool(true) })
	_, err := a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
	doortest.Refused(t, err, "ValidationError", "Stack [s] cannot be deleted while TerminationProtection is enabled")
	doortest.Must(t)(a.client.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("s"), EnableTerminationProtection: aws.Bool(false)}))
	doortest.Must(t)(a.client.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")}))
	a.is(t, id, types.StackStatusDeleteComplete)
	follows(t, a.events(t, id), "s DELETE_IN_PROGRESS User Initiated", "B DELETE_SKIPPED", "s DELETE_COMPLETE")
	doortest.Must(t)(a.s3.HeadBucket(t.Context(), &awss3.HeadBucketInput{Bucket: aws.String("kept-bucket")}))
}

func TestCallsRefused(t *testing.T) {
	a := open(t)
	template := "Resources:\n" + role("A", "")
	for _, tc := range []struct{ template, code, text string }{
		{"", "ValidationError", "Either Template URL or Template Body must be specified."},
		{"Resources: {A: {Type: Custom::Thing}}", "ValidationError", "Template format error: Unrecognized resource types: [Custom::Thing]"},
		{"Conditions: {Sure: !Equals [1, 1]}\nResources: {A: {Type: AWS::SQS::Queue, Condition: Sure}}", "ValidationError", "Template format error: Unrecognized resource types: [AWS::SQS::Queue]"},
		{"Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::SQS::Queue}}", "ValidationError", "Template format error: Unrecognized resource types: [AWS::SQS::Queue]"},
		{"Transform: AWS::Serverless-2016-10-31\n" + template, "ValidationError", "AWS::Serverless-2016-10-31"},
		{"Parameters: {P: {Type: String}}\nResources: {M: {Type: AWS::CDK::Metadata}}", "ValidationError", "Parameters: [P] must have values"},
		{template, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"},
		{"Resources:\n" + role("A", ", RoleName: x"), "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"},
	} {
		in := &cloudformation.CreateStackInput{StackName: aws.String("s")}
		if tc.template != "" {
			in.TemplateBody = &tc.template
		}
		_, err := a.client.CreateStack(t.Context(), in)
		doortest.Refused(t, err, tc.code, tc.text)
	}
	_, err := a.client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: &template})
	doortest.Refused(t, err, "ValidationError", "Stack [s] does not exist")
	_, err = a.client.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("s")})
	doortest.Refused(t, err, "ValidationError", "Stack [s] does not exist")
	_, err = a.client.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("s")})
	doortest.Refused(t, err, "ValidationError", "Stack with id s does not exist")
	_, err = a.client.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: aws.String("s"), LogicalResourceId: aws.String("A")})
	doortest.Refused(t, err, "ValidationError", "Stack 's' does not exist")
	a.create(t, "s", template)
	_, err = a.client.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: aws.String("s"), LogicalResourceId: aws.String("R")})
	doortest.Refused(t, err, "ValidationError", "Resource R does not exist for stack s")
	_, err = a.client.SetStackPolicy(t.Context(), &cloudformation.SetStackPolicyInput{StackName: aws.String("s")})
	doortest.Refused(t, err, "InvalidAction", "SetStackPolicy")
}

// TestTheSameTokenIsTheSameCall: a repeated call begins nothing.
func TestTheSameTokenIsTheSameCall(t *testing.T) {
	a := open(t)
	token := func(in *cloudformation.CreateStackInput) { in.ClientRequestToken = aws.String("once") }
	first := a.create(t, "s", "Resources:\n"+role("A", ""), token)
	if again := a.create(t, "s", "Resources:\n"+role("A", ""), token); again != first {
		t.Errorf("the repeated call made %s beside %s", again, first)
	}
}

// TestADeletionAfterAFailedRollback takes away what an update gave that failed, and whose
// rollback failed too.
func TestADeletionAfterAFailedRollback(t *testing.T) {
	a, ctx := open(t), t.Context()
	document := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	for _, name := range []string{"first", "second"} {
		doortest.Must(t)(a.iam.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: document}))
	}
	policy := func(roles string) string {
		return `Resources: {P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p, Roles: [` + roles + `], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}}}`
	}
	a.create(t, "s", policy("first"))
	doortest.Must(t)(a.iam.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: aws.String("first"), PolicyName: aws.String("p")}))
	doortest.Must(t)(a.iam.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: aws.String("first")}))
	if err := a.update(t, "s", policy("second, third")); err != nil {
		t.Fatal(err)
	}
	a.is(t, "s", types.StackStatusUpdateRollbackFailed)
	has := func() []string {
		t.Helper()
		out, err := a.iam.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: aws.String("second")})
		if err != nil {
			t.Fatal(err)
		}
		return out.PolicyNames
	}
	if got := has(); len(got) != 1 {
		t.Fatalf("the update gave %v", got)
	}
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("s")}))
	if got := has(); len(got) != 0 {
		t.Errorf("the deleted stack's policy is left: %v", got)
	}
}

// TestAnUpdateThatFailedIsMadeGood: what failed halfway is set when the same update is asked
// for again.
func TestAnUpdateThatFailedIsMadeGood(t *testing.T) {
	a, ctx := open(t), t.Context()
	body := func(description, policies string) string {
		return "Resources:\n" + role("R", `, RoleName: r, Description: `+description+`, ManagedPolicyArns: [`+policies+`]`)
	}
	a.create(t, "s", body("one", ""))
	made := `"arn:aws:iam::` + number + `:policy/later"`
	again := func() {
		t.Helper()
		_, err := a.client.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: aws.String(body("two", made)), Capabilities: iamCapability, DisableRollback: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
	again()
	a.is(t, "s", types.StackStatusUpdateFailed)
	// Somebody sets it back meanwhile: the next try has to set it anew.
	doortest.Must(t)(a.iam.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: aws.String("r"), Description: aws.String("one")}))
	doortest.Must(t)(a.iam.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String("later"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)}))
	again()
	a.is(t, "s", types.StackStatusUpdateComplete)
	out, err := a.iam.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("r")})
	if err != nil || aws.ToString(out.Role.Description) != "two" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestNamesRefused(t *testing.T) {
	a := open(t)
	const pattern = "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
	long := strings.Repeat("a", 129)
	for name, text := range map[string]string{
		"":    "2 validation errors detected: Value '' at 'stackName' failed to satisfy constraint: " + pattern + "; Value '' at 'stackName' failed to satisfy constraint: Member must have length greater than or equal to 1",
		"a b": "1 validation error detected: Value 'a b' at 'stackName' failed to satisfy constraint: " + pattern,
		long:  "1 validation error detected: Value '" + long + "' at 'stackName' failed to satisfy constraint: Member must have length less than or equal to 128",
	} {
		_, err := a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String("Resources: {M: {Type: AWS::CDK::Metadata}}")})
		doortest.Refused(t, err, "ValidationError", text)
	}
}

func TestTagsRefused(t *testing.T) {
	a := open(t)
	template := aws.String("Resources: {M: {Type: AWS::CDK::Metadata}}")
	a.create(t, "s", *template)
	tag := func(key string) types.Tag { return types.Tag{Key: &key, Value: aws.String("v")} }
	for text, tags := range map[string][]types.Tag{
		"Tags contain duplicate keys; tag keys must be unique":          {tag("a"), tag("b"), tag("a")},
		"aws: prefixed tag key names are not allowed for external use.": {tag("aws:a")},
	} {
		_, err := a.client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("other"), TemplateBody: template, Tags: tags})
		doortest.Refused(t, err, "ValidationError", text)
		_, err = a.client.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: template, Tags: tags})
		doortest.Refused(t, err, "ValidationError", text)
	}
}

// TestAServicesRefusal has the status and the sense that it has for who asks itself.
func TestAServicesRefusal(t *testing.T) {
	a := open(t)
	erin := cloudformation.NewFromConfig(a.User(t, "erin", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`))
	for kind, said := range map[string]string{
		"AWS::SNS::Topic": "(Service: Sns, Status Code: 403, ", "AWS::Logs::LogGroup": "(Service: CloudWatchLogs, Status Code: 400, ", "AWS::EC2::InternetGateway": "(Service: Ec2, Status Code: 403, ",
	} {
		name := "s" + strings.ReplaceAll(kind, "::", "-")
		doortest.Must(t)(erin.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String("Resources: {R: {Type: " + kind + "}}")}))
		lines := strings.Join(a.events(t, name), "\n")
		if !strings.Contains(lines, said) || !strings.Contains(lines, "HandlerErrorCode: AccessDenied)") {
			t.Errorf("no %q among\n%s", said, lines)
		}
	}
}
