package doortest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/client"
	"github.com/eksact/eksact/internal/aws/front"
)

// Door is an account behind its front door, on loopback.
type Door struct {
	*Account
	Handler *front.Front
	URL     string
	Client  *http.Client
	Admin   aws.Config
}

// Open serves IAM, STS and more services.
func (a *Account) Open(t testing.TB, more ...*api.Service) *Door {
	t.Helper()
	d := &Door{Account: a, Handler: a.Front(t, more...), Client: client.New(&http.Transport{})}
	server := httptest.NewServer(d.Handler)
	t.Cleanup(func() {
		d.Client.CloseIdleConnections()
		server.Close()
	})
	d.URL = server.URL
	k := a.AdminKey(t)
	d.Admin = d.Config(k.AccessKeyID, k.SecretAccessKey, "")
	return d
}

// Config is for clients with these credentials. They try once.
func (d *Door) Config(id, secret, token string) aws.Config {
	return aws.Config{
		Region: Place.Region, BaseEndpoint: &d.URL, RetryMaxAttempts: 1, HTTPClient: d.Client,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	}
}

// Keys gives a user an access key.
func (d *Door) Keys(t testing.TB, user string) aws.Config {
	t.Helper()
	out, err := awsiam.NewFromConfig(d.Admin).CreateAccessKey(t.Context(), &awsiam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	return d.Config(*out.AccessKey.AccessKeyId, *out.AccessKey.SecretAccessKey, "")
}

// User makes a user with an access key and, unless it is empty, an inline policy.
func (d *Door) User(t testing.TB, name, document string) aws.Config {
	t.Helper()
	admin := awsiam.NewFromConfig(d.Admin)
	Must(t)(admin.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: &name}))
	if document != "" {
		Must(t)(admin.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &document}))
	}
	return d.Keys(t, name)
}

// Must is for calls that must succeed and whose answer doesn't matter.
func Must(t testing.TB) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Refused checks code and text of an error; of the text, that it contains want.
func Refused(t testing.TB, err error, code, want string) {
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
