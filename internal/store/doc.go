// Package store keeps typed records: the AWS half's whole state.
//
// A Table holds records of one Go type under string keys. Reads come from
// memory and never wait. Writes are transactions: Update runs a function that
// reads and writes records of any tables; all it wrote is committed at once, on
// condition that nothing it read has changed meanwhile. On a conflict the
// function is run again, so it must have no effect but through its Tx.
//
// Memory follows the backing store by one ordered stream of changes, the
// store's own writes included. Update returns when its change, and every change
// before it, is in memory and every watcher has seen it: whoever was answered
// can rely on the next read, and what is derived from records (compiled
// policies, mappings) is never older than an answer.
//
// Backing stores are etcd (NewEtcd), shared with Kubernetes by prefix, and
// memory (NewMemory), which behaves the same and is for tests.
package store
