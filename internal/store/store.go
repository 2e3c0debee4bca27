package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// ErrClosed is returned by writes to a store that was closed.
var ErrClosed = errors.New("store is closed")

// Store is a set of tables over one backing store.
type Store struct {
	backend backend
	stop    context.CancelFunc
	done    chan struct{}

	// mu serialises changes to memory: the loading and following of the backing
	// store, and the registering of tables and watchers.
	mu      sync.Mutex
	tables  map[string]table // by kind
	pending map[string][]kv  // records of kinds that no table has claimed yet
	loaded  bool

	applied  int64 // newest revision in memory
	progress chan struct{}
	closed   bool
}

// table is what the store knows of a Table[T].
type table interface {
	// apply brings changes into memory and tells the watchers.
	apply(changes []kv)
	// replace makes changes the whole content.
	replace(all []kv)
	newest(key string, prefix bool) int64
}

func newStore(b backend) *Store {
	return &Store{
		backend:  b,
		done:     make(chan struct{}),
		tables:   map[string]table{},
		pending:  map[string][]kv{},
		progress: make(chan struct{}),
	}
}

// Load brings all records into memory and starts to follow changes. Tables are
// best registered before; a later one is filled at once all the same.
func (s *Store) Load(ctx context.Context) error {
	all, rev, err := s.backend.load(ctx)
	if err != nil {
		return fmt.Errorf("loading the store: %w", err)
	}
	s.mu.Lock()
	s.replaceAll(all, rev)
	s.loaded = true
	s.mu.Unlock()
	follow, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.follow(follow, rev)
	return nil
}

func (s *Store) follow(ctx context.Context, rev int64) {
	defer close(s.done)
	batches := make(chan batch, 64)
	go s.backend.follow(ctx, rev, batches)
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-batches:
			if b.reload {
				s.reload(ctx)
				continue
			}
			s.mu.Lock()
			s.applyBatch(b)
			s.mu.Unlock()
		}
	}
}

// reload reads everything again after the stream of changes had a gap.
func (s *Store) reload(ctx context.Context) {
	for ctx.Err() == nil {
		all, rev, err := s.backend.load(ctx)
		if err == nil {
			s.mu.Lock()
			s.replaceAll(all, rev)
			s.mu.Unlock()
			return
		}
		slog.Warn("store: reading all records again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// replaceAll and applyBatch are called with mu held.
func (s *Store) replaceAll(all []kv, rev int64) {
	byKind := map[string][]kv{}
	for _, c := range all {
		if kind, key, ok := splitKey(c.key); ok {
			c.key = key
			byKind[kind] = append(byKind[kind], c)
		}
	}
	for kind, t := range s.tables {
		t.replace(byKind[kind])
		delete(byKind, kind)
	}
	s.pending = byKind
	s.advance(rev)
}

func (s *Store) applyBatch(b batch) {
	if b.rev <= s.applied {
		return
	}
	byKind := map[string][]kv{}
	for _, c := range b.changes {
		if kind, key, ok := splitKey(c.key); ok {
			c.key = key
			byKind[kind] = append(byKind[kind], c)
		}
	}
	for kind, changes := range byKind {
		if t, ok := s.tables[kind]; ok {
			t.apply(changes)
		} else {
			s.pending[kind] = append(s.pending[kind], changes...)
		}
	}
	s.advance(b.rev)
}

func (s *Store) advance(rev int64) {
	if rev > s.applied {
		s.applied = rev
	}
	close(s.progress)
	s.progress = make(chan struct{})
}

// waitFor returns when memory has reached rev, or the store was closed.
func (s *Store) waitFor(rev int64) error {
	for {
		s.mu.Lock()
		reached, closed, progress := s.applied >= rev, s.closed, s.progress
		s.mu.Unlock()
		switch {
		case reached:
			return nil
		case closed:
			return ErrClosed
		}
		<-progress
	}
}

// settle waits a moment for memory to move on after a conflict.
func (s *Store) settle(ctx context.Context) error {
	s.mu.Lock()
	progress, closed := s.progress, s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-progress:
	case <-time.After(5 * time.Millisecond):
	}
	return nil
}

// Update runs fn and commits what it wrote, all or nothing. An error of fn
// aborts and is returned as it is. Fn is run again when what it read was changed
// by another, so it may have no effect but through tx. It must not be called
// from a watcher. Whatever it returns, the watchers have seen what fn read, and all of
// that was there at one time, also if nothing was written.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	for {
		tx := &Tx{store: s, writes: map[string][]byte{}}
		err := fn(tx)
		if err == nil && tx.err != nil {
			return tx.err
		}
		if err != nil || len(tx.writes) == 0 {
			if s.watched(tx.reads) || ctx.Err() != nil {
				return err
			}
			continue
		}
		conds, changes := tx.plan()
		rev, ok, err := s.backend.commit(ctx, conds, changes)
		if err != nil {
			return fmt.Errorf("writing to the store: %w", err)
		}
		if ok {
			return s.waitFor(rev)
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
	}
}

// watched returns when the watchers have seen all that could be read before: rows are
// readable a moment before the watchers are told, and those of one table before those of
// another that changed with them. It tells whether what was read still stands.
func (s *Store) watched(reads []cond) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range reads {
		kind, key, _ := splitKey(c.key)
		if s.tables[kind].newest(key, c.prefix) != c.rev {
			return false
		}
	}
	return true
}

// Close stops following the backing store. Reads keep answering from memory.
func (s *Store) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.advance(s.applied)
	s.mu.Unlock()
	if s.stop != nil {
		s.stop()
		<-s.done
	}
}

// splitKey cuts "service/kind/key".
func splitKey(full string) (kind, key string, ok bool) {
	i := strings.IndexByte(full, '/')
	if i < 0 {
		return "", "", false
	}
	j := strings.IndexByte(full[i+1:], '/')
	if j < 0 {
		return "", "", false
	}
	return full[:i+1+j], full[i+1+j+1:], true
}

func encode(v any) ([]byte, error) { return json.Marshal(v) }
