package cloudwatch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/metric"
)

func one(name string, v float64) Datum {
	return Measured(Metric{Namespace: "shop", Name: name}, "", time.Unix(1795435200, 0), metric.One(v, 1))
}

// TestWhatCantBeWrittenIsNotTaken: an answer means that the data are in the journal.
func TestWhatCantBeWrittenIsNotTaken(t *testing.T) {
	h, err := openJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.put([]Datum{one("a", 1)}); err != nil {
		t.Fatal(err)
	}
	h.journal.file.Close()
	if err := h.put([]Datum{one("a", 2), one("b", 3)}); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if h.sets != 1 || len(h.series) != 1 {
		t.Errorf("%d sets of %d metrics are kept", h.sets, len(h.series))
	}
}

// TestBounds: more metrics than are kept are refused, those that are there are taken.
func TestBounds(t *testing.T) {
	h, err := openJournal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var many []Datum
	for i := range mostMetrics {
		many = append(many, one(string(rune('a'+i%26))+time.Duration(i).String(), 1))
	}
	if err := h.put(many); err != nil {
		t.Fatal(err)
	}
	if err := h.put([]Datum{one("another", 1)}); !errors.Is(err, errFull) {
		t.Errorf("one more metric: %v", err)
	}
	if err := h.put(many[:1]); err != nil {
		t.Errorf("more of a metric: %v", err)
	}
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(h.journal.dir)
	if err != nil || len(again.series) != mostMetrics {
		t.Errorf("%d metrics are read, %v", len(again.series), err)
	}
}

// TestOldGenerations: what a compaction left behind when it was interrupted is not counted
// twice.
func TestOldGenerations(t *testing.T) {
	dir := t.TempDir()
	h, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.put([]Datum{one("a", 1)}); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, named("journal", h.journal.generation))
	kept, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.journal.compact(h); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, kept, 0o644); err != nil { // as if it had not been removed
		t.Fatal(err)
	}
	again, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	of := one("a", 1).Metric
	again.read(of.key(), func(s *series) {
		if set := s.between("", 0, 1<<40); set.Count != 1 {
			t.Errorf("%v values are there", set.Count)
		}
	})
}

func FuzzLines(f *testing.F) {
	d := one("a", 1)
	line, _ := appendLine(nil, &d)
	f.Add(line)
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		var d Datum
		if readLine(line, &d) && d.Width <= 0 {
			t.Errorf("%q is taken", line)
		}
	})
}
