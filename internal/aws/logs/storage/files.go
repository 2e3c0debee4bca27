package storage

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// Files keeps streams in files of a directory. Where events are is in memory, once a
// stream was used: about 50 bytes for each.
type Files struct {
	dir string
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	streams map[Stream]*file
	serial  int64 // the last one given
}

// NewFiles keeps streams below a directory, which need not exist.
func NewFiles(dir string, log *slog.Logger, now func() time.Time) *Files {
	return &Files{dir: dir, log: log, now: now, streams: map[Stream]*file{}}
}

// number gives events serials later than all before, also those of earlier runs: as
// many a second as no disk can take.
func (s *Files) number(events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		if i == 0 {
			s.serial = max(s.serial+1, s.now().UnixMicro())
		} else {
			s.serial++
		}
		events[i].Serial = s.serial
	}
}

// file is one stream's.
type file struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	loaded  bool
	deleted bool
	size    int64
	bytes   int64 // of messages
	taken   int64 // when an event came last
	entries []entry
	arrived []arrival
	mark    string
}

// arrival is a batch's place in the file; batches are in the order they came.
type arrival struct {
	from, to int64 // bytes of the file
	last     int64 // the greatest serial in it
}

func digest(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

func (s *Files) file(id Stream) *file {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.streams[id]
	if f == nil {
		f = &file{path: filepath.Join(s.dir, digest(id.Group), digest(id.Name)+".rows"), log: s.log}
		s.streams[id] = f
	}
	return f
}

// use calls fn with a stream's file, loaded and locked.
func (s *Files) use(id Stream, fn func(*file) error) error {
	for {
		f := s.file(id)
		f.mu.Lock()
		if f.deleted {
			f.mu.Unlock() // and made anew
			continue
		}
		defer f.mu.Unlock()
		if err := f.load(); err != nil {
			return fmt.Errorf("log stream %s of %s: %w", id.Name, id.Group, err)
		}
		return fn(f)
	}
}

// load reads where the events are.
func (f *file) load() error {
	if f.loaded {
		return nil
	}
	data, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.size, f.bytes, f.taken, f.entries, f.arrived, f.mark = 0, 0, 0, nil, nil, ""
	for f.size < int64(len(data)) {
		fr, size, ok := readFrame(data[f.size:], f.size)
		if !ok {
			skipped, found := nextFrame(data[f.size:], f.size)
			if !found {
				break
			}
			f.log.Error("a log stream's file is damaged: a part of it is passed over", "file", f.path, "at", f.size, "bytes", skipped)
			f.size += skipped
			continue
		}
		f.note(fr, size)
	}
	if f.size < int64(len(data)) {
		// A batch that a crash cut short, and that was not acknowledged.
		if err := os.Truncate(f.path, f.size); err != nil {
			return err
		}
	}
	slices.SortFunc(f.entries, func(a, b entry) int { return a.Compare(b.Place) })
	f.loaded = true
	return nil
}

// note counts a frame at the end of the file.
func (f *file) note(fr frame, size int64) {
	for _, e := range fr.entries {
		f.bytes += int64(e.size)
		f.taken = max(f.taken, e.taken)
	}
	f.entries = append(f.entries, fr.entries...)
	last := fr.last
	if n := len(f.arrived); n > 0 {
		last = max(last, f.arrived[n-1].last)
	}
	f.arrived = append(f.arrived, arrival{f.size, f.size + size, last})
	f.size += size
	if fr.mark != "" {
		f.mark = fr.mark
	}
}

// Append implements Storage.
func (s *Files) Append(id Stream, events []Event, mark string) error {
	if len(events) == 0 && mark == "" {
		return nil
	}
	return s.use(id, func(f *file) error {
		s.number(events)
		data, entries := appendFrame(nil, f.size, events, mark)
		if err := f.write(data); err != nil {
			return fmt.Errorf("log stream %s of %s: %w", id.Name, id.Group, err)
		}
		fr := frame{entries: entries, mark: mark}
		inOrder := true
		for i, e := range entries {
			fr.last = max(fr.last, e.Serial)
			if i == 0 {
				inOrder = len(f.entries) == 0 || f.entries[len(f.entries)-1].Compare(e.Place) < 0
			} else {
				inOrder = inOrder && entries[i-1].Compare(e.Place) < 0
			}
		}
		if !inOrder {
			f.entries = slices.Clone(f.entries) // whoever reads them goes on with the old ones
		}
		f.note(fr, int64(len(data)))
		if !inOrder {
			slices.SortFunc(f.entries, func(a, b entry) int { return a.Compare(b.Place) })
		}
		return nil
	})
}

// write appends to the file and syncs it. After a failure the file is as it was.
func (f *file) write(data []byte) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	if err == nil {
		err = out.Sync()
	}
	if err == nil && f.size == 0 {
		err = syncDir(filepath.Dir(f.path))
	}
	if err != nil {
		err = errors.Join(err, out.Truncate(f.size))
	}
	return errors.Join(err, out.Close())
}

