package sts_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// trusts is a trust policy for everyone in the account that allows the actions
// under a condition, which may be empty.
func trusts(actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":{` + condition + `}`
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"]` + condition + `}]}`
}

func allows(actions string, elements ...string) string {
	more := `"Resource":"*"`
	if len(elements) > 0 {
		more = strings.Join(elements, ",")
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"],` + more + `}]}`
}

// grant gives a role an inline policy.
func (a *account) grant(t *testing.T, role, document string) {
	t.Helper()
	if _, err := a.iam.PutRolePolicy(a.admin, &awsiam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("p"), PolicyDocument: &document}); err != nil {
		t.Fatal(err)
	}
}

// session assumes a role as asked and returns the context of its credentials.
func (a *account) session(t *testing.T, ctx context.Context, in *awssts.AssumeRoleInput) context.Context {
	t.Helper()
	in.RoleSessionName = aws.String("me")
	out, err := a.sts.AssumeRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
}

// try assumes a role as asked, for its error.
func (a *account) try(ctx context.Context, in *awssts.AssumeRoleInput) error {
	in.RoleSessionName = aws.String("me")
	_, err := a.sts.AssumeRole(ctx, in)
	return err
}

func (a *account) may(ctx context.Context, action, resource string) error {
	return a.iam.Authorize(ctx, api.CallerFrom(ctx), action, []string{resource}, nil)
}

// says checks that an error's text holds want; "" wants none.
func says(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %s", err, want)
	}
}

const notAllowed = "User: arn:aws:iam::111122223333:user/admin is not authorized to perform: "

// A role that others may let us assume asks for their external id: the confused
// deputy.
func TestExternalID(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trusts("sts:AssumeRole", `"StringEquals":{"sts:ExternalId":"12345"}`))
	says(t, a.try(a.admin, &awssts.AssumeRoleInput{RoleArn: &role}), notAllowed+"sts:AssumeRole on resource: "+role)
	says(t, a.try(a.admin, &awssts.AssumeRoleInput{RoleArn: &role, ExternalId: aws.String("54321")}), notAllowed)
	says(t, a.try(a.admin, &awssts.AssumeRoleInput{RoleArn: &role, ExternalId: aws.String("12345")}), "")
}

