package store

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Tx is one run of an Update. It is not for use by several goroutines.
type Tx struct {
	store  *Store
	reads  []cond
	writes map[string][]byte // by full key; nil deletes
	err    error             // first record that could not be encoded
}

// TxTable is a table inside a transaction: it sees the transaction's own writes.
type TxTable[T any] struct {
	t  *Table[T]
	tx *Tx
}

// Get returns the record under key.
func (t TxTable[T]) Get(key string) (T, bool) {
	var zero T
	full := t.t.kind + "/" + key
	if written, ok := t.tx.writes[full]; ok {
		if written == nil {
			return zero, false
		}
		r, err := t.t.decode(kv{key: key, value: written})
		return r.value, err == nil
	}
	r := find(*t.t.rows.Load(), key)
	if r == nil {
		t.tx.reads = append(t.tx.reads, cond{key: full})
		return zero, false
	}
	t.tx.reads = append(t.tx.reads, cond{key: full, rev: r.rev})
	return r.value, true
}

// List returns the records whose keys start with prefix, sorted by key, the
// transaction's own writes included. A record that another creates or changes
// under the prefix before the commit makes the transaction run again.
func (t TxTable[T]) List(prefix string) iter.Seq2[string, T] {
	rows := span(*t.t.rows.Load(), prefix)
	c := cond{key: t.t.kind + "/" + prefix, prefix: true}
	for _, r := range rows {
		c.rev = max(c.rev, r.rev)
		// A deletion leaves no newer revision behind: each record is a condition.
		t.tx.reads = append(t.tx.reads, cond{key: t.t.kind + "/" + r.key, rev: r.rev})
	}
	t.tx.reads = append(t.tx.reads, c)
	return t.merge(rows, prefix)
}

func (t TxTable[T]) merge(rows []*row[T], prefix string) iter.Seq2[string, T] {
	head := t.t.kind + "/"
	all := slices.Clone(rows)
	for full, value := range t.tx.writes {
		key, ok := strings.CutPrefix(full, head)
		if !ok || !strings.HasPrefix(key, prefix) {
			continue
		}
		i, found := slices.BinarySearchFunc(all, key, func(r *row[T], k string) int { return strings.Compare(r.key, k) })
		if found {
			all = slices.Delete(all, i, i+1)
		}
		if value == nil {
			continue
		}
		if r, err := t.t.decode(kv{key: key, value: value}); err == nil {
			all = slices.Insert(all, i, r)
		}
	}
	return func(yield func(string, T) bool) {
		for _, r := range all {
			if !yield(r.key, r.value) {
				return
			}
		}
	}
}

// Put creates or replaces the record under key.
func (t TxTable[T]) Put(key string, value T) {
	full := t.t.kind + "/" + key
	data, err := encode(value)
	if err != nil && t.tx.err == nil {
		t.tx.err = fmt.Errorf("encoding record %s: %w", full, err)
	}
	if data == nil {
		data = []byte{}
	}
	t.tx.writes[full] = data
}

// Delete removes the record under key, if it is there.
func (t TxTable[T]) Delete(key string) {
	t.tx.writes[t.t.kind+"/"+key] = nil
}

// plan orders what the transaction read and wrote. Of conditions on one key the
// first stands: later reads saw the same or would fail anyway.
func (tx *Tx) plan() ([]cond, []kv) {
	type name struct {
		key    string
		prefix bool
	}
	seen := map[name]bool{}
	conds := tx.reads[:0:0]
	for _, c := range tx.reads {
		if n := (name{c.key, c.prefix}); !seen[n] {
			seen[n] = true
			conds = append(conds, c)
		}
	}
	changes := make([]kv, 0, len(tx.writes))
	for key, value := range tx.writes {
		changes = append(changes, kv{key: key, value: value})
	}
	slices.SortFunc(changes, func(a, b kv) int { return strings.Compare(a.key, b.key) })
	return conds, changes
}