// syncDir makes a new file's name last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Mark implements Storage.
func (s *Files) Mark(id Stream) (mark string, err error) {
	err = s.use(id, func(f *file) error { mark = f.mark; return nil })
	return mark, err
}

// Stats implements Storage.
func (s *Files) Stats(id Stream, since int64) (st Stats, err error) {
	err = s.use(id, func(f *file) error {
		own := f.entries[search(f.entries, From(since)):]
		st = Stats{Events: len(own), Bytes: f.bytes, LastTaken: f.taken}
		if len(own) > 0 {
			st.First, st.Last = own[0].At, own[len(own)-1].At
		}
		if len(own) < len(f.entries) {
			st.Bytes, st.LastTaken = 0, 0
			for _, e := range own {
				st.Bytes += int64(e.size)
				st.LastTaken = max(st.LastTaken, e.taken)
			}
		}
		return nil
	})
	return st, err
}

func search(entries []entry, p Place) int {
	at, _ := slices.BinarySearchFunc(entries, p, func(e entry, p Place) int { return e.Compare(p) })
	return at
}

// Expire implements Storage: the file is written anew when half of it is too old.
func (s *Files) Expire(id Stream, oldest int64) error {
	return s.use(id, func(f *file) error {
		keep := search(f.entries, From(oldest))
		if keep == 0 || keep < len(f.entries)/2 {
			return nil
		}
		in, err := os.Open(f.path)
		if err != nil {
			return err
		}
		defer in.Close()
		return f.rewrite(window{file: in}, slices.Clone(f.entries[keep:]))
	})
}

// eventsPerFrame bounds what a file that is written anew reads at once.
const eventsPerFrame = 1000

