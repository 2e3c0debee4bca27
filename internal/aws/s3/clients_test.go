package s3_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// presignedPut is a signed PUT as a raw request's first lines, without its body.
func presignedPut(t *testing.T, a *account, bucket string) (host, head string) {
	t.Helper()
	key := "k"
	signed, err := s3.NewPresignClient(a.admin).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host, "PUT " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nExpect: 100-continue\r\nContent-Length: "
}

// answerTo sends a request's head alone and returns the first line that comes back.
func answerTo(t *testing.T, host, head string) string {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("%v, after %q", err, line)
	}
	return strings.TrimSpace(line)
}

// Clients that ask before they send (botocore) are told to go on, also with nothing
// to send, and are told a refusal without having sent anything.
func TestAskingBeforeSending(t *testing.T) {
	a := open(t)
	a.bucket(t, "box")
	for _, c := range []struct{ bucket, length, want string }{
		{"box", "0", "HTTP/1.1 100 Continue"},
		{"box", "1048576", "HTTP/1.1 100 Continue"},
		{"missing", "1048576", "HTTP/1.1 404 Not Found"},
		{"box", "6442450944", "HTTP/1.1 400 Bad Request"},
	} {
		host, head := presignedPut(t, a, c.bucket)
		if got := answerTo(t, host, head+c.length); got != c.want {
			t.Errorf("%s bytes to %s: %q, want %q", c.length, c.bucket, got, c.want)
		}
	}
}

// What SDKs make of answers: an ACL's grantee, and the region to go to.
func TestAnswersAreRead(t *testing.T) {
	a := open(t)
	a.bucket(t, "box")
	var answer *http.Response
	here := a.Admin
	here.HTTPClient = tap{&answer}
	acl, err := a.s3As(here).GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String("box")})
	if err != nil || len(acl.Grants) != 1 || acl.Grants[0].Grantee.Type != "CanonicalUser" || *acl.Grants[0].Grantee.ID != *acl.Owner.ID {
		t.Errorf("%+v, %v", acl, err)
	}
	// Strict XML readers, such as the AWS CLI's, refuse a prefix that stands for nothing.
	if body, _ := io.ReadAll(answer.Body); !strings.Contains(string(body), `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">`) {
		t.Errorf("%s", body)
	}
	elsewhere := a.Admin
	elsewhere.Region = "eu-west-1"
	elsewhere.HTTPClient = tap{&answer}
	_, err = a.s3As(elsewhere).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("box"), Key: aws.String("k")})
	if err == nil || answer.Header.Get("X-Amz-Bucket-Region") != "us-west-2" {
		t.Errorf("%v, %v", err, answer.Header)
	}
	if body, _ := io.ReadAll(answer.Body); !strings.Contains(string(body), "<Region>us-west-2</Region>") {
		t.Errorf("%s", body)
	}
}

// tap keeps a copy of the last answer.
type tap struct{ last **http.Response }

func (c tap) Do(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(answer.Body)
	kept := *answer
	kept.Body, answer.Body = io.NopCloser(strings.NewReader(string(text))), io.NopCloser(strings.NewReader(string(text)))
	*c.last = &kept
	return answer, err
}

func TestMadeUpTokensAndRanges(t *testing.T) {
	a := open(t)
	a.bucket(t, "box")
	put(t, a.admin, "box", "k", "hello world")
	b, k := aws.String("box"), aws.String("k")
	_, err := a.admin.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b, ContinuationToken: aws.String("xxxx")})
	if err == nil || !strings.Contains(err.Error(), "The continuation token provided is incorrect") {
		t.Error(err)
	}
	u, err := a.admin.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: b, Key: aws.String("copy")})
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{"bytes=0-10": "", "bytes=0-11": "Range specified is not valid for source object of size: 11"} {
		_, err = a.admin.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
			Bucket: b, Key: aws.String("copy"), UploadId: u.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("box/" + *k), CopySourceRange: &source,
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
}
