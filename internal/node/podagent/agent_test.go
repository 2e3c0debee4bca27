package podagent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const address = "169.254.170.23"

var start = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

// token is one that says when it ends, and nothing else.
func token(name string, ends time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"RS256"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"exp":%d}`, name, ends.Unix())) + ".c2ln"
}

// played is an agent whose EKS Auth is played.
type played struct {
	*Agent
	now     time.Time
	fetched atomic.Int32
	life    time.Duration
	err     error
}

func play() *played {
	p := &played{now: start, life: 6 * time.Hour}
	p.Agent = &Agent{Now: func() time.Time { return p.now }, Log: slog.New(slog.DiscardHandler), Fetch: func(context.Context, string) (Credentials, error) {
		n := p.fetched.Add(1)
		return Credentials{AccessKeyID: fmt.Sprintf("ASIA%d", n), AccountID: "111122223333", Expires: p.now.Add(p.life)}, p.err
	}}
	return p
}

func (p *played) ask(t *testing.T, host, token string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/v1/credentials", nil)
	r.Host = host
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestRequests(t *testing.T) {
	p := play()
	good := token("a", start.Add(time.Hour))
	for _, c := range []struct {
		name, host, token string
		code              int
		body              string
	}{
		{"good", address, good, 200, `{"AccessKeyId":"ASIA1","SecretAccessKey":"","Token":"","AccountId":"111122223333","Expiration":"2026-11-27T06:00:00Z"}`},
		{"with a port", "169.254.170.23:80", good, 200, "ASIA1"},
		{"by a name", "rebound.example", good, 403, "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not rebound.example"},
		{"by IPv6", "[fd00:ec2::23]", good, 200, "ASIA1"},
		{"by IPv6, with a port", "[fd00:ec2::23]:80", good, 200, "ASIA1"},
		{"at another address", "169.254.169.254", good, 403, "not 169.254.169.254"},
		{"no token", address, "", 400, "Service account token cannot be empty"},
		{"Bearer", address, "Bearer " + good, 400, "Service account token cannot be parsed: token is malformed: illegal base64 data"},
		{"two parts", address, "a.b", 400, "Service account token cannot be parsed: token is malformed: token contains an invalid number of segments"},
		{"expired", address, token("a", start), 400, "Service account token failed basic claim validations: token has invalid claims: token is expired"},
	} {
		if code, body := p.ask(t, c.host, c.token); code != c.code || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %s", c.name, code, body)
		}
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/v1/other", nil))
	if w.Code != http.StatusNotFound || p.fetched.Load() != 1 {
		t.Errorf("%d, %d fetched", w.Code, p.fetched.Load())
	}
}

func TestCredentialsAreKeptAndRenewed(t *testing.T) {
	p := play()
	good := token("a", start.Add(24*time.Hour))
	is := func(want string) {
		t.Helper()
		code, body := p.ask(t, address, good)
		if want == "" && code != 200 || want != "" && strings.Contains(body, `"`+want+`"`) {
			return
		}
		t.Errorf("at %v: %d %s, want %s", p.now.Sub(start), code, body, want)
	}
	after := func(d time.Duration) { p.now = start.Add(d) }
	is("ASIA1")
	after(3*time.Hour - time.Second)
	is("ASIA1")
	after(3 * time.Hour)
	is("ASIA2")
	p.err = errors.New("no answer")
	after(6 * time.Hour)
	is("ASIA2") // the old ones, while they last
	after(6*time.Hour + 30*time.Second)
	is("ASIA2")
	if n := p.fetched.Load(); n != 3 {
		t.Errorf("asked %d times, want 3: a failure rests a minute", n)
	}
	after(9*time.Hour - 10*time.Second)
	is("")
	p.err = nil
	is("ASIA5")
	p.err = &Refusal{Status: 403, Code: "AccessDeniedException", Message: "no"}
	after(12 * time.Hour)
	is("") // what is final is not covered up
	if code, body := p.ask(t, address, good); code != 403 || body != "[]: (AccessDeniedException): no, fault: client" {
		t.Errorf("%d %s", code, body)
	}
	p.err, p.life = nil, 10*time.Second
	is("")
	if len(p.kept) != 0 {
		t.Errorf("kept %d that are about to end", len(p.kept))
	}
}

func TestManyAskOnce(t *testing.T) {
	p := play()
	release := make(chan struct{})
	fetch := p.Fetch
	p.Fetch = func(ctx context.Context, token string) (Credentials, error) { <-release; return fetch(ctx, token) }
	good := token("a", start.Add(time.Hour))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if code, body := p.ask(t, address, good); code != 200 || !strings.Contains(body, "ASIA1") {
				t.Errorf("%d %s", code, body)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	close(release)
	all.Wait()
	if n := p.fetched.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	for i := range mostKept + 100 {
		p.ask(t, address, token(fmt.Sprint(i), start.Add(time.Hour)))
	}
	if n := len(p.kept); n > mostKept {
		t.Errorf("%d kept", n)
	}
}

func TestClient(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Token string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Method != "POST" || r.URL.Path != "/clusters/mine/assume-role-for-pod-identity" ||
			!strings.Contains(r.Header.Get("Authorization"), "Credential=ASIANODE/") || !strings.Contains(r.Header.Get("Authorization"), "/us-west-2/eks-auth/aws4_request") ||
			r.Header.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("%s %s %v %v", r.Method, r.URL, r.Header, err)
		}
		w.Header().Set("X-Amzn-RequestId", "r-1")
		if in.Token != "good" {
			w.Header().Set("X-Amzn-ErrorType", "InvalidTokenException:http://x")
			w.WriteHeader(400)
			fmt.Fprint(w, `{"message":"bad"}`)
			return
		}
		fmt.Fprint(w, `{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/r/s"},"credentials":{"accessKeyId":"ASIA","secretAccessKey":"s","sessionToken":"t","expiration":1.795737600E9}}`)
	}))
	defer server.Close()
	c := &Client{Cluster: "mine", Region: "us-west-2", URL: server.URL, HTTP: server.Client(), Keys: func(context.Context) (aws.Credentials, error) {
		asked.Add(1)
		return aws.Credentials{AccessKeyID: "ASIANODE", SecretAccessKey: "secret", SessionToken: "session"}, nil
	}}
	for range 2 {
		got, err := c.Fetch(t.Context(), "good")
		if err != nil || got != (Credentials{"ASIA", "s", "t", "111122223333", time.Unix(1795737600, 0).UTC()}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	_, err := c.Fetch(t.Context(), "bad")
	var refused *Refusal
	if !errors.As(err, &refused) || *refused != (Refusal{400, "InvalidTokenException", "bad", "r-1"}) || !refused.final() {
		t.Errorf("%v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("the node's keys were fetched %d times", asked.Load())
	}
	c.URL = "http://127.0.0.1:1"
	if _, err := c.Fetch(t.Context(), "good"); err == nil || errors.As(err, &refused) && refused.Code == "" {
		t.Errorf("nobody there: %v", err)
	}
}
