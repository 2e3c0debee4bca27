package podidentity

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestHandler(t *testing.T) {
	h := &Handler{
		Settings: Settings{Region: "us-west-2"}, Log: slog.New(slog.DiscardHandler),
		Account: func(_ context.Context, namespace, name string) (Account, error) {
			switch namespace + "/" + name {
			case "default/reader":
				return ReadAccount(map[string]string{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/r"}), nil
			case "default/broken":
				return Account{}, errors.New("the API is away")
			}
			return ReadAccount(nil), nil
		},
		Associated: func(namespace, name string) bool { return namespace == "default" && name == "associated" },
	}
	review := func(namespace, account string) string {
		return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","namespace":"` + namespace +
			`","object":{"spec":{"serviceAccountName":"` + account + `","containers":[{"name":"a"}]}}}}`
	}
	for _, c := range []struct {
		name, method, path, kind, body string
		code                           int
		patched                        string // a part of the patch; "" of none
	}{
		{"a role", "POST", "/mutate", "application/json", review("default", "reader"), 200, "AWS_ROLE_ARN"},
		{"an association", "POST", "/mutate", "application/json", review("default", "associated"), 200, "AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		{"neither", "POST", "/mutate", "application/json", review("default", "default"), 200, ""},
		{"of another namespace", "POST", "/mutate", "application/json", review("other", "reader"), 200, ""},
		{"unknown for now", "POST", "/mutate", "application/json", review("default", "broken"), 500, ""},
		{"not a review", "POST", "/mutate", "application/json", `{"kind":"Pod"}`, 400, ""},
		{"about nothing", "POST", "/mutate", "application/json", `{"kind":"AdmissionReview","request":{"uid":"u-1"}}`, 400, ""},
		{"not JSON", "POST", "/mutate", "application/json", `{`, 400, ""},
		{"of another type", "POST", "/mutate", "text/plain", review("default", "reader"), 415, ""},
		{"GET", "GET", "/mutate", "", "", 405, ""},
		{"elsewhere", "POST", "/other", "application/json", review("default", "reader"), 404, ""},
		{"too large", "POST", "/mutate", "application/json", `{"kind":"` + strings.Repeat("a", maxReview) + `"}`, 400, ""},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
			continue
		}
		if c.code != http.StatusOK {
			continue
		}
		var out admissionv1.AdmissionReview
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Kind != "AdmissionReview" || out.APIVersion != "admission.k8s.io/v1" ||
			out.Response.UID != "u-1" || !out.Response.Allowed {
			t.Errorf("%s: %v, %s", c.name, err, w.Body)
			continue
		}
		if got := string(out.Response.Patch); (got != "") != (c.patched != "") || !strings.Contains(got, c.patched) {
			t.Errorf("%s: patch %s", c.name, got)
		}
	}
}

func TestEveryNamespaceHasTheCertificate(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	namespace := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	client := fake.NewClientset(namespace("default"))
	go Publish(ctx, client, []byte("certificate"), slog.New(slog.DiscardHandler))
	shown := func(in string) {
		t.Helper()
		for {
			m, err := client.CoreV1().ConfigMaps(in).Get(ctx, TrustName, metav1.GetOptions{})
			if err == nil && m.Data["ca.crt"] == "certificate" && len(m.Data) == 1 {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("namespace %s: %v, %v", in, m, err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	shown("default")
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace("new"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	shown("new")
	if err := client.CoreV1().ConfigMaps("new").Delete(ctx, TrustName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	shown("new")
	m, err := client.CoreV1().ConfigMaps("new").Get(ctx, TrustName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.Data = map[string]string{"ca.crt": "another's", "more": "x"}
	if _, err := client.CoreV1().ConfigMaps("new").Update(ctx, m, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	shown("new")
}

// BenchmarkHandler is the webhook's own share of what it adds to a pod's creation.
func BenchmarkHandler(b *testing.B) {
	account := ReadAccount(map[string]string{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/r"})
	h := &Handler{
		Settings: Settings{Region: "us-west-2", CA: true}, Log: slog.New(slog.DiscardHandler), Associated: func(string, string) bool { return false },
		Account: func(context.Context, string, string) (Account, error) { return account, nil },
	}
	pod, err := json.Marshal(&corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "my-shell", Namespace: "default", Labels: map[string]string{"run": "my-shell"}},
		Spec: corev1.PodSpec{ServiceAccountName: "reader", Containers: []corev1.Container{{Name: "my-shell", Image: "amazonlinux", Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	review := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","namespace":"default","object":` + string(pod) + `}}`
	for b.Loop() {
		r := httptest.NewRequest("POST", "/mutate", strings.NewReader(review))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
