package iam_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

// The documents and what they mention, as AWS was seen to answer; it says nothing
// of the order.
func TestContextKeysForCustomPolicy(t *testing.T) {
	a, ctx := open(t), t.Context()
	const v12 = `{"Version":"2012-10-17","Statement":`
	for name, c := range map[string]struct {
		documents []string
		want      string // "!": refused
	}{
		"case and variables": {[]string{v12 + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/Team}/${aws:username}",
			"Condition":{"StringEquals":{"s3:ExistingObjectTag/Owner":"${aws:PrincipalTag/Team}"},"Null":{"AWS:SourceIp":"false"}}}}`},
			"AWS:SourceIp aws:PrincipalTag/Team aws:username s3:ExistingObjectTag/Owner"},
		"default and literals": {[]string{v12 + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/${aws:username, 'default'}/${*}/${?}/${$}"}}`}, "$ * ? aws:username"},
		"the old version":      {[]string{`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/${aws:username}"}}`}, ""},
		"NotResource":          {[]string{v12 + `{"Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::bucket/${aws:PrincipalTag/project}"}}`}, "aws:PrincipalTag/project"},
		"two spellings":        {[]string{v12 + `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::bucket/${aws:username}/${AWS:username}","Condition":{"StringEquals":{"aws:username":"${aws:username}","AWS:username":"a"}}}}`}, "AWS:username aws:username"},
		"two documents":        {[]string{`{"Statement":{"Effect":"Allow","Condition":{"StringEquals":{"aws:username":"a"}}}}`, `{"Statement":{"Effect":"Allow","Condition":{"StringEquals":{"aws:username":"a"}}}}`}, "aws:username aws:username"},
		"an unknown operator":  {[]string{`{"Statement":{"Effect":"Allow","Condition":{"MadeUp":{"aws:username":"a"}}}}`}, "!"},
		"a resource's policy":  {[]string{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*","Condition":{"StringEquals":{"aws:username":"a"}}}}`}, "aws:username"},
		"a number":             {[]string{v12 + `{"Effect":"Allow","Condition":{"NumericEquals":{"aws:MultiFactorAuthAge":["${aws:PrincipalTag/Age}",3]}}}}`}, "aws:MultiFactorAuthAge aws:PrincipalTag/Age"},
		"no effect":            {[]string{v12 + `{"Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a"}}}}`}, "!"},
		"an unknown element":   {[]string{v12 + `{"Effect":"Allow","Action":"*"},"Foo":"x"}`}, "!"},
		"an action's variable": {[]string{v12 + `{"Effect":"Allow","Action":"${aws:username}","Resource":"*"}}`}, ""},
		"a principal's":        {[]string{v12 + `{"Effect":"Allow","Principal":{"AWS":"${aws:username}"},"Action":"*","Resource":"*"}}`}, ""},
		"no statement":         {[]string{`{"Version":"2012-10-17"}`, `{"Statement":[]}`}, ""},
		"no document":          {[]string{`[]`}, "!"},
		"set operators":        {[]string{v12 + `[{"Effect":"Allow","Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["a"]},"DateGreaterThanEquals":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}]}`}, "aws:CurrentTime aws:TagKeys"},
	} {
		out, err := a.admin.GetContextKeysForCustomPolicy(ctx, &awsiam.GetContextKeysForCustomPolicyInput{PolicyInputList: c.documents})
		if c.want == "!" {
			refused(t, err, "InvalidInput", "is not a policy document")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := strings.Join(slices.Sorted(slices.Values(out.ContextKeyNames)), " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestContextKeysForPrincipalPolicy(t *testing.T) {
	a, ctx := open(t), t.Context()
	tagged := func(tag string) string {
		return allow("s3:*", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:PrincipalTag/`+tag+`":"x"}}`)
	}
	a.user(t, "u", tagged("UserInline"))
	group, user := aws.String("g"), aws.String("u")
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: group}))
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: group, UserName: user}))
	ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("p"), PolicyDocument: aws.String(tagged("GroupInline"))}))
	managed := a.policy(t, "m", tagged("Managed"))
	ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: user, PolicyArn: managed}))
	ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: group, PolicyArn: managed}))
	ok(t)(a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: a.policy(t, "b", tagged("BoundaryOnly"))}))
	for _, c := range []struct {
		source string
		extra  []string
		want   string
	}{
		{"user/u", nil, "BoundaryOnly GroupInline Managed UserInline"},
		{"user/another/path/u", nil, "BoundaryOnly GroupInline Managed UserInline"},
		{"user/u", []string{tagged("UserInline")}, "BoundaryOnly GroupInline Managed UserInline UserInline"},
		{"group/g", nil, "GroupInline Managed"},
	} {
		out, err := a.admin.GetContextKeysForPrincipalPolicy(ctx, &awsiam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: aws.String(arn(c.source)), PolicyInputList: c.extra})
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		got := strings.ReplaceAll(strings.Join(slices.Sorted(slices.Values(out.ContextKeyNames)), " "), "aws:PrincipalTag/", "")
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.source, got, c.want)
		}
	}
	_, err := a.admin.GetContextKeysForPrincipalPolicy(ctx, &awsiam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: aws.String("this-is-not-an-iam-source-arn")})
	refused(t, err, "InvalidInput", "Invalid Entity Arn: this-is-not-an-iam-source-arn does not clearly define entity type and name.")
}
