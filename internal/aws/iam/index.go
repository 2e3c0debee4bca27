package iam

import (
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// index holds the compiled policies of every principal. It follows the tables:
// its methods run as their watchers, one at a time.
type index struct {
	i *IAM

	mu       sync.RWMutex
	subjects map[string]*subject       // by unique id
	managed  map[string]*policy.Policy // customer managed policies in force, by ARN
}

// subject is one principal, immutable.
type subject struct {
	kind, name string // "user" or "role"
	arn        string
	identity   *policy.Program
	boundary   *policy.Program
	trust      *policy.Program // of roles
	listed     *types.Role     // of roles: as lists have it; nil if its trust policy names users or roles, whose ARNs are told at the time
	tags       []Tag
	names      map[*policy.Policy]string // of inline policies, for explanations: "inline policy P of role r"
}

// trusted is a role's trust policy.
func (s *subject) trusted() *policy.Document { return s.trust.Sources()[0].Policy.Document() }

func newIndex(i *IAM) *index {
	x := &index{i: i, subjects: map[string]*subject{}, managed: map[string]*policy.Policy{}}
	i.policies.Watch(x.policyChanged)
	i.groups.Watch(x.groupChanged)
	i.users.Watch(func(_ string, old, new *User) {
		if old != nil && (new == nil || new.ID != old.ID) {
			x.drop(old.ID, old.Name)
		}
		if new != nil {
			x.putUser(new)
		}
	})
	i.roles.Watch(func(_ string, old, new *Role) {
		if old != nil && (new == nil || new.ID != old.ID) {
			x.drop(old.ID, old.Name)
		}
		if new != nil {
			x.putRole(old, new)
		}
	})
	return x
}

// subject returns the principal of that id, nil when there is none.
func (x *index) subject(id string) *subject {
	x.mu.RLock()
	s := x.subjects[id]
	x.mu.RUnlock()
	return s
}

// drop forgets the principal whose record under that name is gone. One that was
// renamed is here already under its new name, when that sorts before the old.
func (x *index) drop(id, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.subjects[id]; s != nil && s.name == name {
		delete(x.subjects, id)
	}
}

func (x *index) put(id string, s *subject) {
	x.mu.Lock()
	x.subjects[id] = s
	x.mu.Unlock()
}

func (x *index) putUser(u *User) {
	s := &subject{kind: "user", name: u.Name, arn: x.i.userARN(u), tags: u.Tags}
	list := x.sources(nil, &u.Grants, s, "user "+u.Name)
	for _, k := range u.Groups {
		if g, ok := x.i.groups.Get(k); ok {
			list = x.sources(list, &g.Grants, s, "group "+g.Name)
		}
	}
	s.identity = policy.NewProgram(list...)
	s.boundary = x.boundary(&u.Grants)
	x.put(u.ID, s)
}

func (x *index) putRole(old, r *Role) {
	s := &subject{kind: "role", name: r.Name, arn: x.i.roleARN(r), tags: r.Tags}
	s.identity = policy.NewProgram(x.sources(nil, &r.Grants, s, "role "+r.Name)...)
	s.boundary = x.boundary(&r.Grants)
	if before := x.subject(r.ID); before != nil && old != nil && old.Trust == r.Trust {
		s.trust = before.trust
	} else {
		s.trust = policy.NewProgram(policy.Source{Policy: compileStored(policy.Trust, r.Trust)})
	}
	if !namesByID(s.trusted()) {
		s.listed = x.i.asListed(r, escaped(r.Trust))
	}
	x.put(r.ID, s)
}

// sources adds the policies of g, which is of the entity that is named, to those
// of s.
func (x *index) sources(list []policy.Source, g *Grants, s *subject, of string) []policy.Source {
	for _, arn := range g.Attached {
		list = append(list, policy.Source{ARN: arn, Policy: x.managedPolicy(arn)})
	}
	for _, p := range g.Inline {
		compiled := compileStored(policy.Inline, p.Document)
		list = append(list, policy.Source{Policy: compiled})
		if s.names == nil {
			s.names = map[*policy.Policy]string{}
		}
		s.names[compiled] = "inline policy " + p.Name + " of " + of
	}
	return list
}

func (x *index) boundary(g *Grants) *policy.Program {
	if g.Boundary == "" {
		return nil
	}
	return policy.NewProgram(policy.Source{ARN: g.Boundary, Policy: x.managedPolicy(g.Boundary)})
}

// managedPolicy returns the compiled policy of that ARN. One that isn't known
// (yet, while tables are loaded) denies everything.
func (x *index) managedPolicy(arn string) *policy.Policy {
	if p, ok := x.lookup(arn); ok {
		return p
	}
	return policy.Compile(denyAll())
}

func (x *index) lookup(arn string) (*policy.Policy, bool) {
	if p, ok := x.i.awsManaged.byARN[arn]; ok {
		return p.compile(), true
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	p, ok := x.managed[arn]
	return p, ok
}

// policyChanged compiles a policy's new text and gives it to all who have it.
func (x *index) policyChanged(_ string, old, new *Policy) {
	if old != nil && new != nil && old.ID == new.ID && old.document() == new.document() {
		return // only counters or tags
	}
	var arn string
	x.mu.Lock()
	if old != nil {
		arn = x.i.policyARN(old)
		delete(x.managed, arn)
	}
	if new != nil {
		arn = x.i.policyARN(new)
		x.managed[arn] = compileStored(policy.Managed, new.document())
	}
	x.mu.Unlock()
	has := func(g *Grants) bool { return g.Boundary == arn || slices.Contains(g.Attached, arn) }
	for k, g := range x.i.groups.List("") {
		if has(&g.Grants) {
			x.groupChanged(k, &g, &g)
		}
	}
	for _, u := range x.i.users.List("") {
		if has(&u.Grants) {
			x.putUser(&u)
		}
	}
	for _, r := range x.i.roles.List("") {
		if has(&r.Grants) {
			x.putRole(&r, &r)
		}
	}
}

// groupChanged renews the members. Those who leave or join are changed records
// themselves.
func (x *index) groupChanged(_ string, _, new *Group) {
	if new == nil {
		return
	}
	for _, k := range new.Members {
		if u, ok := x.i.users.Get(k); ok {
			x.putUser(&u)
		}
	}
}
