package controlplane_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/kube/controlplane/planetest"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/netns"
)

func TestMain(m *testing.M) { planetest.Main(m) }

// live is a control plane with an etcd of its own, in a namespace of its own.
type live struct {
	controlplane.Config
	t      *testing.T
	ground *planetest.Ground
	pki    *pki.Bundle
	plane  *controlplane.Plane
	// users are known by their token, beside user1; authorizer is asked about those
	// that come from IAM. Set before start.
	users      map[string]authenticationv1.UserInfo
	authorizer http.Handler
}

func newLive(t *testing.T) *live {
	t.Helper()
	g := planetest.New(t)
	l := &live{t: t, ground: g, Config: g.Config(t, "live", "ABC", "us-west-2")}
	if setting, ok := os.LookupEnv("CONTROLPLANE_TEST_GC"); ok {
		l.GC = setting
	}
	return l
}

func (l *live) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// start runs everything at once, as the daemon does, and waits until it serves.
func (l *live) start() {
	l.t.Helper()
	var err error
	l.pki, err = l.Prepare(time.Now())
	l.must(err)
	l.must(l.ground.Keeper.Keep(l.ListenSocket()))
	l.must(l.ground.Keeper.Ensure(l.ground.Etcd))
	for _, spec := range l.Specs(l.pki) {
		l.must(l.ground.Keeper.Ensure(spec))
	}
	if l.plane == nil {
		l.serveTokens()
		l.plane, err = l.Open(l.pki)
		l.must(err)
	}
	planetest.Await(l.t, l.Config, l.plane)
}

// stop ends everything in the order that ends cleanly: etcd last.
func (l *live) stop() {
	began := time.Now()
	specs := l.Specs(l.pki)
	slices.Reverse(specs)
	for _, spec := range append(specs, l.ground.Etcd) {
		at := time.Now()
		l.must(l.ground.Keeper.Stop(spec.Name))
		l.t.Logf("%s stopped in %.2f s", spec.Name, time.Since(at).Seconds())
	}
	l.t.Logf("all stopped in %.2f s", time.Since(began).Seconds())
}

// serveTokens is a token webhook that knows a few tokens, with the authorizer beside.
func (l *live) serveTokens() {
	listener, err := netns.Listen(l.NetNS, "tcp", l.Webhooks)
	l.must(err)
	server := &http.Server{TLSConfig: l.pki.WebhookTLS(true), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/authorize" && l.authorizer != nil {
			l.authorizer.ServeHTTP(w, r)
			return
		}
		var review authenticationv1.TokenReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || r.URL.Path != "/authenticate" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		user, ok := l.users[review.Spec.Token]
		if review.Spec.Token == "k8s-aws-v1.user1" {
			user, ok = authenticationv1.UserInfo{Username: "user1", Groups: []string{"user1:admins"}}, true
		}
		if ok {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: user}
		} else {
			w.WriteHeader(http.StatusForbidden)
		}
		json.NewEncoder(w).Encode(review)
	})}
	go server.ServeTLS(listener, "", "")
	l.t.Cleanup(func() { server.Close() })
}

// as is a client with a bearer token, or with no credentials at all.
func (l *live) as(token string) kubernetes.Interface {
	config := rest.AnonymousClientConfig(l.REST(l.pki))
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	l.must(err)
	return client
}