// rewrite makes a file of the entries alone, in the order they came.
func (f *file) rewrite(w window, keep []entry) error {
	slices.SortFunc(keep, func(a, b entry) int { return cmp.Compare(a.Serial, b.Serial) })
	out, err := renameio.NewPendingFile(f.path, renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer out.Cleanup()
	data, _ := appendFrame(nil, 0, nil, f.mark)
	for part := range slices.Chunk(keep, eventsPerFrame) {
		var events []Event
		for _, e := range part {
			text, err := w.read(e)
			if err != nil {
				return err
			}
			events = append(events, Event{Place: e.Place, Taken: e.taken, Message: text})
		}
		if data, _ = appendFrame(data, 0, events, ""); len(data) > 1<<20 {
			if _, err := out.Write(data); err != nil {
				return err
			}
			data = data[:0]
		}
	}
	if _, err := out.Write(data); err != nil {
		return err
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return err
	}
	f.loaded = false
	return f.load()
}

// Delete implements Storage.
func (s *Files) Delete(id Stream) error {
	f := s.file(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	s.mu.Lock()
	delete(s.streams, id)
	s.mu.Unlock()
	f.deleted = true
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// snapshot is a stream at one time, with its file open.
type snapshot struct {
	name    string
	entries []entry
	arrived []arrival
	window  window
}

func (s *Files) snapshot(id Stream) (sn snapshot, err error) {
	err = s.use(id, func(f *file) error {
		sn = snapshot{name: id.Name, entries: f.entries, arrived: f.arrived}
		if len(f.entries) == 0 {
			return nil
		}
		in, err := os.Open(f.path)
		sn.window.file = in
		return err
	})
	return sn, err
}

func (sn *snapshot) close() {
	if sn.window.file != nil {
		_ = sn.window.file.Close()
	}
}

func (sn *snapshot) event(e entry) (Event, error) {
	text, err := sn.window.read(e)
	return Event{Place: e.Place, Stream: sn.name, Taken: e.taken, Message: text}, err
}

// window reads a file in large pieces: events that lie beside each other are asked for
// one after the other.
type window struct {
	file *os.File
	at   int64
	data []byte
}

const windowBytes = 256 << 10

func (w *window) read(e entry) (string, error) {
	from := e.offset - w.at
	if from < 0 || from+int64(e.size) > int64(len(w.data)) {
		n := max(windowBytes, int(e.size))
		if cap(w.data) < n {
			w.data = make([]byte, n)
		}
		read, err := w.file.ReadAt(w.data[:n], e.offset)
		if read < int(e.size) {
			return "", fmt.Errorf("reading log events: %w", err)
		}
		w.at, w.data, from = e.offset, w.data[:read], 0
	}
	return string(w.data[from : from+int64(e.size)]), nil
}

// Read implements Storage.
func (s *Files) Read(q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var all []*reading
		defer func() {
			for _, r := range all {
				r.close()
			}
		}()
		for _, name := range q.Streams {
			sn, err := s.snapshot(Stream{q.Group, name})
			r := &reading{snapshot: sn, backward: q.Backward}
			all = append(all, r)
			if err != nil {
				yield(Event{}, err)
				return
			}
			from := search(r.entries, q.From)
			r.entries = r.entries[from:max(from, search(r.entries, q.To))]
		}
		merge(all, q.Backward, yield)
	}
}

// reading is a stream's entries that are not read yet.
type reading struct {
	snapshot
	backward bool
}

func (r *reading) next() *entry {
	if r.backward {
		return &r.entries[len(r.entries)-1]
	}
	return &r.entries[0]
}

func (r *reading) pop() {
	if r.backward {
		r.entries = r.entries[:len(r.entries)-1]
	} else {
		r.entries = r.entries[1:]
	}
}

// merge gives the entries of all readings in order.
func merge(all []*reading, backward bool, yield func(Event, error) bool) {
	for {
		var best *reading
		for _, r := range all {
			if len(r.entries) == 0 {
				continue
			}
			if best == nil || (r.next().Compare(best.next().Place) < 0) != backward {
				best = r
			}
		}
		if best == nil {
			return
		}
		e, err := best.event(*best.next())
		if !yield(e, err) || err != nil {
			return
		}
		best.pop()
	}
}

// mostArrived bounds, in bytes, what Arrived takes at once.
const mostArrived = 4 << 20

// Arrived implements Storage.
func (s *Files) Arrived(id Stream, after int64) (found []Event, err error) {
	sn, err := s.snapshot(id)
	defer sn.close()
	if err != nil {
		return nil, err
	}
	first := len(sn.arrived)
	for first > 0 && sn.arrived[first-1].last > after {
		first--
	}
	size := int64(0)
	for _, a := range sn.arrived[first:] {
		if size > mostArrived {
			break
		}
		size += a.to - a.from
		data := make([]byte, a.to-a.from)
		if _, err := sn.window.file.ReadAt(data, a.from); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading log events: %w", err)
		}
		fr, _, ok := readFrame(data, 0)
		if !ok {
			continue
		}
		for _, e := range fr.entries {
			if e.Serial > after {
				found = append(found, Event{e.Place, id.Name, e.taken, string(data[e.offset : e.offset+int64(e.size)])})
			}
		}
	}
	return found, nil
}
