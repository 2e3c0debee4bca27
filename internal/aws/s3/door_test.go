package s3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/aws/iam"
	ours "github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/store"
)

const number = "111122223333"

var place = api.Place{Partition: "aws", AccountID: number, Region: "us-west-2"}

// account is S3 behind a real front door: signed, authorized and encoded as in the
// product, for the official SDK's clients.
type account struct {
	url, dir, trail string
	client          *http.Client
	iam             *awsiam.Client
	config          aws.Config // the admin's
	admin           *s3.Client
	s3              *ours.S3
	store           *store.Store
	records         *cloudtrail.Trail
	door            http.Handler
	identities      *iam.IAM
}

func open(t testing.TB) *account {
	t.Helper()
	a := &account{
		store: store.NewMemory(), dir: t.TempDir(), trail: t.TempDir(),
		client: &http.Client{Transport: &http.Transport{ReadBufferSize: 1 << 20}},
	}
	i, err := iam.New(a.store, place, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	keys := sts.New(a.store, place, i, time.Now)
	if a.s3, err = ours.New(ours.Config{Store: a.store, Place: place, Dir: a.dir, IAM: i}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(i.Bootstrap(t.Context()), keys.Open(t.Context()), a.s3.Open(t.Context())); err != nil {
		t.Fatal(err)
	}
	codec, err := wire.New()
	if err != nil {
		t.Fatal(err)
	}
	if a.records, err = cloudtrail.Open(a.trail, cloudtrail.Options{}); err != nil {
		t.Fatal(err)
	}
	door, err := front.New(front.Config{
		Place: place, Codec: front.Wire(codec), Credentials: keyring{keys}, Authorizer: i, Recorder: a.records,
		Services: []*api.Service{i.Service(), keys.Service(), a.s3.Service()},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.door, a.identities = door, i
	server := httptest.NewServer(door)
	t.Cleanup(func() {
		a.client.CloseIdleConnections()
		server.Close()
		a.s3.Close()
		i.Close()
		if err := a.records.Close(); err != nil {
			t.Error(err)
		}
		a.store.Close()
	})
	a.url = server.URL
	admin, err := i.Admin()
	if err != nil {
		t.Fatal(err)
	}
	a.config = a.keys(admin.AccessKeyID, admin.SecretAccessKey)
	a.iam, a.admin = awsiam.NewFromConfig(a.config), a.s3As(a.config)
	return a
}

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

func (a *account) keys(id, secret string) aws.Config {
	return aws.Config{
		Region: place.Region, BaseEndpoint: &a.url, RetryMaxAttempts: 1, HTTPClient: a.client,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	}
}

func (a *account) s3As(c aws.Config) *s3.Client {
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
}

// user makes a user with an inline policy, unless it is empty.
func (a *account) user(t *testing.T, name, document string) *s3.Client {
	t.Helper()
	must(t)(a.iam.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: &name}))
	if document != "" {
		must(t)(a.iam.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &document}))
	}
	k, err := a.iam.CreateAccessKey(t.Context(), &awsiam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return a.s3As(a.keys(*k.AccessKey.AccessKeyId, *k.AccessKey.SecretAccessKey))
}

// anonymous is a client without credentials.
func (a *account) anonymous() *s3.Client {
	c := a.config
	c.Credentials = aws.AnonymousCredentials{}
	return a.s3As(c)
}

func (a *account) bucket(t testing.TB, name string) {
	t.Helper()
	must(t)(a.admin.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(place.Region)},
	}))
}

func put(t testing.TB, c *s3.Client, bucket, key, data string) {
	t.Helper()
	must(t)(c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(data)}))
}

func get(t testing.TB, c *s3.Client, bucket, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("%s/%s: %v", bucket, key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("%s/%s: %v", bucket, key, err)
	}
	return string(data)
}

// blobs counts the files with objects' bytes; unfinished ones are counted too.
func (a *account) blobs(t testing.TB) int {
	t.Helper()
	n := 0
	for _, pattern := range []string{"blobs/sha256/*", "ingest/*"} {
		found, err := filepath.Glob(filepath.Join(a.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		n += len(found)
	}
	return n
}

func must(t testing.TB) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refused checks code and text of an error; of the text, that it contains want.
func refused(t testing.TB, err error, code, want string) {
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

func statement(effect, actions, resources string, more ...string) string {
	elements := append([]string{
		`"Effect":"` + effect + `"`, `"Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"]`, `"Resource":["` + strings.ReplaceAll(resources, ",", `","`) + `"]`,
	}, more...)
	return `{` + strings.Join(elements, ",") + `}`
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// events are the trail's lines.
func (a *account) events(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		all.Reset()
		files, _ := filepath.Glob(filepath.Join(a.trail, "*"))
		for _, f := range files {
			data, _ := os.ReadFile(f)
			all.Write(data)
		}
		if strings.Contains(all.String(), `"eventName":"PutObject"`) {
			break
		}
	}
	return all.String()
}

// orphan writes what a crash leaves: a blob that no record names, and one that was
// not finished.
func (a *account) orphan(t *testing.T) (files []string) {
	t.Helper()
	blob := filepath.Join(a.dir, "blobs/sha256", strings.Repeat("a", 64))
	ingest := filepath.Join(a.dir, "ingest", strings.Repeat("b", 64))
	if err := errors.Join(os.WriteFile(blob, []byte("x"), 0o600), os.MkdirAll(ingest, 0o700), os.WriteFile(filepath.Join(ingest, "data"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return []string{blob, ingest}
}
