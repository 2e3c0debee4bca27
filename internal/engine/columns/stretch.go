package columns

import "slices"

// stretch is what a batch is made of: the rows chosen of a template or, where a request
// allows it and what it wants lies alike, of several templates of a chunk. Then batches
// are few and large.
type stretch struct {
	w       *worker
	groups  []*group
	rows    int
	entries []int32 // of the wants; -1: none has it
	times   []int64 // of the rows, once they were asked for
	timed   bool
}

// mostJoined is how many rows groups are joined up to: enough for what a batch costs not
// to matter, and few enough that who takes it may be told to stop soon.
const mostJoined = 4096

// takes adds a group, if it goes with those that are there.
func (s *stretch) takes(g *group) bool {
	w := s.w
	if len(s.groups) > 0 && (!w.joins || g.number == 0 || s.groups[0].number == 0 || s.rows+g.rows.len() > mostJoined) {
		return false
	}
	if len(s.groups) == 0 {
		s.entries = slices.Grow(s.entries[:0], len(w.wants))[:len(w.wants)]
		for i := range s.entries {
			s.entries[i] = -1
		}
	}
	if g.number != 0 {
		g.slots = w.slotsOf(g.template)
		for i, slot := range g.slots {
			if len(s.groups) > 0 && !s.alike(g, s.entries[i], slot) {
				return false
			}
		}
		for i, slot := range g.slots {
			if slot >= 0 {
				s.entries[i] = int32(g.k.entryIn(g.chunkRows, int(slot)))
			}
		}
	}
	s.groups = append(s.groups, g)
	s.rows += g.rows.len()
	return true
}

// alike tells whether a group's slot goes with an entry. What has no null has to be there
// in all rows.
func (s *stretch) alike(g *group, entry, slot int32) bool {
	if slot < 0 {
		return entry < 0 || g.k.entries[entry].form < formArray
	}
	e := int32(g.k.entryIn(g.chunkRows, int(slot)))
	return e == entry || entry < 0 && g.k.entries[e].form < formArray
}

// slotsOf are the slots of the wants in a template; -1 where it has none.
func (w *worker) slotsOf(t *template) []int32 {
	slots, ok := w.slots[t]
	if !ok {
		slots = make([]int32, len(w.wants))
		for i, want := range w.wants {
			slots[i] = -1
			if s, has := t.fields[want.name]; has && want.kind == discovered {
				slots[i] = int32(s)
			}
		}
		if w.slots == nil {
			w.slots = map[*template][]int32{}
		}
		w.slots[t] = slots
	}
	return slots
}

// yield hands the rows on, and begins anew.
func (s *stretch) yield() {
	groups := s.groups
	if len(groups) == 0 {
		return
	}
	err := s.w.hand(s)
	if err != nil && len(groups) > 1 { // what is damaged may not be of all
		for _, g := range groups {
			alone := stretch{w: s.w}
			alone.takes(g)
			if err := s.w.hand(&alone); err != nil {
				s.w.damage(err)
			}
		}
	} else if err != nil {
		s.w.damage(err)
	}
	s.groups, s.rows, s.timed = groups[:0], 0, false
}

// hand makes a batch of a stretch and hands it on.
func (w *worker) hand(s *stretch) error {
	b, err := w.counted(s)
	if err == nil && b == nil {
		b, err = w.batch(s)
	}
	if err != nil {
		return err
	}
	if w.Progress != nil {
		w.Progress.Matched.Add(int64(s.rows))
	}
	if !w.stopped.Load() && !w.yield(w.number, b) {
		w.stopped.Store(true)
	}
	return nil
}

// room is where a column's rows go. It is used again for the next batch, unless batches
// are kept.
type room struct {
	ids  []uint32
	ints []int64
}

func (w *worker) room(want int) *room {
	if !w.Passing || want < 0 {
		return &room{}
	}
	if w.rooms == nil {
		w.rooms = make([]room, len(w.wants))
	}
	return &w.rooms[want]
}

func (r *room) forIDs(n int) []uint32 {
	r.ids = slices.Grow(r.ids[:0], n)[:n]
	return r.ids
}

func (r *room) forInts(n int) []int64 {
	r.ints = slices.Grow(r.ints[:0], n)[:n]
	return r.ints
}

// locals are the places in a column's used of its rows from one on. They are good until
// the next are asked for.
func (w *worker) locals(c *column, from, n int) ([]uint16, error) {
	if w.numbers == nil {
		w.numbers = make([]uint16, ChunkEvents)
	}
	out := w.numbers[:n]
	return out, c.locals(out, from)
}

// each calls do for the groups of a stretch in which an entry's rows lie one after the other:
// with the first of them, how many they are and where in the stretch they begin. Of groups
// without the field, from is -1; of those of which some rows were chosen, chosen is their
// list.
func (s *stretch) each(want int, do func(at, from, n int, chosen []uint32) error) error {
	at := 0
	for i := 0; i < len(s.groups); {
		g := s.groups[i]
		i++
		n := g.rows.len()
		from := g.from(want)
		if g.rows.some && from >= 0 {
			if err := do(at, from, n, g.rows.list); err != nil {
				return err
			}
			at += n
			continue
		}
		for i < len(s.groups) { // those behind it are as if of the same template
			next := s.groups[i]
			f := next.from(want)
			if from < 0 && f >= 0 || from >= 0 && (f != from+n || next.rows.some) {
				break
			}
			n += next.rows.len()
			i++
		}
		if err := do(at, from, n, nil); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// lacks tells whether a group lacks a want.
func (s *stretch) lacks(want int) bool {
	return slices.ContainsFunc(s.groups, func(g *group) bool { return g.slots[want] < 0 })
}

// from is where the group's rows of a want begin in its entry; -1: it has none.
func (g *group) from(want int) int {
	if slot := g.slots[want]; slot >= 0 {
		return int(g.froms[slot])
	}
	return -1
}
