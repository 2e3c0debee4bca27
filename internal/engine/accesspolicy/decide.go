package accesspolicy

import (
	"slices"
	"strings"
)

// Request is what somebody wants of the Kubernetes API.
type Request struct {
	Verb string // "list"; of a Path, the HTTP method in lower case
	// Path is that of a request for no resource, "/metrics"; "" of others.
	Path string

	Namespace   string // "" of what lies in none, or in all
	Group       string // "" is the core group
	Resource    string // "pods"
	Subresource string // "log"
}

// Grant is a policy, for the whole cluster or, if there are any, for namespaces.
type Grant struct {
	Policy     *Policy
	Namespaces []string
}

// Set is a principal's grants, compiled. The zero Set allows nothing.
type Set struct{ grants []grant }

type grant struct {
	policy     *Policy
	namespaces []pattern // of none, the whole cluster
}

// Compile makes a Set of grants.
func Compile(grants []Grant) Set {
	var s Set
	for _, g := range grants {
		compiled := grant{policy: g.Policy}
		for _, n := range g.Namespaces {
			compiled.namespaces = append(compiled.namespaces, strings.Split(n, "*"))
		}
		s.grants = append(s.grants, compiled)
	}
	return s
}

// Allows returns the position of the first grant that allows the request.
func (s Set) Allows(r Request) (grant int, ok bool) {
	for i := range s.grants {
		if s.grants[i].allows(&r) {
			return i, true
		}
	}
	return 0, false
}

// Namespaced says whether the grant at that position is for namespaces.
func (s Set) Namespaced(grant int) bool { return len(s.grants[grant].namespaces) > 0 }

func (g *grant) allows(r *Request) bool {
	if len(g.namespaces) == 0 {
		return g.policy.table.allows(r)
	}
	return r.Namespace != "" && r.Path == "" &&
		slices.ContainsFunc(g.namespaces, func(p pattern) bool { return p.matches(r.Namespace) }) &&
		g.policy.table.allows(r)
}

// pattern is a namespace cut at its stars.
type pattern []string

// matches finds the pieces one after another, each at its first place, but the last,
// which ends the name.
func (p pattern) matches(name string) bool {
	first, last := p[0], p[len(p)-1]
	if len(p) == 1 {
		return name == first
	}
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, piece := range p[1 : len(p)-1] {
		i := strings.Index(name, piece)
		if i < 0 {
			return false
		}
		name = name[i+len(piece):]
	}
	return true
}

// maxNamespace is the longest name of a namespace (RFC 1123).
const maxNamespace = 63

// ValidNamespace says whether a namespace, or a pattern of namespaces, is well-formed.
func ValidNamespace(pattern string) bool {
	if pattern == "" || len(pattern) > maxNamespace {
		return false
	}
	for _, c := range pattern {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '*' {
			return false
		}
	}
	return pattern[0] != '-' && pattern[len(pattern)-1] != '-'
}

// table is a policy's rules by what they are about.
type table struct {
	resources map[subject]verbs
	urls      []url
	// wild says that groups or resources with stars are among them.
	wild bool
}

// subject is a resource. Resource "*" is all, with all subresources if Subresource is
// "" too.
type subject struct{ group, resource, subresource string }

type url struct {
	path  string // without its final star
	star  bool
	verbs verbs
}

type verbs []string

func (v verbs) have(verb string) bool {
	return slices.Contains(v, verb) || slices.Contains(v, "*")
}

func compile(rules []Rule) table {
	t := table{resources: map[subject]verbs{}}
	for _, r := range rules {
		for _, u := range r.URLs {
			path, star := strings.CutSuffix(u, "*")
			t.urls = append(t.urls, url{path, star, r.Verbs})
		}
		for _, g := range r.Groups {
			for _, name := range r.Resources {
				resource, sub, _ := strings.Cut(name, "/")
				t.wild = t.wild || g == "*" || resource == "*"
				s := subject{g, resource, sub}
				t.resources[s] = append(slices.Clip(t.resources[s]), r.Verbs...)
			}
		}
	}
	return t
}

func (t *table) allows(r *Request) bool {
	if r.Path != "" {
		return slices.ContainsFunc(t.urls, func(u url) bool {
			return u.verbs.have(r.Verb) && (r.Path == u.path || u.star && strings.HasPrefix(r.Path, u.path))
		})
	}
	if t.resources[subject{r.Group, r.Resource, r.Subresource}].have(r.Verb) {
		return true
	}
	if !t.wild {
		return false
	}
	for _, group := range [...]string{r.Group, "*"} {
		if t.resources[subject{group, "*", ""}].have(r.Verb) ||
			r.Subresource != "" && t.resources[subject{group, "*", r.Subresource}].have(r.Verb) ||
			t.resources[subject{group, r.Resource, r.Subresource}].have(r.Verb) {
			return true
		}
	}
	return false
}
