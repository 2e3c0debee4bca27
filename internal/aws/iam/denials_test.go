package iam_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/engine/policy/answer"
)

// TestDenialsAreExplained: refusals of the front door and of services that decide
// by themselves have an id in the answer, and tell what decided.
func TestDenialsAreExplained(t *testing.T) {
	a := open(t)
	a.user(t, "carol", "")
	managed := a.policy(t, "no-roles", deny("iam:DeleteRole"))
	role := a.role(t, "app", strings.Replace(trustEC2, `"Service":"ec2.amazonaws.com"`, `"AWS":"arn:aws:iam::`+number+`:root"`, 1))
	profile := aws.String("profile")
	ok(t)(a.admin.CreateInstanceProfile(t.Context(), &awsiam.CreateInstanceProfileInput{InstanceProfileName: profile}))
	ok(t)(a.admin.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: aws.String("carol"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(allow("iam:DeleteRole,iam:AddRoleToInstanceProfile,iam:GetRole", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:username":"carol"}}`))}))
	ok(t)(a.admin.AttachUserPolicy(t.Context(), &awsiam.AttachUserPolicyInput{UserName: aws.String("carol"), PolicyArn: managed}))
	config := a.Keys(t, "carol")
	carol, session := awsiam.NewFromConfig(config), awssts.NewFromConfig(config)
	_, allowed := carol.GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("app")})
	if allowed != nil {
		t.Fatal(allowed)
	}
	for _, c := range []struct {
		name            string
		call            func() error
		action, layer   string
		decision        answer.Outcome
		decidedBy       string // policy
		outcomes        string // of the layers
		missed, matched string // an element of the nearest miss, and a policy that matched
	}{
		{"an explicit deny", func() error {
			_, err := carol.DeleteRole(t.Context(), &awsiam.DeleteRoleInput{RoleName: aws.String("app")})
			return err
		}, "iam:DeleteRole", "identity", "explicitDeny", "no-roles", "identity=explicitDeny", "", "inline policy p of user carol"},
		{"no allow", func() error {
			_, err := carol.DeleteUser(t.Context(), &awsiam.DeleteUserInput{UserName: aws.String("carol")})
			return err
		}, "iam:DeleteUser", "identity", "implicitDeny", "", "identity=implicitDeny", "Action", ""},
		{"a role that is passed", func() error {
			_, err := carol.AddRoleToInstanceProfile(t.Context(), &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: profile, RoleName: aws.String("app")})
			return err
		}, "iam:PassRole", "identity", "implicitDeny", "", "identity=implicitDeny", "Action", ""},
		{"a role that is assumed", func() error {
			_, err := session.AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
			return err
		}, "sts:AssumeRole", "identity", "implicitDeny", "", "trust=allowed identity=implicitDeny", "Action", "the trust policy of " + role},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			id := authorizationID(t, err)
			d, found := a.iam.Denial(id)
			if !found {
				t.Fatalf("no refusal with the id %q", id)
			}
			e := d.Explain()
			if e.Action != c.action || e.Layer != c.layer || e.Decision != c.decision || e.Principal != "arn:aws:iam::"+number+":user/carol" {
				t.Errorf("explained as %+v", e)
			}
			if e.Context["aws:username"][0] != "carol" {
				t.Errorf("the context is %v", e.Context)
			}
			if (e.DecidedBy != nil) != (c.decidedBy != "") || e.DecidedBy != nil && e.DecidedBy.Policy != c.decidedBy {
				t.Errorf("decided by %+v, want %q", e.DecidedBy, c.decidedBy)
			}
			var outcomes []string
			missed, matched := "", false
			for _, l := range e.Layers {
				outcomes = append(outcomes, l.Layer+"="+string(l.Outcome))
				if len(l.Missed) > 0 {
					missed = l.Missed[0].Element
				}
				for _, s := range l.Matched {
					matched = matched || s.Policy == c.matched
				}
			}
			if got := strings.Join(outcomes, " "); got != c.outcomes {
				t.Errorf("the layers say %s, want %s", got, c.outcomes)
			}
			if c.missed != "" && missed != c.missed || c.matched != "" && !matched {
				t.Errorf("missed by %q, want %q; matched %q: %v", missed, c.missed, c.matched, matched)
			}
			if byRequest, _ := a.iam.Denial(e.RequestID); byRequest != d {
				t.Error("it is not found by its request id")
			}
			if last, _ := a.iam.Denial(""); last != d {
				t.Error("it is not the last")
			}
		})
	}

	// What was decided stays explained, whatever the policies are now.
	before, _ := a.iam.Denial("")
	ok(t)(a.admin.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: aws.String("carol"), PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("*"))}))
	if e := before.Explain(); e.Layers[1].Outcome != "implicitDeny" {
		t.Errorf("after a change it is explained as %+v", e.Layers[1])
	}
	// What needs no permission is no refusal.
	ok(t)(session.GetSessionToken(t.Context(), nil))
	if last, _ := a.iam.Denial(""); last != before {
		t.Errorf("a call that succeeded is kept as a refusal: %+v", last)
	}
}

