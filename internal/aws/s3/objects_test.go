package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestObject(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	out, err := a.admin.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bkt"), Key: aws.String("dir/a b+c.txt"), Body: strings.NewReader("hello"),
		ContentType: aws.String("text/plain"), CacheControl: aws.String("max-age=60"), ContentDisposition: aws.String("inline"),
		Expires:         aws.Time(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)),
		ContentLanguage: aws.String("en"), ContentEncoding: aws.String("identity"), Metadata: map[string]string{"Owner": "me", "x": "y"},
		Tagging: aws.String("team=red&empty="),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *out.ETag, `"5d41402abc4b2a76b9719d911017c592"`; got != want {
		t.Errorf("ETag %s, want %s", got, want)
	}
	if out.ChecksumCRC32 == nil || *out.ChecksumCRC32 != "NhCmhg==" || out.ChecksumType != types.ChecksumTypeFullObject {
		t.Errorf("checksum %v (%s), want CRC32 NhCmhg==", aws.ToString(out.ChecksumCRC32), out.ChecksumType)
	}
	head, err := a.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/a b+c.txt")})
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]string{
		"type": {*head.ContentType, "text/plain"}, "cache": {*head.CacheControl, "max-age=60"}, "disposition": {*head.ContentDisposition, "inline"},
		"language": {*head.ContentLanguage, "en"}, "encoding": {*head.ContentEncoding, "identity"}, "owner": {head.Metadata["owner"], "me"}, "x": {head.Metadata["x"], "y"},
		"etag": {*head.ETag, `"5d41402abc4b2a76b9719d911017c592"`}, "ranges": {*head.AcceptRanges, "bytes"},
		"expires": {aws.ToString(head.ExpiresString), "Wed, 02 Jan 2030 03:04:05 GMT"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", name, pair[0], pair[1])
		}
	}
	if *head.ContentLength != 5 || head.LastModified == nil || len(head.Metadata) != 2 || aws.ToInt32(head.TagCount) != 2 {
		t.Errorf("length %d, modified %v, metadata %v, tags %v", *head.ContentLength, head.LastModified, head.Metadata, head.TagCount)
	}
	if got := get(t, a.admin, "bkt", "dir/a b+c.txt"); got != "hello" {
		t.Errorf("got %q", got)
	}
	must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/a b+c.txt")}))
	must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/a b+c.txt")}))
	_, err = a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/a b+c.txt")})
	refused(t, err, "NoSuchKey", "The specified key does not exist.")
	_, err = a.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("dir/a b+c.txt")})
	refused(t, err, "NotFound", "")
	if n := a.blobs(t); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func TestRanges(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	put(t, a.admin, "bkt", "k", "0123456789")
	put(t, a.admin, "bkt", "empty", "")
	for _, tc := range []struct {
		key, header, want, contentRange string
		refused                         bool
	}{
		{key: "k", header: "bytes=2-4", want: "234", contentRange: "bytes 2-4/10"},
		{key: "k", header: "bytes=7-", want: "789", contentRange: "bytes 7-9/10"},
		{key: "k", header: "bytes=-3", want: "789", contentRange: "bytes 7-9/10"},
		{key: "k", header: "bytes=-30", want: "0123456789", contentRange: "bytes 0-9/10"},
		{key: "k", header: "bytes=8-100", want: "89", contentRange: "bytes 8-9/10"},
		{key: "k", header: "bytes=0-0", want: "0", contentRange: "bytes 0-0/10"},
		{key: "k", header: "bytes=10-", refused: true},
		{key: "k", header: "bytes=-0", refused: true},
		{key: "empty", header: "bytes=0-", refused: true},
		{key: "k", header: "bytes=4-2", want: "0123456789"},
		{key: "k", header: "bytes=0-1,3-4", want: "0123456789"},
		{key: "k", header: "lines=1-2", want: "0123456789"},
		{key: "k", header: "bytes=a-b", want: "0123456789"},
	} {
		out, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: &tc.key, Range: &tc.header})
		if tc.refused {
			refused(t, err, "InvalidRange", "The requested range is not satisfiable")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.header, err)
			continue
		}
		data, err := io.ReadAll(out.Body)
		if err != nil || string(data) != tc.want || aws.ToString(out.ContentRange) != tc.contentRange || *out.ContentLength != int64(len(tc.want)) {
			t.Errorf("%s: %q (%s, %d bytes, %v), want %q (%s)", tc.header, data, aws.ToString(out.ContentRange), *out.ContentLength, err, tc.want, tc.contentRange)
		}
	}
}

