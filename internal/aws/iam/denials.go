package iam

import (
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// How much is kept of refusals: the newest, within both bounds.
const (
	mostDenials     = 1024
	mostDenialBytes = 16 << 20
)

// Denial is a refusal that is kept, so that it can be explained: all that decided
// it, as it was then. Policies that have changed since are the old ones here.
type Denial struct {
	ID        string // the authorization id: lower-case letters and digits
	RequestID string
	Time      time.Time
	Who       api.Caller
	Decision  policy.Decision
	// Said is AWS's text where no policy decided, and Because what the machine's owner
	// may know of it; Said is "" of what policies decided.
	Said, Because string

	applied policy.Applied
	request policy.Request // its Keys are the record's
	keys    recorded
	names   map[*policy.Policy]string // of inline policies
	size    int
}

// denials is a ring of refusals.
type denials struct {
	mu       sync.Mutex
	list     []*Denial // the oldest first
	bytes    int
	programs map[*policy.Program]int // by how many of list they are held
}

// refuse keeps a record of a refusal, and tells its id to the caller's front door.
func (i *IAM) refuse(k *conditions, d policy.Decision) {
	if k.request.Action == "sts:GetSessionToken" && !d.Explicit {
		return // it needs no permission
	}
	i.keep(k, &Denial{Decision: d})
}

// Refuse keeps a record of a refusal that no policy decided: what the caller was told,
// and why, which is only the machine's owner's to know.
func (i *IAM) Refuse(who *api.Caller, action, resource, said, because string) {
	k := i.borrow(who, nil, nil)
	defer i.giveBack(k)
	k.applied, k.s, _ = i.applied(who)
	k.resource = resource
	k.request = policy.Request{Caller: callerOf(who), Action: action, Resource: resource, Keys: k}
	i.keep(k, &Denial{Said: said, Because: because})
}

func (i *IAM) keep(k *conditions, told *Denial) {
	r := &Denial{
		ID: newAuthorizationID(), RequestID: k.who.RequestID, Time: k.time(), Who: *k.who,
		Decision: told.Decision, Said: told.Said, Because: told.Because,
		applied: k.applied, request: k.request, keys: recorded{},
	}
	r.request.Resource = strings.Clone(r.request.Resource) // as keys' values
	if k.s != nil {
		r.names = k.s.names
	}
	r.record(k)
	i.refusals.add(r)
	k.who.AuthorizationID = r.ID
}

// record asks for all condition keys that any of the policies asks for, and for
// those that people want to see.
func (r *Denial) record(k *conditions) {
	keys := recorder{k, r.keys}
	asking := r.request
	asking.Keys = keys
	policy.Explain(&r.applied, &asking)
	for _, name := range usualKeys() {
		keys.Values(name)
	}
	tags := keys.Values("aws:tagkeys")
	for n := range tags.Len() {
		keys.Values("aws:requesttag/" + strings.ToLower(tags.At(n)))
	}
	if table, action := actions.Look(r.request.Action); action != nil {
		for _, n := range action.Keys {
			if name := table.Keys[n].Name; !strings.Contains(name, "${") {
				keys.Values(strings.ToLower(name))
			}
		}
	}
	r.request.Keys = r.keys
	r.size = 1024 + len(r.request.Resource) + len(r.Said) + len(r.Because)
	for name, values := range r.keys {
		r.size += len(name) + 64
		for _, v := range values {
			r.size += len(v) + 16
		}
	}
}

// usualKeys are the global condition keys without a variable part, in lower case.
var usualKeys = sync.OnceValue(func() (names []string) {
	for _, key := range actions.Global() {
		if !strings.Contains(key.Name, "${") {
			names = append(names, strings.ToLower(key.Name))
		}
	}
	return names
})

// recorder writes down what is asked, with the answers.
type recorder struct {
	of   policy.Keys
	into recorded
}

func (r recorder) Values(name string) policy.Values {
	v := r.of.Values(name)
	if _, known := r.into[name]; known || v.Len() == 0 {
		return v
	}
	list := make([]string, v.Len())
	for i := range list {
		list[i] = strings.Clone(v.At(i)) // it may be a part of the request's whole body
	}
	r.into[name] = list
	return v
}

// recorded are condition keys with their values, by their names in lower case.
type recorded map[string][]string

// Values implements policy.Keys.
func (r recorded) Values(name string) policy.Values { return policy.Many(r[name]) }

// newAuthorizationID makes an id in the form that AWS's have.
func newAuthorizationID() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))
}

func (l *denials) add(d *Denial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, d)
	l.hold(d, 1)
	for len(l.list) > 1 && (len(l.list) > mostDenials || l.bytes > mostDenialBytes) {
		l.hold(l.list[0], -1)
		l.list[0] = nil
		l.list = l.list[1:]
	}
}

// hold counts what a record keeps in memory. A program counts once, whoever else
// has it: while its policies are in force it is there anyway.
func (l *denials) hold(d *Denial, n int) {
	l.bytes += n * d.size
	if l.programs == nil {
		l.programs = map[*policy.Program]int{}
	}
	a := &d.applied
	for _, p := range slices.Concat([]*policy.Program{a.Identity, a.Boundary, a.Session, a.Resource, a.Endpoint}, a.SCP, a.RCP) {
		if p == nil {
			continue
		}
		before := l.programs[p]
		l.programs[p] = before + n
		if before == 0 || before+n == 0 {
			l.bytes += n * sizeOf(p)
		}
		if before+n == 0 {
			delete(l.programs, p)
		}
	}
}

// sizeOf is about what a program takes: some times its text.
func sizeOf(p *policy.Program) int {
	size := 1024
	for _, s := range p.Sources() {
		size += 8 * len(s.Policy.Document().Text)
	}
	return size
}

// Denial finds a refusal by its authorization id or its request id; the newest of
// all by "".
func (i *IAM) Denial(id string) (*Denial, bool) {
	l := &i.refusals
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range slices.Backward(l.list) {
		if id == "" || id == d.ID || id == d.RequestID {
			return d, true
		}
	}
	return nil, false
}
