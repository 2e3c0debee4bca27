package s3_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func encryptedBy(a types.ServerSideEncryption) *types.ServerSideEncryptionConfiguration {
	return &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: a}}}}
}

func setVersioning(t *testing.T, c *s3.Client, status types.BucketVersioningStatus) {
	t.Helper()
	must(t)(c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: aws.String("bkt"), VersioningConfiguration: &types.VersioningConfiguration{Status: status}}))
}

// versions lists a bucket's versions and markers: "key latest text" and "key marker".
func versions(t *testing.T, c *s3.Client) (all []string, ids map[string]string) {
	t.Helper()
	ids = map[string]string{}
	var next, id *string
	for {
		out, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("bkt"), MaxKeys: aws.Int32(2), KeyMarker: next, VersionIdMarker: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Versions {
			got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: v.Key, VersionId: v.VersionId})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			line := *v.Key + " " + string(text)
			if *v.IsLatest {
				line += " latest"
			}
			all, ids[*v.Key+" "+string(text)] = append(all, line), *v.VersionId
		}
		for _, m := range out.DeleteMarkers {
			line := *m.Key + " marker"
			if *m.IsLatest {
				line += " latest"
			}
			all, ids[*m.Key+" marker"] = append(all, line), *m.VersionId
		}
		if !*out.IsTruncated {
			break
		}
		next, id = out.NextKeyMarker, out.NextVersionIdMarker
	}
	slices.Sort(all)
	return all, ids
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestVersions(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.bucket(t, "bkt")
	del := func(key string, version *string) *s3.DeleteObjectOutput {
		t.Helper()
		out, err := a.admin.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: &key, VersionId: version})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	put(t, a.admin, "bkt", "k", "0")
	setVersioning(t, a.admin, types.BucketVersioningStatusEnabled)
	put(t, a.admin, "bkt", "k", "1")
	put(t, a.admin, "bkt", "k", "2")
	put(t, a.admin, "bkt", "k/other", "o")
	all, ids := versions(t, a.admin)
	same(t, all, "k 0", "k 1", "k 2 latest", "k/other o latest")
	if ids["k 0"] != "null" {
		t.Errorf("the first version is %s", ids["k 0"])
	}
	if out := del("k", nil); !aws.ToBool(out.DeleteMarker) || aws.ToString(out.VersionId) == "" {
		t.Errorf("%+v", out)
	}
	_, err := a.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	refused(t, err, "NoSuchKey", "")
	list, err := a.admin.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bkt")})
	if err != nil || *list.KeyCount != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	all, ids = versions(t, a.admin)
	same(t, all, "k 0", "k 1", "k 2", "k marker latest", "k/other o latest")
	marker := ids["k marker"]
	_, err = a.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), VersionId: &marker})
	refused(t, err, "MethodNotAllowed", "")
	del("k", &marker)
	if got := get(t, a.admin, "bkt", "k"); got != "2" {
		t.Errorf("without the marker it is %s", got)
	}
	two := ids["k 2"]
	del("k", &two)
	if got := get(t, a.admin, "bkt", "k"); got != "1" {
		t.Errorf("without the newest it is %s", got)
	}
	must(t)(a.admin.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("bkt"), Key: aws.String("copy"), CopySource: aws.String("bkt/k?versionId=null")}))
	if got := get(t, a.admin, "bkt", "copy"); got != "0" {
		t.Errorf("the copy is %s", got)
	}
	setVersioning(t, a.admin, types.BucketVersioningStatusSuspended)
	put(t, a.admin, "bkt", "k", "3")
	put(t, a.admin, "bkt", "k", "4")
	all, ids = versions(t, a.admin)
	same(t, all, "copy 0 latest", "k 1", "k 4 latest", "k/other o latest")
	if ids["k 4"] != "null" {
		t.Errorf("the version is %s", ids["k 4"])
	}
	del("k", nil)
	all, _ = versions(t, a.admin)
	same(t, all, "copy 0 latest", "k 1", "k marker latest", "k/other o latest")
	_, err = a.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), VersionId: aws.String(strings.Repeat("x", 32))})
	refused(t, err, "NoSuchVersion", "The specified version does not exist.")
	_, err = a.admin.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("bkt")})
	refused(t, err, "BucketNotEmpty", "")
	_, ids = versions(t, a.admin)
	var objects []types.ObjectIdentifier
	for name, id := range ids {
		key, _, _ := strings.Cut(name, " ")
		objects = append(objects, types.ObjectIdentifier{Key: &key, VersionId: aws.String(id)})
	}
	must(t)(a.admin.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("bkt"), Delete: &types.Delete{Objects: objects}}))
	must(t)(a.admin.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("bkt")}))
	if n := a.blobs(t); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestReadingAVersionIsARight of its own.