func TestConditionsOfTrust(t *testing.T) {
	a := open(t)
	who := *api.CallerFrom(a.admin)
	who.RequestedRegion = "us-west-2"
	ctx := api.WithCaller(t.Context(), &who)
	for name, c := range map[string]struct{ condition, want string }{
		"session name":       {`"StringLike":{"sts:RoleSessionName":"m*"}`, ""},
		"own name":           {`"StringEquals":{"sts:RoleSessionName":"${aws:username}"}`, notAllowed},
		"region":             {`"StringEquals":{"aws:RequestedRegion":"us-west-2"}`, ""},
		"another region":     {`"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, notAllowed},
		"caller":             {`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/admin"}`, ""},
		"MFA":                {`"Bool":{"aws:MultiFactorAuthPresent":"true"}`, notAllowed},
		"no source identity": {`"Null":{"sts:SourceIdentity":"true"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			role := a.role(t, strings.ReplaceAll(name, " ", "-"), trusts("sts:AssumeRole", c.condition))
			says(t, a.try(ctx, &awssts.AssumeRoleInput{RoleArn: &role}), c.want)
		})
	}
}

// A session has what its role and the policies passed to it allow both.
func TestSessionPolicies(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trustAccount)
	a.grant(t, "r", allows("iam:*,s3:GetObject"))
	who := "User: arn:aws:sts::111122223333:assumed-role/r/me is not authorized to perform: "
	arns := func(names ...string) (list []types.PolicyDescriptorType) {
		for _, n := range names {
			list = append(list, types.PolicyDescriptorType{Arn: aws.String("arn:aws:iam::aws:policy/" + n)})
		}
		return list
	}
	const none = "because no session policy allows the %s action"
	for name, c := range map[string]struct {
		in           awssts.AssumeRoleInput
		action, want string
	}{
		"none":              {awssts.AssumeRoleInput{}, "iam:CreateUser", ""},
		"inline":            {awssts.AssumeRoleInput{Policy: aws.String(allows("iam:ListUsers"))}, "iam:ListUsers", ""},
		"inline limits":     {awssts.AssumeRoleInput{Policy: aws.String(allows("iam:ListUsers"))}, "iam:CreateUser", who + "iam:CreateUser on resource: * " + fmt.Sprintf(none, "iam:CreateUser")},
		"no escalation":     {awssts.AssumeRoleInput{Policy: aws.String(allows("*"))}, "s3:PutObject", "because no identity-based policy allows the s3:PutObject action"},
		"inline denies":     {awssts.AssumeRoleInput{Policy: aws.String(strings.Replace(allows("iam:*"), "Allow", "Deny", 1))}, "iam:ListUsers", "with an explicit deny in a session policy"},
		"managed":           {awssts.AssumeRoleInput{PolicyArns: arns("IAMReadOnlyAccess")}, "iam:ListUsers", ""},
		"managed limits":    {awssts.AssumeRoleInput{PolicyArns: arns("IAMReadOnlyAccess")}, "iam:CreateUser", fmt.Sprintf(none, "iam:CreateUser")},
		"several add up":    {awssts.AssumeRoleInput{PolicyArns: arns("AmazonS3ReadOnlyAccess", "IAMReadOnlyAccess")}, "s3:GetObject", ""},
		"both kinds add up": {awssts.AssumeRoleInput{Policy: aws.String(allows("iam:CreateUser")), PolicyArns: arns("AmazonS3ReadOnlyAccess")}, "iam:CreateUser", ""},
		"of both, neither":  {awssts.AssumeRoleInput{Policy: aws.String(allows("iam:CreateUser")), PolicyArns: arns("AmazonS3ReadOnlyAccess")}, "iam:DeleteUser", fmt.Sprintf(none, "iam:DeleteUser")},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.RoleArn = &role
			says(t, a.may(a.session(t, a.admin, &c.in), c.action, "*"), c.want)
		})
	}
}

// The limits of a session hold when it assumes another role.
func TestASessionPolicyLimitsChaining(t *testing.T) {
	a := open(t)
	first, second := a.role(t, "first", trustAccount), a.role(t, "second", trustAccount)
	a.grant(t, "first", allows("sts:AssumeRole"))
	free := a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &first})
	says(t, a.try(free, &awssts.AssumeRoleInput{RoleArn: &second}), "")
	limited := a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &first, Policy: aws.String(allows("s3:*"))})
	says(t, a.try(limited, &awssts.AssumeRoleInput{RoleArn: &second}), "is not authorized to perform: sts:AssumeRole on resource: "+second)
}

func TestRefusalsOfSessionPolicies(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trustAccount)
	some := make([]types.PolicyDescriptorType, 11)
	for n := range some {
		some[n].Arn = aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	}
	none := []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::111122223333:policy/none")}}
	for name, c := range map[string]struct {
		in   awssts.AssumeRoleInput
		want string
	}{
		"malformed":        {awssts.AssumeRoleInput{Policy: aws.String("{")}, "MalformedPolicyDocument: Syntax errors in policy."},
		"with a principal": {awssts.AssumeRoleInput{Policy: aws.String(trustAccount)}, "MalformedPolicyDocument: Policy document should not specify a principal."},
		"too long":         {awssts.AssumeRoleInput{Policy: aws.String(allows("s3:" + strings.Repeat("x", 2000)))}, "Member must have length less than or equal to 2048"},
		"long together":    {awssts.AssumeRoleInput{Policy: aws.String(allows("s3:" + strings.Repeat("x", 1950))), PolicyArns: some[:1]}, "Member must have length less than or equal to 2048"},
		"too many":         {awssts.AssumeRoleInput{PolicyArns: some}, "Member must have length less than or equal to 10"},
		"unknown":          {awssts.AssumeRoleInput{PolicyArns: none}, "MalformedPolicyDocument: Policy arn:aws:iam::111122223333:policy/none does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.RoleArn = &role
			says(t, a.try(a.admin, &c.in), c.want)
		})
	}
}

func tag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }

func TestSessionTags(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trusts("sts:AssumeRole,sts:TagSession", ""))
	a.grant(t, "r", allows("s3:GetObject", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`))
	if _, err := a.iam.TagRole(a.admin, &awsiam.TagRoleInput{RoleName: aws.String("r"), Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}}); err != nil {
		t.Fatal(err)
	}
	red := a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role, Tags: []types.Tag{tag("Team", "red")}})
	says(t, a.may(red, "s3:GetObject", "arn:aws:s3:::b/red/x"), "") // the session's tag, not the role's
	says(t, a.may(a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role}), "s3:GetObject", "arn:aws:s3:::b/blue/x"), "")
	says(t, a.may(red, "s3:GetObject", "arn:aws:s3:::b/blue/x"), "because no identity-based policy allows")

	plain := a.role(t, "plain", trustAccount)
	says(t, a.try(a.admin, &awssts.AssumeRoleInput{RoleArn: &plain, Tags: []types.Tag{tag("team", "red")}}), notAllowed+"sts:TagSession on resource: "+plain)
	reds := a.role(t, "reds", trusts("sts:AssumeRole,sts:TagSession", `"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"],"sts:TransitiveTagKeys":["team"]}`))
	for name, c := range map[string]struct {
		tags       []types.Tag
		transitive []string
		want       string
	}{
		"right":          {[]types.Tag{tag("team", "red")}, nil, ""},
		"transitive":     {[]types.Tag{tag("team", "red")}, []string{"team"}, ""},
		"wrong value":    {[]types.Tag{tag("team", "blue")}, nil, notAllowed},
		"one more":       {[]types.Tag{tag("team", "red"), tag("cost", "1")}, nil, notAllowed},
		"none":           {nil, nil, notAllowed},
		"twice":          {[]types.Tag{tag("team", "red"), tag("TEAM", "red")}, nil, "InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"not among them": {[]types.Tag{tag("team", "red")}, []string{"cost"}, "InvalidParameterValue: The specified transitive tag key must be included in the requested tags."},
		"AWS's":          {[]types.Tag{tag("aws:team", "red")}, nil, "InvalidParameterValue"},
	} {
		t.Run(name, func(t *testing.T) {
			says(t, a.try(a.admin, &awssts.AssumeRoleInput{RoleArn: &reds, Tags: c.tags, TransitiveTagKeys: c.transitive}), c.want)
		})
	}
}

