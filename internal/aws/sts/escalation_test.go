package sts_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/aws/api"
)

// drawPolicy is a policy over a small world, in which statements often meet.
func drawPolicy(t *rapid.T, name string) string {
	part := func(what string, of ...string) string {
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(of), 1, 2, rapid.ID).Draw(t, name+" "+what)
		return `["` + strings.Join(list, `","`) + `"]`
	}
	var statements []string
	for range rapid.IntRange(1, 3).Draw(t, name+" statements") {
		s := `{"Effect":"` + rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, name+" effect") + `",` +
			rapid.SampledFrom([]string{`"Action":`, `"Action":`, `"NotAction":`}).Draw(t, name+" element") + part("actions", "s3:GetObject", "s3:Put*", "s3:*", "sqs:SendMessage", "*") + `,` +
			rapid.SampledFrom([]string{`"Resource":`, `"Resource":`, `"NotResource":`}).Draw(t, name+" element") + part("resources", "arn:aws:s3:::b/x", "arn:aws:s3:::b/*", "arn:aws:s3:::${aws:userid}/*", "*")
		if rapid.Bool().Draw(t, name+" conditional") {
			s += `,"Condition":{` + rapid.SampledFrom([]string{
				`"StringEquals":{"aws:PrincipalType":"AssumedRole"}`, `"StringNotEquals":{"aws:PrincipalTag/team":"red"}`, `"Null":{"aws:TokenIssueTime":"true"}`, `"Bool":{"aws:MultiFactorAuthPresent":"false"}`,
			}).Draw(t, name+" condition") + `}`
		}
		statements = append(statements, s+`}`)
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// A session may do what its role (or user) and the policies passed to it both allow:
// no policy that is passed adds a right, in any of the calls that take one.
func TestSessionPoliciesNeverAddRights(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "r", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"Federated":"`+idpARN+`"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`)
	user := a.user(t, "u", "")
	may := func(ctx context.Context, action, resource string) bool { return a.may(ctx, action, resource) == nil }
	rapid.Check(t, func(rt *rapid.T) {
		own, passed := drawPolicy(rt, "own"), drawPolicy(rt, "passed")
		a.grant(t, "r", own)
		grantUser(t, a, "u", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetFederationToken","Resource":"*"}]}`, own)
		without := a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role})
		with := map[string]context.Context{"AssumeRole": a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role, Policy: &passed})}
		web, err := a.web(t, role, i.token(t, a.now, nil), awssts.AssumeRoleWithWebIdentityInput{Policy: &passed})
		if err != nil {
			rt.Fatal(err)
		}
		with["AssumeRoleWithWebIdentity"] = web
		if federated, _, err := a.federate(user, t, awssts.GetFederationTokenInput{Policy: &passed}); err == nil { // own may deny it
			with["GetFederationToken"] = federated
		}
		// What is passed alone, for a session like the first.
		a.grant(t, "r", passed)
		type question struct{ action, resource string }
		alone := map[question]bool{}
		questions := []question{}
		for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket", "sqs:SendMessage", "ec2:RunInstances"} {
			for _, resource := range []string{"arn:aws:s3:::b/x", "arn:aws:s3:::b/y", "arn:aws:s3:::c/x"} {
				q := question{action, resource}
				questions = append(questions, q)
				alone[q] = may(without, action, resource)
			}
		}
		a.grant(t, "r", own)
		for _, q := range questions {
			base := may(without, q.action, q.resource)
			if got, want := may(with["AssumeRole"], q.action, q.resource), base && alone[q]; got != want {
				rt.Fatalf("%v: %v; the role's alone %v, the passed alone %v", q, got, base, alone[q])
			}
			if may(web, q.action, q.resource) && !base {
				rt.Fatalf("%v: a web identity may what its role may not", q)
			}
			if f := with["GetFederationToken"]; f != nil && may(f, q.action, q.resource) && !mayAs(a, f, q.action, q.resource) {
				rt.Fatalf("%v: a federated user may what its user may not", q)
			}
		}
	})
}

