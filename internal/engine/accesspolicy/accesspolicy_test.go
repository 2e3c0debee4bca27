package accesspolicy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

// Each policy's golden file is its table in the user guide, a rule a line, groups
// expanded and everything in alphabetical order: what a reader compares with AWS's
// page, and what a change of a shared rule shows up in.
func TestPolicies(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(Names()) && !*rewrite {
		t.Errorf("%d golden files of %d policies", len(files), len(Names()))
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p, _ := Named(name)
			got := render(p.Rules)
			file := filepath.Join("testdata", name+".golden")
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if why, ok := Unpublished(name); ok {
				t.Errorf("it is said that %s", why)
			}
		})
	}
}

// render writes who may be asked for what: "GROUP RESOURCE: VERBS".
func render(rules []Rule) string {
	verbs := map[string][]string{}
	for _, r := range rules {
		for _, u := range r.URLs {
			verbs["url "+u] = append(verbs["url "+u], r.Verbs...)
		}
		for _, g := range r.Groups {
			for _, name := range r.Resources {
				key := strings.TrimSpace(g + " " + name)
				verbs[key] = append(verbs[key], r.Verbs...)
			}
		}
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(verbs)) {
		v := verbs[key]
		slices.Sort(v)
		fmt.Fprintf(&b, "%s: %s\n", key, strings.Join(slices.Compact(v), " "))
	}
	return b.String()
}

// rbac decides as Kubernetes' RBAC does, one rule at a time
// (k8s.io/kubernetes/pkg/apis/rbac/v1/evaluation_helpers.go).
func rbac(rules []Rule, r Request) bool {
	has := func(list []string, words ...string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return w == "*" || slices.Contains(words, w) })
	}
	return slices.ContainsFunc(rules, func(rule Rule) bool {
		if r.Path != "" {
			return has(rule.Verbs, r.Verb) && slices.ContainsFunc(rule.URLs, func(u string) bool {
				return u == r.Path || strings.HasSuffix(u, "*") && strings.HasPrefix(r.Path, strings.TrimRight(u, "*"))
			})
		}
		names := []string{r.Resource}
		if r.Subresource != "" {
			names = []string{r.Resource + "/" + r.Subresource, "*/" + r.Subresource}
		}
		return has(rule.Verbs, r.Verb) && has(rule.Groups, r.Group) && has(rule.Resources, names...)
	})
}

// Every policy's table decides as its rules do one by one, on every request that can
// be made of the words in them and a few that are in none. That a real API server
// decides so too is shown in internal/kube/controlplane.
func TestDecisionsAreRBACs(t *testing.T) {
	groups, resources, subs, verbs := words("example.com", ""), words("widgets", "nodes", "*"), words("", "scale", "approve"), words("*", "bind")
	for _, name := range Names() {
		p, _ := Named(name)
		for _, r := range p.Rules {
			groups.add(r.Groups...)
			verbs.add(r.Verbs...)
			for _, n := range r.Resources {
				resource, sub, _ := strings.Cut(n, "/")
				resources.add(resource)
				subs.add(sub)
			}
		}
	}
	asked, allowed := 0, 0
	for _, name := range Names() {
		p, _ := Named(name)
		set := Compile([]Grant{{Policy: p}})
		check := func(r Request) {
			asked++
			_, got := set.Allows(r)
			if want := rbac(p.Rules, r); got != want {
				t.Errorf("%s: %+v: got %t, RBAC says %t", name, r, got, want)
			}
			if got {
				allowed++
			}
		}
		for verb := range verbs {
			for group := range groups {
				for resource := range resources {
					for sub := range subs {
						check(Request{Verb: verb, Group: group, Resource: resource, Subresource: sub})
					}
				}
			}
			for _, path := range []string{"/", "/metrics", "/healthz/etcd"} {
				check(Request{Verb: verb, Path: path})
			}
		}
	}
	t.Logf("%d requests, %d allowed", asked, allowed)
	if allowed == 0 || allowed == asked {
		t.Error("they are all decided alike")
	}
}

type set map[string]bool

func words(w ...string) set {
	s := set{}
	s.add(w...)
	return s
}

func (s set) add(w ...string) {
	for _, word := range w {
		s[word] = true
	}
}

