package refusals

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/test/lab"
)

// apiServer is the cluster's API server, spoken to with bearer tokens.
type apiServer struct {
	url    string
	client *http.Client
}

// connect reads the kubeconfig that eksact env makes. Each protocol is spoken on
// its own.
func (p *place) connect(t *testing.T, http2 bool) *apiServer {
	t.Helper()
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				Name   string `json:"tls-server-name"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	text, err := os.ReadFile(p.State + "/kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &config); err != nil || len(config.Clusters) != 1 {
		t.Fatalf("kubeconfig: %v\n%s", err, text)
	}
	c := config.Clusters[0].Cluster
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: c.Name}, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &apiServer{c.Server, &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// call answers with the status and the body.
func (a *apiServer) call(t *testing.T, method, path, token string, body any) (int, string) {
	t.Helper()
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, a.url+path, in)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	} else if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// who is the user that the API server takes a token's bearer for; "" when it
// takes it for nobody, which must be a plain 401.
func (a *apiServer) who(t *testing.T, token string) string {
	t.Helper()
	status, body := a.call(t, http.MethodPost, "/apis/authentication.k8s.io/v1/selfsubjectreviews", token,
		map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
	switch status {
	case http.StatusCreated:
		var review struct {
			Status struct {
				UserInfo struct{ Username string }
			}
		}
		if err := json.Unmarshal([]byte(body), &review); err != nil {
			t.Fatal(err)
		}
		return review.Status.UserInfo.Username
	case http.StatusUnauthorized:
		if !strings.Contains(body, `"message":"Unauthorized","reason":"Unauthorized","code":401`) {
			t.Errorf("the refusal says %q", body)
		}
		return ""
	case http.StatusForbidden: // someone, without rights
		var refusal struct{ Message string }
		_ = json.Unmarshal([]byte(body), &refusal)
		_, name, _ := strings.Cut(refusal.Message, `User "`)
		name, _, _ = strings.Cut(name, `"`)
		return name
	}
	t.Fatalf("HTTP %d: %s", status, body)
	return ""
}

// bearer makes a token as aws eks get-token does.
func bearer(t *testing.T, keys aws.Credentials, cluster string, ago time.Duration) string {
	t.Helper()
	return wrap(presign(t, keys, stsURL, ago, forCluster(cluster)))
}

const stsURL = "https://sts." + region + ".amazonaws.com"

func forCluster(name string) map[string]string { return map[string]string{"x-k8s-aws-id": name} }

func wrap(url string) string {
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(url))
}

func unwrap(t *testing.T, token string) string {
	t.Helper()
	url, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k8s-aws-v1."))
	if err != nil {
		t.Fatal(err)
	}
	return string(url)
}

func (p *place) cluster(t *testing.T) {
	a := p.connect(t, true)
	good := bearer(t, p.admin, "cluster", 0)
	t.Run("tokens", func(t *testing.T) {
		const admin = "kubernetes-admin"
		wrong, unknown := p.admin, p.admin
		wrong.SecretAccessKey = strings.Repeat("x", 40)
		unknown.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
		tampered := p.fresh
		tampered.SessionToken = flip(tampered.SessionToken)
		for name, c := range map[string]struct{ token, user string }{
			"good":                         {good, admin},
			"of fourteen minutes ago":      {bearer(t, p.admin, "cluster", 14*time.Minute), admin},
			"expired":                      {bearer(t, p.admin, "cluster", 16*time.Minute), ""},
			"of six minutes ahead":         {bearer(t, p.admin, "cluster", -6*time.Minute), ""},
			"for another cluster":          {bearer(t, p.admin, "other", 0), ""},
			"signed with a wrong secret":   {bearer(t, wrong, "cluster", 0), ""},
			"of an unknown key":            {bearer(t, unknown, "cluster", 0), ""},
			"of an expired session":        {bearer(t, p.old, "cluster", 0), ""},
			"of a tampered session":        {bearer(t, tampered, "cluster", 0), ""},
			"of a role that is not mapped": {bearer(t, p.fresh, "cluster", 0), ""},
			"without the cluster's name":   {wrap(presign(t, p.admin, stsURL, 0, nil)), ""},
			"made for another host":        {wrap(presign(t, p.admin, "https://sts.example.com", 0, forCluster("cluster"))), ""},
			"with another action":          {wrap(strings.Replace(unwrap(t, good), "GetCallerIdentity", "GetSessionToken", 1)), ""},
			"with a parameter more":        {wrap(unwrap(t, good) + "&Extra=1"), ""},
			"cut short":                    {good[:len(good)-8], ""},
			"of another make":              {"eyJhbGciOiJub25lIn0.e30.", ""},
		} {
			t.Run(name, func(t *testing.T) {
				if got := a.who(t, c.token); got != c.user {
					t.Errorf("taken for %q, want %q", got, c.user)
				}
			})
		}
	})
	t.Run("a token of a megabyte", p.huge)
	t.Run("anonymous", func(t *testing.T) { anonymous(t, a) })
	t.Run("aws-auth", func(t *testing.T) { p.awsAuth(t, a) })
}

// huge presents a token of a megabyte, over both versions of HTTP.
func (p *place) huge(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			a := p.connect(t, http2)
			began := time.Now()
			if got := a.who(t, "k8s-aws-v1."+strings.Repeat("A", 1_000_000)); got != "" {
				t.Errorf("taken for %q", got)
			}
			lab.Figure(t, "its refusal", time.Since(began), 5*time.Second)
			if got := a.who(t, bearer(t, p.admin, "cluster", 0)); got != "kubernetes-admin" {
				t.Errorf("after it the admin is taken for %q", got)
			}
		})
	}
}