func TestReadingAVersionIsARight(t *testing.T) {
	a, ctx := open3(t), t.Context()
	put(t, a.admin, "bkt", "k", "1")
	user := a.user(t, "reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":"*"}]}`)
	_, err := user.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), VersionId: aws.String("null")})
	refused(t, err, "AccessDenied", "s3:GetObjectVersion")
	_, err = user.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), VersionId: aws.String("null")})
	refused(t, err, "AccessDenied", "s3:DeleteObjectVersion")
}

// TestBytesOnDiskAreEncrypted: nothing of what was written can be read there, and ranges
// come back as they were.
func TestBytesOnDiskAreEncrypted(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.bucket(t, "bkt")
	must(t)(a.admin.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: aws.String("bkt"), ServerSideEncryptionConfiguration: encryptedBy(types.ServerSideEncryptionAwsKms)}))
	text := strings.Repeat("a secret of several blocks; ", 1000)
	out, err := a.admin.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader(text)})
	if err != nil || out.ServerSideEncryption != types.ServerSideEncryptionAwsKms {
		t.Fatalf("%+v, %v", out, err)
	}
	err = filepath.WalkDir(a.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte("secret")) {
			t.Errorf("%s can be read", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int64{{0, 3}, {15, 17}, {16, 31}, {12345, 20001}, {27990, 27999}} {
		header := "bytes=" + itoa(r[0]) + "-" + itoa(r[1])
		got, err := a.admin.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Range: &header})
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(got.Body); err != nil || string(data) != text[r[0]:r[1]+1] || got.ServerSideEncryption != types.ServerSideEncryptionAwsKms {
			t.Errorf("%s: %q, %v", header, data, err)
		}
	}
	must(t)(a.admin.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: aws.String("bkt")}))
	usual, err := a.admin.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String("bkt")})
	if err != nil || usual.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm != types.ServerSideEncryptionAes256 {
		t.Errorf("%+v, %v", usual, err)
	}
}

func TestLifecycles(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.bucket(t, "bkt")
	setVersioning(t, a.admin, types.BucketVersioningStatusEnabled)
	days := func(n int32) *int32 { return &n }
	must(t)(a.admin.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: aws.String("bkt"), LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{
		{ID: aws.String("old"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("logs/")}, Expiration: &types.LifecycleExpiration{Days: days(7)}},
		{ID: aws.String("versions"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{}, NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: days(30), NewerNoncurrentVersions: days(1)}},
		{ID: aws.String("markers"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{}, Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}},
		{ID: aws.String("uploads"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{}, AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: days(1)}},
	}}}))
	shown, err := a.admin.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("bkt")})
	if err != nil || len(shown.Rules) != 4 || *shown.Rules[1].NoncurrentVersionExpiration.NoncurrentDays != 30 || *shown.Rules[0].Filter.Prefix != "logs/" {
		t.Errorf("%+v, %v", shown, err)
	}
	for _, text := range []string{"1", "2", "3"} {
		put(t, a.admin, "bkt", "k", text)
	}
	put(t, a.admin, "bkt", "logs/a", "l")
	must(t)(a.admin.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bkt"), Key: aws.String("u")}))
	after := func(d time.Duration) []string {
		t.Helper()
		a.s3.Now = func() time.Time { return time.Now().Add(d) }
		if err := a.s3.Expire(ctx); err != nil {
			t.Fatal(err)
		}
		all, _ := versions(t, a.admin)
		return all
	}
	same(t, after(0), "k 1", "k 2", "k 3 latest", "logs/a l latest")
	same(t, after(8*24*time.Hour), "k 1", "k 2", "k 3 latest", "logs/a l", "logs/a marker latest")
	same(t, after(40*24*time.Hour), "k 2", "k 3 latest", "logs/a l", "logs/a marker latest")
	uploads, err := a.admin.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String("bkt")})
	if err != nil || len(uploads.Uploads) != 0 {
		t.Errorf("%+v, %v", uploads, err)
	}
	_, err = a.admin.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: aws.String("bkt"), LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{
		{Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{}, Transitions: []types.Transition{{Days: days(1), StorageClass: types.TransitionStorageClassGlacier}}}}}})
	refused(t, err, "NotImplemented", "A lifecycle transition to another storage class")
}
