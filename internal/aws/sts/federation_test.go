package sts_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// user makes a user with an inline policy and returns the context of its key.
func (a *account) user(t *testing.T, name, document string) context.Context {
	t.Helper()
	if _, err := a.iam.CreateUser(a.admin, &awsiam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	if document != "" {
		if _, err := a.iam.PutUserPolicy(a.admin, &awsiam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &document}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := a.iam.CreateAccessKey(a.admin, &awsiam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return a.as(t, *key.AccessKey.AccessKeyId, "")
}

// root is the account itself.
func root(ctx context.Context) context.Context {
	return api.WithCaller(ctx, &api.Caller{
		Type: api.Account, Partition: "aws", AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:root",
		PrincipalARN: "arn:aws:iam::111122223333:root", PrincipalID: "111122223333", UserID: "111122223333",
	})
}

// federate makes a federated user and returns the context of its credentials.
func (a *account) federate(ctx context.Context, t *testing.T, in awssts.GetFederationTokenInput) (context.Context, *awssts.GetFederationTokenOutput, error) {
	t.Helper()
	if in.Name == nil {
		in.Name = aws.String("bob")
	}
	out, err := a.sts.GetFederationToken(ctx, &in)
	if err != nil {
		return nil, nil, err
	}
	return a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken), out, nil
}

func TestFederatedUsers(t *testing.T) {
	a := open(t)
	ctx, out, err := a.federate(a.admin, t, awssts.GetFederationTokenInput{Policy: aws.String(allows("s3:GetObject"))})
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:sts::111122223333:federated-user/bob"
	//lint:ignore SA1019 it is what AWS's clients read
	packed := aws.ToInt32(out.PackedPolicySize)
	if *out.FederatedUser.Arn != arn || *out.FederatedUser.FederatedUserId != "111122223333:bob" || packed < 1 || out.Credentials.Expiration.Sub(a.now) != 12*time.Hour {
		t.Errorf("%+v", out)
	}
	id, err := a.sts.GetCallerIdentity(ctx, nil)
	if err != nil || *id.Arn != arn || *id.UserId != "111122223333:bob" || *id.Account != "111122223333" {
		t.Errorf("%+v, %v", id, err)
	}
	who := api.CallerFrom(ctx)
	if who.Type != api.FederatedUser || who.PrincipalARN != "arn:aws:iam::111122223333:user/admin" || who.Name != "admin" {
		t.Errorf("%+v", who)
	}
	says(t, a.may(ctx, "s3:GetObject", "arn:aws:s3:::b/x"), "")
	says(t, a.may(ctx, "s3:PutObject", "arn:aws:s3:::b/x"), "User: "+arn+" is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/x\" because no session policy allows the s3:PutObject action")
}

// Without a policy passed, they may do nothing; with one, never more than the user.
func TestRightsOfFederatedUsers(t *testing.T) {
	a := open(t)
	user := a.user(t, "u", allows("s3:*,sts:GetFederationToken"))
	managed := []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}}
	for name, c := range map[string]struct {
		by           context.Context
		in           awssts.GetFederationTokenInput
		action, want string
	}{
		"nothing passed":   {user, awssts.GetFederationTokenInput{}, "s3:GetObject", "because no session policy allows the s3:GetObject action"},
		"passed":           {user, awssts.GetFederationTokenInput{Policy: aws.String(allows("s3:GetObject"))}, "s3:GetObject", ""},
		"not passed":       {user, awssts.GetFederationTokenInput{Policy: aws.String(allows("s3:GetObject"))}, "s3:PutObject", "because no session policy"},
		"beyond the user":  {user, awssts.GetFederationTokenInput{Policy: aws.String(allows("*"))}, "ec2:RunInstances", "because no identity-based policy allows the ec2:RunInstances action"},
		"managed":          {user, awssts.GetFederationTokenInput{PolicyArns: managed}, "s3:PutObject", ""},
		"managed, beyond":  {user, awssts.GetFederationTokenInput{PolicyArns: managed}, "ec2:RunInstances", "because no identity-based policy"},
		"IAM":              {a.admin, awssts.GetFederationTokenInput{PolicyArns: managed}, "iam:ListUsers", "InvalidClientTokenId: The security token included in the request is invalid"},
		"STS":              {a.admin, awssts.GetFederationTokenInput{PolicyArns: managed}, "sts:GetAccessKeyInfo", "InvalidClientTokenId: The security token included in the request is invalid"},
		"passing a role":   {a.admin, awssts.GetFederationTokenInput{PolicyArns: managed}, "iam:PassRole", ""},
		"who am I":         {user, awssts.GetFederationTokenInput{}, "sts:GetCallerIdentity", ""},
		"root's, nothing":  {root(t.Context()), awssts.GetFederationTokenInput{}, "s3:GetObject", "because no session policy"},
		"root's, passed":   {root(t.Context()), awssts.GetFederationTokenInput{PolicyArns: managed}, "s3:GetObject", ""},
		"root's, no more":  {root(t.Context()), awssts.GetFederationTokenInput{Policy: aws.String(allows("s3:GetObject"))}, "s3:PutObject", "because no session policy"},
		"user's condition": {user, awssts.GetFederationTokenInput{Policy: aws.String(allows("s3:GetObject", `"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalType":"FederatedUser","aws:userid":"111122223333:bob","aws:PrincipalArn":"arn:aws:sts::111122223333:federated-user/bob"},"Null":{"aws:username":"true"}}`))}, "s3:GetObject", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _, err := a.federate(c.by, t, c.in)
			if err != nil {
				t.Fatal(err)
			}
			says(t, a.may(ctx, c.action, "*"), c.want)
		})
	}
}

