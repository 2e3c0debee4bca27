package sts_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/doortest"
)

// door is the account behind a real front door, for the official SDK's clients.
type door struct {
	*account
	*doortest.Door
}

func behindDoor(t *testing.T, more ...*api.Service) *door {
	t.Helper()
	a := open(t)
	a.now = time.Now()
	return &door{a, a.base.Open(t, more...)}
}

// identities are the userIdentity of all recorded calls of that name.
func (d *door) identities(t *testing.T, call string) (list []map[string]any) {
	t.Helper()
	if err := d.Trail.Close(); err != nil {
		t.Fatal(err)
	}
	records, err := cloudtrail.Read(d.TrailDir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.EventName == call {
			list = append(list, r.UserIdentity)
		}
	}
	return list
}

// field follows names into a userIdentity.
func field(v any, names ...string) any {
	for _, n := range names {
		m, _ := v.(map[string]any)
		v = m[n]
	}
	return v
}

// The SDK's own call for pods: unsigned, whatever credentials there are.
func TestWebIdentityThroughTheDoor(t *testing.T) {
	d := behindDoor(t)
	i := d.issuer(t, idpURL)
	role := d.role(t, "app", trustsProvider(idpARN, asWebIdentity, `"StringEquals":{"`+idpURL+`:sub":"system:serviceaccount:default:app"}`))
	d.grant(t, "app", allows("iam:ListUsers", `"Resource":"*"`, `"Condition":{"StringEquals":{"aws:FederatedProvider":"`+idpARN+`"}}`))
	anyone := awssts.New(awssts.Options{Region: "us-west-2", BaseEndpoint: &d.URL, Credentials: aws.AnonymousCredentials{}})
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(t, d.now, nil)}
	out, err := anyone.AssumeRoleWithWebIdentity(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	pod := d.Config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	if _, err := awsiam.NewFromConfig(pod).ListUsers(t.Context(), nil); err != nil {
		t.Error(err)
	}
	in.WebIdentityToken = aws.String("no.token.atall")
	_, err = anyone.AssumeRoleWithWebIdentity(t.Context(), in)
	says(t, err, "InvalidIdentityToken: The ID Token provided is not a valid JWT.")
	in.WebIdentityToken = i.token(t, d.now, map[string]any{"sub": "other"})
	_, err = awssts.NewFromConfig(d.Admin).AssumeRoleWithWebIdentity(t.Context(), in)
	says(t, err, "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity")

	calls := d.identities(t, "AssumeRoleWithWebIdentity")
	if len(calls) != 3 {
		t.Fatalf("%d calls are recorded", len(calls))
	}
	for n, want := range []map[string]any{
		{"type": "WebIdentityUser", "principalId": idpARN + ":sts.amazonaws.com:system:serviceaccount:default:app", "userName": "system:serviceaccount:default:app", "identityProvider": idpARN},
		{"type": "WebIdentityUser"}, {"type": "WebIdentityUser"},
	} {
		for _, name := range []string{"type", "principalId", "userName", "identityProvider", "arn", "accessKeyId"} {
			if got := calls[n][name]; got != want[name] {
				t.Errorf("call %d: %s is %v, want %v", n, name, got, want[name])
			}
		}
	}
	records, err := cloudtrail.Read(d.TrailDir, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.EventName == "ListUsers" && field(r.UserIdentity, "sessionContext", "webIdFederationData", "federatedProvider") != idpARN {
			t.Errorf("%v", r.UserIdentity)
		}
		if r.EventName == "AssumeRoleWithWebIdentity" && r.RequestParameters["webIdentityToken"] != nil && r.RequestParameters["webIdentityToken"] == *in.WebIdentityToken {
			t.Error("a token is in the trail")
		}
	}
}

func TestFederatedUsersThroughTheDoor(t *testing.T) {
	d := behindDoor(t)
	out, err := awssts.NewFromConfig(d.Admin).GetFederationToken(t.Context(), &awssts.GetFederationTokenInput{Name: aws.String("bob"), Policy: aws.String(allows("*"))})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	bob := d.Config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	id, err := awssts.NewFromConfig(bob).GetCallerIdentity(t.Context(), nil)
	if err != nil || *id.Arn != "arn:aws:sts::111122223333:federated-user/bob" {
		t.Errorf("%+v, %v", id, err)
	}
	for _, err := range []error{
		second(awsiam.NewFromConfig(bob).ListUsers(t.Context(), nil)),
		second(awssts.NewFromConfig(bob).GetAccessKeyInfo(t.Context(), &awssts.GetAccessKeyInfoInput{AccessKeyId: c.AccessKeyId})),
	} {
		says(t, err, "InvalidClientTokenId: The security token included in the request is invalid")
	}
	calls := d.identities(t, "GetCallerIdentity")
	if len(calls) != 1 {
		t.Errorf("%d calls are recorded", len(calls))
	}
	for _, who := range calls {
		if who["type"] != "FederatedUser" || who["principalId"] != "111122223333:bob" || who["arn"] != *id.Arn ||
			field(who, "sessionContext", "sessionIssuer", "type") != "IAMUser" || field(who, "sessionContext", "sessionIssuer", "userName") != "admin" {
			t.Errorf("%v", who)
		}
	}
}
