package iam_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// said writes a result on lines: action, resource, decision, statements, missing
// keys, then each resource with the same.
func said(results []types.EvaluationResult) string {
	var lines []string
	for _, r := range results {
		line := fmt.Sprintf("%s on %s: %s%s%s", *r.EvalActionName, *r.EvalResourceName, r.EvalDecision, statements(r.MatchedStatements), missing(r.MissingContextValues))
		if r.EvalDecisionDetails != nil {
			line += fmt.Sprint(" ", r.EvalDecisionDetails)
		}
		lines = append(lines, line+boundaryDetail(r.PermissionsBoundaryDecisionDetail))
		if o := r.OrganizationsDecisionDetail; o != nil {
			lines[len(lines)-1] += fmt.Sprintf(" organization %t", o.AllowedByOrganizations)
		}
		for _, s := range r.ResourceSpecificResults {
			line := fmt.Sprintf("  %s: %s%s%s", *s.EvalResourceName, s.EvalResourceDecision, statements(s.MatchedStatements), missing(s.MissingContextValues))
			if len(s.EvalDecisionDetails) > 0 {
				line += fmt.Sprint(" ", s.EvalDecisionDetails)
			}
			lines = append(lines, line+boundaryDetail(s.PermissionsBoundaryDecisionDetail))
		}
	}
	return strings.Join(lines, "\n")
}

func statements(list []types.Statement) string {
	text := ""
	for _, s := range list {
		text += fmt.Sprintf(" %s(%s %d:%d-%d:%d)", *s.SourcePolicyId, s.SourcePolicyType, s.StartPosition.Line, s.StartPosition.Column, s.EndPosition.Line, s.EndPosition.Column)
	}
	return text
}

func missing(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return fmt.Sprint(" missing ", keys)
}

func boundaryDetail(d *types.PermissionsBoundaryDecisionDetail) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf(" boundary %t", d.AllowedByPermissionsBoundary)
}

const (
	objectA = "arn:aws:s3:::b/a"
	objectB = "arn:aws:s3:::b/b"
	anyone  = "arn:aws:iam::" + number + ":user/dummy"
	readAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
)

