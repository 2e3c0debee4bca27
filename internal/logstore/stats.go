package logstore

import "slices"

// Stats are about a stream.
type Stats struct {
	Events      int64
	Bytes       int64 // of messages
	First, Last int64 // times of the oldest and the youngest event
	Ingested    int64 // when an event came last
}

func (s *Stats) add(events, bytes, first, last, ingested int64) {
	if events == 0 {
		return
	}
	if s.Events == 0 {
		s.First, s.Last = first, last
	}
	s.Events += events
	s.Bytes += bytes
	s.First, s.Last, s.Ingested = min(s.First, first), max(s.Last, last), max(s.Ingested, ingested)
}

// Stats are of a stream's events from a time on. Where a segment has older ones too, the
// bytes are in proportion to the events, and what came last of them is.
func (g *Group) Stats(stream string, since int64) (st Stats, err error) {
	m := g.moment()
	wanted := m.wanted([]string{stream})
	for _, s := range m.segments {
		i := slices.IndexFunc(s.Streams(), func(o columnsStats) bool { return o.Name == stream })
		if i < 0 || s.behind <= m.hidden[stream] {
			continue
		}
		all := &s.Streams()[i]
		if all.First >= since && s.first >= m.hidden[stream] {
			st.add(all.Events, all.Bytes, all.First, all.Last, all.Ingested)
			continue
		}
		if all.Last < since {
			continue
		}
		part := Stats{}
		for n := range s.Chunks() {
			c, err := s.Chunk(n)
			if err != nil {
				return st, err
			}
			for _, p := range c.Places(wanted, m.hidden) {
				if p.Time >= since {
					part.add(1, 0, p.Time, p.Time, all.Ingested)
				}
			}
		}
		st.add(part.Events, all.Bytes*part.Events/all.Events, part.First, part.Last, part.Ingested)
	}
	for _, entries := range m.entries {
		for i := range entries {
			if e := &entries[i]; e.Stream == stream && e.Time >= since && e.sequence >= m.hidden[stream] {
				st.add(1, int64(len(e.Message)), e.Time, e.Time, e.Ingested)
			}
		}
	}
	return st, nil
}

// Streams lists the names of streams that have events, in no order.
func (g *Group) Streams() []string {
	m := g.moment()
	names := map[string]bool{}
	for _, s := range m.segments {
		for _, o := range s.Streams() {
			if s.behind > m.hidden[o.Name] {
				names[o.Name] = true
			}
		}
	}
	for _, entries := range m.entries {
		for i := range entries {
			if e := &entries[i]; e.sequence >= m.hidden[e.Stream] {
				names[e.Stream] = true
			}
		}
	}
	all := make([]string, 0, len(names))
	for name := range names {
		all = append(all, name)
	}
	return all
}
