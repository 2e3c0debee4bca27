package iam_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// What a simulation says of a user is what happens when the user calls.
func TestSimulationsComeTrue(t *testing.T) {
	a, ctx := open(t), t.Context()
	group := aws.String("g")
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: group}))
	ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("iam:List*"))}))
	a.role(t, "r", trustEC2)
	calls := map[[2]string]func(context.Context, *awsiam.Client) error{
		{"iam:ListUsers", arn("user/")}: func(ctx context.Context, c *awsiam.Client) error { _, err := c.ListUsers(ctx, nil); return err },
		{"iam:ListRoles", arn("role/")}: func(ctx context.Context, c *awsiam.Client) error { _, err := c.ListRoles(ctx, nil); return err },
		{"iam:GetGroup", arn("group/g")}: func(ctx context.Context, c *awsiam.Client) error {
			_, err := c.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: group})
			return err
		},
		{"iam:GetRole", arn("role/r")}: func(ctx context.Context, c *awsiam.Client) error {
			_, err := c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("r")})
			return err
		},
		{"iam:GetUser", arn("user/admin")}: func(ctx context.Context, c *awsiam.Client) error {
			_, err := c.GetUser(ctx, &awsiam.GetUserInput{UserName: aws.String("admin")})
			return err
		},
	}
	count := map[types.PolicyEvaluationDecisionType]int{}
	for name, c := range map[string]struct {
		document, boundary string
		member             bool
	}{
		"nothing":         {},
		"all":             {document: allow("*")},
		"some":            {document: allow("iam:Get*")},
		"no-lists":        {document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iam:List*","Resource":"*"}]}`},
		"denied":          {document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"iam:*","NotResource":"` + arn("role/*") + `"}]}`},
		"member":          {member: true},
		"denied-member":   {document: deny("iam:ListUsers"), member: true},
		"bounded":         {document: allow("iam:*"), boundary: allow("iam:GetUser", `"Resource":"`+arn("user/*")+`"`)},
		"boundary-denies": {document: allow("iam:*"), boundary: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"iam:List*","Resource":"*"}]}`},
		"own-name":        {document: allow("iam:*", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:username":"own-name"}}`)},
		"other-name":      {document: allow("iam:*", `"Resource":"*"`, `"Condition":{"StringNotEquals":{"aws:username":"other-name"}}`)},
		"variable":        {document: allow("iam:Get*", `"Resource":["`+arn("user/${aws:username}")+`","`+arn("group/*")+`"]`)},
	} {
		client := a.user(t, name, c.document)
		if c.member {
			ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: group, UserName: &name}))
		}
		if c.boundary != "" {
			ok(t)(a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: &name, PermissionsBoundary: a.policy(t, name, c.boundary)}))
		}
		for what, call := range calls {
			out, err := a.admin.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{
				PolicySourceArn: aws.String(arn("user/" + name)), ActionNames: []string{what[0]}, ResourceArns: []string{what[1]},
			})
			if err != nil {
				t.Fatal(err)
			}
			decision := out.EvaluationResults[0].EvalDecision
			count[decision]++
			switch err := call(ctx, client); decision {
			case types.PolicyEvaluationDecisionTypeAllowed:
				ok(t)(nil, err)
			case types.PolicyEvaluationDecisionTypeExplicitDeny:
				denied(t, err, "with an explicit deny in a")
			default:
				denied(t, err, " allows the "+what[0]+" action")
			}
		}
	}
	for _, decision := range types.PolicyEvaluationDecisionType("").Values() {
		if count[decision] < 5 {
			t.Errorf("%s: %d times only", decision, count[decision])
		}
	}
}
