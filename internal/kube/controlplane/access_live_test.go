package controlplane_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/eksact/eksact/internal/engine/accesspolicy"
	"github.com/eksact/eksact/internal/kube/authz"
)

const (
	devID    = "AROADEVEXAMPLE"
	devToken = "k8s-aws-v1.dev"
	devRole  = "arn:aws:iam::111122223333:role/dev"
)

// dev is a session of role dev as the token webhook states it.
var dev = authenticationv1.UserInfo{
	Username: "arn:aws:sts::111122223333:assumed-role/dev/ann",
	UID:      "aws-iam-authenticator:111122223333:" + devID,
	Extra: map[string]authenticationv1.ExtraValue{
		"arn": {"arn:aws:sts::111122223333:assumed-role/dev/ann"}, "principalId": {devID}, "sigs.k8s.io/aws-iam-authenticator/principalId": {devID},
	},
}

// entries are the access entries of a cluster, which may be out of reach.
type entries struct {
	authz.Handler
	mu    sync.Mutex
	held  map[string]authz.Principal
	down  bool
	asked int
}

func (e *entries) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked++
	down := e.down
	e.mu.Unlock()
	if down {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	e.Handler.ServeHTTP(w, r)
}

func (e *entries) find(id string) (authz.Principal, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.held[id]
	return p, ok
}

