package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/eksact/eksact/internal/engine/token"
)

var (
	now   = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	creds = token.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
)

const (
	regional = "https://sts.us-west-2.amazonaws.com"
	local    = "http://127.0.0.1:4566"
)

func hosts(t testing.TB) token.Hosts {
	t.Helper()
	h, err := token.AllowHosts("aws", local, "https://198.18.0.2")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newToken(t testing.TB, c token.Credentials, endpoint string) string {
	t.Helper()
	tok, err := token.New(c, endpoint, "us-west-2", "cluster", now)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Value
}

// presigned unwraps a token's URL; wrap is its inverse.
func presigned(t testing.TB, tok string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(tok, "k8s-aws-v1."))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wrap(url string) string {
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(url))
}

func TestParseYieldsWhatWasSigned(t *testing.T) {
	c := creds
	c.AccessKeyID, c.SessionToken = "ASIAIOSFODNN7EXAMPLE", "a/session+token=="
	for _, endpoint := range []string{regional, local, "https://198.18.0.2", "https://sts.amazonaws.com"} {
		r, err := token.Parse(newToken(t, c, endpoint), hosts(t), now)
		if err != nil {
			t.Fatalf("%s: %v", endpoint, err)
		}
		if r.Scheme+"://"+r.Host != endpoint {
			t.Errorf("endpoint = %s://%s, want %s", r.Scheme, r.Host, endpoint)
		}
		if r.AccessKeyID != c.AccessKeyID || r.SessionToken != c.SessionToken || r.Region != "us-west-2" || !r.SignedAt.Equal(now) {
			t.Errorf("request = %+v", r)
		}
		if got := strings.Join(r.SignedHeaders, ";"); got != "host;x-k8s-aws-id" {
			t.Errorf("signed headers = %s", got)
		}
		if h := r.Headers("cluster"); h["X-K8s-Aws-Id"][0] != "cluster" || len(h) != 2 {
			t.Errorf("headers = %v", h)
		}
	}
}

