package logstore

import (
	"context"

	"github.com/eksact/eksact/internal/engine/columns"
	"github.com/eksact/eksact/internal/engine/scan"
)

type columnsStats = columns.StreamStats

// source is groups that are scanned as one.
type source struct {
	groups []*Group
	names  []string
}

// Source makes the groups one source for queries, each with what @log says of it. Each
// scan sees the events that are there when it begins, those in tails too.
func Source(groups []*Group, names []string) scan.Source { return &source{groups, names} }

// Scan implements scan.Source.
func (s *source) Scan(ctx context.Context, r *scan.Request, yield func(worker int, b *scan.Batch) bool) error {
	var logs columns.Source
	for i, g := range s.groups {
		l, err := g.log(s.names[i])
		if err != nil {
			return err
		}
		logs = append(logs, l)
	}
	return logs.Scan(ctx, r, yield)
}

// log gives what a scan needs of the group.
func (g *Group) log(name string) (columns.Log, error) {
	m := g.moment()
	l := columns.Log{ID: g.id, Name: name, Hidden: m.hidden}
	for _, s := range m.segments {
		l.Segments = append(l.Segments, s.Segment)
	}
	for i, t := range m.tails {
		pieces, err := t.views.of(m.entries[i])
		if err != nil {
			return l, err
		}
		l.Segments = append(l.Segments, pieces...)
	}
	return l, nil
}
