package s3_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// named is a client that finds S3 by AWS's own names, over TLS: what it sends is
// what it sends to AWS, trailing checksums and all.
func (a *account) named(t *testing.T, more func(*s3.Options)) (*s3.Client, *[]string) {
	t.Helper()
	server := httptest.NewUnstartedServer(a.Handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	var seen []string
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: true, // as the SDK's own client
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			seen = append(seen, address)
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	c := a.Admin
	c.BaseEndpoint, c.HTTPClient = nil, &http.Client{Transport: transport}
	return s3.NewFromConfig(c, func(o *s3.Options) {
		if more != nil {
			more(o)
		}
	}), &seen
}

func TestNamedHosts(t *testing.T) {
	a := open3(t)
	for name, tc := range map[string]struct {
		options func(*s3.Options)
		host    string
	}{
		"virtual host": {nil, "bkt.s3.us-west-2.amazonaws.com:443"},
		"path":         {func(o *s3.Options) { o.UsePathStyle = true }, "s3.us-west-2.amazonaws.com:443"},
		"dual stack":   {func(o *s3.Options) { o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled }, "bkt.s3.dualstack.us-west-2.amazonaws.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			c, seen := a.named(t, tc.options)
			// A reader that can't be rewound makes the SDK send its checksum after the body.
			must(t)(c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a//b c"), Body: strings.NewReader("hello"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme}))
			if got := get(t, c, "bkt", "a//b c"); got != "hello" {
				t.Errorf("got %q", got)
			}
			list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bkt"), Prefix: aws.String("a//")})
			if err != nil || *list.KeyCount != 1 {
				t.Errorf("list %v, %v", list, err)
			}
			head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("a//b c"), ChecksumMode: types.ChecksumModeEnabled})
			if err != nil || aws.ToString(head.ChecksumCRC64NVME) == "" {
				t.Errorf("head %v, %v", head, err)
			}
			if len(*seen) == 0 || (*seen)[0] != tc.host {
				t.Errorf("it called %v, want %s", *seen, tc.host)
			}
		})
	}
	c, _ := a.named(t, nil)
	list, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 1 {
		t.Errorf("buckets %v, %v", list, err)
	}
	_, err = c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("with.dots"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}})
	if err != nil {
		t.Error(err)
	}
	elsewhere, _ := a.named(t, func(o *s3.Options) { o.Region = "eu-west-1" })
	_, err = elsewhere.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	refused(t, err, "AuthorizationHeaderMalformed", "the region 'eu-west-1' is wrong; expecting 'us-west-2'")
}

// TestAnonymousWrite: a body without a signature is checked all the same.
func TestAnonymousWrite(t *testing.T) {
	a := open3(t)
	must(t)(a.admin.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String("bkt")}))
	must(t)(nil, setPolicy(t, a.admin, document(statement("Allow", "s3:PutObject", "arn:aws:s3:::bkt/drop/*", anyone))))
	c, _ := a.named(t, func(o *s3.Options) { o.Credentials = aws.AnonymousCredentials{} })
	must(t)(c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("drop/k"), Body: strings.NewReader("dropped")}))
	if got := get(t, a.admin, "bkt", "drop/k"); got != "dropped" {
		t.Errorf("got %q", got)
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), Body: strings.NewReader("dropped")})
	refused(t, err, "AccessDenied", "Access Denied")
	_, err = c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("bkt"), Key: aws.String("drop/m")})
	refused(t, err, "AccessDenied", "Access Denied")
	for name, tc := range map[string]struct{ header, value, code string }{
		"wrong hash":    {"X-Amz-Content-Sha256", sha("other"), "XAmzContentSHA256Mismatch"},
		"signed chunks": {"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "MissingContentLength"},
		"wrong CRC32":   {"X-Amz-Checksum-Crc32", "AAAAAA==", "BadDigest"},
	} {
		r, _ := http.NewRequest("PUT", a.URL+"/bkt/drop/k", strings.NewReader("changed"))
		r.Header.Set(tc.header, tc.value)
		res, err := a.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode == 200 || !strings.Contains(string(data), "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s: %d %s", name, res.StatusCode, data)
		}
	}
	if got := get(t, a.admin, "bkt", "drop/k"); got != "dropped" {
		t.Errorf("after refusals it holds %q", got)
	}
}

func do(t *testing.T, c *http.Client, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(data)
}

