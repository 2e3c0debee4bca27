package logstore

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/eksact/eksact/internal/engine/columns"
)

// views are a tail's events as segments in memory: pieces that are complete, and one of
// the events behind them, which is made anew when there are more.
type views struct {
	mu     sync.Mutex
	pieces []*columns.Segment
	last   *columns.Segment
	count  int // events in last
}

// pieceEvents is how many events make a piece.
const pieceEvents = 2048

// of gives segments of a tail's entries, which only ever grow.
func (v *views) of(entries []entry) ([]*columns.Segment, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.pieces) < len(entries)/pieceEvents {
		n := len(v.pieces) * pieceEvents
		piece, err := inMemory(entries[n : n+pieceEvents])
		if err != nil {
			return nil, err
		}
		v.pieces = append(v.pieces, piece)
	}
	whole := len(entries) / pieceEvents
	all := append([]*columns.Segment(nil), v.pieces[:whole]...)
	rest := entries[whole*pieceEvents:]
	if len(rest) == 0 {
		return all, nil
	}
	if len(v.pieces) > whole || v.last == nil || v.count != len(entries) {
		last, err := inMemory(rest)
		if err != nil {
			return nil, err
		}
		if len(v.pieces) > whole {
			return append(all, last), nil // of a moment that has passed
		}
		v.last, v.count = last, len(entries)
	}
	return append(all, v.last), nil
}

func inMemory(entries []entry) (*columns.Segment, error) {
	var out bytes.Buffer
	if err := writeEntries(columns.NewWriter(&out, entries[0].sequence), entries); err != nil {
		return nil, fmt.Errorf("taking new log events apart: %w", err)
	}
	const most = 64 << 20 // more than so few events have
	return columns.Open(bytes.NewReader(out.Bytes()), int64(out.Len()), columns.NewCache(most))
}

func writeEntries(w *columns.Writer, entries []entry) error {
	for i := range entries {
		if err := w.Jump(entries[i].sequence); err != nil {
			return err
		}
		if err := w.Append(&entries[i].Event); err != nil {
			return err
		}
	}
	return w.Close()
}