// anonymous callers may ask for health, and for nothing else.
func anonymous(t *testing.T, a *apiServer) {
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/healthz": 200,
		"/livez/ping": 401, "/version": 401, "/api": 401, "/apis": 401, "/": 401, "/metrics": 401, "/openapi/v3": 401,
		"/api/v1/namespaces/kube-system/configmaps/aws-auth": 401, "/.well-known/openid-configuration": 401,
	} {
		if status, body := a.call(t, http.MethodGet, path, "", nil); status != want {
			t.Errorf("%s: HTTP %d, want %d: %.200s", path, status, want, body)
		}
	}
	if status, _ := a.call(t, http.MethodPost, "/livez", "", nil); status == 200 {
		t.Error("POST /livez was served")
	}
}

const awsAuthPath = "/api/v1/namespaces/kube-system/configmaps"

// awsAuth writes the ConfigMap, well and badly, and looks who is let in.
func (p *place) awsAuth(t *testing.T, a *apiServer) {
	admin := bearer(t, p.admin, "cluster", 0)
	write := func(data map[string]string) {
		t.Helper()
		object := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "aws-auth", "namespace": "kube-system"}, "data": data}
		status, body := a.call(t, http.MethodPut, awsAuthPath+"/aws-auth", admin, object)
		if status == http.StatusNotFound {
			status, body = a.call(t, http.MethodPost, awsAuthPath, admin, object)
		}
		if status >= 300 {
			t.Fatalf("writing aws-auth: HTTP %d: %s", status, body)
		}
	}
	// Tokens that were let in are remembered for ten seconds: each is used once,
	// and no two are the same.
	serial := 0
	guest := func() string {
		serial++
		return wrap(presignFor(t, p.fresh, stsURL, 0, forCluster("cluster"), serial%900))
	}
	mapped := func(name string) string {
		return "- rolearn: arn:aws:iam::" + account + ":role/guest\n  username: " + name + "\n  groups: [guests]\n"
	}
	soon := func(want string) time.Duration {
		t.Helper()
		began := time.Now()
		for {
			got := a.who(t, guest())
			if got == want {
				return time.Since(began)
			}
			if time.Since(began) > lab.Busy*5*time.Second {
				t.Fatalf("the role is taken for %q, want %q", got, want)
			}
		}
	}

	t.Run("changes take effect at once", func(t *testing.T) {
		var took []time.Duration
		for i := range 21 {
			name := fmt.Sprintf("guest-%d", i)
			write(map[string]string{"mapRoles": mapped(name)})
			took = append(took, soon(name))
		}
		slices.Sort(took)
		median := took[len(took)/2]
		t.Logf("from the write's answer to the first call let in: median %s, longest %s of %d", median, took[len(took)-1], len(took))
		lab.Figure(t, "a change of aws-auth", median, 100*time.Millisecond)
	})
	t.Run("a bad entry leaves the good ones", func(t *testing.T) {
		write(map[string]string{"mapRoles": "- rolearn: arn:aws:iam::" + account + ":role/other\n  username: y\n- username: nobody\n- just text\n" + mapped("beside-bad")})
		soon("beside-bad")
		p.logged(t, "Only saving data that was good")
	})
	t.Run("malformed mapRoles map no role, and spare mapUsers", func(t *testing.T) {
		user := p.user(t)
		write(map[string]string{"mapRoles": "- rolearn: [", "mapUsers": "- userarn: arn:aws:iam::" + account + ":user/visitor\n  username: visitor\n"})
		soon("")
		if got := a.who(t, bearer(t, user, "cluster", 0)); got != "visitor" {
			t.Errorf("the user is taken for %q", got)
		}
		if got := a.who(t, bearer(t, p.admin, "cluster", time.Second)); got != "kubernetes-admin" {
			t.Errorf("the creator is taken for %q", got)
		}
	})
	t.Run("a ConfigMap deleted maps nobody but the creator", func(t *testing.T) {
		write(map[string]string{"mapRoles": mapped("again")})
		soon("again")
		if status, body := a.call(t, http.MethodDelete, awsAuthPath+"/aws-auth", admin, nil); status != 200 {
			t.Fatalf("HTTP %d: %s", status, body)
		}
		soon("")
		if got := a.who(t, bearer(t, p.admin, "cluster", 2*time.Second)); got != "kubernetes-admin" {
			t.Errorf("the creator is taken for %q", got)
		}
	})
}

// user makes an IAM user with a key.
func (p *place) user(t *testing.T) aws.Credentials {
	t.Helper()
	fields := strings.Fields(p.host.AWS(t, "2").Must(t, "aws iam create-user --user-name visitor >/dev/null && aws iam create-access-key --user-name visitor --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text"))
	if len(fields) != 2 {
		t.Fatalf("keys: %q", fields)
	}
	return aws.Credentials{AccessKeyID: fields[0], SecretAccessKey: fields[1]}
}

// logged checks that the authenticator's log tells the administrator.
func (p *place) logged(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(lab.Busy * 2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(p.State + "/clusters/cluster/logs/authenticator.log")
		if err == nil && strings.Contains(string(text), want) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("the authenticator's log lacks %q (%v)", want, err)
			return
		}
	}
}
