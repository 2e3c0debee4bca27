package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func tags(pairs ...string) []types.Tag {
	var list []types.Tag
	for n := 0; n < len(pairs); n += 2 {
		list = append(list, types.Tag{Key: &pairs[n], Value: &pairs[n+1]})
	}
	return list
}

// The condition keys of IAM's own operations.
func TestConditionKeysOfOperations(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.role(t, "r", trustEC2)
	a.policy(t, "p", allow("s3:*"))
	ok(t)(a.admin.TagRole(ctx, &awsiam.TagRoleInput{RoleName: aws.String("r"), Tags: tags("team", "red")}))
	readOnly, admin := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess"), aws.String("arn:aws:iam::aws:policy/AdministratorAccess")
	when := func(operator, key, value string) string {
		return `"Condition":{"` + operator + `":{"` + key + `":"` + value + `"}}`
	}
	all := `"Resource":"*"`
	for name, c := range map[string]struct {
		document   string
		yes, no    func(*awsiam.Client) error
		deniedText string
	}{
		"iam:PolicyARN": {allow("iam:AttachRolePolicy", all, when("ArnEquals", "iam:PolicyARN", *readOnly)),
			func(c *awsiam.Client) error {
				_, err := c.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: readOnly})
				return err
			}, func(c *awsiam.Client) error {
				_, err := c.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: admin})
				return err
			}, "iam:AttachRolePolicy on resource: " + arn("role/r")},
		"aws:RequestTag": {allow("iam:CreatePolicy,iam:TagPolicy", all, when("StringEquals", "aws:RequestTag/Team", "red")),
			func(c *awsiam.Client) error {
				_, err := c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String("tagged"), PolicyDocument: aws.String(allow("s3:*")), Tags: tags("team", "red")})
				return err
			}, func(c *awsiam.Client) error {
				_, err := c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String("untagged"), PolicyDocument: aws.String(allow("s3:*"))})
				return err
			}, "iam:CreatePolicy on resource: " + arn("policy/untagged")},
		"aws:TagKeys": {allow("iam:TagRole", all, when("ForAllValues:StringEquals", "aws:TagKeys", "cost")),
			func(c *awsiam.Client) error {
				_, err := c.TagRole(ctx, &awsiam.TagRoleInput{RoleName: aws.String("r"), Tags: tags("cost", "1")})
				return err
			}, func(c *awsiam.Client) error {
				_, err := c.TagRole(ctx, &awsiam.TagRoleInput{RoleName: aws.String("r"), Tags: tags("cost", "1", "team", "x")})
				return err
			}, "iam:TagRole on resource: " + arn("role/r")},
		"aws:ResourceTag": {allow("iam:GetRole", all, when("StringEquals", "aws:ResourceTag/team", "red")),
			func(c *awsiam.Client) error {
				_, err := c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("r")})
				return err
			}, func(c *awsiam.Client) error {
				_, err := c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("untagged")})
				return err
			}, "iam:GetRole on resource: role untagged"},
		"aws:RequestedRegion": {allow("iam:GetRole,iam:ListRoles", all, when("StringEquals", "aws:RequestedRegion", "us-east-1")),
			func(c *awsiam.Client) error {
				if _, err := c.ListRoles(ctx, nil); err != nil {
					return err
				}
				_, err := c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("r")})
				return err
			}, func(c *awsiam.Client) error { _, err := c.ListUsers(ctx, nil); return err }, "iam:ListUsers"},
	} {
		t.Run(name, func(t *testing.T) {
			client := a.user(t, strings.ReplaceAll(name, ":", "_"), c.document)
			ok(t)(nil, c.yes(client))
			denied(t, c.no(client), c.deniedText)
		})
	}
}

// Making something with tags needs the action that would tag it.
func TestTagsAtCreationNeedTheTagAction(t *testing.T) {
	a, ctx := open(t), t.Context()
	team := tags("team", "red")
	n := aws.String("n")
	maker := a.user(t, "maker", allow("iam:Create*"))
	for want, call := range map[string]func(*awsiam.Client, []types.Tag) error{
		"iam:TagUser on resource: " + arn("user/n"): func(c *awsiam.Client, tags []types.Tag) error {
			_, err := c.CreateUser(ctx, &awsiam.CreateUserInput{UserName: n, Tags: tags})
			return err
		},
		"iam:TagRole on resource: " + arn("role/n"): func(c *awsiam.Client, tags []types.Tag) error {
			_, err := c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: n, AssumeRolePolicyDocument: aws.String(trustEC2), Tags: tags})
			return err
		},
		"iam:TagPolicy on resource: " + arn("policy/n"): func(c *awsiam.Client, tags []types.Tag) error {
			_, err := c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: n, PolicyDocument: aws.String(allow("s3:*")), Tags: tags})
			return err
		},
		"iam:TagInstanceProfile on resource: " + arn("instance-profile/n"): func(c *awsiam.Client, tags []types.Tag) error {
			_, err := c.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: n, Tags: tags})
			return err
		},
	} {
		denied(t, call(maker, team), want)
		ok(t)(nil, call(maker, nil))
	}
}

// Reading calls name the entity, others its ARN.
func TestHowRefusalsNameResources(t *testing.T) {
	a, ctx := open(t), t.Context()
	n := aws.String("n")
	c := a.user(t, "n", "")
	a.role(t, "n", trustEC2)
	p := a.policy(t, "n", allow("s3:*"))
	for want, call := range map[string]func() (any, error){
		"iam:GetRole on resource: role n": func() (any, error) { return c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: n}) },
		"iam:ListAttachedRolePolicies on resource: role n": func() (any, error) {
			return c.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: n})
		},
		"iam:ListGroupsForUser on resource: user n": func() (any, error) {
			return c.ListGroupsForUser(ctx, &awsiam.ListGroupsForUserInput{UserName: n})
		},
		"iam:GetGroup on resource: group none": func() (any, error) { return c.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: aws.String("none")}) },
		"iam:GetInstanceProfile on resource: instance profile n": func() (any, error) {
			return c.GetInstanceProfile(ctx, &awsiam.GetInstanceProfileInput{InstanceProfileName: n})
		},
		"iam:GetPolicy on resource: policy " + *p:     func() (any, error) { return c.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: p}) },
		"iam:ListPolicies on resource: policy path /": func() (any, error) { return c.ListPolicies(ctx, nil) },
		"iam:ListRoles on resource: " + arn("role/"):  func() (any, error) { return c.ListRoles(ctx, nil) },
		"iam:ListGroups on resource: " + arn("group/team/"): func() (any, error) {
			return c.ListGroups(ctx, &awsiam.ListGroupsInput{PathPrefix: aws.String("/team/")})
		},
		"iam:DeleteRole on resource: " + arn("role/n"): func() (any, error) { return c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: n}) },
		"iam:ListAccountAliases on resource: *":        func() (any, error) { return c.ListAccountAliases(ctx, nil) },
		"iam:GetAccountSummary on resource: *":         func() (any, error) { return c.GetAccountSummary(ctx, nil) },
		"iam:DeletePolicyVersion on resource: " + *p: func() (any, error) {
			return c.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: p, VersionId: aws.String("v1")})
		},
	} {
		_, err := call()
		denied(t, err, "User: "+arn("user/n")+" is not authorized to perform: "+want+" because no identity-based policy allows the iam:")
	}
}