// The client side must sign as AWS's own SDK does, to the byte.
func TestNewSignsAsTheSDK(t *testing.T) {
	for _, session := range []string{"", "FwoGZXIvYXdzE+/=="} {
		for _, endpoint := range []string{regional, local} {
			c := creds
			c.SessionToken = session
			req, err := http.NewRequest(http.MethodGet, endpoint+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("x-k8s-aws-id", "cluster")
			const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
			want, _, err := v4.NewSigner().PresignHTTP(context.Background(),
				aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken},
				req, emptyHash, "sts", "us-west-2", now)
			if err != nil {
				t.Fatal(err)
			}
			if got := presigned(t, newToken(t, c, endpoint)); got != want {
				t.Errorf("presigned URL\n%s\nwant the SDK's\n%s", got, want)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, make := range map[string]func() (token.Token, error){
		"no secret": func() (token.Token, error) {
			return token.New(token.Credentials{AccessKeyID: "A"}, regional, "r", "c", now)
		},
		"no cluster": func() (token.Token, error) { return token.New(creds, regional, "r", "", now) },
		"no region":  func() (token.Token, error) { return token.New(creds, regional, "", "c", now) },
		"no host":    func() (token.Token, error) { return token.New(creds, "sts", "r", "c", now) },
		"bad URL":    func() (token.Token, error) { return token.New(creds, "http://[", "r", "c", now) },
	} {
		if tok, err := make(); err == nil {
			t.Errorf("%s: got token %q", name, tok.Value)
		}
	}
}

func TestExecCredential(t *testing.T) {
	tok, err := token.New(creds, regional, "us-west-2", "cluster", now)
	if err != nil {
		t.Fatal(err)
	}
	out, err := tok.ExecCredential("v1beta1")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Kind, APIVersion string
		Status           struct{ ExpirationTimestamp, Token string }
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "ExecCredential" || got.APIVersion != "client.authentication.k8s.io/v1beta1" ||
		got.Status.ExpirationTimestamp != "2026-11-23T19:14:00Z" || got.Status.Token != tok.Value {
		t.Errorf("credential = %s", out)
	}
}

func TestParseRefuses(t *testing.T) {
	good := presigned(t, newToken(t, creds, regional))
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the URL has no %q", old)
		}
		return wrap(strings.Replace(good, old, new, 1))
	}
	const bad = "input token was not properly formatted: "
	for _, tt := range []struct {
		name   string
		token  string
		now    time.Time // zero: the instant of signing
		reason token.Reason
		text   string // a part of the error's text
	}{
		{name: "empty", token: "", reason: token.Prefix, text: bad + `token is missing expected "k8s-aws-v1." prefix`},
		{name: "a megabyte", token: "k8s-aws-v1." + strings.Repeat("A", 1<<20), reason: token.TooLarge, text: bad + "token is too large"},
		{name: "4097 bytes", token: newToken(t, creds, regional) + strings.Repeat("A", 4097-len(newToken(t, creds, regional))), reason: token.TooLarge},
		{name: "size goes before prefix", token: strings.Repeat("A", 4097), reason: token.TooLarge},
		{name: "another version", token: strings.Replace(newToken(t, creds, regional), "v1", "v2", 1), reason: token.Prefix},
		{name: "a service account's token", token: "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", reason: token.Prefix},
		{name: "padded base64", token: "k8s-aws-v1.aHR0cHM6Ly9hLw==", reason: token.Encoding, text: bad + "illegal base64 data at input byte"},
		{name: "standard base64", token: "k8s-aws-v1.a+b/", reason: token.Encoding},
		{name: "no URL", token: wrap("https://[::1"), reason: token.URL, text: bad + "parse"},
		{name: "nothing in it", token: wrap(""), reason: token.Scheme},
		{name: "ftp", token: edit("https:", "ftp:"), reason: token.Scheme, text: bad + `unexpected scheme "ftp" in pre-signed URL`},
		{name: "http to STS", token: edit("https:", "http:"), reason: token.Scheme, text: bad + `unexpected scheme "http" in pre-signed URL`},
		{name: "http to our TLS door", token: edit("https://sts.us-west-2.amazonaws.com", "http://198.18.0.2"), reason: token.Scheme},
		{name: "http to a host not on the list", token: edit("https://sts.us-west-2.amazonaws.com", "http://127.0.0.1:8080"), reason: token.Host, text: bad + `unexpected hostname "127.0.0.1:8080" in pre-signed URL`},
		{name: "metadata service", token: edit("https://sts.us-west-2.amazonaws.com", "http://169.254.169.254"), reason: token.Host},
		{name: "a foreign host", token: edit("sts.us-west-2.amazonaws.com", "sts.us-west-2.amazonaws.com.evil.example"), reason: token.Host},
		{name: "another service", token: edit("sts.us", "ec2.us"), reason: token.Host},
		{name: "another partition", token: edit("sts.us-west-2.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn"), reason: token.Host},
		{name: "a port", token: edit("amazonaws.com/", "amazonaws.com:8443/"), reason: token.Host},
		{name: "a region with a dot", token: edit("us-west-2.amazonaws", "us.west.amazonaws"), reason: token.Host},
		{name: "a user name", token: edit("https://", "https://user@"), reason: token.Path},
		{name: "a path", token: edit("/?", "/evil?"), reason: token.Path, text: bad + "unexpected path in pre-signed URL"},
		{name: "no path", token: edit("/?", "?"), reason: token.Path},
		{name: "a fragment", token: wrap(good + "#x"), reason: token.Path},
		{name: "a semicolon", token: edit("&Version", ";Version"), reason: token.Query, text: bad + "malformed query parameter"},
		{name: "a bad escape", token: edit("Version=", "Version=%zz"), reason: token.Query},
		{name: "a parameter in two spellings", token: wrap(good + "&action=AssumeRole"), reason: token.Duplicate, text: bad + `duplicate query parameter found: "action"`},
		{name: "a parameter twice", token: wrap(good + "&Action=AssumeRole"), reason: token.Multiple, text: bad + "query parameter with multiple values not supported"},
		{name: "a parameter too many", token: wrap(good + "&RoleArn=x"), reason: token.Parameter, text: bad + `non-whitelisted query parameter "RoleArn"`},
		{name: "another action", token: edit("GetCallerIdentity", "AssumeRole"), reason: token.Action, text: bad + "unexpected action parameter in pre-signed URL"},
		{name: "the cluster not signed", token: edit("host%3Bx-k8s-aws-id", "host"), reason: token.Unsigned, text: bad + "client did not sign the x-k8s-aws-id header in the pre-signed URL"},
		{name: "expires too far", token: edit("Expires=60", "Expires=901"), reason: token.Expires, text: bad + "invalid X-Amz-Expires parameter in pre-signed URL: 901"},
		{name: "expires negative", token: edit("Expires=60", "Expires=-1"), reason: token.Expires},
		{name: "expires a word", token: edit("Expires=60", "Expires=soon"), reason: token.Expires, text: "pre-signed URL: 0"},
		{name: "no date", token: edit("X-Amz-Date=20261123T190000Z&", ""), reason: token.Date, text: bad + "X-Amz-Date parameter must be present in pre-signed URL"},
		{name: "a date of another form", token: edit("20261123T190000Z&X-Amz-E", "2026-11-23T19:00:00Z&X-Amz-E"), reason: token.Date, text: bad + "error parsing X-Amz-Date parameter"},
		{name: "fractions of a second", token: edit("T190000Z&X-Amz-E", "T190000.5Z&X-Amz-E"), reason: token.Date},
		{name: "a second after 15 minutes", token: wrap(good), now: now.Add(15*time.Minute + time.Second), reason: token.Expired, text: bad + "X-Amz-Date parameter is expired (15 minute expiration) 2026-11-23 19:00:00 +0000 UTC"},
		{name: "replayed a day later", token: wrap(good), now: now.Add(24 * time.Hour), reason: token.Expired},
		{name: "from the future", token: wrap(good), now: now.Add(-5*time.Minute - time.Second), reason: token.Future, text: `Signature not yet current: 20261123T190000Z is still later than 20261123T185959Z (20261123T185459Z + 5 min.)`},
		{name: "no credential", token: edit("X-Amz-Credential=", "X-Amz-Algorithm="), reason: token.Multiple},
		{name: "scope of another service", token: edit("%2Fsts%2F", "%2Fiam%2F"), reason: token.Credential},
		{name: "scope too short", token: edit("%2Faws4_request", ""), reason: token.Credential},
		{name: "no key id", token: edit("AKIAIOSFODNN7EXAMPLE", ""), reason: token.Credential},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := tt.now
			if at.IsZero() {
				at = now
			}
			r, err := token.Parse(tt.token, hosts(t), at)
			if err == nil {
				t.Fatalf("accepted: %+v", r)
			}
			if !errors.Is(err, tt.reason) {
				t.Errorf("error = %v, want reason %q", err, tt.reason)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("text = %q, want %q in it", err, tt.text)
			}
		})
	}
}

