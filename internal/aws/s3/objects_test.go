package s3_test

import (
	"strings"
	"testing"

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
