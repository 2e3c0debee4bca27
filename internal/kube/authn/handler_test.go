package authn_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	authnv1 "k8s.io/api/authentication/v1"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/engine/token"
	"github.com/eksact/eksact/internal/kube/authn"
)

const (
	account  = "111122223333"
	regional = "https://sts.us-west-2.amazonaws.com"
	local    = "http://127.0.0.1:4566"
)

var now = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

// key is one access key that exists.
type key struct {
	creds token.Credentials
	who   authn.Principal
}

var (
	admin = key{
		token.Credentials{AccessKeyID: "AKIAADMINEXAMPLE", SecretAccessKey: "admin/secret+EXAMPLE"},
		authn.Principal{ARN: "arn:aws:iam::111122223333:user/admin", AccountID: account, UserID: "AIDAADMINEXAMPLE"},
	}
	user1 = key{
		token.Credentials{AccessKeyID: "ASIAUSER1EXAMPLE", SecretAccessKey: "user1/secret", SessionToken: "user1+session/token=="},
		authn.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/eks-user1/EKSGetTokenAuth", AccountID: account, UserID: "AROAUSER1EXAMPLE:EKSGetTokenAuth"},
	}
	node = key{
		token.Credentials{AccessKeyID: "ASIANODEEXAMPLE", SecretAccessKey: "node/secret", SessionToken: "node+session"},
		authn.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/NodeInstanceRole/i-0123456789abcdef0", AccountID: account, UserID: "AROANODEEXAMPLE:i-0123456789abcdef0"},
	}
)

// keyring answers as STS would.
type keyring struct {
	mu   sync.Mutex
	keys []key
	down error
}

