package wire

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBucketOfHost(t *testing.T) {
	for host, want := range map[string]struct {
		bucket string
		named  bool
	}{
		"b.s3.us-west-2.amazonaws.com":           {"b", true},
		"B.S3.us-west-2.amazonaws.com:443":       {"b", true},
		"b.s3.amazonaws.com":                     {"b", true},
		"b.s3.amazonaws.com.":                    {"b", true},
		"with.dots.s3.us-west-2.amazonaws.com":   {"with.dots", true},
		"b.s3.dualstack.us-west-2.amazonaws.com": {"b", true},
		"b.s3-us-west-2.amazonaws.com":           {"b", true},
		"s3.us-west-2.amazonaws.com":             {"", true},
		"s3.amazonaws.com":                       {"", true},
		"s3-us-west-2.amazonaws.com":             {"", true},
		"b.localhost:4566":                       {"b", true},
		"localhost:4566":                         {"", false},
		"127.0.0.1:4566":                         {"", false},
		"[::1]:4566":                             {"", false},
		"sts.us-west-2.amazonaws.com":            {"", false},
		"b.s3.example.com":                       {"", false},
		"amazonaws.com":                          {"", false},
		"":                                       {"", false},
	} {
		if bucket, named := bucketOfHost(host); bucket != want.bucket || named != want.named {
			t.Errorf("%s: %q, %v, want %q, %v", host, bucket, named, want.bucket, want.named)
		}
	}
}

// TestS3Routes: operations of one method and path are told apart, and what no
// operation knows is not passed over.
func TestS3Routes(t *testing.T) {
	codec, err := New()
	if err != nil {
		t.Fatal(err)
	}
	const named, path = "b.s3.us-west-2.amazonaws.com", "127.0.0.1:4566"
	for _, tc := range []struct {
		method, host, target, header string
		want                         string // an operation, or an error's code
	}{
		{"GET", path, "/", "", "ListBuckets"},
		{"GET", path, "/?x-id=ListBuckets", "", "ListBuckets"},
		{"GET", path, "/b", "", "ListObjects"},
		{"GET", path, "/b/", "", "ListObjects"},
		{"GET", named, "/", "", "ListObjects"},
		{"GET", named, "/?list-type=2&prefix=&delimiter=%2F", "", "ListObjectsV2"},
		{"GET", path, "/b?list-type=2", "", "ListObjectsV2"},
		{"GET", path, "/b?location", "", "GetBucketLocation"},
		{"GET", path, "/b?location=", "", "GetBucketLocation"},
		{"GET", path, "/b?uploads", "", "ListMultipartUploads"},
		{"GET", path, "/b?versions", "", "ListObjectVersions"},
		{"GET", path, "/b?policyStatus", "", "GetBucketPolicyStatus"},
		{"GET", path, "/b/k", "", "GetObject"},
		{"GET", named, "/k", "", "GetObject"},
		{"GET", named, "/k//x/../y/", "", "GetObject"},
		{"GET", path, "/b/k?partNumber=1", "", "GetObject"},
		{"GET", path, "/b/k?uploadId=x", "", "ListParts"},
		{"GET", path, "/b/k?tagging", "", "GetObjectTagging"},
		{"HEAD", named, "/", "", "HeadBucket"},
		{"HEAD", named, "/k", "", "HeadObject"},
		{"PUT", named, "/", "", "CreateBucket"},
		{"PUT", named, "/?policy", "", "PutBucketPolicy"},
		{"PUT", path, "/b/k", "", "PutObject"},
		{"PUT", path, "/b/k", "X-Amz-Copy-Source: b/x", "CopyObject"},
		{"PUT", path, "/b/k?partNumber=1&uploadId=x", "", "UploadPart"},
		{"PUT", path, "/b/k?partNumber=1&uploadId=x", "X-Amz-Copy-Source: b/x", "UploadPartCopy"},
		{"POST", path, "/b/k?uploads", "", "CreateMultipartUpload"},
		{"POST", path, "/b/k?uploadId=x", "", "CompleteMultipartUpload"},
		{"POST", path, "/b?delete", "", "DeleteObjects"},
		{"POST", path, "/b/k?restore", "", "RestoreObject"},
		{"DELETE", path, "/b/k", "", "DeleteObject"},
		{"DELETE", path, "/b/k?versionId=x", "", "DeleteObject"},
		{"DELETE", path, "/b/k?uploadId=x", "", "AbortMultipartUpload"},
		{"DELETE", path, "/b?publicAccessBlock", "", "DeletePublicAccessBlock"},
		{"DELETE", path, "/b?annotation", "", "NotImplemented"},
		{"DELETE", path, "/b/k?annotation&x=1", "", "NotImplemented"},
		{"GET", path, "/b/k?torrent2", "", "NotImplemented"},
		{"PUT", path, "/b/k?uploads", "", "NotImplemented"},
		{"POST", path, "/b/k", "", "MethodNotAllowed"},
		{"PUT", path, "/", "", "MethodNotAllowed"},
		{"OPTIONS", path, "/b/k", "", "MethodNotAllowed"},
	} {
		r := httptest.NewRequest(tc.method, tc.target, nil)
		r.Host = tc.host
		if name, value, ok := strings.Cut(tc.header, ": "); ok {
			r.Header.Set(name, value)
		}
		call, err := codec.Route(r, nil, "s3")
		got := ""
		var said apiError
		if err == nil {
			got = call.Operation.Name
		} else if as, ok := err.(apiError); ok {
			said = as
			got = said.ErrorCode()
		}
		if got != tc.want {
			t.Errorf("%s %s%s %s: %s, want %s", tc.method, tc.host, tc.target, tc.header, got, tc.want)
		}
	}
}

// TestS3Streams: only bodies that are objects' bytes are streams.
func TestS3Streams(t *testing.T) {
	codec, err := New()
	if err != nil {
		t.Fatal(err)
	}
	s := codec.Service(s3ID)
	for _, name := range s.Operations() {
		want := name == "PutObject" || name == "UploadPart" || name == "WriteGetObjectResponse"
		if got := (&Call{Service: s, Operation: s.Operation(name)}).Streams(); got != want {
			t.Errorf("%s: streams %v, want %v", name, got, want)
		}
	}
}
