package sts_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/aws/sts"
)

// door is the account behind a real front door, for the official SDK's clients.
type door struct {
	*account
	url   string
	trail *cloudtrail.Trail
	dir   string
}

// keyring shows STS's keys to the front door, as the daemon does.
type keyring struct{ *sts.STS }

func (k keyring) Resolve(ctx context.Context, id, token string, now time.Time) (string, api.Caller, error) {
	secret, who, err := k.STS.Resolve(ctx, id, token, now)
	switch {
	case errors.Is(err, sts.ErrUnknownKey):
		err = front.ErrUnknownKey
	case errors.Is(err, sts.ErrBadToken):
		err = front.ErrBadToken
	case errors.Is(err, sts.ErrExpiredToken):
		err = front.ErrExpiredToken
	}
	return secret, who, err
}

func behindDoor(t *testing.T, more ...*api.Service) *door {
	t.Helper()
	d := &door{account: open(t), dir: t.TempDir()}
	d.now = time.Now()
	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	if d.trail, err = cloudtrail.Open(d.dir, cloudtrail.Options{}); err != nil {
		t.Fatal(err)
	}
	handler, err := front.New(front.Config{
		Place: api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, Codec: front.Wire(codec),
		Credentials: keyring{d.sts}, Authorizer: d.iam, Recorder: d.trail, Messages: d.sts, Services: append(more, d.iam.Service(), d.sts.Service()),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *door) config(id, secret, token string) aws.Config {
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &d.url, RetryMaxAttempts: 1,
		HTTPClient:  &http.Client{Transport: &http.Transport{ReadBufferSize: 1 << 20, DisableKeepAlives: true}},
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	}
}

// adminConfig is the admin's.
func (d *door) adminConfig(t *testing.T) aws.Config {
	t.Helper()
	admin, err := d.iam.Admin()
	if err != nil {
		t.Fatal(err)
	}
	return d.config(admin.AccessKeyID, admin.SecretAccessKey, "")
}

// identities are the userIdentity of all recorded calls of that name.
func (d *door) identities(t *testing.T, call string) (list []map[string]any) {
	t.Helper()
	if err := d.trail.Close(); err != nil {
		t.Fatal(err)
	}
	records, err := cloudtrail.Read(d.dir, time.Time{})
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
	anyone := awssts.New(awssts.Options{Region: "us-west-2", BaseEndpoint: &d.url, Credentials: aws.AnonymousCredentials{}})
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("pod"), WebIdentityToken: i.token(t, d.now, nil)}
	out, err := anyone.AssumeRoleWithWebIdentity(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	pod := d.config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	if _, err := awsiam.NewFromConfig(pod).ListUsers(t.Context(), nil); err != nil {
		t.Error(err)
	}
	in.WebIdentityToken = aws.String("no.token.atall")
	_, err = anyone.AssumeRoleWithWebIdentity(t.Context(), in)
	says(t, err, "InvalidIdentityToken: The ID Token provided is not a valid JWT.")
	in.WebIdentityToken = i.token(t, d.now, map[string]any{"sub": "other"})
	_, err = awssts.NewFromConfig(d.adminConfig(t)).AssumeRoleWithWebIdentity(t.Context(), in)
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
	records, err := cloudtrail.Read(d.dir, time.Time{})
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
	out, err := awssts.NewFromConfig(d.adminConfig(t)).GetFederationToken(t.Context(), &awssts.GetFederationTokenInput{Name: aws.String("bob"), Policy: aws.String(allows("*"))})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	bob := d.config(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
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
