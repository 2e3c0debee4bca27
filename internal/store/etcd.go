package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// NewEtcd returns a store whose records live in etcd under prefix. Call Load
// when its tables are registered. The client stays the caller's to close, after
// the store.
func NewEtcd(client *clientv3.Client, prefix string) *Store {
	e := &etcd{client: client, root: prefix + "/", prefix: prefix + "/r/", marks: prefix + "/tx/", slots: make(chan slot, slots)}
	for i := range slots {
		e.slots <- slot{key: fmt.Sprintf("%s%d", e.marks, i), rev: unknown}
	}
	return newStore(e)
}

// slots bounds the commits under way at once. Each holds one slot and marks it
// with an id of its own inside its transaction: after a connection broke, the
// mark tells whether the transaction was applied. That the mark is unchanged is
// a condition of the transaction, so that one sent again can't be applied twice.
const slots = 64

type slot struct {
	key string
	rev int64 // of the mark, or unknown
}

const unknown = -1

const (
	pageSize     = 5000
	attemptLimit = 5 * time.Second
)

type etcd struct {
	client *clientv3.Client
	root   string // of all that is the store's
	prefix string // of records
	marks  string
	slots  chan slot
}

func (e *etcd) load(ctx context.Context) ([]kv, int64, error) {
	var all []kv
	var rev int64
	from, end := e.prefix, clientv3.GetPrefixRangeEnd(e.prefix)
	for {
		options := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(pageSize)}
		if rev != 0 {
			options = append(options, clientv3.WithRev(rev))
		}
		page, err := e.client.Get(ctx, from, options...)
		if err != nil {
			return nil, 0, err
		}
		if rev == 0 {
			rev = page.Header.Revision
		}
		for _, r := range page.Kvs {
			all = append(all, e.record(r))
		}
		if !page.More || len(page.Kvs) == 0 {
			return all, rev, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (e *etcd) record(r *mvccpb.KeyValue) kv {
	return kv{key: strings.TrimPrefix(string(r.Key), e.prefix), value: r.Value, rev: r.ModRevision}
}

func (e *etcd) follow(ctx context.Context, rev int64, out chan<- batch) {
	send := func(b batch) bool {
		select {
		case <-ctx.Done():
			return false
		case out <- b:
			return true
		}
	}
	for ctx.Err() == nil {
		// The watch ends with its own context: one that failed must not linger.
		watch, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
		for answer := range e.client.Watch(watch, e.root, clientv3.WithPrefix(), clientv3.WithRev(rev+1)) {
			if err := answer.Err(); err != nil {
				slog.Warn("store: following etcd", "error", err)
				if errors.Is(err, rpctypes.ErrCompacted) {
					rev = answer.CompactRevision
					send(batch{reload: true})
				}
				break
			}
			for _, b := range e.batches(answer.Events) {
				if !send(b) {
					cancel()
					return
				}
				rev = b.rev
			}
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// batches groups events, which come in order, by the revision that made them.
// Without fragmentation etcd never splits a revision over two answers. Marks have
// batches too: a transaction that deletes what is not there changes nothing else, and
// is waited for all the same.
func (e *etcd) batches(events []*clientv3.Event) []batch {
	var all []batch
	for _, ev := range events {
		c := e.record(ev.Kv)
		if ev.Type == clientv3.EventTypeDelete {
			c.value = nil
		} else if c.value == nil {
			c.value = []byte{}
		}
		if n := len(all); n == 0 || all[n-1].rev != c.rev {
			all = append(all, batch{rev: c.rev})
		}
		if strings.HasPrefix(string(ev.Kv.Key), e.prefix) {
			last := &all[len(all)-1]
			last.changes = append(last.changes, c)
		}
	}
	return all
}

func (e *etcd) commit(ctx context.Context, conds []cond, changes []kv) (int64, bool, error) {
	var mark slot
	select {
	case mark = <-e.slots:
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
	defer func() { e.slots <- mark }()
	id, known := rand.Text(), mark.rev
	mark.rev = unknown // until this commit has settled it
	if known == unknown {
		_, rev, err := e.readMark(ctx, mark.key)
		if err != nil {
			return 0, false, err
		}
		known = rev
	}
	compares := append(e.compares(conds), clientv3.Compare(clientv3.ModRevision(mark.key), "=", known))
	puts := append(e.puts(changes), clientv3.OpPut(mark.key, id))
	for {
		answer, err := e.try(ctx, compares, puts)
		if err != nil && (!inDoubt(err) || ctx.Err() != nil) {
			return 0, false, err
		}
		if err == nil && answer.Succeeded {
			mark.rev = answer.Header.Revision
			return mark.rev, true, nil
		}
		// Refused, or in doubt. The mark tells, in both cases: a first try whose
		// answer was lost makes the second one fail.
		if err != nil {
			slog.Warn("store: a commit lost its answer; asking whether it was applied", "error", err)
		}
		value, rev, readErr := e.readMark(ctx, mark.key)
		switch {
		case readErr != nil:
			return 0, false, readErr
		case value == id:
			mark.rev = rev
			return rev, true, nil
		case err == nil:
			mark.rev = rev
			return 0, false, nil
		}
	}
}

func (e *etcd) compares(conds []cond) []clientv3.Cmp {
	all := make([]clientv3.Cmp, 0, len(conds)+1)
	for _, c := range conds {
		revision := clientv3.ModRevision(e.prefix + c.key)
		if c.prefix {
			all = append(all, clientv3.Compare(revision, "<", c.rev+1).WithPrefix())
		} else {
			all = append(all, clientv3.Compare(revision, "=", c.rev))
		}
	}
	return all
}

func (e *etcd) puts(changes []kv) []clientv3.Op {
	all := make([]clientv3.Op, 0, len(changes)+1)
	for _, c := range changes {
		if c.value == nil {
			all = append(all, clientv3.OpDelete(e.prefix+c.key))
		} else {
			all = append(all, clientv3.OpPut(e.prefix+c.key, string(c.value)))
		}
	}
	return all
}

// readMark asks, until etcd answers, what stands in a mark and since when.
func (e *etcd) readMark(ctx context.Context, key string) (string, int64, error) {
	for {
		tryCtx, cancel := context.WithTimeout(ctx, attemptLimit)
		got, err := e.client.Get(tryCtx, key)
		cancel()
		switch {
		case err == nil && len(got.Kvs) == 1:
			return string(got.Kvs[0].Value), got.Kvs[0].ModRevision, nil
		case err == nil:
			return "", 0, nil
		case !inDoubt(err):
			return "", 0, err
		}
		select {
		case <-ctx.Done():
			return "", 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (e *etcd) try(ctx context.Context, compares []clientv3.Cmp, puts []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	return e.client.Txn(ctx).If(compares...).Then(puts...).Commit()
}

// inDoubt reports whether an error leaves open if the request was applied, as
// any failure of the connection or of etcd itself does; what etcd refused
// (too large, too many operations) is settled.
func inDoubt(err error) bool {
	for _, settled := range []error{rpctypes.ErrTooManyOps, rpctypes.ErrRequestTooLarge, rpctypes.ErrEmptyKey, rpctypes.ErrDuplicateKey, rpctypes.ErrNoSpace, rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrAuthFailed} {
		if errors.Is(err, settled) || rpctypes.Error(err) == settled {
			return false
		}
	}
	return true
}