// give lets dev hold a policy in place of what it held; none for no name.
func (e *entries) give(name string, namespaces ...string) {
	p := authz.Principal{ARN: devRole}
	if policy, ok := accesspolicy.Named(name); ok {
		p.Policies = []string{"arn:aws:eks::aws:cluster-access-policy/" + name}
		p.Grants = accesspolicy.Compile([]accesspolicy.Grant{{Policy: policy, Namespaces: namespaces}})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = map[string]authz.Principal{devID: p}
}

func (e *entries) set(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

func TestAccessPoliciesLive(t *testing.T) {
	l := newLive(t)
	e := &entries{}
	e.Find = e.find
	l.users, l.authorizer = map[string]authenticationv1.UserInfo{devToken: dev}, e
	l.start()
	defer l.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	admin, asDev := l.plane.Client(), l.as(devToken)
	for _, name := range []string{"dev-1", "prod"} {
		if _, err := admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	pods := func(c kubernetes.Interface, namespace string) error {
		_, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		return err
	}
	refused := func(t *testing.T, what string, err error) {
		t.Helper()
		want := `pods is forbidden: User "arn:aws:sts::111122223333:assumed-role/dev/ann" cannot list resource "pods" in API group "" ` + what
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}

	t.Run("a policy holds at once, and no longer when it is taken away", func(t *testing.T) {
		refused(t, `in the namespace "dev-1"`, pods(asDev, "dev-1"))
		for range 3 {
			e.give("AmazonEKSViewPolicy", "dev-*")
			if err := pods(asDev, "dev-1"); err != nil {
				t.Error(err)
			}
			e.give("")
			refused(t, `in the namespace "dev-1"`, pods(asDev, "dev-1"))
		}
	})
	t.Run("scopes", func(t *testing.T) {
		e.give("AmazonEKSViewPolicy", "dev-*")
		refused(t, `in the namespace "prod"`, pods(asDev, "prod"))
		refused(t, "at the cluster scope", pods(asDev, ""))
		if _, err := asDev.CoreV1().Namespaces().Get(ctx, "dev-1", metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := asDev.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("namespaces: %v", err)
		}
		if _, err := asDev.CoreV1().ConfigMaps("dev-1").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("a change: %v", err)
		}
		e.give("AmazonEKSClusterAdminPolicy")
		if err := asDev.Discovery().RESTClient().Get().AbsPath("/metrics").Do(ctx).Error(); err != nil {
			t.Errorf("a path: %v", err)
		}
		if err := pods(asDev, ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("kubectl auth can-i", func(t *testing.T) {
		e.give("AmazonEKSViewPolicy", "dev-*")
		ask := func(namespace string) authorizationv1.SubjectAccessReviewStatus {
			r, err := asDev.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods", Namespace: namespace},
			}}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return r.Status
		}
		want := `EKS Access Policy: allowed by RoleBinding "` + devRole + `+arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy/dev-1" of ClusterRole "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy" to User "` + devID + `"`
		if got := ask("dev-1"); !got.Allowed || got.Reason != want {
			t.Errorf("%+v", got)
		}
		if got := ask("prod"); got.Allowed || got.Denied || got.Reason != "" || got.EvaluationError != "" {
			t.Errorf("%+v", got)
		}
		// --list shows what RBAC gives alone, and says so, as on EKS.
		rules, err := asDev.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "dev-1"}}, metav1.CreateOptions{})
		if err != nil || !rules.Status.Incomplete || !strings.Contains(rules.Status.EvaluationError, "webhook authorizer does not support user rule resolution") ||
			slices.ContainsFunc(rules.Status.ResourceRules, func(r authorizationv1.ResourceRule) bool { return slices.Contains(r.Resources, "pods") }) {
			t.Errorf("%+v, %v", rules.Status, err)
		}
	})
	t.Run("an aggregated API asks about whom it serves", func(t *testing.T) {
		e.give("AmazonEKSClusterAdminPolicy")
		// What the request headers leave of dev: no uid, and names in lower case.
		extra := map[string]authorizationv1.ExtraValue{}
		for key, values := range dev.Extra {
			extra[strings.ToLower(key)] = authorizationv1.ExtraValue(values)
		}
		for _, tt := range []struct {
			who  string
			spec authorizationv1.SubjectAccessReviewSpec
			want bool
		}{
			{"dev, told by headers", authorizationv1.SubjectAccessReviewSpec{User: dev.Username, Extra: extra}, true},
			{"dev, told with the uid", authorizationv1.SubjectAccessReviewSpec{User: dev.Username, UID: dev.UID, Extra: extra}, true},
			{"dev, told by name", authorizationv1.SubjectAccessReviewSpec{User: dev.Username}, false},
			{"dev, told with another's uid", authorizationv1.SubjectAccessReviewSpec{User: dev.Username, UID: dev.UID + "X", Extra: extra}, false},
		} {
			tt.spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Verb: "list", Group: "metrics.k8s.io", Resource: "nodes"}
			r, err := admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: tt.spec}, metav1.CreateOptions{})
			if err != nil || r.Status.Allowed != tt.want {
				t.Errorf("%s: %+v, %v", tt.who, r.Status, err)
			}
		}
	})
	t.Run("nobody has a policy by impersonation", func(t *testing.T) {
		e.give("AmazonEKSClusterAdminPolicy")
		impersonating := func(config *rest.Config, extra map[string]authenticationv1.ExtraValue) kubernetes.Interface {
			config.Impersonate = rest.ImpersonationConfig{UserName: dev.Username, UID: dev.UID, Extra: map[string][]string{}}
			for key, values := range extra {
				config.Impersonate.Extra[key] = values
			}
			client, err := kubernetes.NewForConfig(config)
			l.must(err)
			return client
		}
		refused(t, `in the namespace "dev-1"`, pods(impersonating(l.REST(l.pki), nil), "dev-1"))

		// The extra field makes it dev, and takes a right of its own.
		if err := pods(impersonating(l.REST(l.pki), dev.Extra), "dev-1"); err != nil {
			t.Errorf("system:masters as dev in all: %v", err)
		}
		l.allow(ctx, "user1", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}},
			rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"uids"}, Verbs: []string{"impersonate"}})
		user1 := rest.AnonymousClientConfig(l.REST(l.pki))
		user1.BearerToken = "k8s-aws-v1.user1"
		eventually(t, ctx, func() string {
			err := pods(impersonating(rest.CopyConfig(user1), nil), "dev-1")
			if err == nil || !strings.HasPrefix(err.Error(), "pods is forbidden") {
				return fmt.Sprintf("user1 as dev: %v", err)
			}
			return ""
		})
		err := pods(impersonating(rest.CopyConfig(user1), dev.Extra), "dev-1")
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `cannot impersonate resource "userextras/`) {
			t.Errorf("user1 as dev with extra fields: %v", err)
		}
	})
	t.Run("only IAM's principals are asked about", func(t *testing.T) {
		e.mu.Lock()
		before := e.asked
		e.mu.Unlock()
		if err := pods(l.as("k8s-aws-v1.user1"), "dev-1"); !apierrors.IsForbidden(err) {
			t.Errorf("user1: %v", err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.asked != before {
			t.Errorf("asked %d times about a user without an id", e.asked-before)
		}
	})
	t.Run("decisions are RBAC's with the same rules", func(t *testing.T) { l.comparePolicies(ctx, t, e) })
	t.Run("the audit log tells which policy allowed", func(t *testing.T) {
		want := `"authorization.k8s.io/reason":"EKS Access Policy: allowed by ClusterRoleBinding \"` + devRole + `+arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy\" of ClusterRole \"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy\" to User \"` + devID + `\""`
		if data, err := os.ReadFile(l.AuditLog()); err != nil || !bytes.Contains(data, []byte(want)) {
			t.Errorf("%v: not found: %s", err, want)
		}
	})
	t.Run("without the authorizer nobody gains", func(t *testing.T) {
		e.give("AmazonEKSClusterAdminPolicy")
		e.set(true)
		defer e.set(false)
		began := time.Now()
		if err := pods(asDev, "dev-1"); !apierrors.IsInternalError(err) {
			t.Errorf("dev: %v", err)
		}
		t.Logf("answered after %v", time.Since(began).Round(time.Millisecond))
		began = time.Now()
		if err := pods(admin, "dev-1"); err != nil {
			t.Error(err)
		}
		if err := pods(l.as("k8s-aws-v1.user1"), "dev-1"); !apierrors.IsForbidden(err) {
			t.Errorf("user1: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("others waited %v", took)
		}
	})
}

// allow gives a user a role of those rules.
func (l *live) allow(ctx context.Context, user string, rules ...rbacv1.PolicyRule) {
	l.t.Helper()
	const group = "rbac.authorization.k8s.io"
	name := metav1.ObjectMeta{Name: "allow-" + user}
	_, err := l.plane.Client().RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: name, Rules: rules}, metav1.CreateOptions{})
	l.must(err)
	_, err = l.plane.Client().RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: group, Kind: "ClusterRole", Name: name.Name},
		Subjects: []rbacv1.Subject{{APIGroup: group, Kind: "User", Name: user}},
	}, metav1.CreateOptions{})
	l.must(err)
}

