package sts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/aws/sts"
)

type account struct {
	base  *doortest.Account
	iam   *iam.IAM
	sts   *sts.STS
	now   time.Time
	admin context.Context

	issuers *idp.Issuers // see issuer
}

func open(t testing.TB) *account {
	t.Helper()
	a := &account{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return a.now }
	a.base = doortest.NewAt(t, clock, clock)
	a.iam, a.sts = a.base.IAM, a.base.STS
	a.admin = a.as(t, a.base.AdminKey(t).AccessKeyID, "")
	return a
}

func (a *account) as(t testing.TB, key, token string) context.Context {
	t.Helper()
	_, who, err := a.sts.Resolve(t.Context(), key, token, a.now)
	if err != nil {
		t.Fatal(err)
	}
	return api.WithCaller(t.Context(), &who)
}

const trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}`

func (a *account) role(t testing.TB, name, trust string) string {
	t.Helper()
	out, err := a.iam.CreateRole(a.admin, &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Role.Arn
}

func (a *account) assume(ctx context.Context, role, session string, seconds int32) (*awssts.AssumeRoleOutput, error) {
	in := &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &session}
	if seconds != 0 {
		in.DurationSeconds = &seconds
	}
	return a.sts.AssumeRole(ctx, in)
}

func TestARoleIsAssumedAndActsAsItself(t *testing.T) {
	a := open(t)
	role := a.role(t, "eks-user1", trustAccount)
	out, err := a.assume(a.admin, role, "me", 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx := a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	id, err := a.sts.GetCallerIdentity(ctx, nil)
	if err != nil || *id.Arn != "arn:aws:sts::111122223333:assumed-role/eks-user1/me" || !strings.HasPrefix(*id.UserId, "AROA") {
		t.Errorf("identity %v, %v", id, err)
	}
	// The role has no policies: it may do nothing, and the sentence says why.
	err = a.iam.Authorize(ctx, api.CallerFrom(ctx), "iam:CreateRole", []string{role}, nil)
	want := "User: arn:aws:sts::111122223333:assumed-role/eks-user1/me is not authorized to perform: iam:CreateRole on resource: " + role + " because no identity-based policy allows the iam:CreateRole action"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := a.iam.Authorize(a.admin, api.CallerFrom(a.admin), "iam:CreateRole", []string{role}, nil); err != nil {
		t.Errorf("the admin: %v", err)
	}
}

func TestCredentialsThatAreNotGoodAnyMore(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trustAccount)
	out, err := a.assume(a.admin, role, "me", 900)
	if err != nil {
		t.Fatal(err)
	}
	key, token := *out.Credentials.AccessKeyId, *out.Credentials.SessionToken
	resolve := func(key, token string, now time.Time) error {
		_, _, err := a.sts.Resolve(t.Context(), key, token, now)
		return err
	}
	for name, c := range map[string]struct{ got, want error }{
		"good":        {resolve(key, token, a.now), nil},
		"expired":     {resolve(key, token, a.now.Add(900*time.Second)), sts.ErrExpiredToken},
		"no token":    {resolve(key, "", a.now), sts.ErrUnknownKey},
		"other's key": {resolve(key[:19]+other(key[19]), token, a.now), sts.ErrUnknownKey},
		"foreign":     {resolve(key, "IQoJb3JpZ2luX2VjE", a.now), sts.ErrBadToken},
		"tampered":    {resolve(key, token[:40]+other(token[40])+token[41:], a.now), sts.ErrBadToken},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if _, err := a.iam.DeleteRole(a.admin, &awsiam.DeleteRoleInput{RoleName: aws.String("r")}); err != nil {
		t.Fatal(err)
	}
	a.role(t, "r", trustAccount) // a namesake
	if err := resolve(key, token, a.now); !errors.Is(err, sts.ErrUnknownKey) {
		t.Errorf("after the role was made anew: %v", err)
	}
}

func TestRefusalsOfAssumeRole(t *testing.T) {
	a := open(t)
	role := a.role(t, "r", trustAccount)
	service := a.role(t, "s", strings.Replace(trustAccount, `"AWS":"arn:aws:iam::111122223333:root"`, `"Service":"ec2.amazonaws.com"`, 1))
	who := "User: arn:aws:iam::111122223333:user/admin is not authorized to perform: sts:AssumeRole on resource: "
	missing := "arn:aws:iam::111122223333:role/none"
	for _, c := range []struct {
		role, session string
		seconds       int32
		want          string
	}{
		{service, "me", 0, who + service},
		{missing, "me", 0, who + missing},
		{"role/r", "me", 0, "role/r is invalid"},
		{role, "a:b", 0, `Value 'a:b' at 'roleSessionName' failed to satisfy constraint`},
		{role, "me", 899, "Member must have value greater than or equal to 900"},
		{role, "me", 3601, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
	} {
		if _, err := a.assume(a.admin, c.role, c.session, c.seconds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s %d: got %v, want %s", c.role, c.session, c.seconds, err, c.want)
		}
	}
}

func TestAnInstanceSpeaksForItsRole(t *testing.T) {
	a := open(t)
	a.role(t, "node", strings.Replace(trustAccount, `"AWS":"arn:aws:iam::111122223333:root"`, `"Service":"ec2.amazonaws.com"`, 1))
	r, _ := a.iam.RoleByName("node")
	keys, err := a.sts.InstanceSession(&r, "i-0123456789abcdef0", time.Hour, map[string]string{"aws:ec2instancesourcevpc": "vpc-1"})
	if err != nil {
		t.Fatal(err)
	}
	who := api.CallerFrom(a.as(t, keys.AccessKeyID, keys.SessionToken))
	if who.ARN != "arn:aws:sts::111122223333:assumed-role/node/i-0123456789abcdef0" {
		t.Errorf("ARN %s", who.ARN)
	}
	if got := who.Session.Keys["aws:ec2instancesourcevpc"]; got != "vpc-1" {
		t.Errorf("its credentials say of their VPC %q", got)
	}
	a.role(t, "other", trustAccount)
	r, _ = a.iam.RoleByName("other")
	if _, err := a.sts.InstanceSession(&r, "i-0", time.Hour, nil); err == nil {
		t.Error("a role that does not trust EC2 was given to an instance")
	}
}

func other(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}
