package cloudtrail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// Position is a place between two lines of a trail. Lines are only added behind
// it, so it stays what it is; its segment may be deleted.
type Position struct {
	Segment string
	Offset  int64
}

// Line is one event as it was written.
type Line struct {
	Text   []byte   // without the newline; valid until the next is asked for
	Before Position // where the line begins
}

// Newest yields the lines of a trail's directory from the newest to the oldest,
// those before a position or, with the zero Position, all. A last line that is
// still being written is left out. Files are read from their ends, block by block:
// who needs few lines reads little.
func Newest(dir string, before Position) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		list, err := listSegments(dir)
		if err != nil {
			yield(Line{}, fmt.Errorf("trail: %w", err))
			return
		}
		for i := len(list) - 1; i >= 0; i-- {
			name, end := list[i].name, int64(-1)
			if before.Segment != "" {
				if name > before.Segment {
					continue
				}
				if name == before.Segment {
					end = before.Offset
				}
			}
			if more, err := backwards(dir, name, end, yield); err != nil {
				yield(Line{}, fmt.Errorf("trail: %s: %w", name, err))
				return
			} else if !more {
				return
			}
		}
	}
}

// began is when a segment was begun, which its name says.
func began(segment string) time.Time {
	const layout = "20060102T150405.000000Z"
	if len(segment) < len(layout) {
		return time.Time{}
	}
	t, err := time.Parse(layout, segment[:len(layout)])
	if err != nil {
		return time.Time{}
	}
	return t
}

// backwards yields the lines of one file that end at or before an offset; -1 is
// the file's end.
func backwards(dir, name string, end int64, yield func(Line, error) bool) (more bool, err error) {
	file, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // its time had come meanwhile
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if end < 0 {
		info, err := file.Stat()
		if err != nil {
			return false, err
		}
		end = info.Size()
	}
	var window []byte // what lies before end and was read, from start on
	start, whole := end, false
	for end > 0 {
		body := window
		if whole {
			body = window[:max(0, len(window)-1)] // without the newline of the last line
		}
		if cut := bytes.LastIndexByte(body, '\n'); cut >= 0 || start == 0 && whole {
			line := body[cut+1:]
			at := start + int64(cut+1)
			if whole && !yield(Line{line, Position{name, at}}, nil) {
				return false, nil
			}
			window, end, whole = window[:cut+1], at, true
			continue
		}
		if start == 0 {
			return true, nil // nothing but a line that is being written
		}
		from := max(0, start-batch)
		block := make([]byte, start-from, int(start-from)+len(window))
		if _, err := file.ReadAt(block, from); err != nil && err != io.EOF {
			return false, err
		}
		window, start = append(block, window...), from
	}
	return true, nil
}