// mayAs says whether the user's own policies allow it to the federated user: asked
// with everything passed.
func mayAs(a *account, federated context.Context, action, resource string) bool {
	who := *api.CallerFrom(federated)
	session := *who.Session
	session.Policies, session.PolicyARNs = []string{allows("*")}, nil
	who.Session = &session
	return a.iam.Authorize(federated, &who, action, []string{resource}, nil) == nil
}

// grantUser gives a user inline policies.
func grantUser(t *testing.T, a *account, user string, documents ...string) {
	t.Helper()
	for n, d := range documents {
		if _, err := a.iam.PutUserPolicy(a.admin, &awsiam.PutUserPolicyInput{UserName: &user, PolicyName: aws.String("p" + string(rune('0'+n))), PolicyDocument: &d}); err != nil {
			t.Fatal(err)
		}
	}
}

// No temporary credentials of any kind get others but by AssumeRole, which a federated
// user can't call either.
func TestTemporaryCredentialsGetNoOthers(t *testing.T) {
	a := open(t)
	i := a.issuer(t, idpURL)
	role := a.role(t, "r", trustAccount)
	pod := a.role(t, "pod", trustsProvider(idpARN, asWebIdentity, ""))
	a.grant(t, "r", allows("*"))
	a.grant(t, "pod", allows("*"))
	web, err := a.web(t, pod, i.token(t, a.now, nil), awssts.AssumeRoleWithWebIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	federated, _, err := a.federate(a.admin, t, awssts.GetFederationTokenInput{Policy: aws.String(allows("*"))})
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.sts.GetSessionToken(a.admin, &awssts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ctx     context.Context
		assumes bool
	}{
		"role":          {a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &role}), true},
		"web identity":  {web, true},
		"federated":     {federated, false},
		"session token": {a.as(t, *token.Credentials.AccessKeyId, *token.Credentials.SessionToken), true},
	} {
		says(t, second(a.sts.GetSessionToken(c.ctx, &awssts.GetSessionTokenInput{})), "AccessDenied: Cannot call GetSessionToken with session credentials")
		says(t, second(a.sts.GetFederationToken(c.ctx, &awssts.GetFederationTokenInput{Name: aws.String("bob")})), "AccessDenied: Cannot call GetFederationToken with session credentials")
		if got := a.try(c.ctx, &awssts.AssumeRoleInput{RoleArn: &role}) == nil; got != c.assumes {
			t.Errorf("%s: assumes a role: %v", name, got)
		}
	}
}

// Trust in a user is in that user: not in one who has its name later, nor in a
// federated user or a session that calls itself so.
func TestNamesakes(t *testing.T) {
	a := open(t)
	user := a.user(t, "bob", allows("sts:*"))
	role := a.role(t, "r", strings.Replace(trustAccount, "111122223333:root", "111122223333:user/bob", 1))
	says(t, a.try(user, &awssts.AssumeRoleInput{RoleArn: &role}), "")
	other := a.role(t, "bob", trustAccount)
	a.grant(t, "bob", allows("*"))
	says(t, a.try(a.session(t, a.admin, &awssts.AssumeRoleInput{RoleArn: &other}), &awssts.AssumeRoleInput{RoleArn: &role}), "is not authorized to perform: sts:AssumeRole")
	for _, k := range a.keysOf(t, "bob") {
		says(t, second(a.iam.DeleteAccessKey(a.admin, &awsiam.DeleteAccessKeyInput{UserName: aws.String("bob"), AccessKeyId: &k})), "")
	}
	says(t, second(a.iam.DeleteUserPolicy(a.admin, &awsiam.DeleteUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("p")})), "")
	says(t, second(a.iam.DeleteUser(a.admin, &awsiam.DeleteUserInput{UserName: aws.String("bob")})), "")
	says(t, a.try(a.user(t, "bob", allows("sts:*")), &awssts.AssumeRoleInput{RoleArn: &role}), "User: arn:aws:iam::111122223333:user/bob is not authorized to perform: sts:AssumeRole on resource: "+role)
}
