package eks

import (
	"sync"

	"github.com/eksact/eksact/internal/engine/accesspolicy"
	"github.com/eksact/eksact/internal/engine/mapping"
)

// Holder is a principal with an access entry, as a cluster's API server needs to know
// it: who it is there, and what its access policies allow.
type Holder struct {
	ARN      string
	Entry    mapping.AccessEntry
	Policies []string // ARNs
	Grants   accesspolicy.Set
}

// Holder returns the principal of a unique id, AIDA…, AROA… or root's account, if it
// has an entry in a cluster whose mode counts entries. It sees what the last call that
// was answered has changed.
func (s *Service) Holder(cluster, id string) (*Holder, bool) {
	c, ok := s.clusters.Get(cluster)
	if !ok || !mapping.Mode(c.AuthenticationMode).AccessEntries() {
		return nil, false
	}
	return s.holders.get(cluster, id)
}

// Mode is a cluster's authentication mode; "" if it isn't there.
func (s *Service) Mode(cluster string) mapping.Mode {
	c, _ := s.clusters.Get(cluster)
	return mapping.Mode(c.AuthenticationMode)
}

// holders are all entries, compiled, by cluster and principal's id. It follows the
// table.
type holders struct {
	mu  sync.RWMutex
	all map[holderKey]*Holder
}

type holderKey struct{ cluster, id string }

func (h *holders) get(cluster, id string) (*Holder, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	found, ok := h.all[holderKey{cluster, id}]
	return found, ok
}

// note is told of a change of the table.
func (h *holders) note(s *Service, old, new *AccessEntry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old != nil {
		delete(h.all, holderKey{old.Cluster, old.Principal.ID})
	}
	if new != nil && new.Principal.ID != "" {
		h.all[holderKey{new.Cluster, new.Principal.ID}] = s.holder(new)
	}
}

func (s *Service) holder(e *AccessEntry) *Holder {
	h := &Holder{ARN: e.Principal.ARN, Entry: mapping.AccessEntry{Username: e.Username, Groups: e.Groups}}
	var grants []accesspolicy.Grant
	for _, a := range e.Policies {
		p, ok := accesspolicy.Named(a.Policy)
		if !ok {
			continue // of an older version's record: it allows nothing
		}
		h.Policies = append(h.Policies, policyARN(s.Place, a.Policy))
		grants = append(grants, accesspolicy.Grant{Policy: p, Namespaces: a.Namespaces})
	}
	h.Grants = accesspolicy.Compile(grants)
	return h
}
