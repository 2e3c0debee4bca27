package irsa

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/kube/podidentity"
	"github.com/eksact/eksact/internal/netns"
)

const role = "arn:aws:iam::111122223333:role/reader"

// webhook serves a cluster's webhook, as the daemon does.
func (p *plane) webhook(t testing.TB, associated func(namespace, name string) bool) (stop func()) {
	t.Helper()
	h := p.handler(p.objects(t).Account, associated)
	l, err := netns.Listen(p.NetNS, "tcp", p.IdentityWebhook)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Serve(ctx, l, p.pki.WebhookTLS(false)) }()
	return func() { cancel(); <-ended }
}

func (p *plane) handler(account func(ctx context.Context, namespace, name string) (podidentity.Account, error), associated func(namespace, name string) bool) *podidentity.Handler {
	return &podidentity.Handler{
		Settings: podidentity.Settings{Region: "us-west-2", CA: true}, Account: account, Associated: associated, Log: slog.New(slog.DiscardHandler),
	}
}

// objects follows a cluster's service accounts and pods until the test ends.
func (p *plane) objects(t testing.TB) *podidentity.Objects {
	t.Helper()
	objects, err := podidentity.NewObjects(p.api.Metadata(), time.Now)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); objects.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return objects
}

// pod asks for a pod that is not kept.
func (p *plane) pod(t testing.TB, account string, labels map[string]string) *corev1.Pod {
	t.Helper()
	no := false
	out, err := p.client.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "my-shell", Labels: labels},
		Spec:       corev1.PodSpec{ServiceAccountName: account, AutomountServiceAccountToken: &no, Containers: []corev1.Container{{Name: "my-shell", Image: "amazonlinux"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	must(t, err)
	return out
}

func variables(p *corev1.Pod) string {
	var names []string
	for _, e := range p.Spec.Containers[0].Env {
		names = append(names, e.Name)
	}
	return strings.Join(names, " ")
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	p := newMachine(t).cluster(t, "hooked", "us-west-2")
	must(t, p.api.Bootstrap(t.Context(), nil))
	p.account(t, "default", "reader", map[string]string{"eks.amazonaws.com/role-arn": role})
	p.account(t, "default", "associated", nil)
	p.account(t, "default", "plain", nil)
	stop := p.webhook(t, func(namespace, name string) bool { return name == "associated" })

	const region = "AWS_STS_REGIONAL_ENDPOINTS AWS_DEFAULT_REGION AWS_REGION "
	const trust = " AWS_CA_BUNDLE NODE_EXTRA_CA_CERTS"
	const irsa = region + "AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE" + trust
	for account, want := range map[string]string{
		"reader": irsa, "associated": region + "AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" + trust, "plain": "",
	} {
		if got := variables(p.pod(t, account, nil)); got != want {
			t.Errorf("a pod of %s has %q, want %q", account, got, want)
		}
	}
	if got := variables(p.pod(t, "reader", map[string]string{skipLabel: ""})); got != "" {
		t.Errorf("a pod that opts out has %q", got)
	}
	t.Run("made one after the other", func(t *testing.T) {
		for i := range 20 { // the account has never been heard of when its pod comes
			name := fmt.Sprintf("just-made-%d", i)
			p.account(t, "default", name, map[string]string{"eks.amazonaws.com/role-arn": role})
			if got := variables(p.pod(t, name, nil)); got != irsa {
				t.Errorf("a pod of %s has %q", name, got)
			}
		}
	})
	stop()
	began := time.Now()
	if got := variables(p.pod(t, "reader", nil)); got != "" {
		t.Errorf("without the webhook a pod has %q", got)
	}
	t.Logf("without a webhook a pod is made all the same, after %v", time.Since(began))
}
