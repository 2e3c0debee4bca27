package iam

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/engine/policy/answer"
)

// account is IAM and S3 behind a front door, for the official SDK.
func account(t *testing.T) (*awsiam.Client, *awss3.Client) {
	t.Helper()
	a := doortest.New(t)
	buckets, err := s3.New(s3.Config{Store: a.Store, Place: doortest.Place, Dir: t.TempDir(), IAM: a.IAM})
	if err != nil {
		t.Fatal(err)
	}
	config := a.Open(t, buckets.Service()).Admin
	return awsiam.NewFromConfig(config), awss3.NewFromConfig(config, pathStyle)
}

// TestLive explains calls by the policies of an account, read by its own API.
func TestLive(t *testing.T) {
	client, buckets := account(t)
	furnish(t, client)
	furnishBucket(t, buckets)
	d, err := readDetails(t.Context(), doortest.Place.AccountID, client, buckets)
	if err != nil {
		t.Fatal(err)
	}
	const bob, app = "arn:aws:iam::111122223333:user/bob", "arn:aws:sts::111122223333:assumed-role/app/i-1"
	for _, c := range []struct {
		asked asked
		want  []string
	}{
		{asked{principal: bob, action: "s3:GetObject", resource: "arn:aws:s3:::data/x"}, []string{"may perform", "Allow Read of inline policy read of user bob"}},
		{asked{principal: bob, action: "s3:PutObject", resource: "arn:aws:s3:::data/blue/x"}, []string{"may perform", "inline policy write of group writers"}},
		{asked{principal: bob, action: "s3:PutObject", resource: "arn:aws:s3:::data/red/x"}, []string{"because no identity-based policy allows", "Resource is arn:aws:s3:::data/${aws:PrincipalTag/team}/*, not arn:aws:s3:::data/red/x"}},
		{asked{principal: bob, action: "s3:PutObject", resource: "arn:aws:s3:::data/red/x", tags: []string{"team=red"}}, []string{"may perform"}},
		{asked{principal: bob, action: "s3:DeleteObject", resource: "arn:aws:s3:::data/x"}, []string{"with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/keep"}},
		{asked{principal: bob, action: "ec2:DescribeInstances", resource: "*"}, []string{"because no permissions boundary allows", "arn:aws:iam::aws:policy/AmazonS3FullAccess"}},
		{asked{principal: bob, action: "sts:AssumeRole", resource: "arn:aws:iam::111122223333:role/team/app"}, []string{"may perform", "trust policy of role app"}},
		{asked{principal: app, action: "s3:ListAllMyBuckets", resource: "*"}, []string{"may perform", "AmazonS3ReadOnlyAccess"}},
		{asked{principal: app, action: "sts:AssumeRole", resource: "arn:aws:iam::111122223333:role/team/app"}, []string{"because no role trust policy allows", "Principal is arn:aws:iam::111122223333:user/bob"}},
		{asked{principal: app, action: "s3:PutObject", resource: "arn:aws:s3:::shared/x"}, []string{"may perform", "Allow Drop of policy of bucket shared"}},
		{asked{principal: bob, action: "s3:GetObject", resource: "arn:aws:s3:::shared/secret"}, []string{"with an explicit deny in a resource-based policy"}},
		{asked{principal: bob, action: "s3:GetObject", resource: "arn:aws:s3:::nobucket/x"}, []string{"may perform"}},
		{asked{principal: "arn:aws:iam::111122223333:root", action: "s3:GetObject", resource: "arn:aws:s3:::data/x"}, []string{"may perform", "needs no policy"}},
	} {
		q, err := c.asked.question()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.fill(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		showExplanation(&out, "", q.Explain())
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s %s: no %q in\n%s", c.asked.principal, c.asked.action, want, out.String())
			}
		}
	}
	// A new policy of a file beside those that the account has.
	denied := filepath.Join(t.TempDir(), "deny.yaml")
	if err := os.WriteFile(denied, []byte("Effect: Deny\nAction: s3:*\nResource: '*'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a := asked{principal: bob, action: "s3:GetObject", resource: "arn:aws:s3:::data/x"}
	a.files.identity = []string{denied}
	q, err := a.question()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.fill(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if e := q.Explain(); e.Decision != answer.ExplicitDeny || e.DecidedBy.File != denied || len(e.Layers[0].Matched) != 2 {
		t.Errorf("with a file: %+v", e)
	}
	// The user's own policies, of a federated one.
	f := asked{principal: "arn:aws:sts::111122223333:federated-user/f", role: bob, action: "s3:GetObject", resource: "arn:aws:s3:::data/x"}
	f.files.session = []string{denied}
	if q, err = f.question(); err != nil {
		t.Fatal(err)
	}
	if err := d.fill(t.Context(), q); err != nil || len(q.Layers.Identity) == 0 {
		t.Errorf("of a federated user: %d policies, %v", len(q.Layers.Identity), err)
	}
}

// TestLiveUnknown: what the account doesn't have is said by the name that was given.
func TestLiveUnknown(t *testing.T) {
	client, buckets := account(t)
	furnish(t, client)
	d, err := readDetails(t.Context(), doortest.Place.AccountID, client, buckets)
	if err != nil {
		t.Fatal(err)
	}
	const read, bob = "s3:GetObject", "arn:aws:iam::111122223333:user/bob"
	for _, c := range []struct{ principal, action, resource, want string }{
		{"arn:aws:iam::111122223333:user/eve", read, "*", "the account has no user arn:aws:iam::111122223333:user/eve"},
		{"arn:aws:iam::111122223333:role/none", read, "*", "the account has no role of arn:aws:iam::111122223333:role/none"},
		{"arn:aws:sts::111122223333:federated-user/f", read, "*", "what a federated user may do"},
		{"arn:aws:iam::999999999999:user/bob", read, "*", "arn:aws:iam::999999999999:user/bob is of account 999999999999, and the account here is 111122223333"},
		{bob, "sts:AssumeRole", "arn:aws:iam::111122223333:role/none", "the account has no role arn:aws:iam::111122223333:role/none"},
	} {
		q, err := (&asked{principal: c.principal, action: c.action, resource: c.resource}).question()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.fill(t.Context(), q); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.principal, c.action, err, c.want)
		}
	}
}