func (k *keyring) Resolve(_ context.Context, id, session string, _ time.Time) (string, authn.Principal, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down != nil {
		return "", authn.Principal{}, k.down
	}
	for _, one := range k.keys {
		if one.creds.AccessKeyID == id && one.creds.SessionToken == session {
			return one.creds.SecretAccessKey, one.who, nil
		}
	}
	return "", authn.Principal{}, &authn.Refusal{Status: 403, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid."}
}

const awsAuth = `
- rolearn: arn:aws:iam::111122223333:role/NodeInstanceRole
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
- rolearn: arn:aws:iam::111122223333:role/eks-user1
  username: user1
  groups: [user1:admins]
- rolearn: arn:aws:iam::111122223333:user/admin
  username: shadow
`

// fixture is a webhook of the cluster named "cluster".
type fixture struct {
	handler *authn.Handler
	keys    *keyring
	log     *bytes.Buffer
	now     time.Time
}

func newFixture(t testing.TB, sources ...authn.Source) *fixture {
	t.Helper()
	f := &fixture{keys: &keyring{keys: []key{admin, user1, node}}, log: &bytes.Buffer{}, now: now}
	clock := func() time.Time { return f.now }
	hosts, err := token.AllowHosts("aws", local)
	if err != nil {
		t.Fatal(err)
	}
	creator, err := mapping.NewCreator(admin.who.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		m, errs := mapping.Compile(map[string]string{"mapRoles": awsAuth})
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		sources = []authn.Source{authn.Fixed(m)}
	}
	f.handler, err = (&authn.Handler{
		Cluster:     "cluster",
		Hosts:       hosts,
		Credentials: f.keys,
		Sources:     append([]authn.Source{authn.Fixed(creator)}, sources...),
		Instances: func(id string) (string, error) {
			if id != "i-0123456789abcdef0" {
				return "", fmt.Errorf("instance %s does not exist", id)
			}
			return "ip-10-0-64-10.us-west-2.compute.internal", nil
		},
		Log: authn.NewLog(f.log, clock),
		Now: clock,
	}).Ready()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func bearer(t testing.TB, c token.Credentials, endpoint, cluster string) string {
	t.Helper()
	tok, err := token.New(c, endpoint, "us-west-2", cluster, now)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Value
}

// body is the TokenReview that an API server sends.
func body(t testing.TB, version, bearer string) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"apiVersion": "authentication.k8s.io/" + version, "kind": "TokenReview",
		"metadata": map[string]any{"creationTimestamp": nil},
		"spec":     map[string]any{"token": bearer, "audiences": []string{"https://kubernetes.default.svc"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ask has the webhook review a body.
func (f *fixture) ask(t testing.TB, body []byte) (int, authnv1.TokenReview, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/authenticate", bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:51942"
	w := httptest.NewRecorder()
	f.log.Reset()
	f.handler.ServeHTTP(w, r)
	var review authnv1.TokenReview
	if w.Header().Get("Content-Type") == "application/json; charset=UTF-8" {
		if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
	}
	return w.Code, review, f.log.String()
}

func TestWhoATokenIs(t *testing.T) {
	f := newFixture(t)
	extra := func(k key, canonical, session, id string) map[string]authnv1.ExtraValue {
		return map[string]authnv1.ExtraValue{
			"arn": {k.who.ARN}, "canonicalArn": {canonical}, "sessionName": {session}, "accessKeyId": {k.creds.AccessKeyID},
			"principalId": {id}, "sigs.k8s.io/aws-iam-authenticator/principalId": {id},
		}
	}
	for _, tt := range []struct {
		name string
		key  key
		want authnv1.UserInfo
		log  string
	}{
		{
			name: "the creator, whom aws-auth cannot shadow", key: admin,
			want: authnv1.UserInfo{
				Username: "kubernetes-admin", Groups: []string{"system:masters"}, UID: "aws-iam-authenticator:111122223333:AIDAADMINEXAMPLE",
				Extra: extra(admin, admin.who.ARN, "", "AIDAADMINEXAMPLE"),
			},
			log: `time="2026-11-23T19:00:00Z" level=info msg="STS response" accesskeyid=AKIAADMINEXAMPLE accountid=111122223333 arn="arn:aws:iam::111122223333:user/admin" client="127.0.0.1:51942" method=POST path=/authenticate session= stsendpoint=sts.us-west-2.amazonaws.com userid=AIDAADMINEXAMPLE
time="2026-11-23T19:00:00Z" level=info msg="access granted" arn="arn:aws:iam::111122223333:user/admin" client="127.0.0.1:51942" groups="[system:masters]" method=POST path=/authenticate stsendpoint=sts.us-west-2.amazonaws.com uid="aws-iam-authenticator:111122223333:AIDAADMINEXAMPLE" username=kubernetes-admin
`,
		},
		{
			name: "a role of aws-auth", key: user1,
			want: authnv1.UserInfo{
				Username: "user1", Groups: []string{"user1:admins"}, UID: "aws-iam-authenticator:111122223333:AROAUSER1EXAMPLE",
				Extra: extra(user1, "arn:aws:iam::111122223333:role/eks-user1", "EKSGetTokenAuth", "AROAUSER1EXAMPLE"),
			},
			log: `time="2026-11-23T19:00:00Z" level=info msg="STS response" accesskeyid=ASIAUSER1EXAMPLE accountid=111122223333 arn="arn:aws:sts::111122223333:assumed-role/eks-user1/EKSGetTokenAuth" client="127.0.0.1:51942" method=POST path=/authenticate session=EKSGetTokenAuth stsendpoint=sts.us-west-2.amazonaws.com userid=AROAUSER1EXAMPLE
time="2026-11-23T19:00:00Z" level=info msg="access granted" arn="arn:aws:iam::111122223333:role/eks-user1" client="127.0.0.1:51942" groups="[user1:admins]" method=POST path=/authenticate stsendpoint=sts.us-west-2.amazonaws.com uid="aws-iam-authenticator:111122223333:AROAUSER1EXAMPLE" username=user1
`,
		},
		{
			name: "a node", key: node,
			want: authnv1.UserInfo{
				Username: "system:node:ip-10-0-64-10.us-west-2.compute.internal", Groups: []string{"system:bootstrappers", "system:nodes"},
				UID:   "aws-iam-authenticator:111122223333:AROANODEEXAMPLE",
				Extra: extra(node, "arn:aws:iam::111122223333:role/NodeInstanceRole", "i-0123456789abcdef0", "AROANODEEXAMPLE"),
			},
		},
	} {
		for _, version := range []string{"v1", "v1beta1"} {
			t.Run(tt.name+" "+version, func(t *testing.T) {
				code, got, log := f.ask(t, body(t, version, bearer(t, tt.key.creds, regional, "cluster")))
				if code != http.StatusOK || !got.Status.Authenticated || got.APIVersion != "authentication.k8s.io/"+version || got.Kind != "TokenReview" {
					t.Fatalf("%d %+v\n%s", code, got, log)
				}
				if diff := cmp.Diff(tt.want, got.Status.User); diff != "" {
					t.Error(diff)
				}
				if tt.log != "" {
					if diff := cmp.Diff(tt.log, log); diff != "" {
						t.Error(diff)
					}
				}
			})
		}
	}
	if code, _, log := f.ask(t, body(t, "v1", bearer(t, user1.creds, local, "cluster"))); code != http.StatusOK {
		t.Errorf("a token made for our own door: %d\n%s", code, log)
	}
}

// tamper edits the URL inside a token.
func tamper(t testing.TB, tok, old, new string) string {
	t.Helper()
	url, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(tok, "k8s-aws-v1."))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(url, []byte(old)) {
		t.Fatalf("%s has no %q", url, old)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString(bytes.Replace(url, []byte(old), []byte(new), 1))
}

func TestRefusals(t *testing.T) {
	good := bearer(t, user1.creds, regional, "cluster")
	wrong := user1.creds
	wrong.SecretAccessKey = "guessed"
	stranger := key{token.Credentials{AccessKeyID: "ASIASTRANGER", SecretAccessKey: "s", SessionToken: "t"},
		authn.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/Stranger/s", AccountID: account, UserID: "AROASTRANGER:s"}}
	impostor := key{token.Credentials{AccessKeyID: "ASIAIMPOSTOR", SecretAccessKey: "s", SessionToken: "t"},
		authn.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/NodeInstanceRole/mallory", AccountID: account, UserID: "AROANODEEXAMPLE:mallory"}}
	odd := key{token.Credentials{AccessKeyID: "AKIAODD", SecretAccessKey: "s"},
		authn.Principal{ARN: "arn:aws:s3:::bucket", AccountID: account, UserID: "X"}}
	const mismatch = `sts getCallerIdentity failed: error from AWS (expected 200, got 403) on us-west-2 endpoint. Body: {\"Error\":{\"Code\":\"SignatureDoesNotMatch\",\"Message\":\"The request signature we calculated does not match`
	const format = "input token was not properly formatted: "
	for _, tt := range []struct {
		name, token string
		now         time.Time
		error       string // a part of the log line
	}{
		{name: "wrong secret key", token: bearer(t, wrong, regional, "cluster"), error: mismatch},
		{name: "a token for another cluster", token: bearer(t, user1.creds, regional, "cluster2"), error: mismatch},
		{name: "expired: a second after 15 minutes", token: good, now: now.Add(15*time.Minute + time.Second), error: format + "X-Amz-Date parameter is expired (15 minute expiration)"},
		{name: "expired, with a new date", token: tamper(t, good, "X-Amz-Date=20261123T190000Z", "X-Amz-Date=20261123T193000Z"), now: now.Add(30 * time.Minute), error: mismatch},
		{name: "from the future", token: good, now: now.Add(-6 * time.Minute), error: "Signature not yet current: 20261123T190000Z is still later than 20261123T185900Z (20261123T185400Z + 5 min.)"},
		{name: "tampered: another region", token: tamper(t, good, "%2Fus-west-2%2F", "%2Fus-east-1%2F"), error: `on us-east-1 endpoint. Body: {\"Error\":{\"Code\":\"SignatureDoesNotMatch\"`},
		{name: "tampered: another host", token: tamper(t, good, "sts.us-west-2.", "sts.us-east-1."), error: mismatch},
		{name: "tampered: a longer life", token: tamper(t, good, "Expires=60", "Expires=900"), error: mismatch},
		{name: "tampered: signature", token: tamper(t, good, "X-Amz-Signature=", "X-Amz-Signature=0"), error: mismatch},
		{name: "no signature", token: tamper(t, good, "&X-Amz-Signature=", "&X-Amz-Signature=&"), error: format + "non-whitelisted query parameter"},
		{name: "signature empty", token: good[:len(good)-86], error: "denied"},
		{name: "tampered: another header signed", token: tamper(t, good, "host%3Bx-k8s-aws-id", "host%3Buser-agent%3Bx-k8s-aws-id"), error: mismatch},
		{name: "host not signed", token: tamper(t, good, "host%3Bx-k8s-aws-id", "x-k8s-aws-id"), error: "SignatureDoesNotMatch"},
		{name: "another algorithm", token: tamper(t, good, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), error: "IncompleteSignature"},
		{name: "somebody else's access key", token: tamper(t, good, "ASIAUSER1EXAMPLE", "ASIANODEEXAMPLE"), error: "InvalidClientTokenId"},
		{name: "unknown access key", token: tamper(t, good, "ASIAUSER1EXAMPLE", "ASIANOBODY"), error: `(expected 200, got 403) on us-west-2 endpoint. Body: {\"Error\":{\"Code\":\"InvalidClientTokenId\",\"Message\":\"The security token included in the request is invalid.\"`},
		{name: "session token left out", token: tamper(t, good, "&X-Amz-Security-Token=user1%2Bsession%2Ftoken%3D%3D", ""), error: "InvalidClientTokenId"},
		{name: "a parameter twice", token: tamper(t, good, "&Version", "&action=AssumeRole&Version"), error: format + "duplicate query parameter found"},
		{name: "http host not on the list", token: bearer(t, user1.creds, "http://127.0.0.1:8080", "cluster"), error: format + `unexpected hostname \"127.0.0.1:8080\" in pre-signed URL`},
		{name: "http to STS", token: bearer(t, user1.creds, "http://sts.us-west-2.amazonaws.com", "cluster"), error: format + `unexpected scheme \"http\" in pre-signed URL`},
		{name: "no token", token: "", error: format + `token is missing expected \"k8s-aws-v1.\" prefix`},
		{name: "a token of 5000 bytes", token: "k8s-aws-v1." + strings.Repeat("A", 5000), error: format + "token is too large"},
		{name: "a token of 1 MB", token: "k8s-aws-v1." + strings.Repeat("A", 1<<20), error: format + "token is too large"},
		{name: "nobody aws-auth knows", token: bearer(t, stranger.creds, regional, "cluster"), error: `msg="access denied" arn="arn:aws:iam::111122223333:role/Stranger" client="127.0.0.1:51942" error="ARN is not mapped: arn:aws:iam::111122223333:role/stranger" method=POST path=/authenticate`},
		{name: "a person with a node's role", token: bearer(t, impostor.creds, regional, "cluster"), error: "SessionName did not contain an instance id"},
		{name: "an identity that is none", token: bearer(t, odd.creds, regional, "cluster"), error: "sts getCallerIdentity failed: service s3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.keys.keys = append(f.keys.keys, stranger, impostor, odd)
			if !tt.now.IsZero() {
				f.now = tt.now
			}
			began := time.Now()
			code, got, log := f.ask(t, body(t, "v1", tt.token))
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if code != http.StatusForbidden || got.Status.Authenticated || got.Kind != "TokenReview" || got.Status.User.Username != "" || got.Status.Error != "" {
				t.Fatalf("%d %+v\n%s", code, got, log)
			}
			if !strings.Contains(log, "level=warning") || !strings.Contains(log, "access denied") || !strings.Contains(log, tt.error) {
				t.Errorf("log:\n%swant %q in it", log, tt.error)
			}
			if strings.Contains(log, "secret") || strings.Contains(log, "granted") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

func TestGarbage(t *testing.T) {
	f := newFixture(t)
	for name, garbage := range map[string]string{
		"nothing":           "",
		"no JSON":           "token=x",
		"a list":            "[]",
		"another kind":      `{"apiVersion":"authentication.k8s.io/v1","kind":"SubjectAccessReview"}`,
		"another version":   `{"apiVersion":"authentication.k8s.io/v2","kind":"TokenReview"}`,
		"a token of number": `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":5}}`,
		"two objects":       string(body(t, "v1", "")) + "{}",
	} {
		if code, _, log := f.ask(t, []byte(garbage)); code != http.StatusBadRequest || !strings.Contains(log, `level=error msg="could not parse request body"`) {
			t.Errorf("%s: %d\n%s", name, code, log)
		}
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/authenticate", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	w = httptest.NewRecorder()
	f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/elsewhere", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
}

// When we cannot tell who somebody is, that is no refusal: the API server gets
// a 500, which it tries again.
func TestOutageIsNoRefusal(t *testing.T) {
	f := newFixture(t)
	f.keys.down = errors.New("store is away")
	code, got, log := f.ask(t, body(t, "v1", bearer(t, user1.creds, regional, "cluster")))
	if code != http.StatusInternalServerError || got.Status.Authenticated || !strings.Contains(log, "store is away") || strings.Contains(log, "denied") {
		t.Errorf("%d %+v\n%s", code, got, log)
	}
	// What is wrong in itself is refused all the same.
	if code, _, _ = f.ask(t, body(t, "v1", "x")); code != http.StatusForbidden {
		t.Errorf("a malformed token: %d", code)
	}
}

func TestReadyRefusesHalfAHandler(t *testing.T) {
	whole := newFixture(t).handler
	for name, h := range map[string]*authn.Handler{
		"no cluster":     {Credentials: whole.Credentials, Sources: whole.Sources, Log: whole.Log},
		"no credentials": {Cluster: "c", Sources: whole.Sources, Log: whole.Log},
		"no sources":     {Cluster: "c", Credentials: whole.Credentials, Log: whole.Log},
		"no log":         {Cluster: "c", Credentials: whole.Credentials, Sources: whole.Sources},
	} {
		if _, err := h.Ready(); err == nil {
			t.Errorf("%s: ready", name)
		}
	}
}

func TestMetrics(t *testing.T) {
	f := newFixture(t)
	registry := prometheus.NewRegistry()
	var err error
	if f.handler.Metrics, err = authn.NewMetrics(registry); err != nil {
		t.Fatal(err)
	}
	f.ask(t, body(t, "v1", bearer(t, user1.creds, regional, "cluster")))
	f.ask(t, body(t, "v1", bearer(t, user1.creds, regional, "other")))
	f.ask(t, body(t, "v1", "x"))
	f.ask(t, []byte("x"))
	if n, err := testutil.GatherAndCount(registry, "aws_iam_authenticator_authenticate_latency_seconds"); err != nil || n != 4 {
		t.Errorf("%d results counted, %v", n, err)
	}
}
