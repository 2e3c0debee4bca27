package store

import (
	"context"
	"strings"
	"sync"
)

// NewMemory returns a store without a backing store, loaded and ready: for
// tests and for trying things. What it holds is gone with it.
func NewMemory() *Store {
	s := newStore(&memory{rows: map[string]kv{}, changed: make(chan struct{})})
	if err := s.Load(context.Background()); err != nil {
		panic(err) // memory can't fail to load
	}
	return s
}

// memory is a backend that keeps its log of batches for followers.
type memory struct {
	mu      sync.Mutex
	rows    map[string]kv
	log     []batch // log[i].rev == i+1
	changed chan struct{}
}

func (m *memory) load(context.Context) ([]kv, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]kv, 0, len(m.rows))
	for _, r := range m.rows {
		all = append(all, r)
	}
	return all, int64(len(m.log)), nil
}

func (m *memory) follow(ctx context.Context, rev int64, out chan<- batch) {
	for {
		m.mu.Lock()
		news, changed := m.log[rev:], m.changed
		m.mu.Unlock()
		for _, b := range news {
			select {
			case <-ctx.Done():
				return
			case out <- b:
				rev = b.rev
			}
		}
		if len(news) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (m *memory) commit(_ context.Context, conds []cond, changes []kv) (int64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range conds {
		if !m.holds(c) {
			return 0, false, nil
		}
	}
	rev := int64(len(m.log)) + 1
	b := batch{rev: rev}
	for _, c := range changes {
		c.rev = rev
		b.changes = append(b.changes, c)
		if c.value == nil {
			delete(m.rows, c.key)
		} else {
			m.rows[c.key] = c
		}
	}
	m.log = append(m.log, b)
	close(m.changed)
	m.changed = make(chan struct{})
	return rev, true, nil
}

func (m *memory) holds(c cond) bool {
	if !c.prefix {
		return m.rows[c.key].rev == c.rev
	}
	for key, r := range m.rows {
		if strings.HasPrefix(key, c.key) && r.rev > c.rev {
			return false
		}
	}
	return true
}