func TestAControlPlaneLives(t *testing.T) {
	l := newLive(t)
	l.start()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	admin := l.plane.Client()

	began := time.Now()
	l.must(l.plane.Bootstrap(ctx, &controlplane.CoreDNS{Image: "example.com/eks/coredns:v1"}))
	t.Logf("bootstrap objects in %v", time.Since(began).Round(time.Millisecond))
	l.must(l.plane.EnsureNodeRole(ctx, "arn:aws:iam::111122223333:role/ng"))

	t.Run("CoreDNS is as on EKS", func(t *testing.T) {
		service, err := admin.CoreV1().Services("kube-system").Get(ctx, "kube-dns", metav1.GetOptions{})
		if err != nil || service.Spec.ClusterIP != "172.20.0.10" {
			t.Errorf("kube-dns at %q: %v", service.Spec.ClusterIP, err)
		}
		// The controllers are at work: the Deployment has its pods.
		eventually(t, ctx, func() string {
			pods, err := admin.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
			if err != nil || len(pods.Items) != 2 {
				return fmt.Sprintf("%d CoreDNS pods, %v", len(pods.Items), err)
			}
			return ""
		})
	})
	t.Run("the Service kubernetes leads to the ENI", func(t *testing.T) {
		eventually(t, ctx, func() string {
			slices, err := admin.DiscoveryV1().EndpointSlices("default").Get(ctx, "kubernetes", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if got := fmt.Sprint(slices.Endpoints[0].Addresses, *slices.Ports[0].Port); got != "[10.0.64.10] 443" {
				return got
			}
			return ""
		})
	})
	t.Run("nobody is anonymous but for health", func(t *testing.T) {
		for path, want := range map[string]bool{"/livez": true, "/readyz": true, "/healthz": true,
			"/version": false, "/api": false, "/api/v1/namespaces": false, "/openid/v1/jwks": false, "/livez/ping": false} {
			err := l.as("").Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Error()
			if want != (err == nil) || !want && !apierrors.IsUnauthorized(err) {
				t.Errorf("anonymous %s: %v", path, err)
			}
		}
	})
	t.Run("a token's user is the webhook's answer", func(t *testing.T) {
		_, err := l.as("k8s-aws-v1.user1").CoreV1().Secrets("default").Get(ctx, "db-login", metav1.GetOptions{})
		want := `secrets "db-login" is forbidden: User "user1" cannot get resource "secrets" in API group "" in the namespace "default"`
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
		if _, err := l.as("k8s-aws-v1.other").CoreV1().Secrets("default").Get(ctx, "db-login", metav1.GetOptions{}); !apierrors.IsUnauthorized(err) {
			t.Errorf("an unknown token: %v", err)
		}
	})
	t.Run("service account tokens", func(t *testing.T) {
		token, err := admin.CoreV1().ServiceAccounts("kube-system").CreateToken(ctx, "coredns", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		who, err := l.as(token.Status.Token).AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil || who.Status.UserInfo.Username != "system:serviceaccount:kube-system:coredns" {
			t.Errorf("%+v, %v", who, err)
		}
		if got := strings.Join(token.Spec.Audiences, " "); got != "https://kubernetes.default.svc" {
			t.Errorf("audiences %q", got)
		}
	})
	t.Run("aws-auth reads as eksctl writes it", func(t *testing.T) {
		m, err := admin.CoreV1().ConfigMaps("kube-system").Get(ctx, "aws-auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: arn:aws:iam::111122223333:role/ng\n  username: system:node:{{EC2PrivateDNSName}}\n"
		if m.Data["mapRoles"] != want || len(m.Data) != 1 {
			t.Errorf("%q", m.Data)
		}
	})
	t.Run("secrets are encrypted in etcd", func(t *testing.T) { l.secretsAreEncrypted(ctx, t) })
	t.Run("audit", func(t *testing.T) { l.auditTells(ctx, t) })

	l.stop()
	t.Log("again, on its data")
	l.start()
	t.Run("a restart keeps data, CoreDNS stays the user's", func(t *testing.T) {
		deployments := admin.AppsV1().Deployments("kube-system")
		d, err := deployments.Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d.Labels["mine"] = "yes"
		if _, err = deployments.Update(ctx, d, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		const cniRole = "arn:aws:iam::111122223333:role/cni"
		if err := l.plane.ApplyNodeAccount(ctx, cniRole); err != nil {
			t.Fatal(err)
		}
		if err := l.plane.Bootstrap(ctx, &controlplane.CoreDNS{Image: "example.com/eks/coredns:v2"}); err != nil {
			t.Fatal(err)
		}
		account, err := admin.CoreV1().ServiceAccounts("kube-system").Get(ctx, "aws-node", metav1.GetOptions{})
		if err != nil || account.Annotations["eks.amazonaws.com/role-arn"] != cniRole {
			t.Errorf("aws-node has %v, %v", account.Annotations, err)
		}
		d, err = deployments.Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil || d.Labels["mine"] != "yes" || d.Spec.Template.Spec.Containers[0].Image != "example.com/eks/coredns:v1" {
			t.Errorf("labels %v, %v", d.Labels, err)
		}
	})
	t.Run("CoreDNS as an add-on", func(t *testing.T) { l.dnsIsAnAddon(ctx, t) })
	l.stop()
}

func eventually(t *testing.T, ctx context.Context, wrong func() string) {
	t.Helper()
	for {
		what := wrong()
		if what == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l *live) secretsAreEncrypted(ctx context.Context, t *testing.T) {
	const marker = "plainly-to-be-seen"
	meta := metav1.ObjectMeta{Name: "db-login", Namespace: "default"}
	if _, err := l.plane.Client().CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"password": marker}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.plane.Client().CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"password": marker}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{l.Etcd}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	raw := func(key string) []byte {
		got, err := etcd.Get(ctx, l.EtcdPrefix+key)
		if err != nil || len(got.Kvs) != 1 {
			t.Fatalf("%s: %v, %v", key, got, err)
		}
		return got.Kvs[0].Value
	}
	if secret := raw("/secrets/default/db-login"); !bytes.HasPrefix(secret, []byte("k8s:enc:secretbox:v1:k1:")) || bytes.Contains(secret, []byte(marker)) {
		t.Errorf("the Secret in etcd begins %q", secret[:min(30, len(secret))])
	}
	if !bytes.Contains(raw("/configmaps/default/db-login"), []byte(marker)) {
		t.Error("the ConfigMap, for comparison, does not show what was written")
	}
}

// auditTells looks for the events of what the test did before.
func (l *live) auditTells(ctx context.Context, t *testing.T) {
	type event struct {
		Level, Stage, Verb, RequestURI string
		User                           struct{ Username string }
		ObjectRef                      struct{ Resource, Name, Namespace, Subresource string }
		ResponseStatus                 struct{ Code int }
		RequestObject, ResponseObject  json.RawMessage
	}
	data, err := os.ReadFile(l.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]event{}
	for line := range bytes.Lines(data) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		key := fmt.Sprintf("%s %s %s/%s %s", e.User.Username, e.Verb, strings.Trim(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/"), e.ObjectRef.Name, e.Stage)
		seen[key] = e
		if e.ObjectRef.Resource == "events" || strings.HasPrefix(e.RequestURI, "/healthz") {
			t.Errorf("logged: %s", line)
		}
		if e.Stage == "RequestReceived" && e.ObjectRef.Subresource != "token" {
			t.Errorf("RequestReceived is logged: %s", line)
		}
	}
	for _, test := range []struct {
		key   string
		level string
		code  int
		body  bool
	}{
		{"user1 get secrets/db-login ResponseComplete", "Metadata", 403, false},
		{"eks:cluster-bootstrap create secrets/db-login ResponseComplete", "Metadata", 201, false},
		{"eks:cluster-bootstrap create configmaps/aws-auth ResponseComplete", "Metadata", 201, false}, // EKS logs updates in full, not the creation
		{"eks:cluster-bootstrap patch deployments/coredns ResponseComplete", "RequestResponse", 201, true},
		{"eks:cluster-bootstrap get services/kube-dns ResponseComplete", "Request", 200, false},
		{"eks:cluster-bootstrap create serviceaccounts/token/coredns RequestReceived", "Request", 0, false},
		{"eks:cluster-bootstrap create serviceaccounts/token/coredns ResponseComplete", "Request", 201, false},
	} {
		e, ok := seen[test.key]
		if !ok || e.Level != test.level || e.ResponseStatus.Code != test.code || (e.ResponseObject != nil) != test.body {
			t.Errorf("%s: found %v, level %s, code %d, response logged %v", test.key, ok, e.Level, e.ResponseStatus.Code, e.ResponseObject != nil)
		}
	}
}
