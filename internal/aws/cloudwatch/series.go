package cloudwatch

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/engine/metric"
)

// Bounds of what is kept.
const (
	mostMetrics = 20_000
	mostSets    = 1_000_000
)

// errFull: more metrics or data than are kept.
var errFull = errors.New("more metrics than are kept here")

// Metric names a metric.
type Metric struct {
	Namespace, Name string
	Dimensions      []Dimension // by name
}

// Dimension is one of a metric's.
type Dimension struct{ Name, Value string }

// key is the metric's in maps.
func (m *Metric) key() string {
	var b strings.Builder
	b.WriteString(m.Namespace + "\x00" + m.Name)
	for _, d := range m.Dimensions {
		b.WriteString("\x00" + d.Name + "\x00" + d.Value)
	}
	return b.String()
}

// Datum is what was measured of a metric in one of its periods.
type Datum struct {
	Metric Metric
	Unit   string // "None" where the client said none
	Width  int64  // seconds: 1 of high resolution, 60, 300 or 3600
	Start  int64  // seconds since 1970, a multiple of Width
	Set    metric.Set
}

// series are all data of one metric.
type series struct {
	metric Metric
	units  map[string][]span
	newest int64 // end of the newest span
}

// span is a set with its time.
type span struct {
	start, width int64
	set          metric.Set
}

// shelf holds the series in memory, in front of a journal.
type shelf struct {
	mu      sync.RWMutex
	series  map[string]*series
	sets    int
	journal *journal
}

// put keeps data, all or none.
func (h *shelf) put(data []Datum) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	missing := map[string]bool{}
	for i := range data {
		if k := data[i].Metric.key(); h.series[k] == nil {
			missing[k] = true
		}
	}
	if len(h.series)+len(missing) > mostMetrics || h.sets+len(data) > mostSets {
		return errFull
	}
	if err := h.journal.append(data); err != nil {
		return err
	}
	for i := range data {
		h.add(&data[i])
	}
	if h.journal.long() {
		return h.journal.compact(h)
	}
	return nil
}

func (h *shelf) add(d *Datum) {
	k := d.Metric.key()
	s := h.series[k]
	if s == nil {
		s = &series{metric: d.Metric, units: map[string][]span{}}
		h.series[k] = s
	}
	spans := s.units[d.Unit]
	n := len(spans)
	s.units[d.Unit] = insert(spans, span{d.Start, d.Width, d.Set})
	h.sets += len(s.units[d.Unit]) - n
	s.newest = max(s.newest, d.Start+d.Width)
}

// insert keeps spans in order of their start, and makes one of two that are the same.
func insert(spans []span, new span) []span {
	i, _ := slices.BinarySearchFunc(spans, new, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.width, b.width))
	})
	if i < len(spans) && spans[i].start == new.start && spans[i].width == new.width {
		spans[i].set = metric.Merge(spans[i].set, new.set)
		return spans
	}
	return slices.Insert(spans, i, new)
}

// between is what was measured from a time to before another, in seconds. A unit of ""
// is all.
func (s *series) between(unit string, from, to int64) (set metric.Set) {
	for u, spans := range s.units {
		if unit != "" && u != unit {
			continue
		}
		i, _ := slices.BinarySearchFunc(spans, from, func(a span, at int64) int { return cmp.Compare(a.start, at) })
		for ; i < len(spans) && spans[i].start < to; i++ {
			set = metric.Merge(set, spans[i].set)
		}
	}
	return set
}

// read calls fn with a metric's series, if there is one.
func (h *shelf) read(key string, fn func(s *series)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if s := h.series[key]; s != nil {
		fn(s)
	}
}

// list are the metrics that have data since a time, by their keys.
func (h *shelf) list(since int64, named func(*Metric) bool) []*series {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []*series
	for _, s := range h.series {
		if s.newest > since && named(&s.metric) {
			out = append(out, &series{metric: s.metric, newest: s.newest})
		}
	}
	slices.SortFunc(out, func(a, b *series) int { return cmp.Compare(a.metric.key(), b.metric.key()) })
	return out
}

// age makes wider sets of data as they get older, and forgets the oldest.
func (h *shelf) age(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, s := range h.series {
		left := 0
		for unit, spans := range s.units {
			aged := aged(spans, now)
			h.sets += len(aged) - len(spans)
			if left += len(aged); len(aged) == 0 {
				delete(s.units, unit)
				continue
			}
			s.units[unit] = aged
		}
		if left == 0 {
			delete(h.series, k)
		}
	}
}

// aged are the spans as their age makes them.
func aged(spans []span, now time.Time) []span {
	of := func(p span) int64 {
		return metric.WidthAt(p.width, now.Sub(time.Unix(p.start+p.width, 0)))
	}
	// Wider the older: where one is as it should be, all after it are of its age or newer,
	// or came late.
	if !slices.ContainsFunc(spans, func(p span) bool { return of(p) != p.width }) {
		return spans
	}
	var out []span
	for _, p := range spans {
		width := of(p)
		if width == 0 {
			continue
		}
		p.start, p.width = metric.Floor(p.start, width), width
		out = insert(out, p)
	}
	return out
}
