package columns

import (
	"context"
	"math"

	"github.com/eksact/eksact/internal/engine/scan"
)

// A Selector tells which events of chunks may be of use, by conditions that are asked of
// templates, dictionaries and columns. It is not safe for use by several goroutines.
type Selector struct {
	ways []*worker
}

// NewSelector makes a Selector of lists of conditions: an event that may be of use meets
// all of one list. Of messages that are kept whole, and of those that have more values than
// fields, conditions on @message alone are asked.
func NewSelector(ways [][]scan.Predicate) *Selector {
	s := &Selector{}
	for _, where := range ways {
		r := &scan.Request{From: math.MinInt64, To: math.MaxInt64, Where: where}
		s.ways = append(s.ways, &worker{query: newQuery(context.Background(), r, nil)})
	}
	return s
}

// Chosen tells of a chunk's events, by the order in which they came, which may be of use;
// nil if none may. What can't be read may be.
func (s *Selector) Chosen(segment *Segment, chunk int) ([]bool, error) {
	k, err := segment.chunk(chunk)
	if err != nil {
		return nil, err
	}
	var chosen []bool
	log := &Log{}
	for _, w := range s.ways {
		for i := range k.templates {
			g := &group{chunkRows: &k.templates[i], k: k, log: log, place: i}
			g.rows.n = g.count
			if err := w.choosePart(g); err != nil {
				g.rows = selection{n: g.count}
			}
			if g.rows.len() == 0 {
				continue
			}
			arrived, err := k.arrivals()
			if err != nil {
				return nil, err
			}
			if chosen == nil {
				chosen = make([]bool, k.rows)
			}
			for i := range g.rows.len() {
				chosen[arrived[g.place][g.rows.at(i)]] = true
			}
		}
	}
	return chosen, nil
}

// choosePart leaves the rows that may meet the conditions.
func (w *worker) choosePart(g *group) error {
	if g.number != 0 && len(g.slots) <= scan.MaxFields {
		return w.choose(g, math.MinInt64, math.MaxInt64)
	}
	for i := range w.where {
		c := &w.where[i]
		if c.kind != message || g.rows.len() == 0 {
			continue
		}
		if err := w.apply(g, c); err != nil {
			return err
		}
	}
	return nil
}
