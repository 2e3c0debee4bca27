package iam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
)

func trusting(principal string) string {
	return strings.Replace(trustEC2, `"Service":"ec2.amazonaws.com"`, `"AWS":"`+principal+`"`, 1)
}

// trust is the trust policy of a role as GetRole shows it.
func (a *account) trust(t *testing.T, role string) string {
	t.Helper()
	r, err := a.admin.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: &role})
	if err != nil {
		t.Fatal(err)
	}
	text, err := url.QueryUnescape(*r.Role.AssumeRolePolicyDocument)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A trust policy means the user it named, not whoever has the name later.
func TestANamesakeIsNotTrusted(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "eve", "")
	before := a.Keys(t, "eve")
	role := a.role(t, "r", trusting(arn("user/eve")))
	if got := a.trust(t, "r"); got != trusting(arn("user/eve")) {
		t.Errorf("shown as %s", got)
	}
	a.assume(t, before, role)

	keys, err := a.admin.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: aws.String("eve")})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.AccessKeyMetadata {
		ok(t)(a.admin.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: aws.String("eve"), AccessKeyId: k.AccessKeyId}))
	}
	gone, err := a.admin.GetUser(ctx, &awsiam.GetUserInput{UserName: aws.String("eve")})
	if err != nil {
		t.Fatal(err)
	}
	ok(t)(a.admin.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: aws.String("eve")}))
	a.user(t, "eve", "")
	if got := a.trust(t, "r"); got != trusting(*gone.User.UserId) {
		t.Errorf("shown as %s, want the id %s", got, *gone.User.UserId)
	}
	_, err = awssts.NewFromConfig(a.Keys(t, "eve")).AssumeRole(ctx, &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
	denied(t, err, "User: "+arn("user/eve")+" is not authorized to perform: sts:AssumeRole on resource: "+role)
	// The id of one who is gone can't be named anew.
	_, err = a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(trusting(*gone.User.UserId))})
	refused(t, err, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+*gone.User.UserId+`"`)
}

func TestPrincipalsOfTrustPolicies(t *testing.T) {
	a, ctx := open(t), t.Context()
	ok(t)(a.admin.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("deep"), Path: aws.String("/a/b/"), AssumeRolePolicyDocument: aws.String(trustEC2)}))
	a.role(t, "r", trustEC2)
	session := "arn:aws:sts::" + number + ":assumed-role/deep/me"
	for principal, shown := range map[string]string{
		arn("user/admin"):                arn("user/admin"),
		arn("role/a/b/deep"):             arn("role/a/b/deep"),
		session:                          session,
		number:                           arn("root"),
		arn("root"):                      arn("root"),
		"999988887777":                   "arn:aws:iam::999988887777:root",
		"arn:aws:iam::999988887777:root": "arn:aws:iam::999988887777:root",
		"*":                              "*",
	} {
		ok(t)(a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(trusting(principal))}))
		if got := a.trust(t, "r"); got != trusting(shown) {
			t.Errorf("%s is shown as %s, want %s", principal, got, trusting(shown))
		}
	}
	for _, principal := range []string{
		arn("user/none"), arn("role/deep"), arn("group/g"), "arn:aws:iam::999988887777:user/alice",
		"arn:aws:sts::" + number + ":assumed-role/none/me", "AIDAAAAAAAAAAAAAAAAAA",
	} {
		_, err := a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(trusting(principal))})
		refused(t, err, "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+principal+`"`)
	}
	_, err := a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("none"), PolicyDocument: aws.String("{")})
	refused(t, err, "NoSuchEntity", "The role with name none cannot be found.")
	_, err = a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: aws.String(strings.Replace(trustEC2, `"sts:AssumeRole"`, `["sts:AssumeRole","`+"sts:AssumeRole"+strings.Repeat("*", 2048)+`"]`, 1))})
	refused(t, err, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
}