// Transitive tags go with the session from role to role; others stay behind.
func TestTransitiveTags(t *testing.T) {
	a := open(t)
	both := trusts("sts:AssumeRole,sts:TagSession", "")
	first, second, plain := a.role(t, "first", both), a.role(t, "second", both), a.role(t, "plain", trustAccount)
	a.grant(t, "first", allows("sts:AssumeRole,sts:TagSession"))
	a.grant(t, "second", allows("s3:GetObject", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"},"Null":{"aws:PrincipalTag/cost":"true"}}`))
	one := a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &first, Tags: []types.Tag{tag("Team", "red"), tag("cost", "1")}, TransitiveTagKeys: []string{"team"}})
	two := a.session(t, one, &awssts.AssumeRoleInput{RoleArn: &second})
	says(t, a.may(two, "s3:GetObject", "arn:aws:s3:::b/x"), "")
	s := api.CallerFrom(two).Session
	if len(s.Tags) != 1 || s.Tags["Team"] != "red" || len(s.TransitiveTags) != 1 {
		t.Errorf("tags %v, transitive %v", s.Tags, s.TransitiveTags)
	}
	says(t, a.try(one, &awssts.AssumeRoleInput{RoleArn: &second, Tags: []types.Tag{tag("TEAM", "blue")}}),
		"InvalidParameterValue: One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
	says(t, a.try(one, &awssts.AssumeRoleInput{RoleArn: &second, Tags: []types.Tag{tag("cost", "2")}}), "")
	// What is inherited needs TagSession, too.
	says(t, a.try(one, &awssts.AssumeRoleInput{RoleArn: &plain}), "is not authorized to perform: sts:TagSession on resource: "+plain)
}

func TestSourceIdentity(t *testing.T) {
	a := open(t)
	both := trusts("sts:AssumeRole,sts:SetSourceIdentity", "")
	first, second, plain := a.role(t, "first", both), a.role(t, "second", both), a.role(t, "plain", trustAccount)
	a.grant(t, "first", allows("sts:AssumeRole,sts:SetSourceIdentity"))
	a.grant(t, "second", allows("s3:GetObject", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:SourceIdentity":"alice"}}`))
	alice := func(role string) *awssts.AssumeRoleInput {
		return &awssts.AssumeRoleInput{RoleArn: &role, SourceIdentity: aws.String("alice")}
	}
	says(t, a.try(a.admin, alice(plain)), notAllowed+"sts:SetSourceIdentity on resource: "+plain)
	only := a.role(t, "only", trusts("sts:AssumeRole,sts:SetSourceIdentity", `"StringEquals":{"sts:SourceIdentity":"bob"}`))
	says(t, a.try(a.admin, alice(only)), notAllowed+"sts:AssumeRole on resource: "+only)

	in := alice(first)
	in.RoleSessionName = aws.String("me")
	out, err := a.sts.AssumeRole(a.admin, in)
	if err != nil || aws.ToString(out.SourceIdentity) != "alice" {
		t.Fatalf("%+v, %v", out, err)
	}
	one := a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	two := a.session(t, one, &awssts.AssumeRoleInput{RoleArn: &second}) // it persists
	says(t, a.may(two, "s3:GetObject", "arn:aws:s3:::b/x"), "")
	says(t, a.try(one, &awssts.AssumeRoleInput{RoleArn: &second, SourceIdentity: aws.String("bob")}), "AccessDenied: The source identity is already set for this assume role session")
	says(t, a.try(one, alice(second)), "")
	says(t, a.try(one, &awssts.AssumeRoleInput{RoleArn: &plain}), "is not authorized to perform: sts:SetSourceIdentity on resource: "+plain)
}

// Roles assumed with a role's credentials last an hour at most.
func TestChainedSessionsLastAnHour(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trustAccount)
	a.grant(t, "r", allows("sts:AssumeRole"))
	if _, err := a.iam.UpdateRole(a.admin, &awsiam.UpdateRoleInput{RoleName: aws.String("r"), MaxSessionDuration: aws.Int32(43200)}); err != nil {
		t.Fatal(err)
	}
	for seconds := int32(3600); seconds <= 43200; seconds += 39600 {
		in := &awssts.AssumeRoleInput{RoleArn: &role, DurationSeconds: &seconds}
		says(t, a.try(a.admin, in), "")
		one := a.session(t, a.admin, in)
		want := ""
		if seconds > 3600 {
			want = "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
		}
		says(t, a.try(one, in), want)
	}
}

func TestPackedSizes(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trusts("sts:AssumeRole,sts:TagSession", ""))
	many := func(n, length int) (list []types.Tag) {
		for k := range n {
			list = append(list, tag(fmt.Sprintf("tag%d", k), strings.Repeat("x", length)))
		}
		return list
	}
	size := func(in awssts.AssumeRoleInput) (int32, error) {
		in.RoleArn, in.RoleSessionName = &role, aws.String("me")
		out, err := a.sts.AssumeRole(a.admin, &in)
		if err != nil {
			return 0, err
		}
		//lint:ignore SA1019 it is what AWS's clients read
		return aws.ToInt32(out.PackedPolicySize), nil
	}
	before := int32(0)
	for n := range 5 { // more of it takes more
		got, err := size(awssts.AssumeRoleInput{Tags: many(n, 20)})
		if err != nil || got < before || n > 0 && got == before {
			t.Errorf("%d tags: %d %%, %v", n, got, err)
		}
		before = got
	}
	if got, err := size(awssts.AssumeRoleInput{Policy: aws.String(allows("s3:*"))}); err != nil || got < 1 || got > 10 {
		t.Errorf("a small policy: %d %%, %v", got, err)
	}
	_, err := size(awssts.AssumeRoleInput{Tags: many(9, 250)})
	says(t, err, "PackedPolicyTooLarge: Packed size of session tags consumes 499% of allotted space.")
	_, err = size(awssts.AssumeRoleInput{Tags: many(9, 250), Policy: aws.String(allows("s3:*"))})
	says(t, err, "of allotted space, please use smaller policy.")
}

func TestSessionTokens(t *testing.T) {
	a := open(t)
	get := func(ctx context.Context, in awssts.GetSessionTokenInput) (context.Context, error) {
		out, err := a.sts.GetSessionToken(ctx, &in)
		if err != nil {
			return nil, err
		}
		return a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken), nil
	}
	ctx, err := get(a.admin, awssts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	who := api.CallerFrom(ctx)
	if who.ARN != "arn:aws:iam::111122223333:user/admin" || who.Session.Expires.Sub(a.now).Hours() != 12 {
		t.Errorf("%s until %s", who.ARN, who.Session.Expires)
	}
	// Without MFA it can't call IAM, nor STS but for AssumeRole and
	// GetCallerIdentity.
	role := a.role(t, "r", trustAccount)
	says(t, a.may(ctx, "iam:ListUsers", "*"), "InvalidClientTokenId")
	says(t, a.may(ctx, "sts:GetAccessKeyInfo", "*"), "InvalidClientTokenId")
	says(t, a.may(ctx, "s3:GetObject", "*"), "")
	says(t, a.try(ctx, &awssts.AssumeRoleInput{RoleArn: &role}), "")

	_, err = get(ctx, awssts.GetSessionTokenInput{})
	says(t, err, "AccessDenied: Cannot call GetSessionToken with session credentials")
	_, err = get(a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role}), awssts.GetSessionTokenInput{})
	says(t, err, "AccessDenied: Cannot call GetSessionToken with session credentials")
	_, err = get(a.admin, awssts.GetSessionTokenInput{DurationSeconds: aws.Int32(899)})
	says(t, err, "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900")
	_, err = get(a.admin, awssts.GetSessionTokenInput{DurationSeconds: aws.Int32(129601)})
	says(t, err, "Member must have value less than or equal to 129600")
	const device = "AccessDenied: MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
	_, err = get(a.admin, awssts.GetSessionTokenInput{SerialNumber: aws.String("arn:aws:iam::111122223333:mfa/admin"), TokenCode: aws.String("123456")})
	says(t, err, device)
	says(t, a.try(a.admin, &awssts.AssumeRoleInput{RoleArn: &role, SerialNumber: aws.String("arn:aws:iam::111122223333:mfa/admin"), TokenCode: aws.String("123456")}), device)
}

// GetSessionToken needs no permission, but can be denied.
func TestASessionTokenCanBeDenied(t *testing.T) {
	a := open(t)
	name := aws.String("u")
	if _, err := a.iam.CreateUser(a.admin, &awsiam.CreateUserInput{UserName: name}); err != nil {
		t.Fatal(err)
	}
	key, err := a.iam.CreateAccessKey(a.admin, &awsiam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	ctx := a.as(t, *key.AccessKey.AccessKeyId, "")
	_, err = a.sts.GetSessionToken(ctx, &awssts.GetSessionTokenInput{})
	says(t, err, "")
	document := aws.String(strings.Replace(allows("sts:*"), "Allow", "Deny", 1))
	if _, err := a.iam.PutUserPolicy(a.admin, &awsiam.PutUserPolicyInput{UserName: name, PolicyName: name, PolicyDocument: document}); err != nil {
		t.Fatal(err)
	}
	_, err = a.sts.GetSessionToken(ctx, &awssts.GetSessionTokenInput{})
	says(t, err, "AccessDenied: User: arn:aws:iam::111122223333:user/u is not authorized to perform: sts:GetSessionToken on resource: * with an explicit deny in an identity-based policy")
}
