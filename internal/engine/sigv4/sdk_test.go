package sigv4

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"
)

// asReceived sends an *http.Request through its wire form and back, so that
// the verifier sees what a server would.
func asReceived(t interface{ Fatalf(string, ...any) }, r *http.Request, body []byte) *Request {
	var wire bytes.Buffer
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := r.Write(&wire); err != nil {
		t.Fatalf("write: %v", err)
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	got, err := io.ReadAll(in.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	target, query, _ := strings.Cut(in.RequestURI, "?")
	return &Request{
		Method: in.Method, Path: target, Query: query, Host: in.Host,
		Header: in.Header, ContentLength: in.ContentLength, BodySHA256: sha256.Sum256(got),
	}
}

var anyText = rapid.OneOf(
	rapid.StringMatching(`[A-Za-z0-9]{0,8}`),
	rapid.StringMatching(`[ -~]{0,12}`),
	rapid.StringN(0, 6, 24),
	rapid.SampledFrom([]string{"a+b", "a b", "%", "%zz", "a/b", "a-b", "~", "arn:aws:iam::1:role/x", "é", "ሴ", "a&b=c", ";"}),
)

// drawRequest makes a random request that is legal HTTP.
func drawRequest(t *rapid.T) (*http.Request, []byte) {
	u := &url.URL{Scheme: "http", Host: rapid.SampledFrom([]string{"sts.us-west-2.amazonaws.com", "127.0.0.1:4566", "[::1]:80", "x.test:80", "x.test:8443"}).Draw(t, "host")}
	for _, segment := range rapid.SliceOfN(anyText, 0, 4).Draw(t, "path") {
		u.Path += "/" + segment
		u.RawPath += "/" + url.PathEscape(segment)
	}
	if u.Path == "" && rapid.Bool().Draw(t, "slash") {
		u.Path = "/"
	}
	query := url.Values{}
	for range rapid.IntRange(0, 4).Draw(t, "params") {
		query.Add(rapid.StringMatching(`[A-Za-z.:~0-9 _-]{1,6}`).Draw(t, "name"), anyText.Draw(t, "value"))
	}
	u.RawQuery = query.Encode()
	body := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body")
	method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"}).Draw(t, "method")
	r, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v", err)
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"Content-Type", "X-Amz-Target", "Accept", "My-Header", "X-Amz-Meta-A"}).Draw(t, "header")
		r.Header.Add(name, rapid.StringMatching(`[ -~\t]{0,16}`).Draw(t, "headerValue"))
	}
	return r, body
}

// TestAgreesWithSDK verifies random requests that the Go SDK's signer signed.
func TestAgreesWithSDK(t *testing.T) {
	verifier := NewVerifier(4)
	now := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		r, body := drawRequest(t)
		service := rapid.SampledFrom([]string{"sts", "eks", "s3", "ec2"}).Draw(t, "service")
		region := rapid.SampledFrom([]string{"us-west-2", "us-east-1"}).Draw(t, "region")
		creds := aws.Credentials{AccessKeyID: "AKIA" + rapid.StringMatching(`[A-Z2-7]{16}`).Draw(t, "key"), SecretAccessKey: rapid.StringN(1, 40, 80).Draw(t, "secret")}
		if rapid.Bool().Draw(t, "session") {
			creds.SessionToken = "FwoG+/" + rapid.StringMatching(`[A-Za-z0-9+/=]{1,60}`).Draw(t, "token")
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
		payload := hexSum(string(body))
		if service == "s3" {
			if rapid.Bool().Draw(t, "unsigned") {
				payload = UnsignedPayload
			}
			r.Header.Set("X-Amz-Content-Sha256", payload)
		}
		if rapid.Bool().Draw(t, "presigned") {
			q := r.URL.Query()
			q.Set("X-Amz-Expires", "60")
			r.URL.RawQuery = q.Encode()
			signed, headers, err := signer.PresignHTTP(context.Background(), creds, r, payload, service, region, now)
			if err != nil {
				t.Fatalf("%v", err)
			}
			presigned, err := http.NewRequest(r.Method, signed, bytes.NewReader(body))
			if err != nil {
				t.Fatalf("%v", err)
			}
			presigned.Header, presigned.Host = headers, headers.Get("Host")
			r = presigned
		} else if err := signer.SignHTTP(context.Background(), creds, r, payload, service, region, now); err != nil {
			t.Fatalf("%v", err)
		}
		in := asReceived(t, r, body)
		sig, err := Parse(in)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		if sig.AccessKeyID != creds.AccessKeyID || sig.Service != service || sig.Region != region || sig.SessionToken != creds.SessionToken || !sig.Time.Equal(now) {
			t.Fatalf("claims %+v", sig)
		}
		for _, later := range []time.Duration{0, 59 * time.Second} {
			if err := verifier.Verify(in, sig, creds.SecretAccessKey, RulesFor(service), now.Add(later)); err != nil {
				t.Fatalf("verify after %v: %v", later, err)
			}
		}
		if err := verifier.Verify(in, sig, creds.SecretAccessKey+"x", RulesFor(service), now); kindOf(err) != Mismatch {
			t.Fatalf("another secret: %v", err)
		}
	})
}

