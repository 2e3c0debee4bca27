package pattern

import (
	"reflect"
	"testing"
)

// TestClonesAreApart: a clone has what was counted until then, whatever either counts
// afterwards, and counts on as the miner itself does.
func TestClonesAreApart(t *testing.T) {
	events := auditEvents(200, 3)
	for _, at := range []int{0, 1, 15, 60, 199, 200} {
		options := Options{To: int64(len(events)), Bins: 5}
		add := func(m *Miner, from, to int) {
			for i := from; i < to; i++ {
				if i%7 == 0 {
					m.AddBefore(events[i], 1)
				} else {
					m.Add(events[i], int64(i), 1)
				}
			}
		}
		m, until, all := New(options), New(options), New(options)
		add(until, 0, at)
		add(all, 0, len(events))
		add(m, 0, at)
		early, late := m.Clone(), m.Clone()
		if early.Size() != m.Size() || at > 0 && m.Size() == 0 {
			t.Errorf("a clone has %d bytes, the miner %d", early.Size(), m.Size())
		}
		add(m, at, len(events))
		whole := New(options)
		whole.Merge(m.Clone()) // which may use up what it is given
		add(late, at, len(events))
		for name, pair := range map[string][2]*Miner{"before the rest": {early, until}, "the miner": {m, all}, "a clone that went on": {late, all}, "a merged clone": {whole, all}} {
			if got, want := pair[0].Patterns(), pair[1].Patterns(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", name, texts(got), texts(want))
			}
		}
	}
}
