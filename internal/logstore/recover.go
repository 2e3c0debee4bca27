package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
)

// openGroup reads what is there of a group, whatever happened to who wrote it.
func (s *Store) openGroup(name string) (*Group, error) {
	g := &Group{s: s, id: id(name), name: name, dir: filepath.Join(s.dir, id(name)), marks: map[string]string{}, hidden: map[string]int64{}}
	g.room = sync.NewCond(&g.mu)
	if err := g.folder(); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(g.dir)
	if err != nil {
		return nil, err
	}
	var segments, tails []numbered
	for _, f := range files {
		path := filepath.Join(g.dir, f.Name())
		n := numbered{path: path}
		if strings.HasSuffix(path, ".draft") {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		} else if k, _ := fmt.Sscanf(f.Name(), "%016x-%016x.segment", &n.first, &n.behind); k == 2 && strings.HasSuffix(path, ".segment") {
			segments = append(segments, n)
		} else if k, _ := fmt.Sscanf(f.Name(), "%016x.tail", &n.first); k == 1 && strings.HasSuffix(path, ".tail") {
			tails = append(tails, n)
		}
	}
	if err := g.openSegments(segments); err != nil {
		return nil, err
	}
	if err := g.openTails(tails); err != nil {
		return nil, err
	}
	if len(g.sealing) > 0 {
		s.seals.add(g)
	}
	s.merges.add(g)
	return g, nil
}

// numbered is a file and the numbers in its name.
type numbered struct {
	path          string
	first, behind int64
}

// folder makes the group's folder and writes its name there.
func (g *Group) folder() error {
	path := filepath.Join(g.dir, "name")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(path, []byte(g.name), 0o600); err != nil {
		return err
	}
	return errors.Join(syncDir(g.dir), syncDir(g.s.dir))
}

// openSegments opens the larger ones first: one whose events are in another is what a
// merge left that had no time to delete it.
func (g *Group) openSegments(files []numbered) error {
	slices.SortFunc(files, func(a, b numbered) int {
		return cmp.Or(cmp.Compare(b.behind-b.first, a.behind-a.first), cmp.Compare(a.first, b.first))
	})
	for _, f := range files {
		if g.covered(f.first, f.behind) {
			if err := os.Remove(f.path); err != nil {
				return err
			}
			continue
		}
		s, err := g.openSegment(f.path, f.first, f.behind)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
				return err
			}
			g.s.log.Error("a log segment can't be read: its events are missing", "group", g.name, "file", f.path, "error", err)
			g.next = max(g.next, f.behind)
			continue
		}
		g.insert(s)
		g.next = max(g.next, f.behind)
	}
	return nil
}

func (g *Group) covered(first, behind int64) bool {
	return slices.ContainsFunc(g.segments, func(s *segment) bool { return s.first <= first && behind <= s.behind })
}

// openTails reads the tails, the oldest first. The last one goes on; those before it are
// to be sealed.
func (g *Group) openTails(files []numbered) error {
	slices.SortFunc(files, func(a, b numbered) int { return cmp.Compare(a.first, b.first) })
	for i, f := range files {
		t, damaged, err := openTail(f.path, f.first, g.note)
		if errors.Is(err, errRecord) {
			// It was being made when the process was killed, or its head is damaged.
			g.s.log.Error("a file of log events can't be read: its events are missing", "group", g.name, "file", f.path, "error", err)
			if err := os.Rename(f.path, f.path+".damaged"); err != nil {
				return err
			}
			g.next = max(g.next, f.first+1)
			continue
		}
		if err != nil {
			return err
		}
		if damaged > 0 {
			g.s.log.Error("a file of log events is damaged: a part of it is passed over", "group", g.name, "file", f.path, "bytes", damaged)
		}
		g.next = max(g.next, t.behind(), t.first)
		switch {
		case len(t.entries) > 0 && g.covered(t.entries[0].sequence, t.behind()), len(t.entries) == 0 && i < len(files)-1:
			if err := errors.Join(t.close(), os.Remove(t.path)); err != nil {
				return err
			}
		case i < len(files)-1:
			if err := t.close(); err != nil {
				return err
			}
			g.sealing = append(g.sealing, t)
			g.s.held.Add(t.size)
		default:
			g.tail = t
			g.s.held.Add(t.size)
		}
	}
	if g.tail == nil {
		return g.rotate()
	}
	return nil
}
