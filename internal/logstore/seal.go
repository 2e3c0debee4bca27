package logstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/eksact/eksact/internal/engine/columns"
)

// retry is when what failed in the background is tried again.
const retry = time.Second

// seal writes the group's oldest tail that is complete as a segment, and the next ones.
func (g *Group) seal() {
	for {
		g.mu.Lock()
		if len(g.sealing) == 0 || g.closed {
			g.mu.Unlock()
			return
		}
		t := g.sealing[0]
		entries := t.entries
		g.mu.Unlock()
		s, err := g.writeSegment(entries[0].sequence, entries[len(entries)-1].sequence+1, func(out io.Writer) error {
			g.s.writer.Reset(out, entries[0].sequence)
			return writeEntries(g.s.writer, entries)
		})
		g.mu.Lock()
		if g.closed { // and deleted
			g.mu.Unlock()
			if err == nil {
				_ = s.file.Close()
			}
			return
		}
		g.sealErr = err
		if err == nil {
			g.sealing = g.sealing[1:]
			g.s.held.Add(-t.size)
			g.insert(s)
		}
		g.room.Broadcast()
		g.mu.Unlock()
		if err != nil {
			g.s.log.Error("log events could not be written as a segment; they stay where they are and it is tried again", "group", g.name, "error", err)
			g.s.seals.again(g, retry)
			return
		}
		if err := os.Remove(t.path); err != nil {
			g.s.log.Warn("a file of log events that has become a segment could not be deleted", "file", t.path, "error", err)
		}
		g.s.merges.add(g)
	}
}

// Settle makes a segment of the tail and waits until nothing is left to be sealed or
// merged.
func (g *Group) Settle() error {
	if err := g.Seal(); err != nil {
		return err
	}
	g.mu.Lock()
	for len(g.sealing) > 0 && g.sealErr == nil && !g.closed {
		g.room.Wait()
	}
	err := g.sealErr
	g.mu.Unlock()
	if err == nil {
		g.merge()
	}
	return err
}

func (g *Group) insert(s *segment) {
	i, _ := slices.BinarySearchFunc(g.segments, s, func(a, b *segment) int { return int(a.first - b.first) })
	g.segments = slices.Insert(slices.Clone(g.segments), i, s)
}

// writeSegment makes a segment's file, all on disk and under its name when it returns.
func (g *Group) writeSegment(first, behind int64, write func(out io.Writer) error) (*segment, error) {
	path := filepath.Join(g.dir, fmt.Sprintf("%016x-%016x.segment", first, behind))
	draft := path + ".draft"
	if err := os.Remove(draft); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	f, err := g.s.create(draft)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	err = write(out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(draft))
	}
	if err := syncDir(g.dir); err != nil {
		return nil, err
	}
	return g.openSegment(path, first, behind)
}

// openSegment reads a segment's contents.
func (g *Group) openSegment(path string, first, behind int64) (*segment, error) {
	// A segment that is merged or expires may still be scanned: its file is closed when it
	// is garbage, or with the store.
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s, err := columns.Open(f, info.Size(), g.s.cache)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	if a, b := s.Sequence(); a != first || b != behind {
		return nil, errors.Join(fmt.Errorf("%s has events %d to %d", path, a, b-1), f.Close())
	}
	return &segment{Segment: s, path: path, file: f, first: first, behind: behind}, nil
}

// mergeAt is how many segments of a level that follow one another become one of the next.
const mergeAt = 8

// level is how often a segment's events were merged, by their number: of the last level
// they are not merged again.
func (g *Group) level(s *segment) int {
	switch n := s.Events(); {
	case n <= g.s.bounds.small:
		return 0
	case n <= g.s.bounds.small*mergeAt:
		return 1
	}
	return 2
}

// merge makes one segment of small ones.
func (g *Group) merge() {
	g.merging.Lock()
	defer g.merging.Unlock()
	for {
		parts := g.mergeable()
		if parts == nil {
			return
		}
		if err := g.mergeParts(parts); err != nil {
			g.s.log.Error("small log segments could not be merged; they stay as they are", "group", g.name, "error", err)
			return
		}
	}
}

// mergeable are segments to be merged.
func (g *Group) mergeable() []*segment {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	for from := 0; from < len(g.segments); {
		to, level := from, g.level(g.segments[from])
		for to < len(g.segments) && to-from < mergeAt && g.level(g.segments[to]) == level && !g.segments[to].apart {
			to++
		}
		if to-from == mergeAt && level < 2 {
			return g.segments[from:to]
		}
		from = max(to, from+1)
	}
	return nil
}

// mergeCache is the memory for what a merge opens of a segment, beside the segment that
// it makes.
const mergeCache = 1 << 20

func (g *Group) mergeParts(parts []*segment) error {
	// Queries' cache is not for what is read once.
	var apart []*columns.Segment
	for _, p := range parts {
		apart = append(apart, p.Apart(columns.NewCache(mergeCache)))
	}
	merged, err := g.writeSegment(parts[0].first, parts[len(parts)-1].behind, func(out io.Writer) error {
		return columns.Merge(out, apart)
	})
	var of *columns.PartError
	if errors.As(err, &of) {
		g.mu.Lock()
		parts[of.Part].apart = true
		g.mu.Unlock()
		return fmt.Errorf("%s: %w", parts[of.Part].path, err)
	}
	if err != nil {
		return err
	}
	g.mu.Lock()
	i := slices.Index(g.segments, parts[0])
	there := !g.closed && i >= 0 && i+len(parts) <= len(g.segments) && slices.Equal(g.segments[i:i+len(parts)], parts)
	if there {
		g.segments = slices.Replace(slices.Clone(g.segments), i, i+len(parts), merged)
	}
	g.mu.Unlock()
	if !there { // some expired meanwhile
		return errors.Join(merged.file.Close(), os.Remove(merged.path))
	}
	for _, p := range parts {
		g.s.cache.Forget(p.Segment)
		err = errors.Join(err, os.Remove(p.path))
	}
	return err
}