// TestConditions: reads and writes that are made on conditions.
func TestConditions(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	put(t, a.admin, "bkt", "k", "hello")
	const right, wrong = `"5d41402abc4b2a76b9719d911017c592"`, `"00000000000000000000000000000000"`
	past, future := aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
	for name, tc := range map[string]struct {
		in   s3.GetObjectInput
		code string
	}{
		"if match":                      {s3.GetObjectInput{IfMatch: aws.String(right)}, ""},
		"if match, not":                 {s3.GetObjectInput{IfMatch: aws.String(wrong)}, "PreconditionFailed"},
		"if none match":                 {s3.GetObjectInput{IfNoneMatch: aws.String(wrong)}, ""},
		"if none match, does":           {s3.GetObjectInput{IfNoneMatch: aws.String(right)}, "NotModified"},
		"if none match, a list":         {s3.GetObjectInput{IfNoneMatch: aws.String(wrong + ", " + right)}, "NotModified"},
		"if modified":                   {s3.GetObjectInput{IfModifiedSince: past}, ""},
		"if modified, not":              {s3.GetObjectInput{IfModifiedSince: future}, "NotModified"},
		"if unmodified":                 {s3.GetObjectInput{IfUnmodifiedSince: future}, ""},
		"if unmodified, is":             {s3.GetObjectInput{IfUnmodifiedSince: past}, "PreconditionFailed"},
		"match wins over unmodified":    {s3.GetObjectInput{IfMatch: aws.String(right), IfUnmodifiedSince: past}, ""},
		"none match wins over modified": {s3.GetObjectInput{IfNoneMatch: aws.String(wrong), IfModifiedSince: future}, ""},
	} {
		tc.in.Bucket, tc.in.Key = aws.String("bkt"), aws.String("k")
		_, err := a.admin.GetObject(t.Context(), &tc.in)
		if tc.code == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var status interface{ HTTPStatusCode() int }
		if tc.code == "NotModified" { // which has no body for the SDK to read a code from
			if !errors.As(err, &status) || status.HTTPStatusCode() != http.StatusNotModified {
				t.Errorf("%s: %v, want 304", name, err)
			}
			continue
		}
		refused(t, err, tc.code, "At least one of the pre-conditions you specified did not hold")
	}
	for name, tc := range map[string]struct {
		key, match, none, code string
	}{
		"create":           {"new", "", "*", ""},
		"create, is there": {"k", "", "*", "PreconditionFailed"},
		"replace, another": {"k", wrong, "", "PreconditionFailed"},
		"replace, missing": {"missing", right, "", "NoSuchKey"},
		"replace":          {"k", right, "", ""},
		"if none match":    {"k", "", wrong, "NotImplemented"},
	} {
		in := &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: &tc.key, Body: strings.NewReader("hello")}
		if tc.match != "" {
			in.IfMatch = &tc.match
		}
		if tc.none != "" {
			in.IfNoneMatch = &tc.none
		}
		if _, err := a.admin.PutObject(t.Context(), in); tc.code != "" {
			refused(t, err, tc.code, "")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCopy(t *testing.T) {
	a := open(t)
	a.bucket(t, "src")
	a.bucket(t, "dst")
	must(t)(a.admin.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("src"), Key: aws.String("a b/ü+%"), Body: strings.NewReader("hello"), ContentType: aws.String("text/x"),
		Metadata: map[string]string{"m": "1"}, Tagging: aws.String("t=1"),
	}))
	copyTo := func(key string, more func(*s3.CopyObjectInput)) error {
		in := &s3.CopyObjectInput{Bucket: aws.String("dst"), Key: &key, CopySource: aws.String("src/a%20b/%C3%BC%2B%25")}
		if more != nil {
			more(in)
		}
		_, err := a.admin.CopyObject(t.Context(), in)
		return err
	}
	head := func(bucket, key string) *s3.HeadObjectOutput {
		out, err := a.admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	must(t)(nil, copyTo("plain", nil))
	if h := head("dst", "plain"); *h.ContentType != "text/x" || h.Metadata["m"] != "1" || aws.ToInt32(h.TagCount) != 1 {
		t.Errorf("a copy has type %s, metadata %v, %d tags", *h.ContentType, h.Metadata, aws.ToInt32(h.TagCount))
	}
	must(t)(nil, copyTo("other", func(in *s3.CopyObjectInput) {
		in.MetadataDirective, in.Metadata, in.ContentType = types.MetadataDirectiveReplace, map[string]string{"n": "2"}, aws.String("text/y")
		in.TaggingDirective, in.Tagging = types.TaggingDirectiveReplace, aws.String("u=1&v=2")
	}))
	if h := head("dst", "other"); *h.ContentType != "text/y" || h.Metadata["n"] != "2" || len(h.Metadata) != 1 || aws.ToInt32(h.TagCount) != 2 {
		t.Errorf("a copy with other metadata has type %s, metadata %v, %d tags", *h.ContentType, h.Metadata, aws.ToInt32(h.TagCount))
	}
	if n := a.blobs(t); n != 1 {
		t.Errorf("three objects of the same bytes take %d files", n)
	}
	must(t)(a.admin.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("src"), Key: aws.String("a b/ü+%")}))
	if got := get(t, a.admin, "dst", "plain"); got != "hello" {
		t.Errorf("the copy of what is deleted holds %q", got)
	}
	refused(t, copyTo("x", nil), "NoSuchKey", "")
	for source, code := range map[string]string{"nokey": "InvalidArgument", "none/k": "NoSuchBucket", "src/%zz": "InvalidArgument", "dst/plain?versionId=1": "InvalidArgument", "B/k": "InvalidBucketName"} {
		refused(t, copyTo("x", func(in *s3.CopyObjectInput) { in.CopySource = &source }), code, "")
	}
	refused(t, copyTo("plain", func(in *s3.CopyObjectInput) { in.CopySource = aws.String("dst/plain") }), "InvalidRequest", "trying to copy an object to itself")
	refused(t, copyTo("x", func(in *s3.CopyObjectInput) {
		in.CopySource, in.CopySourceIfMatch = aws.String("dst/plain"), aws.String(`"no"`)
	}), "PreconditionFailed", "")
}

