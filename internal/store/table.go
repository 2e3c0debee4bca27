package store

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
)

// Table keeps records of type T, encoded as JSON, by key. Records are values:
// what a table hands out is shared and must not be modified.
type Table[T any] struct {
	store *Store
	kind  string
	// rows is sorted by key and never modified: a change installs a new slice.
	rows     atomic.Pointer[[]*row[T]]
	watchers []*watcher[T] // guarded by store.mu
}

type row[T any] struct {
	key   string
	value T
	rev   int64
}

type watcher[T any] struct{ fn func(key string, old, new *T) }

// NewTable registers the table of one kind, "service/kind", of which a store
// has one. Registering it twice, or under another form of name, is a bug.
func NewTable[T any](s *Store, kind string) *Table[T] {
	if strings.Count(kind, "/") != 1 || strings.HasPrefix(kind, "/") || strings.HasSuffix(kind, "/") {
		panic(fmt.Sprintf("store: kind %q is not of the form service/kind", kind))
	}
	t := &Table[T]{store: s, kind: kind}
	t.rows.Store(&[]*row[T]{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tables[kind]; ok {
		panic(fmt.Sprintf("store: two tables of kind %q", kind))
	}
	s.tables[kind] = t
	t.apply(s.pending[kind])
	delete(s.pending, kind)
	return t
}

// Get returns the record under key.
func (t *Table[T]) Get(key string) (T, bool) {
	if r := find(*t.rows.Load(), key); r != nil {
		return r.value, true
	}
	var zero T
	return zero, false
}

// List returns the records whose keys start with prefix, sorted by key, as they
// are at the time of the call.
func (t *Table[T]) List(prefix string) iter.Seq2[string, T] {
	rows := span(*t.rows.Load(), prefix)
	return func(yield func(string, T) bool) {
		for _, r := range rows {
			if !yield(r.key, r.value) {
				return
			}
		}
	}
}

// Shared is List without a copy of each record: it points to those that all
// readers share.
func (t *Table[T]) Shared(prefix string) iter.Seq2[string, *T] {
	rows := span(*t.rows.Load(), prefix)
	return func(yield func(string, *T) bool) {
		for _, r := range rows {
			if !yield(r.key, &r.value) {
				return
			}
		}
	}
}

// Len counts all records.
func (t *Table[T]) Len() int { return len(*t.rows.Load()) }

// Watch calls fn for every record there is, with a nil old, and then in order
// for every change: old is nil for a record created, new for one deleted. Fn
// runs before the Update that made the change returns; it must be quick and
// must not write to the store. Stop ends it.
func (t *Table[T]) Watch(fn func(key string, old, new *T)) (stop func()) {
	w := &watcher[T]{fn}
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	for _, r := range *t.rows.Load() {
		fn(r.key, nil, &r.value)
	}
	t.watchers = append(t.watchers, w)
	return func() {
		t.store.mu.Lock()
		defer t.store.mu.Unlock()
		t.watchers = slices.DeleteFunc(t.watchers, func(x *watcher[T]) bool { return x == w })
	}
}

// In gives the table as a transaction sees it.
func (t *Table[T]) In(tx *Tx) TxTable[T] { return TxTable[T]{t, tx} }

func (t *Table[T]) apply(changes []kv) {
	if len(changes) == 0 {
		return
	}
	rows := slices.Clone(*t.rows.Load())
	type change struct {
		key      string
		old, new *T
	}
	var seen []change
	for _, c := range changes {
		i, found := slices.BinarySearchFunc(rows, c.key, func(r *row[T], k string) int { return strings.Compare(r.key, k) })
		var old *T
		if found {
			old = &rows[i].value
		}
		if c.value == nil {
			if found {
				rows = slices.Delete(rows, i, i+1)
				seen = append(seen, change{c.key, old, nil})
			}
			continue
		}
		r, err := t.decode(c)
		if err != nil {
			slog.Error("store: a record can't be read", "kind", t.kind, "key", c.key, "error", err)
			continue
		}
		if found {
			rows[i] = r
		} else {
			rows = slices.Insert(rows, i, r)
		}
		seen = append(seen, change{c.key, old, &r.value})
	}
	t.rows.Store(&rows)
	for _, c := range seen {
		for _, w := range t.watchers {
			w.fn(c.key, c.old, c.new)
		}
	}
}

// replace applies the difference between the content and all.
func (t *Table[T]) replace(all []kv) {
	there := make(map[string]bool, len(all))
	var changes []kv
	rows := *t.rows.Load()
	for _, c := range all {
		there[c.key] = true
		if r := find(rows, c.key); r == nil || r.rev != c.rev {
			changes = append(changes, c)
		}
	}
	for _, r := range rows {
		if !there[r.key] {
			changes = append(changes, kv{key: r.key})
		}
	}
	if len(rows) == 0 {
		t.fill(changes)
		return
	}
	t.apply(changes)
}

// fill loads an empty table in one pass.
func (t *Table[T]) fill(changes []kv) {
	rows := make([]*row[T], 0, len(changes))
	for _, c := range changes {
		r, err := t.decode(c)
		if err != nil {
			slog.Error("store: a record can't be read", "kind", t.kind, "key", c.key, "error", err)
			continue
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *row[T]) int { return strings.Compare(a.key, b.key) })
	t.rows.Store(&rows)
	for _, r := range rows {
		for _, w := range t.watchers {
			w.fn(r.key, nil, &r.value)
		}
	}
}

func (t *Table[T]) decode(c kv) (*row[T], error) {
	r := &row[T]{key: c.key, rev: c.rev}
	return r, json.Unmarshal(c.value, &r.value)
}

// newest is the revision of the record under a key, or the newest of those under a prefix;
// 0 if there is none.
func (t *Table[T]) newest(key string, prefix bool) (rev int64) {
	rows := *t.rows.Load()
	if !prefix {
		if r := find(rows, key); r != nil {
			return r.rev
		}
		return 0
	}
	for _, r := range span(rows, key) {
		rev = max(rev, r.rev)
	}
	return rev
}

func find[T any](rows []*row[T], key string) *row[T] {
	i := sort.Search(len(rows), func(i int) bool { return rows[i].key >= key })
	if i < len(rows) && rows[i].key == key {
		return rows[i]
	}
	return nil
}

func span[T any](rows []*row[T], prefix string) []*row[T] {
	lo := sort.Search(len(rows), func(i int) bool { return rows[i].key >= prefix })
	n := sort.Search(len(rows)-lo, func(i int) bool { return !strings.HasPrefix(rows[lo+i].key, prefix) })
	return rows[lo : lo+n]
}
