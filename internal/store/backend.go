package store

import "context"

// kv is one stored record. A nil value is a deletion.
type kv struct {
	key   string
	value []byte
	rev   int64 // revision of its last change
}

// cond is a condition of a commit: the newest change of key, or of any key that
// starts with key when prefix is set, is not newer than rev. Rev 0 of a single
// key says that it is not there.
type cond struct {
	key    string
	prefix bool
	rev    int64
}

// batch is what one revision changed.
type batch struct {
	rev     int64
	changes []kv
	// reload says that changes were missed: the reader has to load again.
	reload bool
}

// backend is a revisioned key-value store.
type backend interface {
	// load returns all records and the revision they stand at.
	load(ctx context.Context) ([]kv, int64, error)
	// follow sends every batch after rev, in order, until ctx ends.
	follow(ctx context.Context, rev int64, out chan<- batch)
	// commit applies changes if all conditions hold, and returns the revision it
	// made. It answers false when a condition failed. An answer lost on the way
	// is settled before it returns: never applied twice, never in doubt.
	commit(ctx context.Context, conds []cond, changes []kv) (int64, bool, error)
}