func TestURLs(t *testing.T) {
	table := compile([]Rule{{URLs: []string{"/healthz", "/logs/*"}, Verbs: []string{"get"}}})
	for path, want := range map[string]bool{"/healthz": true, "/healthz/etcd": false, "/logs/": true, "/logs/a/b": true, "/logs": false, "/": false} {
		if got := table.allows(&Request{Verb: "get", Path: path}); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
	if table.allows(&Request{Verb: "post", Path: "/healthz"}) {
		t.Error("post is allowed")
	}
}

func TestScopes(t *testing.T) {
	view, _ := Named("AmazonEKSViewPolicy")
	cluster, _ := Named("AmazonEKSClusterAdminPolicy")
	pods := func(namespace string) Request { return Request{Verb: "list", Resource: "pods", Namespace: namespace} }
	for _, tt := range []struct {
		name       string
		policy     *Policy
		namespaces []string
		request    Request
		want       bool
	}{
		{"cluster, one namespace", view, nil, pods("dev"), true},
		{"cluster, all namespaces", view, nil, pods(""), true},
		{"its namespace", view, []string{"dev"}, pods("dev"), true},
		{"the second of two", view, []string{"test", "dev"}, pods("dev"), true},
		{"another namespace", view, []string{"dev"}, pods("prod"), false},
		{"a longer name", view, []string{"dev"}, pods("dev-1"), false},
		{"a list across namespaces", view, []string{"dev"}, pods(""), false},
		{"a list across namespaces by a star", view, []string{"*"}, pods(""), false},
		{"the namespace itself", view, []string{"dev"}, Request{Verb: "get", Resource: "namespaces", Namespace: "dev"}, true},
		{"all namespaces' names", view, []string{"dev"}, Request{Verb: "list", Resource: "namespaces"}, false},
		{"a cluster's object", cluster, []string{"*"}, Request{Verb: "get", Resource: "nodes"}, false},
		{"a cluster's object, cluster-wide", cluster, nil, Request{Verb: "get", Resource: "nodes"}, true},
		{"a path", cluster, []string{"*"}, Request{Verb: "get", Path: "/metrics"}, false},
		{"a path, cluster-wide", cluster, nil, Request{Verb: "get", Path: "/metrics"}, true},
		{"begins", view, []string{"dev-*"}, pods("dev-team"), true},
		{"begins, nothing more", view, []string{"dev-*"}, pods("dev-"), true},
		{"begins with less", view, []string{"dev-*"}, pods("dev"), false},
		{"ends", view, []string{"*-dev"}, pods("team-dev"), true},
		{"ends, not", view, []string{"*-dev"}, pods("team-dev-2"), false},
		{"in the middle", view, []string{"a*b*c"}, pods("a1b2c"), true},
		{"in the middle, not twice", view, []string{"a*b*c"}, pods("abac"), true},
		{"pieces may not overlap", view, []string{"ab*ba"}, pods("aba"), false},
		{"pieces in their order", view, []string{"*b*a*"}, pods("ab"), false},
		{"all", view, []string{"*"}, pods("anything"), true},
		{"a refused verb in its namespace", view, []string{"dev"}, Request{Verb: "delete", Resource: "pods", Namespace: "dev"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, got := Compile([]Grant{{tt.policy, tt.namespaces}}).Allows(tt.request); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if _, ok := (Set{}).Allows(pods("dev")); ok {
		t.Error("a set of nothing allows")
	}
}

func TestTheGrantThatAllowsIsNamed(t *testing.T) {
	view, _ := Named("AmazonEKSViewPolicy")
	edit, _ := Named("AmazonEKSEditPolicy")
	set := Compile([]Grant{{view, nil}, {edit, []string{"dev"}}})
	for verb, want := range map[string]int{"get": 0, "create": 1} {
		if i, ok := set.Allows(Request{Verb: verb, Resource: "pods", Namespace: "dev"}); !ok || i != want {
			t.Errorf("%s: %d, %t", verb, i, ok)
		}
	}
}

func TestValidNamespace(t *testing.T) {
	for pattern, want := range map[string]bool{
		"default": true, "dev-*": true, "*": true, "*-1": true, strings.Repeat("a", 63): true,
		"": false, "Dev": false, "a_b": false, "a.b": false, "-a": false, "a-": false, "dev?": false, "a b": false, strings.Repeat("a", 64): false,
	} {
		if got := ValidNamespace(pattern); got != want {
			t.Errorf("%q: %t", pattern, got)
		}
	}
}

func TestUnpublished(t *testing.T) {
	for _, name := range slices.Concat(ownRoles, unpublished) {
		if _, ok := Named(name); ok {
			t.Errorf("%s has rules", name)
		}
		if why, ok := Unpublished(name); !ok || why == "" {
			t.Errorf("%s: %q, %t", name, why, ok)
		}
	}
	if _, ok := Unpublished("AmazonEKSMadeUpPolicy"); ok {
		t.Error("a name that is none is known")
	}
}

// FuzzPattern: whatever matches a pattern of stars and names has its pieces in order.
func FuzzPattern(f *testing.F) {
	f.Add("a*b", "ab")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, p, name string) {
		got := pattern(strings.Split(p, "*")).matches(name)
		if want := glob(p, name); got != want {
			t.Errorf("%q matches %q: %t, want %t", p, name, got, want)
		}
	})
}

// glob is the same, said by recursion.
func glob(p, name string) bool {
	switch {
	case p == "":
		return name == ""
	case p[0] == '*':
		return glob(p[1:], name) || name != "" && glob(p, name[1:])
	}
	return name != "" && p[0] == name[0] && glob(p[1:], name[1:])
}

func BenchmarkAllows(b *testing.B) {
	view, _ := Named("AmazonEKSViewPolicy")
	admin, _ := Named("AmazonEKSAdminPolicy")
	cluster, _ := Named("AmazonEKSClusterAdminPolicy")
	pods := Request{Verb: "list", Resource: "pods", Namespace: "team-19"}
	var namespaces []Grant
	for i := range 20 {
		namespaces = append(namespaces, Grant{admin, []string{fmt.Sprintf("team-%d", i)}})
	}
	for _, bb := range []struct {
		name    string
		grants  []Grant
		request Request
	}{
		{"view, cluster", []Grant{{view, nil}}, pods},
		{"cluster admin", []Grant{{cluster, nil}}, pods},
		{"refused", []Grant{{view, nil}}, Request{Verb: "delete", Resource: "nodes"}},
		{"the last of 20 namespaces", namespaces, pods},
		{"by a pattern", []Grant{{view, []string{"team-*"}}}, pods},
	} {
		b.Run(bb.name, func(b *testing.B) {
			set := Compile(bb.grants)
			b.ReportAllocs()
			for b.Loop() {
				set.Allows(bb.request)
			}
		})
	}
}