func TestTagsOfFederatedUsers(t *testing.T) {
	a := open(t)
	user := a.user(t, "u", allows("s3:*,sts:GetFederationToken"))
	tags := []types.Tag{tag("team", "red")}
	_, _, err := a.federate(user, t, awssts.GetFederationTokenInput{Tags: tags})
	says(t, err, "AccessDenied: User: arn:aws:iam::111122223333:user/u is not authorized to perform: sts:TagSession on resource: arn:aws:sts::111122223333:federated-user/bob")
	tagger := a.user(t, "tagger", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":["sts:GetFederationToken","sts:TagSession"],"Resource":"arn:aws:sts::111122223333:federated-user/b*","Condition":{"StringEquals":{"aws:RequestTag/team":["red","blue"]}}}]}`)
	if _, err := a.iam.TagUser(a.admin, &awsiam.TagUserInput{UserName: aws.String("tagger"), Tags: []iamtypes.Tag{{Key: aws.String("Team"), Value: aws.String("green")}, {Key: aws.String("cost"), Value: aws.String("1")}}}); err != nil {
		t.Fatal(err)
	}
	own := aws.String(allows("s3:GetObject", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/${aws:PrincipalTag/cost}/*"`))
	ctx, _, err := a.federate(tagger, t, awssts.GetFederationTokenInput{Tags: tags, Policy: own})
	if err != nil {
		t.Fatal(err)
	}
	says(t, a.may(ctx, "s3:GetObject", "arn:aws:s3:::b/red/1/x"), "") // the session's, and what else the user has
	says(t, a.may(ctx, "s3:GetObject", "arn:aws:s3:::b/green/1/x"), "no session policy")
	_, _, err = a.federate(tagger, t, awssts.GetFederationTokenInput{Tags: []types.Tag{tag("team", "green")}})
	says(t, err, "is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::111122223333:federated-user/bob")
	_, _, err = a.federate(tagger, t, awssts.GetFederationTokenInput{Name: aws.String("carol"), Tags: tags})
	says(t, err, "is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::111122223333:federated-user/carol")
	_, _, err = a.federate(tagger, t, awssts.GetFederationTokenInput{Tags: []types.Tag{tag("team", "red"), tag("TEAM", "blue")}})
	says(t, err, "InvalidParameterValue: Duplicate tag keys found.")
}

func TestRefusalsOfFederationTokens(t *testing.T) {
	a := open(t)
	nobody := a.user(t, "nobody", allows("s3:*"))
	role := a.role(t, "r", trustAccount)
	a.grant(t, "r", allows("*"))
	session := a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role})
	all := awssts.GetFederationTokenInput{Policy: aws.String(allows("*"))}
	federated, _, err := a.federate(a.admin, t, all)
	if err != nil {
		t.Fatal(err)
	}
	const withSession = "AccessDenied: Cannot call GetFederationToken with session credentials"
	for name, c := range map[string]struct {
		by   context.Context
		in   awssts.GetFederationTokenInput
		want string
	}{
		"without the right":   {nobody, awssts.GetFederationTokenInput{}, "AccessDenied: User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: sts:GetFederationToken on resource: arn:aws:sts::111122223333:federated-user/bob because no identity-based policy allows the sts:GetFederationToken action"},
		"a role's session":    {session, awssts.GetFederationTokenInput{}, withSession},
		"a federated user":    {federated, awssts.GetFederationTokenInput{}, withSession},
		"nobody at all":       {t.Context(), awssts.GetFederationTokenInput{}, withSession},
		"a short name":        {a.admin, awssts.GetFederationTokenInput{Name: aws.String("b")}, "Value 'b' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 2"},
		"a long name":         {a.admin, awssts.GetFederationTokenInput{Name: aws.String(strings.Repeat("b", 33))}, "Member must have length less than or equal to 32"},
		"a name with a slash": {a.admin, awssts.GetFederationTokenInput{Name: aws.String("b/c")}, `Value 'b/c' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		"too short":           {a.admin, awssts.GetFederationTokenInput{DurationSeconds: aws.Int32(899)}, "Value '899' at 'durationSeconds'"},
		"too long":            {a.admin, awssts.GetFederationTokenInput{DurationSeconds: aws.Int32(129601)}, "Value '129601' at 'durationSeconds'"},
		"a bad policy":        {a.admin, awssts.GetFederationTokenInput{Policy: aws.String("{")}, "MalformedPolicyDocument"},
		"too much":            {a.admin, awssts.GetFederationTokenInput{Tags: []types.Tag{tag("a", strings.Repeat("x", 250)), tag("b", strings.Repeat("x", 250))}}, "PackedPolicyTooLarge: Packed size of session tags consumes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := a.federate(c.by, t, c.in)
			says(t, err, c.want)
		})
	}
	for _, call := range []error{
		second(a.sts.GetSessionToken(federated, &awssts.GetSessionTokenInput{})),
		a.try(federated, &awssts.AssumeRoleInput{RoleArn: &role}),
	} {
		if call == nil {
			t.Error("a federated user got new credentials")
		}
	}
	says(t, a.try(federated, &awssts.AssumeRoleInput{RoleArn: &role}), "InvalidClientTokenId: The security token included in the request is invalid")
}

// A federated user is gone with the user, whoever has the name later; root's lasts an
// hour at most.
func TestFederatedUsersEnd(t *testing.T) {
	a := open(t)
	user := a.user(t, "u", allows("*"))
	_, out, err := a.federate(user, t, awssts.GetFederationTokenInput{Policy: aws.String(allows("*"))})
	if err != nil {
		t.Fatal(err)
	}
	key := api.CallerFrom(user).AccessKeyID
	for _, err := range []error{
		second(a.iam.DeleteAccessKey(a.admin, &awsiam.DeleteAccessKeyInput{UserName: aws.String("u"), AccessKeyId: &key})),
		second(a.iam.DeleteUserPolicy(a.admin, &awsiam.DeleteUserPolicyInput{UserName: aws.String("u"), PolicyName: aws.String("p")})),
		second(a.iam.DeleteUser(a.admin, &awsiam.DeleteUserInput{UserName: aws.String("u")})),
	} {
		says(t, err, "")
	}
	a.user(t, "u", allows("*"))
	_, _, err = a.sts.Resolve(t.Context(), *out.Credentials.AccessKeyId, *out.Credentials.SessionToken, a.now)
	says(t, err, "no such access key")
	_, out, err = a.federate(root(t.Context()), t, awssts.GetFederationTokenInput{DurationSeconds: aws.Int32(43200)})
	if err != nil || out.Credentials.Expiration.Sub(a.now) != time.Hour {
		t.Errorf("%+v, %v", out, err)
	}
}

// keysOf are the ids of a user's access keys.
func (a *account) keysOf(t *testing.T, user string) (ids []string) {
	t.Helper()
	out, err := a.iam.ListAccessKeys(a.admin, &awsiam.ListAccessKeysInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range out.AccessKeyMetadata {
		ids = append(ids, *k.AccessKeyId)
	}
	return ids
}

func policyARN(arn string) *types.PolicyDescriptorType { return &types.PolicyDescriptorType{Arn: &arn} }