// The positions are those that AWS was seen to answer for these texts: in the CLI's
// examples, in LocalStack's recordings, and in reports by users.
func TestSimulateCustomPolicy(t *testing.T) {
	a := open(t)
	bucket := `{"Version":"2012-10-17","Statement":[{"Sid":"DenyInsecureTransport","Effect":"Deny","Principal":"*","Action":"*","Resource":["arn:aws:s3:::tims-fancy-bucket/*","arn:aws:s3:::tims-fancy-bucket"],` +
		`"Condition":{"Bool":{"aws:SecureTransport":"false"}}},{"Sid":"DenyTimDelete","Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::tims-fancy-bucket/*",` +
		`"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::112233445566:role/tims-test-role"}}}]}`
	role := `{"Version": "2012-10-17", "Statement": [{"Sid": "s3", "Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": ["arn:aws:s3:::tims-fancy-bucket/only-here/*"]}]}`
	tim := func(secure string) []types.ContextEntry {
		return []types.ContextEntry{
			{ContextKeyName: aws.String("aws:principalarn"), ContextKeyType: "string", ContextKeyValues: []string{"arn:aws:iam::112233445566:role/tims-test-role"}},
			{ContextKeyName: aws.String("aws:SecureTransport"), ContextKeyType: "boolean", ContextKeyValues: []string{secure}},
		}
	}
	key := []string{"arn:aws:s3:::tims-fancy-bucket/only-here/some-obj"}
	for name, c := range map[string]struct {
		in   awsiam.SimulateCustomPolicyInput
		want string
	}{
		"no resource": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject"}},
			"s3:GetObject on *: allowed PolicyInputList.1(IAM Policy 1:38-1:95)"},
		"one resource": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{objectA}},
			"s3:GetObject on arn:aws:s3:::b/a: allowed PolicyInputList.1(IAM Policy 1:38-1:95) map[]\n" +
				"  arn:aws:s3:::b/a: allowed PolicyInputList.1(IAM Policy 1:38-1:95)"},
		"two resources, one allowed": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{strings.Replace(readAll, `"*"`, `"`+objectA+`"`, 1)},
			ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{objectA, objectB}},
			"s3:GetObject on arn:aws:s3:::${BucketName}/${KeyName}: implicitDeny PolicyInputList.1(IAM Policy 1:38-1:110) map[]\n" +
				"  arn:aws:s3:::b/a: allowed PolicyInputList.1(IAM Policy 1:38-1:110)\n" +
				"  arn:aws:s3:::b/b: implicitDeny"},
		"a lone statement": {awsiam.SimulateCustomPolicyInput{ActionNames: []string{"s3:PutObject", "s3:GetObjectVersion"}, PolicyInputList: []string{
			`{"Version": "2012-10-17", "Statement": {"Sid": "", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}}`}},
			"s3:PutObject on *: allowed PolicyInputList.1(IAM Policy 1:41-1:113)\n" +
				"s3:GetObjectVersion on *: implicitDeny"},
		"several lines": {awsiam.SimulateCustomPolicyInput{ActionNames: []string{"codecommit:ListRepositories"}, PolicyInputList: []string{
			"{\n    \"Version\": \"2012-10-17\",\n    \"Statement\": [\n        {\n            \"Sid\": \"e\",\n            \"Effect\": \"Allow\",\n            \"Action\": \"codecommit:ListRepositories\",\n            \"Resource\": [\"*\", \"arn:aws:s3:::é\"]\n        }\n    ]\n}"}},
			"codecommit:ListRepositories on *: allowed PolicyInputList.1(IAM Policy 3:19-9:10)"},
		"a resource's policy": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{role}, ResourcePolicy: &bucket, CallerArn: aws.String(anyone),
			ActionNames: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, ResourceArns: key, ContextEntries: tim("true")},
			"s3:GetObject on " + key[0] + ": allowed PolicyInputList.1(IAM Policy 1:41-1:180) map[]\n  " + key[0] + ": allowed PolicyInputList.1(IAM Policy 1:41-1:180)\n" +
				"s3:PutObject on " + key[0] + ": implicitDeny map[]\n  " + key[0] + ": implicitDeny\n" +
				"s3:DeleteObject on " + key[0] + ": explicitDeny ResourcePolicy(Resource Policy 1:248-1:470) map[]\n  " + key[0] + ": explicitDeny ResourcePolicy(Resource Policy 1:248-1:470)"},
		"a resource's policy, without TLS": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{role}, ResourcePolicy: &bucket, CallerArn: aws.String(anyone),
			ActionNames: []string{"s3:GetObject"}, ResourceArns: key, ContextEntries: tim("false")},
			"s3:GetObject on " + key[0] + ": explicitDeny ResourcePolicy(Resource Policy 1:38-1:248) map[]\n  " + key[0] + ": explicitDeny ResourcePolicy(Resource Policy 1:38-1:248)"},
		"all that is missing": {awsiam.SimulateCustomPolicyInput{ActionNames: []string{"s3:ListBucket"}, PolicyInputList: []string{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringLike":{"aws:PrincipalTag/allowed_service":"s3"}}},` +
				`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::example-bucket/${aws:username}${*}"}]}`}},
			"s3:ListBucket on *: implicitDeny missing [aws:PrincipalTag/allowed_service aws:username]"},
		"nobody's id": {awsiam.SimulateCustomPolicyInput{ActionNames: []string{"s3:GetObject"}, PolicyInputList: []string{
			`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:userid":"STUB_PRINCIPAL_FOR_POLICY_SIMULATOR","aws:PrincipalAccount":"` + number + `"},"Null":{"aws:CurrentTime":"true"}}}}`}},
			"s3:GetObject on *: allowed PolicyInputList.1(IAM Policy 1:15-1:214)"},
		"a boundary": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject"}, PermissionsBoundaryPolicyInputList: []string{allow("ec2:*")}},
			"s3:GetObject on *: implicitDeny boundary false"},
		"a boundary's deny": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{objectA},
			PermissionsBoundaryPolicyInputList: []string{deny("s3:*")}},
			"s3:GetObject on arn:aws:s3:::b/a: explicitDeny PermissionsBoundaryPolicyInputList.1(Permissions Boundary Policy 1:38-1:88) map[] boundary false\n" +
				"  arn:aws:s3:::b/a: explicitDeny PermissionsBoundaryPolicyInputList.1(Permissions Boundary Policy 1:38-1:88) boundary false"},
		"an organization": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject", "s3:PutObject"}, OrderedOrganizationPolicyInputList: []types.OrderedOrganizationPolicyType{
			{ServiceControlPolicyInputList: []string{allow("*")}}, {ServiceControlPolicyInputList: []string{allow("*"), deny("s3:Put*")}}}},
			"s3:GetObject on *: allowed PolicyInputList.1(IAM Policy 1:38-1:95) organization true\n" +
				"s3:PutObject on *: explicitDeny organization false"},
		"a level that allows nothing": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{deny("*")}, ActionNames: []string{"s3:GetObject"}, OrderedOrganizationPolicyInputList: []types.OrderedOrganizationPolicyType{
			{ServiceControlPolicyInputList: []string{allow("ec2:*")}}, {ServiceControlPolicyInputList: []string{allow("*")}}}},
			"s3:GetObject on *: implicitDeny organization false"},
		"another account's resource": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{objectA}, CallerArn: aws.String(anyone),
			ResourceOwner: aws.String("arn:aws:iam::999988887777:root"), PermissionsBoundaryPolicyInputList: []string{allow("*")},
			ResourcePolicy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123412341234:root"},"Action":"*","Resource":"arn:aws:s3:::b/*"}]}`)},
			"s3:GetObject on arn:aws:s3:::b/a: implicitDeny map[IAM Policy:allowed Permissions Boundary Policy:allowed Resource Policy:implicitDeny] boundary true\n" +
				"  arn:aws:s3:::b/a: implicitDeny map[IAM Policy:allowed Permissions Boundary Policy:allowed Resource Policy:implicitDeny] boundary true"},
		"a policy that names the caller": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("ec2:*")}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{objectA}, CallerArn: aws.String(anyone),
			ResourcePolicy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + anyone + `"},"Action":"*","Resource":"arn:aws:s3:::b/*"}]}`)},
			"s3:GetObject on arn:aws:s3:::b/a: allowed ResourcePolicy(Resource Policy 1:38-1:158) map[]\n" +
				"  arn:aws:s3:::b/a: allowed ResourcePolicy(Resource Policy 1:38-1:158)"},
		"trust must match too": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("sts:*")}, ActionNames: []string{"sts:AssumeRole"}, ResourceArns: []string{arn("role/r")}, CallerArn: aws.String(anyone), ResourcePolicy: aws.String(trustEC2)},
			"sts:AssumeRole on " + arn("role/r") + ": implicitDeny map[]\n  " + arn("role/r") + ": implicitDeny"},
		"no policy": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{}, ActionNames: []string{"s3:GetObject"}}, "s3:GetObject on *: implicitDeny"},
		"instances": {awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("ec2:*")}, ActionNames: []string{"ec2:RunInstances"}, ResourceHandlingOption: aws.String("EC2-VPC-EBS"),
			ResourceArns: []string{"arn:aws:ec2:us-west-2:" + number + ":instance/*", "arn:aws:ec2:us-west-2::image/ami-1"}},
			"ec2:RunInstances on arn:aws:ec2:${Region}:${Account}:${ResourceType}/${ResourcePath}: allowed PolicyInputList.1(IAM Policy 1:38-1:90) map[]\n" +
				"  arn:aws:ec2:us-west-2:" + number + ":instance/*: allowed PolicyInputList.1(IAM Policy 1:38-1:90)\n" +
				"  arn:aws:ec2:us-west-2::image/ami-1: allowed PolicyInputList.1(IAM Policy 1:38-1:90)"},
	} {
		out, err := a.admin.SimulateCustomPolicy(t.Context(), &c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := said(out.EvaluationResults); got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// An entity's policies are called by their names: managed ones by name alone,
// inline ones after who holds them.
func TestSimulatePrincipalPolicy(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "alice", "")
	inline := func(action string) *string { return aws.String(allow(action)) }
	group := aws.String("team")
	ok(t)(a.admin.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("Own"), PolicyDocument: inline("s3:GetObject")}))
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: group}))
	ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("Ours"), PolicyDocument: inline("s3:*")}))
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: group, UserName: aws.String("alice")}))
	ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: group, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}))
	ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: a.policy(t, "NoDelete", deny("s3:Delete*"))}))
	a.role(t, "worker", trustEC2)
	ok(t)(a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: aws.String("worker"), PolicyName: aws.String("Do"), PolicyDocument: inline("s3:GetObject")}))
	bound := a.policy(t, "Bound", allow("s3:GetObject"))
	ok(t)(a.admin.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: aws.String("worker"), PermissionsBoundary: bound}))
	ok(t)(a.admin.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: aws.String("worker"), PolicyArn: bound}))

	s3ReadOnly := " AmazonS3ReadOnlyAccess(IAM Policy 1:38-1:167)"
	for name, c := range map[string]struct {
		in   awsiam.SimulatePrincipalPolicyInput
		want string
	}{
		"a user": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("user/alice")), ActionNames: []string{"s3:GetObject", "s3:DeleteObject", "iam:GetUser"}},
			"s3:GetObject on *: allowed user_alice_Own(IAM Policy 1:38-1:97) group_team_Ours(IAM Policy 1:38-1:89)" + s3ReadOnly + "\n" +
				"s3:DeleteObject on *: explicitDeny NoDelete(IAM Policy 1:38-1:94)\niam:GetUser on *: implicitDeny"},
		"a group": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("group/team")), ActionNames: []string{"s3:DeleteObject"}},
			"s3:DeleteObject on *: allowed group_team_Ours(IAM Policy 1:38-1:89)"},
		"a role, its boundary and what is given": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("role/worker")), ActionNames: []string{"s3:GetObject", "s3:PutObject"}, PolicyInputList: []string{allow("s3:*")}},
			"s3:GetObject on *: allowed role_worker_Do(IAM Policy 1:38-1:97) Bound(IAM Policy 1:38-1:97) PolicyInputList.1(IAM Policy 1:38-1:89) boundary true\n" +
				"s3:PutObject on *: implicitDeny boundary false"},
		"another boundary": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("role/worker")), ActionNames: []string{"s3:PutObject"}, PolicyInputList: []string{allow("s3:*")}, PermissionsBoundaryPolicyInputList: []string{allow("*")}},
			"s3:PutObject on *: allowed PolicyInputList.1(IAM Policy 1:38-1:89) boundary true"},
		"without some": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("user/alice")), ActionNames: []string{"s3:GetObject", "s3:DeleteObject"}, PolicyExclusionList: []types.PolicyIdentifier{
			&types.PolicyIdentifierMemberPolicyArn{Value: arn("policy/No*")}, &types.PolicyIdentifierMemberPolicyType{Value: "aws-managed"},
			&types.PolicyIdentifierMemberInlinePolicyIdentifier{Value: types.InlinePolicyIdentifierType{AttachmentName: aws.String("te?m*"), AttachmentType: "group", PolicyName: aws.String("Ours")}}}},
			"s3:GetObject on *: allowed user_alice_Own(IAM Policy 1:38-1:97)\ns3:DeleteObject on *: implicitDeny"},
		"without a boundary": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("role/worker")), ActionNames: []string{"s3:GetObject"}, PolicyExclusionList: []types.PolicyIdentifier{
			&types.PolicyIdentifierMemberPolicyType{Value: "permission-boundary"}, &types.PolicyIdentifierMemberPolicyType{Value: "user-managed"}}},
			"s3:GetObject on *: allowed role_worker_Do(IAM Policy 1:38-1:97)"},
		"keys of the caller": {awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("user/any/alice")), ActionNames: []string{"sts:X"}, PolicyInputList: []string{
			allow("sts:*", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:username":"alice"},"ArnEquals":{"aws:PrincipalArn":"`+arn("user/alice")+`"}}`)}},
			"sts:X on *: allowed PolicyInputList.1(IAM Policy 1:38-1:216)"},
	} {
		out, err := a.admin.SimulatePrincipalPolicy(ctx, &c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := said(out.EvaluationResults); got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, c.want)
		}
	}

	// What it shows of others is an action of its own.
	_, err := a.user(t, "bob", allow("iam:SimulateCustomPolicy")).SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("user/alice")), ActionNames: []string{"s3:GetObject"}})
	denied(t, err, "is not authorized to perform: iam:SimulatePrincipalPolicy on resource: "+arn("user/alice")+" because no identity-based policy allows the iam:SimulatePrincipalPolicy action")
}

func TestSimulationsByPages(t *testing.T) {
	a, ctx := open(t), t.Context()
	actions := []string{"s3:GetObject", "s3:PutObject", "s3:GetObject", "ec2:RunInstances", "s3:ListBucket"}
	for size := int32(1); size <= 6; size++ {
		var got []string
		pager := awsiam.NewSimulateCustomPolicyPaginator(a.admin, &awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: actions, MaxItems: &size})
		for pager.HasMorePages() {
			o, err := pager.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range o.EvaluationResults {
				got = append(got, *r.EvalActionName)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(actions) {
			t.Errorf("by %d: %v", size, got)
		}
	}
	_, err := a.admin.SimulateCustomPolicy(ctx, &awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: actions, Marker: aws.String("zzz")})
	refused(t, err, "InvalidInput", "Invalid marker for pagination.")
}

func TestSimulationsRefused(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.role(t, "r", trustEC2)
	entry := func(kind types.ContextKeyTypeEnum, values ...string) []types.ContextEntry {
		return []types.ContextEntry{{ContextKeyName: aws.String("stack:key"), ContextKeyType: kind, ContextKeyValues: values}}
	}
	bucket := aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::b/*"}]}`)
	for want, in := range map[string]awsiam.SimulateCustomPolicyInput{
		"Context key stack:key has invalid type null.":                                                              {ContextEntries: entry("", "yes")},
		"Context values for context key stack:key cannot be null or empty.":                                         {ContextEntries: entry("string")},
		"ContextKeyName cannot be null or empty.":                                                                   {ContextEntries: []types.ContextEntry{{ContextKeyType: "string", ContextKeyValues: []string{"yes"}}}},
		"Invalid context value for key stack:key: expected numeric format.":                                         {ContextEntries: entry("numericList", "1", "0x10")},
		"Invalid context value for key stack:key: expected DateTime format.":                                        {ContextEntries: entry("date", "yesterday")},
		"Invalid context value for key stack:key: expected IP address.":                                             {ContextEntries: entry("ip", "10.0.0.256")},
		"Invalid context value for key stack:key: expected base-64 encoded binary format.":                          {ContextEntries: entry("binary", "!")},
		"Context key string expected a single value, but received 2.":                                               {ContextEntries: entry("string", "a", "b")},
		"Duplicate context key: stack:key.":                                                                         {ContextEntries: append(entry("string", "a"), entry("string", "b")...)},
		"ResourceNames are not in a valid ARN format: bucket.":                                                      {ResourceArns: []string{"bucket"}},
		"ResourceNames are not in a valid ARN format: *.":                                                           {ResourceArns: []string{objectA, "*"}},
		"The list of Permissions Boundary policies cannot exceed 1 items.":                                          {PermissionsBoundaryPolicyInputList: []string{readAll, readAll}},
		"Organization policy at index 2 must contain at least one service control policy":                           {OrderedOrganizationPolicyInputList: []types.OrderedOrganizationPolicyType{{ServiceControlPolicyInputList: []string{readAll}}, {ServiceControlPolicyInputList: []string{}}}},
		"PolicyInputList.2 is not a valid policy: Syntax errors in policy.":                                         {PolicyInputList: []string{readAll, "{}x"}},
		"Invalid caller - Caller cannot be null or empty.":                                                          {ResourcePolicy: bucket, ResourceArns: []string{objectA}},
		"Invalid caller - Caller must be an IAM user in this context.":                                              {ResourcePolicy: bucket, ResourceArns: []string{objectA}, CallerArn: aws.String(arn("role/r"))},
		"Invalid caller - Caller must be an IAM user, role or group in this context.":                               {CallerArn: aws.String("arn:aws:sts::" + number + ":assumed-role/r/s")},
		"Invalid Entity Arn: * does not clearly define entity type and name.":                                       {ResourcePolicy: bucket, CallerArn: aws.String(anyone)},
		"Invalid Resource Owner.":                                                                                   {ResourceOwner: aws.String(number)},
		"The resource handling option EC2-Classic-EBS is not offered here":                                          {ResourceHandlingOption: aws.String("EC2-Classic-EBS")},
		"Invalid input resource handling options. Action does not support resource handling options: s3:GetObject.": {ResourceHandlingOption: aws.String("EC2-VPC-EBS"), ResourceArns: []string{objectA}},
	} {
		if in.PolicyInputList == nil {
			in.PolicyInputList = []string{readAll}
		}
		in.ActionNames = []string{"s3:GetObject"}
		_, err := a.admin.SimulateCustomPolicy(ctx, &in)
		refused(t, err, "InvalidInput", want)
	}
	for _, good := range [][]types.ContextEntry{entry("numeric", "01.00"), entry("numeric", "1e9999"), entry("date", "2035"), entry("ipList", "10.0.0.1", "2001:db8::/32"), entry("boolean", "perhaps"), {{}}} {
		ok(t)(a.admin.SimulateCustomPolicy(ctx, &awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{readAll}, ActionNames: []string{"s3:GetObject"}, ContextEntries: good}))
	}
	_, err := a.admin.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("role/r")), ActionNames: []string{"s3:GetObject"}, ResourcePolicy: bucket, ResourceArns: []string{objectA}})
	refused(t, err, "InvalidInput", "Invalid caller - Caller must be an IAM user in this context.")
	_, err = a.admin.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::999988887777:role/r"), ActionNames: []string{"s3:GetObject"}})
	refused(t, err, "InvalidInput", "Invalid Policy Source Arn: caller's account "+number+" does not have access to policies in account 999988887777")
	_, err = a.admin.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("role/none")), ActionNames: []string{"s3:GetObject"}})
	refused(t, err, "NoSuchEntity", "The role with name none cannot be found.")
}
