package cloudwatch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// A journal is the shelf's on disk: a snapshot of all sets and the data that came since.
// Both are lines, each a checksum in hexadecimal, a blank and a Datum as JSON. The files
// of one generation are snapshot.N and journal.N; a snapshot stands for all journals of
// lower numbers.
//
// What was written is there after the process was killed. After a loss of power the last
// second may be missing, for Sync is called once a second.
type journal struct {
	dir        string
	generation int
	file       *os.File
	size       int64 // of what is whole in file
	dirty      bool
	most       int64 // bytes of a journal, before it is compacted
}

// journalBytes is how long a journal gets.
const journalBytes = 16 << 20

// openJournal reads what is in dir into a shelf.
func openJournal(dir string) (*shelf, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	h := &shelf{series: map[string]*series{}}
	snapshots, journals, err := generations(dir)
	if err != nil {
		return nil, err
	}
	last := 0
	if n := len(snapshots); n > 0 {
		last = snapshots[n-1]
		if _, err := replay(filepath.Join(dir, named("snapshot", last)), h); err != nil {
			return nil, err
		}
	}
	for _, g := range journals {
		if g < last {
			continue
		}
		if _, err := replay(filepath.Join(dir, named("journal", g)), h); err != nil {
			return nil, err
		}
		last = g
	}
	h.journal = &journal{dir: dir, generation: last, most: journalBytes}
	return h, h.journal.compact(h)
}

func named(what string, generation int) string { return fmt.Sprintf("%s.%08d", what, generation) }

func generations(dir string) (snapshots, journals []int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
	}
	for _, e := range entries {
		what, number, _ := strings.Cut(e.Name(), ".")
		g, err := strconv.Atoi(number)
		switch {
		case err != nil:
		case what == "snapshot":
			snapshots = append(snapshots, g)
		case what == "journal":
			journals = append(journals, g)
		}
	}
	slices.Sort(snapshots)
	slices.Sort(journals)
	return snapshots, journals, nil
}

// replay adds a file's data, and leaves out lines that are not whole.
func replay(path string, h *shelf) (lost int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	defer f.Close()
	for r := bufio.NewReaderSize(f, 1<<16); ; {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			var d Datum
			if !readLine(line, &d) {
				lost++
			} else {
				h.add(&d)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return lost, nil
		case err != nil:
			return lost, fmt.Errorf("metrics: %w", err)
		}
	}
}

func appendLine(b []byte, d *Datum) ([]byte, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.ChecksumIEEE(text))
	return append(append(b, text...), '\n'), nil
}

func readLine(line []byte, d *Datum) bool {
	sum, text, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	return found && err == nil && uint32(want) == crc32.ChecksumIEEE(text) && json.Unmarshal(text, d) == nil && d.Width > 0
}

// append writes data behind what there is, all or none.
func (j *journal) append(data []Datum) error {
	var b []byte
	var err error
	for i := range data {
		if b, err = appendLine(b, &data[i]); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	if n, err := j.file.Write(b); err != nil {
		if n > 0 {
			if e := j.file.Truncate(j.size); e == nil {
				_, _ = j.file.Seek(j.size, io.SeekStart)
			}
		}
		return fmt.Errorf("metrics: %w", err)
	}
	j.size += int64(len(b))
	j.dirty = true
	return nil
}

func (j *journal) long() bool { return j.size > j.most }

// compact begins a generation: a snapshot of all that the shelf has, and an empty journal.
func (j *journal) compact(h *shelf) error {
	next := j.generation + 1
	f, err := renameio.NewPendingFile(filepath.Join(j.dir, named("snapshot", next)), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer f.Cleanup()
	w := bufio.NewWriterSize(f, 1<<16)
	var line []byte
	for _, s := range h.series {
		for unit, spans := range s.units {
			for _, p := range spans {
				if line, err = appendLine(line[:0], &Datum{s.metric, unit, p.width, p.start, p.set}); err != nil {
					return fmt.Errorf("metrics: %w", err)
				}
				if _, err := w.Write(line); err != nil {
					return fmt.Errorf("metrics: %w", err)
				}
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(j.dir, named("journal", next)), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		file.Close()
		return fmt.Errorf("metrics: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size, j.generation, j.dirty = file, 0, next, true
	return j.clear()
}

// clear removes the generations before.
func (j *journal) clear() error {
	snapshots, journals, err := generations(j.dir)
	if err != nil {
		return err
	}
	for what, list := range map[string][]int{"snapshot": snapshots, "journal": journals} {
		for _, g := range list {
			if g < j.generation {
				if err := os.Remove(filepath.Join(j.dir, named(what, g))); err != nil {
					return fmt.Errorf("metrics: %w", err)
				}
			}
		}
	}
	return nil
}

// sync brings what was written to the disk.
func (h *shelf) sync() error {
	h.mu.Lock()
	dirty, file := h.journal.dirty, h.journal.file
	h.journal.dirty = false
	h.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func (h *shelf) close() error {
	err := h.sync()
	return errors.Join(err, h.journal.file.Close())
}