// comparePolicies asks the API server about a user bound to a ClusterRole of each
// policy's rules, and about dev with the policy: every resource that it serves, each
// with one of the verbs that policies name, in turn. (All with all takes minutes, and
// agrees.)
func (l *live) comparePolicies(ctx context.Context, t *testing.T, e *entries) {
	admin := l.plane.Client()
	_, lists, err := admin.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	verbs := []string{"get", "list", "create", "patch", "deletecollection", "impersonate", "bind"}
	var all []authorizationv1.ResourceAttributes
	for _, list := range lists {
		group, _, found := strings.Cut(list.GroupVersion, "/")
		if !found {
			group = ""
		}
		for _, r := range list.APIResources {
			name, sub, _ := strings.Cut(r.Name, "/")
			verb := verbs[len(all)%len(verbs)]
			all = append(all, authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: name, Subresource: sub, Namespace: "dev-1"})
		}
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range dev.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	for _, name := range accesspolicy.Names() {
		policy, _ := accesspolicy.Named(name)
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "policy-" + strings.ToLower(name)}}
		for _, r := range policy.Rules {
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: r.Groups, Resources: r.Resources, NonResourceURLs: r.URLs, Verbs: r.Verbs})
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: name}},
		}
		if _, err := admin.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		e.give(name)
		ask := func(spec authorizationv1.SubjectAccessReviewSpec) (bool, error) {
			r, err := admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
			if err != nil {
				return false, err
			}
			return r.Status.Allowed, nil
		}
		// RBAC's informers see the binding a moment later.
		eventually(t, ctx, func() string {
			if ok, err := ask(authorizationv1.SubjectAccessReviewSpec{User: name, ResourceAttributes: firstAllowed(policy)}); !ok || err != nil {
				return fmt.Sprintf("RBAC does not know %s yet: %v", name, err)
			}
			return ""
		})
		var g errgroup.Group
		g.SetLimit(8)
		var mu sync.Mutex
		allowed := 0
		for i := range all {
			g.Go(func() error {
				want, err := ask(authorizationv1.SubjectAccessReviewSpec{User: name, ResourceAttributes: &all[i]})
				if err != nil {
					return err
				}
				got, err := ask(authorizationv1.SubjectAccessReviewSpec{User: "dev", UID: dev.UID, Extra: extra, ResourceAttributes: &all[i]})
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				if got {
					allowed++
				}
				if got != want {
					t.Errorf("%s: %+v: %t, by RBAC %t", name, all[i], got, want)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s allows %d of %d", name, allowed, len(all))
	}
}

// firstAllowed is something that the policy's first rule allows.
func firstAllowed(p *accesspolicy.Policy) *authorizationv1.ResourceAttributes {
	r := p.Rules[0]
	name, sub, _ := strings.Cut(strings.ReplaceAll(r.Resources[0], "*", "pods"), "/")
	return &authorizationv1.ResourceAttributes{Verb: r.Verbs[0], Group: strings.Trim(r.Groups[0], "*"), Resource: name, Subresource: sub}
}
