package columns

import "hash/maphash"

// seed is of hash tables in memory: nothing that is written depends on it.
var seed = maphash.MakeSeed()

// An interner numbers values by their first appearance.
type interner struct {
	values
	table []uint64 // number of the value + 1, and half of its hash above; 0 is free
	every bool     // values differ so much that each appearance gets a number of its own
	rows  int
}

// intern gives a value's number.
func (t *interner) intern(v []byte) uint32 {
	t.rows++
	if t.every {
		return t.append(v)
	}
	if len(t.ends)*2 >= len(t.table) {
		t.grow()
	}
	h := maphash.Bytes(seed, v)
	mask := uint64(len(t.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := t.table[i]
		if e == 0 {
			id := t.append(v)
			t.table[i] = h&^0xffffffff | uint64(id+1)
			return id
		}
		if (e^h)>>32 == 0 {
			if id := uint32(e) - 1; string(t.at(int(id))) == string(v) {
				return id
			}
		}
	}
}

func (t *interner) append(v []byte) uint32 {
	t.text = append(t.text, v...)
	t.ends = append(t.ends, uint32(len(t.text)))
	return uint32(len(t.ends) - 1)
}

func (t *interner) grow() {
	old := t.table
	t.table = make([]uint64, max(16, 4*len(old)))
	mask := uint64(len(t.table) - 1)
	for _, e := range old {
		if e == 0 {
			continue
		}
		h := maphash.Bytes(seed, t.at(int(uint32(e)-1)))
		i := h & mask
		for t.table[i] != 0 {
			i = (i + 1) & mask
		}
		t.table[i] = e
	}
}

// reset forgets all, but keeps room.
func (t *interner) reset() {
	if cap(t.text) > 1<<20 || len(t.table) > 1<<16 { // rare: give back what one large chunk took
		*t = interner{}
		return
	}
	t.text, t.ends, t.rows, t.every = t.text[:0], t.ends[:0], 0, false
	clear(t.table)
}