// TestObjectRefusals: what is asked of an object and not to be had.
func TestObjectRefusals(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	putWith := func(more func(*s3.PutObjectInput)) error {
		in := &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader("x")}
		more(in)
		_, err := a.admin.PutObject(t.Context(), in)
		return err
	}
	for name, tc := range map[string]struct {
		more       func(*s3.PutObjectInput)
		code, text string
	}{
		"public ACL":       {func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLPublicRead }, "AccessControlListNotSupported", "The bucket does not allow ACLs"},
		"grant":            {func(in *s3.PutObjectInput) { in.GrantRead = aws.String("id=1") }, "AccessControlListNotSupported", ""},
		"encryption":       {func(in *s3.PutObjectInput) { in.ServerSideEncryption = types.ServerSideEncryptionAwsKmsDsse }, "NotImplemented", "Server-side encryption (aws:kms:dsse) is not implemented."},
		"glacier":          {func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier }, "NotImplemented", "Storage class GLACIER"},
		"class":            {func(in *s3.PutObjectInput) { in.StorageClass = "COLD" }, "InvalidStorageClass", ""},
		"lock":             {func(in *s3.PutObjectInput) { in.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn }, "InvalidRequest", "Bucket is missing Object Lock Configuration"},
		"long key":         {func(in *s3.PutObjectInput) { in.Key = aws.String(strings.Repeat("k", 1025)) }, "KeyTooLongError", "Your key is too long"},
		"no UTF-8":         {func(in *s3.PutObjectInput) { in.Key = aws.String("a\xff") }, "InvalidURI", ""},
		"much metadata":    {func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"m": strings.Repeat("x", 2048)} }, "MetadataTooLarge", ""},
		"many tags":        {func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1") }, "BadRequest", "Object tags cannot be greater than 10"},
		"tag twice":        {func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=1&a=2") }, "InvalidTag", ""},
		"system tag":       {func(in *s3.PutObjectInput) { in.Tagging = aws.String("aws:a=1") }, "InvalidTag", ""},
		"no such bucket":   {func(in *s3.PutObjectInput) { in.Bucket = aws.String("none") }, "NoSuchBucket", ""},
		"the wrong digest": {func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("1B2M2Y8AsgTpgAmY7PhCfg==") }, "BadDigest", "The Content-MD5 you specified did not match what we received."},
		"no digest":        {func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("abc") }, "InvalidDigest", "The Content-MD5 you specified is not valid."},
		"wrong SHA-256": {func(in *s3.PutObjectInput) {
			in.ChecksumSHA256 = aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
		}, "BadDigest", "The SHA256 you specified did not match the calculated checksum."},
		"other checksum": {func(in *s3.PutObjectInput) { in.ChecksumXXHASH64 = aws.String("AAAAAAAAAAA=") }, "NotImplemented", "x-amz-checksum-xxhash64"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, putWith(tc.more), tc.code, tc.text) })
	}
	if list, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt")}); err != nil || *list.KeyCount != 0 {
		t.Errorf("after refusals the bucket has %v, %v", list, err)
	}
	if n := a.blobs(t); n != 0 {
		t.Errorf("refusals left %d files", n)
	}
	_, err := a.admin.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), VersionId: aws.String("v1")})
	refused(t, err, "InvalidArgument", "Invalid version id specified")
	_, err = a.admin.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	refused(t, err, "NotImplemented", "GetObjectAcl")
}

func TestObjectTags(t *testing.T) {
	a := open(t)
	a.bucket(t, "bkt")
	put(t, a.admin, "bkt", "k", "x")
	set := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v w")}}}
	must(t)(a.admin.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Tagging: set}))
	got, err := a.admin.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	if err != nil || len(got.TagSet) != 1 || *got.TagSet[0].Value != "v w" {
		t.Errorf("tags %v, %v", got, err)
	}
	must(t)(a.admin.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{Bucket: aws.String("bkt"), Key: aws.String("k")}))
	if got, err = a.admin.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("bkt"), Key: aws.String("k")}); err != nil || len(got.TagSet) != 0 {
		t.Errorf("tags %v, %v", got, err)
	}
	_, err = a.admin.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: aws.String("bkt"), Key: aws.String("none"), Tagging: set})
	refused(t, err, "NoSuchKey", "")
}
