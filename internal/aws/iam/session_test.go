package iam_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// All that can be passed to a session, by the SDK's client, and what it may then.
func TestASessionThroughTheDoor(t *testing.T) {
	a, ctx := open(t), t.Context()
	role := a.role(t, "r", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+number+`"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
		"Condition":{"StringEquals":{"sts:ExternalId":"12345"}}}]}`)
	ok(t)(a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		allow("iam:List*", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red","aws:SourceIdentity":"alice"}}`))}))
	in := &awssts.AssumeRoleInput{
		RoleArn: &role, RoleSessionName: aws.String("me"), ExternalId: aws.String("12345"), SourceIdentity: aws.String("alice"),
		Policy: aws.String(allow("iam:ListUsers")), PolicyArns: []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}, TransitiveTagKeys: []string{"team"},
	}
	client := awssts.NewFromConfig(a.root)
	out, err := client.AssumeRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::"+number+":assumed-role/r/me" || *out.SourceIdentity != "alice" || *out.SessionTokenSize != int32(len(*out.Credentials.SessionToken)) {
		t.Errorf("%+v", out)
	}
	session := awsiam.NewFromConfig(a.Config(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken))
	ok(t)(session.ListUsers(ctx, nil))
	_, err = session.ListRoles(ctx, nil)
	denied(t, err, "User: arn:aws:sts::"+number+":assumed-role/r/me is not authorized to perform: iam:ListRoles on resource: "+arn("role/")+
		" because no session policy allows the iam:ListRoles action")
	_, err = session.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("x")})
	denied(t, err, "because no identity-based policy allows the iam:CreateUser action")

	in.Tags = append(in.Tags, types.Tag{Key: aws.String("long"), Value: aws.String(strings.Repeat("x", 256))}, types.Tag{Key: aws.String("longer"), Value: aws.String(strings.Repeat("x", 256))})
	_, err = client.AssumeRole(ctx, in)
	var large *types.PackedPolicyTooLargeException
	if !errors.As(err, &large) {
		t.Errorf("got %v", err)
	}
	in.ExternalId = nil
	_, err = client.AssumeRole(ctx, in)
	denied(t, err, "User: "+arn("user/admin")+" is not authorized to perform: sts:AssumeRole on resource: "+role)

	// Another's token, and none.
	for _, token := range []string{"", "IQoJb3JpZ2luX2VjE", strings.ToLower(*out.Credentials.SessionToken)} {
		_, err := awssts.NewFromConfig(a.Config(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, token)).GetCallerIdentity(ctx, nil)
		refused(t, err, "InvalidClientTokenId", "The security token included in the request is invalid")
	}
}
