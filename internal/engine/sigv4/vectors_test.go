package sigv4

import (
	"crypto/sha256"
	"encoding/json"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is one line of testdata/vectors.json.
type vector struct {
	Name, Method, Target, Body string
	Headers                    [][2]string
	Normalize                  bool
	SignBody                   bool `json:"sign_body"`
	Token                      string
	OmitToken                  bool   `json:"omit_token"`
	HeaderSigned               string `json:"header_signed"`
	HeaderSignature            string `json:"header_signature"`
	QueryTarget                string `json:"query_target"`
	QuerySignature             string `json:"query_signature"`
}

const vectorSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

var vectorTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func readVectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 38 {
		t.Fatalf("%d vectors, want AWS's 38", len(vectors))
	}
	return vectors
}

func (v vector) request(target string) *Request {
	r := &Request{Method: v.Method, Header: map[string][]string{}, ContentLength: -1, BodySHA256: sha256.Sum256([]byte(v.Body))}
	r.Path, r.Query, _ = strings.Cut(target, "?")
	for _, h := range v.Headers {
		key := textproto.CanonicalMIMEHeaderKey(h[0])
		if key == "Host" {
			r.Host = h[1]
			continue
		}
		r.Header[key] = append(r.Header[key], h[1])
	}
	return r
}

// TestVectors verifies every request of AWS's suite, in both forms, and that
// neither survives a changed secret.
func TestVectors(t *testing.T) {
	verifier := NewVerifier(8)
	check := func(t *testing.T, r *Request, service, want string) {
		t.Helper()
		sig, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if sig.AccessKeyID != "AKIDEXAMPLE" || sig.Region != "us-east-1" || sig.Service != service || sig.Date != "20150830" {
			t.Fatalf("scope read as %+v", sig)
		}
		if sig.Hex != want {
			t.Fatalf("signature read as %s, want %s", sig.Hex, want)
		}
		if err := verifier.Verify(r, sig, vectorSecret, RulesFor(service), vectorTime); err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(r, sig, vectorSecret+"x", RulesFor(service), vectorTime); kindOf(err) != Mismatch {
			t.Fatalf("another secret: %v", err)
		}
	}
	for _, v := range readVectors(t) {
		t.Run(v.Name+"/header", func(t *testing.T) {
			r := v.request(v.Target)
			r.Header["X-Amz-Date"] = []string{"20150830T123600Z"}
			if v.SignBody {
				r.Header["X-Amz-Content-Sha256"] = []string{hexSum(v.Body)}
			}
			if v.Token != "" {
				r.Header["X-Amz-Security-Token"] = []string{v.Token}
			}
			r.Header["Authorization"] = []string{"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + v.HeaderSigned + ", Signature=" + v.HeaderSignature}
			check(t, r, "service", v.HeaderSignature)
		})
		t.Run(v.Name+"/query", func(t *testing.T) {
			check(t, v.request(v.QueryTarget), "service", v.QuerySignature)
		})
	}
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range sum {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

func kindOf(err error) Kind {
	if e, ok := err.(*Error); ok {
		return e.Kind
	}
	return 0
}
