package logstore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// file is what is needed of a file that is written. Tests put in others.
type file interface {
	io.WriterAt
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// create makes a file, which must not be there.
func create(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

// tail is events that are not in a segment yet, in a file and in memory. Its group's lock
// guards it, save for syncing.
type tail struct {
	path  string
	f     file // nil: nothing more is written to it
	mark  []byte
	first int64 // number that its first event has, or would have
	size  int64 // bytes written

	entries []entry // on disk
	bytes   int64   // of their messages
	pending []pending
	waiting int   // events of pending
	synced  int64 // bytes on disk for certain
	failed  error // it could not be synced: nothing more is written to it

	syncing sync.Mutex // held by who syncs; before the group's lock
	views   views
}

// pending is a record that was written and may not be on disk.
type pending struct {
	end int64 // of the record in the file
	record
}

// tailBytes is how many bytes make a tail full, as does a number of events. While all
// tails together are too large, a part of it is enough.
const tailBytes = 24 << 20

// tailSlack is how many events fewer than a chunk has make a tail full: what is appended
// at once goes into one tail, and mostly still makes one chunk.
const tailSlack = 1024

func (s *Store) full(t *tail) bool {
	return len(t.entries)+t.waiting >= s.bounds.tail || t.size >= tailBytes || s.held.Load() > s.bounds.held && t.size > s.bounds.held/16
}

// behind is the number behind the tail's last event.
func (t *tail) behind() int64 {
	if len(t.entries) == 0 {
		return t.first
	}
	return t.entries[len(t.entries)-1].sequence + 1
}

// newTail makes a tail's file, with the state so far in it.
func (s *Store) newTail(dir string, first int64, state *record) (*tail, error) {
	t := &tail{path: filepath.Join(dir, fmt.Sprintf("%016x.tail", first)), first: first, mark: make([]byte, markBytes)}
	if _, err := rand.Read(t.mark); err != nil {
		return nil, err
	}
	f, err := s.create(t.path)
	if err != nil {
		return nil, err
	}
	head := state.appendTo(append([]byte(magic), t.mark...), t.mark)
	_, err = f.WriteAt(head, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(t.path))
	}
	t.f, t.size, t.synced = f, int64(len(head)), int64(len(head))
	return t, nil
}

// openTail reads a tail's file after a crash, or a stop.
func openTail(path string, first int64, apply func(*record)) (t *tail, damaged int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	t = &tail{path: path, f: f, first: first}
	end, damaged, err := readRecords(data, func(r *record) {
		t.keep(r.entries)
		apply(r)
	})
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	t.mark = bytes.Clone(data[len(magic):headBytes])
	t.size = int64(end)
	// What is behind the last record was not acknowledged. What is in it may not have
	// reached the disk when the process was killed.
	if end < len(data) {
		err = f.Truncate(t.size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	t.synced = t.size
	return t, damaged, nil
}

func (t *tail) keep(entries []entry) {
	t.entries = append(t.entries, entries...)
	for i := range entries {
		t.bytes += int64(len(entries[i].Message))
	}
}

// close ends writing to the tail. It is called with no record pending.
func (t *tail) close() error {
	if t.f == nil {
		return nil
	}
	f := t.f
	t.f = nil
	return f.Close()
}

// syncDir makes names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