// The edges themselves are inside: exactly 15 minutes old, exactly 5 minutes
// early, and of the greatest length.
func TestParseAcceptsTheEdges(t *testing.T) {
	tok := newToken(t, creds, regional)
	for _, at := range []time.Time{now.Add(15 * time.Minute), now.Add(-5 * time.Minute)} {
		if _, err := token.Parse(tok, hosts(t), at); err != nil {
			t.Errorf("at %s: %v", at, err)
		}
	}
	// base64 has no text of 4085 bytes, so 4095 is the longest token there is.
	c := creds
	c.SessionToken = strings.Repeat("A", 2000)
	for tok = newToken(t, c, regional); len(tok) < token.MaxLength-1; tok = newToken(t, c, regional) {
		c.SessionToken += "A"
	}
	if len(tok) != token.MaxLength-1 {
		t.Fatalf("the token has %d bytes", len(tok))
	}
	if _, err := token.Parse(tok, hosts(t), now); err != nil {
		t.Error(err)
	}
}

func TestNoHostsAllowNothing(t *testing.T) {
	if _, err := token.Parse(newToken(t, creds, regional), token.Hosts{}, now); !errors.Is(err, token.Host) {
		t.Errorf("error = %v", err)
	}
	for _, args := range [][]string{{"mars"}, {"aws", "127.0.0.1:80"}, {"aws", "ftp://x"}, {"aws", "http://["}} {
		if _, err := token.AllowHosts(args[0], args[1:]...); err == nil {
			t.Errorf("AllowHosts(%q) has no error", args)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(newToken(f, creds, regional))
	f.Add("k8s-aws-v1.")
	f.Add(wrap("https://sts.amazonaws.com/?Action=GetCallerIdentity"))
	h := hosts(f)
	f.Fuzz(func(t *testing.T, tok string) {
		r, err := token.Parse(tok, h, now)
		if err != nil {
			var refused *token.Error
			if !errors.As(err, &refused) {
				t.Fatalf("%T is no *token.Error", err)
			}
			return
		}
		if len(tok) > token.MaxLength || r.AccessKeyID == "" || r.Host == "" || r.SignedAt.Before(now.Add(-token.Lifetime)) {
			t.Fatalf("accepted %q as %+v", tok, r)
		}
	})
}
