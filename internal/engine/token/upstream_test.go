package token_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	upstream "sigs.k8s.io/aws-iam-authenticator/pkg/token"

	"github.com/eksact/eksact/internal/engine/token"
)

// sts stands where upstream's verifier would dial out: it answers every call
// and remembers the last.
type sts struct{ last *http.Request }

func (s *sts) RoundTrip(r *http.Request) (*http.Response, error) {
	s.last = r
	const body = `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"111122223333","Arn":"arn:aws:iam::111122223333:user/alice","UserId":"AIDA"}}}`
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// The reference is aws-iam-authenticator itself, whose network is replaced: a
// token it would send to STS is one that Parse accepts, for the same host with
// the same headers; one it refuses is refused in the same words.
func TestParseAgreesWithUpstream(t *testing.T) {
	fake := &sts{}
	saved := http.DefaultTransport
	http.DefaultTransport = fake
	defer func() { http.DefaultTransport = saved }()

	now := time.Now().UTC().Truncate(time.Second) // upstream has no clock of its own
	only, err := token.AllowHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	verifier := upstream.NewVerifier("cluster", "aws", "us-west-2")

	var tokens []string
	for _, host := range []string{
		"sts.amazonaws.com", "sts.us-west-2.amazonaws.com", "sts-fips.us-west-2.amazonaws.com", "sts.us-west-2.api.aws",
		"sts-fips.us-west-2.api.aws", "sts.mars-north-1.amazonaws.com", "sts.-x.amazonaws.com", "sts.cn-north-1.amazonaws.com.cn",
		"sts.us-gov-west-1.amazonaws.com", "STS.amazonaws.com", "sts.us-west-2.amazonaws.com:443", "iam.amazonaws.com",
		"sts.us-west-2.amazonaws.com.example.org", "example.org", "127.0.0.1:4566", "sts.us_west.amazonaws.com", "localhost", "a.b.c",
	} {
		for _, scheme := range []string{"https", "http", "ftp"} {
			tok, err := token.New(creds, scheme+"://"+host, "us-west-2", "cluster", now)
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, tok.Value)
		}
	}
	url := presigned(t, tokens[3])
	for _, replace := range [][2]string{
		{"/?", "/x?"}, {"/?", "?"}, {"Action=GetCallerIdentity", "action=GetCallerIdentity"}, {"GetCallerIdentity", "GetSessionToken"},
		{"&Version", ";Version"}, {"Expires=60", "Expires=900"}, {"Expires=60", "Expires=901"}, {"Expires=60", "Expires="},
		{"host%3Bx-k8s-aws-id", "x-k8s-aws-id"}, {"host%3Bx-k8s-aws-id", "host"}, {"host%3Bx-k8s-aws-id", "host;X-K8S-AWS-ID"},
		{"X-Amz-Date=2", "X-Amz-Date=1"}, {"X-Amz-Date=2", "X-Amz-Date=x"}, {"Version", "version"}, {"&Version", "&Version=1&Version"},
		{"&Version", "&VERSION=1&Version"}, {"&Version", "&Extra=1&Version"}, {"&Version", "&&Version"}, {"Version", "%zz"},
	} {
		if !strings.Contains(url, replace[0]) {
			t.Fatalf("the URL has no %q", replace[0])
		}
		tokens = append(tokens, wrap(strings.Replace(url, replace[0], replace[1], 1)))
	}
	tokens = append(tokens, "", "k8s-aws-v1.", "k8s-aws-v1.!", "k8s-aws-v2.AA", wrap("https://["), wrap("\x7f"), strings.Repeat("k", 4097))

	accepted := 0
	for _, tok := range tokens {
		fake.last = nil
		identity, theirs := verifier.Verify(tok)
		request, ours := token.Parse(tok, only, now)
		url := ""
		if strings.HasPrefix(tok, "k8s-aws-v1.") && len(tok) < 4096 && !strings.Contains(tok, "!") {
			url = presigned(t, tok)
		}
		if sent := fake.last != nil; sent != (ours == nil) {
			t.Errorf("%s\nupstream sends it: %t (%v); Parse: %v", url, sent, theirs, ours)
			continue
		}
		if ours == nil {
			accepted++
			if identity == nil || identity.AccessKeyID != request.AccessKeyID || identity.STSEndpoint != request.Host {
				t.Errorf("%s\nidentity %+v, request %+v", url, identity, request)
			}
			for name, values := range request.Headers("cluster") {
				if got := fake.last.Header.Get(name); got != values[0] {
					t.Errorf("header %s = %q, upstream's %q", name, values[0], got)
				}
			}
			continue
		}
		// Upstream's own wording of hosts varies with how far it got in
		// guessing a region; the refusal is what counts there.
		if errors.Is(ours, token.Host) {
			continue
		}
		// Of a parameter given twice in two spellings, upstream names the one that
		// its map yields last.
		if !strings.EqualFold(theirs.Error(), ours.Error()) {
			t.Errorf("%s\n%q, upstream says\n%q", url, ours, theirs)
		}
	}
	if accepted < 10 {
		t.Errorf("only %d tokens of the test were good ones", accepted)
	}
}
