package irsa

import (
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/kube/controlplane/planetest"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/supervise"
)

func TestMain(m *testing.M) { planetest.Main(m) }

// machine runs an etcd and API servers, which all end with the test.
type machine struct{ *planetest.Ground }

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{planetest.New(t)}
	must(t, m.Keeper.Ensure(m.Etcd))
	t.Cleanup(func() { must(t, m.Keeper.Stop(m.Etcd.Name)) })
	return m
}

// plane is one cluster's API server; it has no controllers.
type plane struct {
	controlplane.Config
	m      *machine
	pki    *pki.Bundle
	api    *controlplane.Plane
	client kubernetes.Interface
	// More than the API server is otherwise given.
	flags, env []string
}

// cluster starts an API server whose issuer is at the region's host.
func (m *machine) cluster(t testing.TB, name, region string) *plane {
	t.Helper()
	p := m.prepare(t, name, region)
	p.start(t)
	return p
}

func (m *machine) prepare(t testing.TB, name, region string) *plane {
	t.Helper()
	p := &plane{m: m, Config: m.Config(t, name, strings.ToUpper(name), region)}
	p.IdentityWebhook = "127.0.0.1:23443"
	var err error
	p.pki, err = p.Prepare(time.Now())
	must(t, err)
	return p
}

func (p *plane) start(t testing.TB) {
	t.Helper()
	must(t, p.m.Keeper.Keep(p.ListenSocket()))
	p.run(t)
	t.Cleanup(func() { must(t, p.m.Keeper.Stop(p.SpecName(controlplane.APIServer))) })
	var err error
	p.api, err = p.Open(p.pki)
	must(t, err)
	p.client = p.api.Client()
	p.ready(t)
}

// run starts the API server, anew if it is to run otherwise than before.
func (p *plane) run(t testing.TB) {
	t.Helper()
	specs := p.Specs(p.pki)
	at := slices.IndexFunc(specs, func(s supervise.Spec) bool { return s.Name == p.SpecName(controlplane.APIServer) })
	specs[at].Argv, specs[at].Env = append(specs[at].Argv, p.flags...), append(specs[at].Env, p.env...)
	must(t, p.m.Keeper.Ensure(specs[at]))
}

func (p *plane) ready(t testing.TB) { t.Helper(); planetest.Await(t, p.Config, p.api) }

// account makes a service account, and its namespace.
func (p *plane) account(t testing.TB, namespace, name string, annotations map[string]string) {
	t.Helper()
	_, err := p.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, err = p.client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}, metav1.CreateOptions{})
	must(t, err)
}

// token is one that the API server makes; "" is its own audience.
func (p *plane) token(t testing.TB, namespace, name, audience string, bound *authenticationv1.BoundObjectReference) string {
	t.Helper()
	seconds := int64(600)
	q := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds, BoundObjectRef: bound}}
	if audience != "" {
		q.Spec.Audiences = []string{audience}
	}
	out, err := p.client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, q, metav1.CreateOptions{})
	must(t, err)
	return out.Status.Token
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