// furnishBucket makes a bucket that lets a role in, and nobody at one object.
func furnishBucket(t *testing.T, client *awss3.Client) {
	t.Helper()
	name := aws.String("shared")
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: name, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{Bucket: name, Policy: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Sid":"Drop","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/team/app"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::shared/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::shared/secret"}]}`)}); err != nil {
		t.Fatal(err)
	}
}

// furnish makes what TestLive asks about.
func furnish(t *testing.T, client *awsiam.Client) {
	t.Helper()
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	statement := func(s string) *string { return aws.String(`{"Version":"2012-10-17","Statement":[{` + s + `}]}`) }
	bob, writers, app := aws.String("bob"), aws.String("writers"), aws.String("app")
	keep, err := client.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String("keep"), PolicyDocument: statement(`"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"`)})
	must(keep, err)
	must(client.CreateUser(ctx, &awsiam.CreateUserInput{UserName: bob, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AmazonS3FullAccess"),
		Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("blue")}}}))
	must(client.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: bob, PolicyName: aws.String("read"), PolicyDocument: statement(`"Sid":"Read","Effect":"Allow","Action":["s3:Get*","ec2:*"],"Resource":"*"`)}))
	must(client.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: bob, PolicyArn: keep.Policy.Arn}))
	must(client.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: writers}))
	must(client.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: writers, PolicyName: aws.String("write"), PolicyDocument: statement(`"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/${aws:PrincipalTag/team}/*"`)}))
	must(client.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: writers, UserName: bob}))
	must(client.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: app, Path: aws.String("/team/"),
		AssumeRolePolicyDocument: statement(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"},"Action":"sts:AssumeRole"`)}))
	must(client.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: app, PolicyArn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}))
}
