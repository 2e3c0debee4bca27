package s3_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	ours "github.com/eksact/eksact/internal/aws/s3"
)

const number = doortest.Number

var (
	place   = doortest.Place
	refused = doortest.Refused
	must    = doortest.Must
)

// account is S3 behind a real front door, for the official SDK's clients.
type account struct {
	*doortest.Door
	dir   string
	iam   *awsiam.Client
	admin *s3.Client
	s3    *ours.S3
}

func open(t testing.TB) *account {
	t.Helper()
	base, dir := doortest.New(t), t.TempDir()
	service, err := ours.New(ours.Config{Store: base.Store, Place: place, Dir: dir, IAM: base.IAM})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	a := &account{Door: base.Open(t, service.Service()), dir: dir, s3: service}
	a.iam, a.admin = awsiam.NewFromConfig(a.Admin), a.s3As(a.Admin)
	return a
}

func (a *account) s3As(c aws.Config) *s3.Client {
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true })
}

// user makes a user with an inline policy, unless it is empty.
func (a *account) user(t *testing.T, name, document string) *s3.Client {
	t.Helper()
	return a.s3As(a.User(t, name, document))
}

// anonymous is a client without credentials.
func (a *account) anonymous() *s3.Client {
	c := a.Admin
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
		files, _ := filepath.Glob(filepath.Join(a.TrailDir, "*"))
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
