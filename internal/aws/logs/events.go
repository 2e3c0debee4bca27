package logs

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/renameio/v2"
)

// place is an event's in its stream, and among those of other streams: by time, and
// then as they came.
type place struct {
	at     int64 // ms since 1970
	serial int64 // of all events ever taken
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.at, q.at), cmp.Compare(p.serial, q.serial))
}

// entry is where an event is.
type entry struct {
	place
	taken  int64 // ms since 1970
	offset int64 // of the message in the file
	size   int32 // of the message in bytes
}

// A file is a row of events:
//
//	length of what follows the sum (4 bytes), CRC-32 of it (4)
//	time (8), time taken (8), serial (8), message
const (
	headBytes  = 8
	placeBytes = 24
)

// shelf is all streams' files. What is in them is in memory as entries, once a
// stream was used.
type shelf struct {
	dir string

	mu      sync.Mutex
	streams map[string]*stream // by path
	last    int64              // serial given
}

// stream is a file's contents, ordered by place.
type stream struct {
	path string

	mu      sync.Mutex
	loaded  bool
	size    int64
	entries []entry
}

func newShelf(dir string) *shelf { return &shelf{dir: dir, streams: map[string]*stream{}} }

func digest(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

func (s *shelf) folder(group string) string { return filepath.Join(s.dir, digest(group)) }

func (s *shelf) stream(group, name string) *stream {
	path := filepath.Join(s.folder(group), digest(name)+".events")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[path] == nil {
		s.streams[path] = &stream{path: path}
	}
	return s.streams[path]
}

// next gives n serials, later than all before, also those of earlier runs.
func (s *shelf) next(now int64, n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := max(s.last+1, now)
	s.last = first + int64(n) - 1
	return first
}

// forget removes a stream's events.
func (s *shelf) forget(group, name string) error {
	t := s.stream(group, name)
	s.mu.Lock()
	delete(s.streams, t.path)
	s.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loaded, t.size, t.entries = true, 0, nil
	if err := os.Remove(t.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// load reads the file's entries. It is called with mu held.
func (t *stream) load() error {
	if t.loaded {
		return nil
	}
	data, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.entries, t.size = scan(data)
	if t.size < int64(len(data)) {
		if err := os.Truncate(t.path, t.size); err != nil {
			return err
		}
	}
	t.loaded = true
	return nil
}

// scan finds the events of a file, and where the last whole one ends.
func scan(data []byte) (all []entry, end int64) {
	for {
		rest := data[end:]
		if len(rest) < headBytes+placeBytes {
			break
		}
		n := int64(binary.BigEndian.Uint32(rest))
		if n < placeBytes || int64(len(rest)) < headBytes+n || crc32.ChecksumIEEE(rest[headBytes:headBytes+n]) != binary.BigEndian.Uint32(rest[4:]) {
			break
		}
		body := rest[headBytes:]
		all = append(all, entry{
			place:  place{int64(binary.BigEndian.Uint64(body)), int64(binary.BigEndian.Uint64(body[16:]))},
			taken:  int64(binary.BigEndian.Uint64(body[8:])),
			offset: end + headBytes + placeBytes, size: int32(n - placeBytes),
		})
		end += headBytes + n
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.place.compare(b.place) })
	return all, end
}

func appendEvent(b []byte, p place, taken int64, message string) []byte {
	start := len(b)
	b = append(b, make([]byte, headBytes)...)
	for _, n := range []int64{p.at, taken, p.serial} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, message...)
	body := b[start+headBytes:]
	binary.BigEndian.PutUint32(b[start:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[start+4:], crc32.ChecksumIEEE(body))
	return b
}

// message is a time and text.
type message struct {
	at   int64
	text string
}

// put adds messages, the first with the serial, and drops those older than a time,
// 0 for none.
func (t *stream) put(messages []message, taken, serial, oldest int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.load(); err != nil {
		return err
	}
	if err := t.drop(oldest); err != nil {
		return err
	}
	var data []byte
	var fresh []entry
	for i, m := range messages {
		p := place{m.at, serial + int64(i)}
		data = appendEvent(data, p, taken, m.text)
		fresh = append(fresh, entry{p, taken, t.size + int64(len(data)-len(m.text)), int32(len(m.text))})
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(t.size), f.Close())
	}
	t.size += int64(len(data))
	t.entries = append(t.entries, fresh...)
	slices.SortStableFunc(t.entries, func(a, b entry) int { return a.place.compare(b.place) })
	return f.Close()
}

// drop writes the file anew without what is too old, when that is half of it. It is
// called with mu held.
func (t *stream) drop(oldest int64) error {
	keep, _ := slices.BinarySearchFunc(t.entries, place{oldest, 0}, func(e entry, p place) int { return e.place.compare(p) })
	if keep == 0 || keep < len(t.entries)/2 {
		return nil
	}
	old, err := os.ReadFile(t.path)
	if err != nil {
		return err
	}
	var data []byte
	for _, e := range t.entries[keep:] {
		data = appendEvent(data, e.place, e.taken, string(old[e.offset:e.offset+int64(e.size)]))
	}
	if err := renameio.WriteFile(t.path, data, 0o600); err != nil {
		return err
	}
	t.entries, t.size = scan(data)
	return nil
}

// list is the stream's entries that are there now.
func (t *stream) list() ([]entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.load()
	return slices.Clone(t.entries), err
}

// read gives the messages of entries.
func (t *stream) read(entries []entry) ([]string, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := os.Open(t.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	texts := make([]string, len(entries))
	for i, e := range entries {
		// The file may have been written anew meanwhile.
		at, found := slices.BinarySearchFunc(t.entries, e.place, func(e entry, p place) int { return e.place.compare(p) })
		if !found {
			continue
		}
		text := make([]byte, e.size)
		if _, err := f.ReadAt(text, t.entries[at].offset); err != nil {
			return nil, fmt.Errorf("reading log events: %w", err)
		}
		texts[i] = string(text)
	}
	return texts, nil
}
