package iam_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/store"
)

const number = "111122223333"

var place = api.Place{Partition: "aws", AccountID: number, Region: "us-west-2"}

// account is an account behind a real front door: signed, authorized and encoded
// as in the product, for the official SDK's clients.
type account struct {
	store  *store.Store
	iam    *iam.IAM
	sts    *sts.STS
	url    string
	client *http.Client
	admin  *awsiam.Client
	root   aws.Config    // the admin's
	ahead  time.Duration // of the clock is IAM
}

func open(t testing.TB, more ...func(*account) *api.Service) *account {
	t.Helper()
	// A large buffer, for the SDK gives up a connection whose server answers before
	// it has looked for the end of what it sent: what has not been read by then is
	// lost.
	a := &account{store: store.NewMemory(), client: &http.Client{Transport: &http.Transport{ReadBufferSize: 1 << 20}}}
	var err error
	if a.iam, err = iam.New(a.store, place, func() time.Time { return time.Now().Add(a.ahead) }); err != nil {
		t.Fatal(err)
	}
	a.sts = sts.New(a.store, place, a.iam, time.Now)
	if err := errors.Join(a.iam.Bootstrap(t.Context()), a.sts.Open(t.Context())); err != nil {
		t.Fatal(err)
	}
	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	trail, err := cloudtrail.Open(t.TempDir(), cloudtrail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	services := []*api.Service{a.iam.Service(), a.sts.Service()}
	for _, make := range more {
		services = append(services, make(a))
	}
	door, err := front.New(front.Config{
		Place: place, Codec: front.Wire(codec), Credentials: keyring{a.sts}, Authorizer: a.iam, Recorder: trail, Services: services,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(door)
	t.Cleanup(func() {
		a.client.CloseIdleConnections()
		server.Close()
		a.iam.Close()
		if err := trail.Close(); err != nil {
			t.Error(err)
		}
		a.store.Close()
	})
	a.url = server.URL
	admin, err := a.iam.Admin()
	if err != nil {
		t.Fatal(err)
	}
	a.root = a.config(admin.AccessKeyID, admin.SecretAccessKey, "")
	a.admin = awsiam.NewFromConfig(a.root)
	return a
}

// keyring shows STS's keys to the front door, as the daemon does.
type keyring struct{ sts *sts.STS }

func (k keyring) Resolve(ctx context.Context, id, token string, now time.Time) (string, api.Caller, error) {
	secret, who, err := k.sts.Resolve(ctx, id, token, now)
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

func (a *account) config(id, secret, token string) aws.Config {
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: &a.url, RetryMaxAttempts: 1, HTTPClient: a.client,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	}
}

// keys gives a user an access key.
func (a *account) keys(t *testing.T, user string) aws.Config {
	t.Helper()
	out, err := a.admin.CreateAccessKey(t.Context(), &awsiam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	return a.config(*out.AccessKey.AccessKeyId, *out.AccessKey.SecretAccessKey, "")
}

// user makes a user with an access key and, unless it is empty, an inline policy.
func (a *account) user(t *testing.T, name, document string) *awsiam.Client {
	t.Helper()
	ok(t)(a.admin.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: &name}))
	if document != "" {
		ok(t)(a.admin.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &document}))
	}
	return awsiam.NewFromConfig(a.keys(t, name))
}

func (a *account) role(t *testing.T, name, trust string) string {
	t.Helper()
	out, err := a.admin.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Role.Arn
}

// policy makes a managed policy.
func (a *account) policy(t *testing.T, name, document string) *string {
	t.Helper()
	out, err := a.admin.CreatePolicy(t.Context(), &awsiam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
	if err != nil {
		t.Fatal(err)
	}
	return out.Policy.Arn
}

const trustEC2 = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// allow is a policy with one statement, about everything unless more elements say
// otherwise.
func allow(actions string, more ...string) string { return statement("Allow", actions, more...) }
func deny(actions string, more ...string) string  { return statement("Deny", actions, more...) }

func statement(effect, actions string, more ...string) string {
	elements := `"Resource":"*"`
	if len(more) > 0 {
		elements = strings.Join(more, ",")
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"],` + elements + `}]}`
}

// ok is for calls that must succeed and whose answer doesn't matter.
func ok(t *testing.T) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refused checks code and text of an error; of the text, that it contains want.
func refused(t *testing.T, err error, code, want string) {
	t.Helper()
	var e interface {
		ErrorCode() string
		ErrorMessage() string
	}
	switch {
	case err == nil:
		t.Errorf("it succeeded, want %s: %s", code, want)
	case !errors.As(err, &e):
		t.Errorf("got %v, want %s: %s", err, code, want)
	case e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), want):
		t.Errorf("got  %s: %s\nwant %s: %s", e.ErrorCode(), e.ErrorMessage(), code, want)
	}
}

// denied checks AWS's sentence.
func denied(t *testing.T, err error, sentence string) {
	t.Helper()
	refused(t, err, "AccessDenied", sentence)
}

func arn(resource string) string { return "arn:aws:iam::" + number + ":" + resource }
