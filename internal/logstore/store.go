package logstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"

	"github.com/eksact/eksact/internal/engine/columns"
)

// A Store is all groups below a directory. It is safe for use by several goroutines.
type Store struct {
	dir   string
	log   *slog.Logger
	cache *columns.Cache
	lock  *flock.Flock

	create func(path string) (file, error)
	bounds bounds
	held   atomic.Int64    // bytes of all groups' tails
	writer *columns.Writer // the sealer's

	mu     sync.Mutex
	groups map[string]*Group // by id
	closed bool
	wait   sync.WaitGroup
	seals  *queue
	merges *queue
}

// bounds are how many events fill a tail, the most that a segment has which was not merged
// yet, and how many bytes of tails, which are in memory too, are enough for all groups.
type bounds struct {
	tail  int
	small int64
	held  int64
}

// Options are what a store may be told.
type Options struct {
	// Cache bounds the memory for what queries open of segments, in bytes; 0 is 160 MiB.
	Cache int64
	// Log is told of damage and of work in the background that fails.
	Log *slog.Logger

	// For tests: how files are made, and how many events make a tail full and segments
	// large.
	create   func(path string) (file, error)
	smallest int
}

// ErrLocked says that another process has the directory.
var ErrLocked = errors.New("another process writes logs here")

// Open opens the store in a directory, which it makes. Nobody else may have it open.
func Open(dir string, o Options) (*Store, error) {
	if o.Cache == 0 {
		o.Cache = 160 << 20
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.create == nil {
		o.create = create
	}
	b := bounds{columns.ChunkEvents - tailSlack, 2 * columns.ChunkEvents, 2 * tailBytes}
	if o.smallest > 0 {
		b = bounds{o.smallest, int64(o.smallest) * 2, int64(o.smallest) * 1000}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, log: o.Log, cache: columns.NewCache(o.Cache), create: o.create, bounds: b, writer: columns.NewWriter(io.Discard, 0), groups: map[string]*Group{},
		lock: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600)), seals: newQueue(), merges: newQueue()}
	ok, err := s.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	}
	s.wait.Go(func() { s.seals.run((*Group).seal) })
	s.wait.Go(func() { s.merges.run((*Group).merge) })
	return s, nil
}

// Close ends the work in the background and lets go of the directory. Events in tails
// stay there.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	groups := s.groups
	s.groups = nil
	s.mu.Unlock()
	s.seals.stop()
	s.merges.stop()
	s.wait.Wait()
	var err error
	for _, g := range groups {
		err = errors.Join(err, g.close())
	}
	return errors.Join(err, s.lock.Unlock())
}

var errClosed = errors.New("the log store was closed")

// id names a group's folder.
func id(group string) string {
	sum := sha256.Sum256([]byte(group))
	return hex.EncodeToString(sum[:16])
}

// Group gives a group, made at its first use.
func (s *Store) Group(name string) (*Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if g := s.groups[id(name)]; g != nil {
		return g, nil
	}
	g, err := s.openGroup(name)
	if err != nil {
		return nil, fmt.Errorf("log group %s: %w", name, err)
	}
	s.groups[g.id] = g
	return g, nil
}

// byID gives a group that is there by its id.
func (s *Store) byID(id string) (*Group, error) {
	name, err := os.ReadFile(filepath.Join(s.dir, filepath.Base(id), "name"))
	if err != nil {
		return nil, err
	}
	return s.Group(string(name))
}

// Has says whether a group has a folder. Asking for one that hasn't makes it.
func (s *Store) Has(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, id(name), "name"))
	return err == nil
}

// Groups lists the names of groups that have a folder.
func (s *Store) Groups() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(s.dir, "*", "name"))
	var names []string
	for _, p := range paths {
		name, err := os.ReadFile(p)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			return nil, err
		}
		names = append(names, string(name))
	}
	return names, err
}

// Delete removes a group and all its events.
func (s *Store) Delete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if g := s.groups[id(name)]; g != nil {
		delete(s.groups, g.id)
		_ = g.close() // its events are not wanted any more
	}
	// First the folder loses its name, so that half of it is not taken for a group.
	path := filepath.Join(s.dir, id(name))
	gone := path + ".deleted"
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	if err := os.Rename(path, gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// CacheBytes is how much memory opened columns take.
func (s *Store) CacheBytes() int64 { return s.cache.Bytes() }