// signedByHeader is one realistic request, signed now by the SDK.
func signedByHeader(t testing.TB, now time.Time) *Request {
	body := []byte("Action=GetCallerIdentity&Version=2011-06-15")
	r, err := http.NewRequest("POST", "http://127.0.0.1:4566/a%20b/c?x=1&y=2", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Amz-Target", "AWSSecurityTokenService.GetCallerIdentity")
	if err := v4.NewSigner().SignHTTP(context.Background(), testCreds, r, hexSum(string(body)), "sts", "us-west-2", now); err != nil {
		t.Fatal(err)
	}
	return asReceived(t, r, body)
}

// presignedURL is a GetCallerIdentity URL as clusters' tokens hold it.
func presignedURL(t testing.TB, now time.Time) *Request {
	r, err := http.NewRequest("GET", "https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-k8s-aws-id", "cluster")
	signed, headers, err := v4.NewSigner().PresignHTTP(context.Background(), testCreds, r, hexSum(""), "sts", "us-west-2", now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := http.NewRequest("GET", signed, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Header = headers
	return asReceived(t, again, nil)
}

var testCreds = aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "FwoGZXIvYXdzEXAMPLE=="}

// TestTamper changes every byte of everything that is signed, one at a time.
func TestTamper(t *testing.T) {
	now := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	verifier := NewVerifier(4)
	for name, original := range map[string]*Request{"header": signedByHeader(t, now), "presigned": presignedURL(t, now)} {
		verify := func(r *Request) error {
			sig, err := Parse(r)
			if err != nil {
				return err
			}
			secret := ""
			if sig.AccessKeyID == testCreds.AccessKeyID && sig.SessionToken == testCreds.SessionToken {
				secret = testCreds.SecretAccessKey
			}
			return verifier.Verify(r, sig, secret, RulesFor("sts"), now)
		}
		if err := verify(original); err != nil {
			t.Fatalf("%s: the original: %v", name, err)
		}
		flips := 0
		each := func(what, s string, set func(*Request, string)) {
			for i := range len(s) {
				r := *original
				r.Header = map[string][]string{}
				for k, v := range original.Header {
					r.Header[k] = append([]string(nil), v...)
				}
				changed := []byte(s)
				changed[i] ^= 1
				set(&r, string(changed))
				flips++
				if err := verify(&r); err == nil {
					t.Errorf("%s: %s with byte %d changed to %q verifies", name, what, i, changed)
				}
			}
		}
		each("method", original.Method, func(r *Request, s string) { r.Method = s })
		each("path", original.Path, func(r *Request, s string) { r.Path = s })
		each("query", original.Query, func(r *Request, s string) { r.Query = s })
		each("host", original.Host, func(r *Request, s string) { r.Host = s })
		each("body", string(original.BodySHA256[:]), func(r *Request, s string) { copy(r.BodySHA256[:], s) })
		for key, values := range original.Header {
			switch key {
			case "User-Agent", "Accept-Encoding", "Connection", "Content-Length":
				continue // not signed, or set by the transport
			}
			each(key, values[0], func(r *Request, s string) { r.Header[key] = []string{s} })
		}
		if flips < 300 {
			t.Errorf("%s: only %d bytes were tried", name, flips)
		}
		t.Run(name+"/added", func(t *testing.T) {
			for _, add := range []func(r *Request){
				func(r *Request) { r.Query += "&z=1" },
				func(r *Request) { r.Path += "/../x" },
				func(r *Request) { r.Header["X-Amz-Target"] = []string{"Other.Operation", "Second"} },
				func(r *Request) { r.Header["X-Amz-Acl"] = []string{"public-read"} },
			} {
				r := *original
				r.Header = map[string][]string{}
				for k, v := range original.Header {
					r.Header[k] = v
				}
				add(&r)
				if err := verify(&r); err == nil {
					t.Errorf("a request with additions verifies: %+v", r)
				}
			}
		})
	}
}

func BenchmarkParseVerify(b *testing.B) {
	now := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	verifier := NewVerifier(16)
	for name, r := range map[string]*Request{"header": signedByHeader(b, now), "presigned": presignedURL(b, now)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sig, err := Parse(r)
				if err != nil {
					b.Fatal(err)
				}
				if err := verifier.Verify(r, sig, testCreds.SecretAccessKey, RulesFor("sts"), now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	now := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	for _, r := range []*Request{signedByHeader(f, now), presignedURL(f, now)} {
		f.Add(r.Path, r.Query, first(r.Header["Authorization"]), first(r.Header["X-Amz-Date"]), "x")
	}
	f.Add("/..//%", "X-Amz-Signature=%&X-Amz-Algorithm", "AWS4-HMAC-SHA256 ,=,", "20261123T190000Z", "")
	verifier := NewVerifier(4)
	secret := hex.EncodeToString([]byte("a secret no input holds"))
	f.Fuzz(func(t *testing.T, path, query, authorization, date, value string) {
		r := &Request{Method: "GET", Path: path, Query: query, Header: map[string][]string{"X-Amz-Date": {date}, "My-Header": {value}}}
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		sig, err := Parse(r)
		if err != nil {
			if kindOf(err) == 0 {
				t.Fatalf("not one of ours: %v", err)
			}
			return
		}
		if err := verifier.Verify(r, sig, secret, RulesFor(sig.Service), sig.Time); err == nil {
			t.Fatal("verified without the secret")
		}
	})
}