// TestRefusalsWithoutPoliciesAreExplained: what no policy decided is the last refusal
// too, and tells the machine's owner what the caller is not told.
func TestRefusalsWithoutPoliciesAreExplained(t *testing.T) {
	a := open(t)
	a.user(t, "carol", allow("*"))
	ok(t)(a.admin.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("app"), Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(trustEC2)}))
	client := awssts.NewFromConfig(a.Keys(t, "carol"))
	assume := func(in awssts.AssumeRoleInput) func() error {
		return func() error {
			in.RoleSessionName = aws.String("me")
			_, err := client.AssumeRole(t.Context(), &in)
			return err
		}
	}
	roles := "arn:aws:iam::" + number + ":role/"
	for name, c := range map[string]struct {
		call          func() error
		said, because string
	}{
		"another path":    {assume(awssts.AssumeRoleInput{RoleArn: aws.String(roles + "app")}), "on resource: " + roles + "app", "the role of that name is " + roles + "team/app"},
		"no such role":    {assume(awssts.AssumeRoleInput{RoleArn: aws.String(roles + "none")}), "on resource: " + roles + "none", "nor one of that name"},
		"another account": {assume(awssts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::999999999999:role/app")}), "999999999999", "account 999999999999 is not this account"},
		"no device": {assume(awssts.AssumeRoleInput{RoleArn: aws.String(roles + "app"), SerialNumber: aws.String("arn:aws:iam::" + number + ":mfa/none"), TokenCode: aws.String("123456")}),
			"unable to validate MFA code", "no MFA device arn:aws:iam::" + number + ":mfa/none"},
		"half of it": {assume(awssts.AssumeRoleInput{RoleArn: aws.String(roles + "app"), TokenCode: aws.String("123456")}), "must provide both", "one of the two"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call()
			if err == nil || !strings.Contains(err.Error(), c.said) || strings.Contains(err.Error(), c.because) {
				t.Errorf("the caller is told %v", err)
			}
			d, found := a.iam.Denial("")
			if !found || d.ID != authorizationID(t, err) {
				t.Fatal("it is not the last refusal")
			}
			e := d.Explain()
			if !strings.Contains(e.Sentence, c.said) || !strings.Contains(e.Because, c.because) || len(e.Layers) != 0 || e.Decision != answer.ImplicitDeny || e.Context["aws:username"][0] != "carol" {
				t.Errorf("explained as %+v", e)
			}
		})
	}
}

// authorizationID is in the answer's header; a message says nothing of it.
func authorizationID(t *testing.T, err error) string {
	t.Helper()
	var e *awshttp.ResponseError
	if !errors.As(err, &e) {
		t.Fatalf("%v has no answer", err)
	}
	id := e.Response.Header.Get("x-amzn-authorization-id")
	if !regexp.MustCompile(`^[0-9a-z]{26}$`).MatchString(id) || strings.Contains(err.Error(), id) {
		t.Errorf("the id is %q, the error %v", id, err)
	}
	return id
}
