package authz_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authzv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/engine/accesspolicy"
	"github.com/eksact/eksact/internal/kube/authz"
)

const (
	devID = "AROADEVEXAMPLE"
	dev   = "arn:aws:iam::111122223333:role/team/dev"
	arns  = "arn:aws:eks::aws:cluster-access-policy/"
)

func handler(t testing.TB) *authz.Handler {
	t.Helper()
	var grants []accesspolicy.Grant
	for name, namespaces := range map[string][]string{"AmazonEKSEditPolicy": {"dev-*"}} {
		p, ok := accesspolicy.Named(name)
		if !ok {
			t.Fatal(name)
		}
		grants = append(grants, accesspolicy.Grant{Policy: p, Namespaces: namespaces})
	}
	view, _ := accesspolicy.Named("AmazonEKSViewPolicy")
	p := authz.Principal{
		ARN: dev, Policies: []string{arns + "AmazonEKSEditPolicy", arns + "AmazonEKSViewPolicy"},
		Grants: accesspolicy.Compile(append(grants, accesspolicy.Grant{Policy: view})),
	}
	return &authz.Handler{Find: func(id string) (authz.Principal, bool) { return p, id == devID }}
}

// spec is what the API server asks about a session of role dev.
func spec(change func(*authzv1.SubjectAccessReviewSpec)) authzv1.SubjectAccessReviewSpec {
	s := authzv1.SubjectAccessReviewSpec{
		User:   "arn:aws:sts::111122223333:assumed-role/dev/ann",
		UID:    "aws-iam-authenticator:111122223333:" + devID,
		Groups: []string{"system:authenticated"},
		Extra: map[string]authzv1.ExtraValue{
			"principalId": {devID}, "arn": {dev}, "sigs.k8s.io/aws-iam-authenticator/principalId": {devID},
		},
		ResourceAttributes: &authzv1.ResourceAttributes{Verb: "list", Resource: "pods", Namespace: "default"},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// proxied are extra fields after a way through HTTP headers, as aggregated APIs have them.
func proxied(extra map[string]authzv1.ExtraValue) map[string]authzv1.ExtraValue {
	after := map[string]authzv1.ExtraValue{}
	for key, values := range extra {
		after[strings.ToLower(key)] = values
	}
	return after
}

func ask(t testing.TB, h http.Handler, s authzv1.SubjectAccessReviewSpec) authzv1.SubjectAccessReviewStatus {
	t.Helper()
	body, err := json.Marshal(authzv1.SubjectAccessReview{TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"}, Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/authorize?timeout=30s", bytes.NewReader(body)))
	var answer authzv1.SubjectAccessReview
	if err := json.Unmarshal(w.Body.Bytes(), &answer); w.Code != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v: %s", w.Code, err, w.Body)
	}
	if answer.Kind != "SubjectAccessReview" || answer.APIVersion != "authorization.k8s.io/v1" {
		t.Errorf("answered with a %s %s", answer.APIVersion, answer.Kind)
	}
	return answer.Status
}

func TestDecisions(t *testing.T) {
	h := handler(t)
	allowed := func(binding, policy string) authzv1.SubjectAccessReviewStatus {
		return authzv1.SubjectAccessReviewStatus{Allowed: true, Reason: `EKS Access Policy: allowed by ` + binding + ` of ClusterRole "` + arns + policy + `" to User "` + devID + `"`}
	}
	byView := allowed(`ClusterRoleBinding "`+dev+"+"+arns+`AmazonEKSViewPolicy"`, "AmazonEKSViewPolicy")
	none := authzv1.SubjectAccessReviewStatus{}
	for _, tt := range []struct {
		name   string
		change func(*authzv1.SubjectAccessReviewSpec)
		want   authzv1.SubjectAccessReviewStatus
	}{
		{"what a policy allows", nil, byView},
		{"what it allows everywhere", func(s *authzv1.SubjectAccessReviewSpec) { s.ResourceAttributes.Namespace = "" }, byView},
		{"what it doesn't", func(s *authzv1.SubjectAccessReviewSpec) { s.ResourceAttributes.Verb = "delete" }, none},
		{"what another allows in its namespaces", func(s *authzv1.SubjectAccessReviewSpec) {
			s.ResourceAttributes = &authzv1.ResourceAttributes{Verb: "create", Group: "apps", Resource: "deployments", Namespace: "dev-1"}
		}, allowed(`RoleBinding "`+dev+"+"+arns+`AmazonEKSEditPolicy/dev-1"`, "AmazonEKSEditPolicy")},
		{"and not elsewhere", func(s *authzv1.SubjectAccessReviewSpec) {
			s.ResourceAttributes = &authzv1.ResourceAttributes{Verb: "create", Group: "apps", Resource: "deployments", Namespace: "prod"}
		}, none},
		{"a subresource", func(s *authzv1.SubjectAccessReviewSpec) {
			s.ResourceAttributes = &authzv1.ResourceAttributes{Verb: "get", Resource: "pods", Subresource: "log", Name: "web", Namespace: "default"}
		}, byView},
		{"another group's resource of that name", func(s *authzv1.SubjectAccessReviewSpec) { s.ResourceAttributes.Group = "metrics.k8s.io" }, none},
		{"a path", func(s *authzv1.SubjectAccessReviewSpec) {
			s.ResourceAttributes, s.NonResourceAttributes = nil, &authzv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}
		}, none},
		{"neither resource nor path", func(s *authzv1.SubjectAccessReviewSpec) { s.ResourceAttributes = nil }, none},
		{"both", func(s *authzv1.SubjectAccessReviewSpec) {
			s.NonResourceAttributes = &authzv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}
		}, none},

		{"a principal without an entry", func(s *authzv1.SubjectAccessReviewSpec) {
			s.UID = "aws-iam-authenticator:111122223333:AROAOTHER"
			s.Extra["sigs.k8s.io/aws-iam-authenticator/principalId"] = authzv1.ExtraValue{"AROAOTHER"}
		}, none},
		{"impersonated by name", func(s *authzv1.SubjectAccessReviewSpec) { s.UID, s.Extra = "", nil }, none},
		{"by uid too", func(s *authzv1.SubjectAccessReviewSpec) { s.Extra = nil }, none},
		{"as an aggregated API asks", func(s *authzv1.SubjectAccessReviewSpec) { s.UID, s.Extra = "", proxied(s.Extra) }, byView},
		{"as one asks that is told the uid", func(s *authzv1.SubjectAccessReviewSpec) { s.Extra = proxied(s.Extra) }, byView},
		{"as one asks, of another's uid", func(s *authzv1.SubjectAccessReviewSpec) {
			s.UID, s.Extra = "aws-iam-authenticator:111122223333:AROAOTHER", proxied(s.Extra)
		}, none},
		{"two spellings that agree", func(s *authzv1.SubjectAccessReviewSpec) { maps.Copy(s.Extra, proxied(s.Extra)) }, byView},
		{"two that don't", func(s *authzv1.SubjectAccessReviewSpec) {
			s.Extra["sigs.k8s.io/aws-iam-authenticator/principalid"] = authzv1.ExtraValue{"AROAOTHER"}
		}, none},
		{"the field alone", func(s *authzv1.SubjectAccessReviewSpec) { s.UID = "" }, byView},
		{"another field of that id", func(s *authzv1.SubjectAccessReviewSpec) {
			s.UID, s.Extra = "", map[string]authzv1.ExtraValue{"principalid": {devID}}
		}, none},
		{"with another's uid", func(s *authzv1.SubjectAccessReviewSpec) { s.UID = "aws-iam-authenticator:111122223333:AROAOTHER" }, none},
		{"with two ids", func(s *authzv1.SubjectAccessReviewSpec) {
			s.Extra["sigs.k8s.io/aws-iam-authenticator/principalId"] = authzv1.ExtraValue{devID, devID}
		}, none},
		{"a service account of that uid", func(s *authzv1.SubjectAccessReviewSpec) { s.UID = devID }, none},
		{"no id", func(s *authzv1.SubjectAccessReviewSpec) {
			s.UID, s.Extra["sigs.k8s.io/aws-iam-authenticator/principalId"] = "aws-iam-authenticator:111122223333:", authzv1.ExtraValue{""}
		}, none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, ask(t, h, spec(tt.change))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsNoReviewIsRefused(t *testing.T) {
	h := handler(t)
	for name, tt := range map[string]struct {
		method, body string
		want         int
	}{
		"get":             {http.MethodGet, "", http.StatusMethodNotAllowed},
		"nothing":         {http.MethodPost, "", http.StatusBadRequest},
		"no JSON":         {http.MethodPost, "allowed", http.StatusBadRequest},
		"a TokenReview":   {http.MethodPost, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview"}`, http.StatusBadRequest},
		"another version": {http.MethodPost, `{"apiVersion":"authorization.k8s.io/v1beta1","kind":"SubjectAccessReview"}`, http.StatusBadRequest},
		"too much":        {http.MethodPost, `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"uid":"` + strings.Repeat("x", 1<<20) + `"}}`, http.StatusBadRequest},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, "/authorize", strings.NewReader(tt.body)))
		if w.Code != tt.want || strings.Contains(w.Body.String(), "allowed\":true") {
			t.Errorf("%s: status %d: %s", name, w.Code, w.Body)
		}
	}
}

// BenchmarkReview is a whole answer: the review read, decided and written.
func BenchmarkReview(b *testing.B) {
	h := handler(b)
	body, err := json.Marshal(authzv1.SubjectAccessReview{TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"}, Spec: spec(nil)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/authorize", bytes.NewReader(body)))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