// TestPresigned: a URL serves whoever has it, for what it says and no longer.
func TestPresigned(t *testing.T) {
	a := open3(t)
	sign := s3.NewPresignClient(a.admin)
	read, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k"), ResponseContentType: aws.String("text/z")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, a.Client, "GET", read.URL, ""); status != 200 || body != "x" {
		t.Errorf("%d %s", status, body)
	}
	write, err := sign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bkt"), Key: aws.String("by url")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, a.Client, "PUT", write.URL, "written"); status != 200 || get(t, a.admin, "bkt", "by url") != "written" {
		t.Errorf("%d %s", status, body)
	}
	nobody := a.user(t, "nobody", "")
	forbidden, err := s3.NewPresignClient(nobody).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	edit := func(name, value string) string {
		u, _ := url.Parse(read.URL)
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	for name, tc := range map[string]struct {
		method, url string
		status      int
		code        string
	}{
		"another method": {"PUT", read.URL, 403, "SignatureDoesNotMatch"},
		"another key":    {"GET", strings.Replace(read.URL, "/bkt/k", "/bkt/by%20url", 1), 403, "SignatureDoesNotMatch"},
		"longer":         {"GET", edit("X-Amz-Expires", "901"), 403, "SignatureDoesNotMatch"},
		"for ever":       {"GET", edit("X-Amz-Expires", "604801"), 400, "AuthorizationQueryParametersError"},
		"another answer": {"GET", edit("response-content-type", "text/html"), 403, "SignatureDoesNotMatch"},
		"another's key":  {"GET", edit("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20260101/us-west-2/s3/aws4_request"), 400, "AuthorizationQueryParametersError"},
		"not allowed":    {"GET", forbidden.URL, 403, "AccessDenied"},
		"anonymous":      {"GET", a.URL + "/bkt/k", 403, "AccessDenied"},
		"version 2":      {"GET", a.URL + "/bkt/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=9999999999", 400, "InvalidRequest"},
	} {
		if status, body := do(t, a.Client, tc.method, tc.url, ""); status != tc.status || !strings.Contains(body, "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s: %d %s, want %d %s", name, status, body, tc.status, tc.code)
		}
	}
	keys, err := a.Admin.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", a.URL+"/bkt/k?X-Amz-Expires=60", nil)
	old, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).PresignHTTP(t.Context(), keys, r, "UNSIGNED-PAYLOAD", "s3", place.Region, time.Now().Add(-61*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, a.Client, "GET", old, ""); status != 403 || !strings.Contains(body, "<Message>Request has expired</Message>") {
		t.Errorf("expired: %d %s", status, body)
	}
}

// TestWire is what no SDK sends or shows.
func TestWire(t *testing.T) {
	a := open3(t)
	sign := s3.NewPresignClient(a.admin)
	u, err := sign.PresignHeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bkt"), Key: aws.String("none")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, a.Client, "HEAD", u.URL, ""); status != 404 || body != "" {
		t.Errorf("HEAD of nothing: %d %q", status, body)
	}
	s := a.sender(t)
	for name, tc := range map[string]struct {
		method, path string
		status       int
		code         string
	}{
		"unknown sub-resource": {"DELETE", "/bkt/k?annotation&annotationName=x", 501, "NotImplemented"},
		"of another method":    {"DELETE", "/bkt/k?acl", 501, "NotImplemented"},
		"no method":            {"POST", "/bkt", 405, "MethodNotAllowed"},
		"patch":                {"PATCH", "/bkt/k", 405, "MethodNotAllowed"},
		"not offered":          {"GET", "/bkt?cors", 501, "NotImplemented"},
		"no UTF-8":             {"GET", "/bkt/%ff", 400, "InvalidURI"},
	} {
		r, _ := s.signed(t, tc.method, tc.path, "UNSIGNED-PAYLOAD", nil)
		if status, body := s.send(t, r, ""); status != tc.status || !strings.Contains(body, "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s: %d %s, want %d %s", name, status, body, tc.status, tc.code)
		}
	}
	if got := get(t, a.admin, "bkt", "k"); got != "x" {
		t.Errorf("the object holds %q", got)
	}
	r, _ := s.request(t, "k", "UNSIGNED-PAYLOAD", nil)
	r.Header.Del("X-Amz-Content-Sha256")
	if status, body := s.send(t, r, "x"); status == 200 || !strings.Contains(body, "Missing required header for this request: x-amz-content-sha256") {
		t.Errorf("without x-amz-content-sha256: %d %s", status, body)
	}
	r, _ = s.request(t, "k", "UNSIGNED-PAYLOAD", nil)
	r.Header.Set("X-Amz-Acl", "private")
	if status, body := s.send(t, r, "x"); status != 403 || !strings.Contains(body, "There were headers present in the request which were not signed") {
		t.Errorf("with an unsigned header: %d %s", status, body)
	}
}

// TestTrail: calls on buckets are management events, calls on objects data events
// that name their resources and hold nothing of the object.
func TestTrail(t *testing.T) {
	a := open3(t)
	put(t, a.admin, "bkt", "dir/secret", "the object's bytes")
	var put, create map[string]any
	all := a.events(t)
	for line := range strings.Lines(all) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch e["eventName"] {
		case "PutObject":
			put = e
		case "CreateBucket":
			create = e
		}
	}
	if strings.Contains(all, "the object's bytes") {
		t.Error("the trail holds an object's bytes")
	}
	if put["managementEvent"] != false || put["eventCategory"] != "Data" || put["eventSource"] != "s3.amazonaws.com" || put["readOnly"] != false {
		t.Errorf("PutObject is %v", put)
	}
	if create["managementEvent"] != true || create["eventCategory"] != "Management" {
		t.Errorf("CreateBucket is %v", create)
	}
	asked := put["requestParameters"].(map[string]any)
	if asked["bucketName"] != "bkt" || asked["key"] != "dir/secret" || asked["Host"] == "" || asked["body"] != nil {
		t.Errorf("PutObject's parameters are %v", asked)
	}
	resources := put["resources"].([]any)
	if len(resources) != 2 || resources[0].(map[string]any)["ARN"] != "arn:aws:s3:::bkt/dir/secret" || resources[1].(map[string]any)["ARN"] != "arn:aws:s3:::bkt" {
		t.Errorf("PutObject's resources are %v", resources)
	}
}

// TestRestart: what a crash left is cleared away when S3 opens, and nothing else.
func TestRestart(t *testing.T) {
	a := open3(t)
	put(t, a.admin, "bkt", "kept", "kept")
	files := a.orphan(t)
	if err := a.s3.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := a.blobs(t); n != 2 {
		t.Errorf("%d files, want those of the two objects; left behind were %v", n, files)
	}
	if got := get(t, a.admin, "bkt", "kept"); got != "kept" {
		t.Errorf("the object holds %q", got)
	}
}
