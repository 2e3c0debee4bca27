package policy

import "unicode/utf8"

// scan finds a long segment with single wildcards in a text in one pass, from all
// places where it may begin at once: bit i of its state says that the first i+1
// symbols of the segment end here. Trying one place after the other would cost the
// product of the lengths.
//
// This is Shift-And (Baeza-Yates and Gonnet, "A New Approach to Text Searching",
// 1992, https://doi.org/10.1145/135239.135243) over the bytes of literals, except
// that ? takes a whole character.
type scan struct {
	symbols int      // ? and the bytes of literals
	single  []uint64 // the symbols that are ?
	masks   [][]uint64
	of      [256]uint16 // a byte's mask: the symbols that take it
}

// manyPieces is how many pieces a segment may have that is tried place by place.
const manyPieces = 8

// prepare makes a scan of a segment of many pieces: an empty one if it has
// variables, for then it can only be made when there are values.
func (s *segment) prepare(fold bool) {
	if len(s.pieces) <= manyPieces || fold {
		return
	}
	s.scan = &scan{}
	for i := range s.pieces {
		if s.pieces[i].form == variable {
			return
		}
	}
	s.scan = newScan(s.pieces, nil)
}

func newScan(pieces []piece, vals []string) *scan {
	n := 0
	for i := range pieces {
		if pieces[i].form == one {
			n++
		} else {
			n += len(pieces[i].text(vals))
		}
	}
	c := &scan{symbols: n, single: newBitset(n)}
	at := 0
	for i := range pieces {
		if pieces[i].form == one {
			bitset(c.single).add(at)
			at++
			continue
		}
		lit := pieces[i].text(vals)
		for j := range len(lit) {
			c.mask(lit[j]).add(at)
			at++
		}
	}
	// A character of one byte is taken by ? in the same step, and one that the
	// segment does not have by ? alone.
	nobody := uint16(len(c.masks))
	c.masks = append(c.masks, c.single, newBitset(n))
	for b := range c.of {
		switch ascii := b < utf8.RuneSelf; {
		case c.of[b] > 0:
			c.of[b]--
			if ascii {
				bitset(c.masks[c.of[b]]).union(c.single)
			}
		case ascii:
			c.of[b] = nobody
		default:
			c.of[b] = nobody + 1
		}
	}
	return c
}

// mask is a byte's; while they are made c.of counts from 1.
func (c *scan) mask(b byte) bitset {
	if c.of[b] == 0 {
		c.masks = append(c.masks, newBitset(c.symbols))
		c.of[b] = uint16(len(c.masks))
	}
	return c.masks[c.of[b]-1]
}

// find returns where the leftmost occurrence ends.
func (c *scan) find(text string) (end int, ok bool) {
	var room, other [32]uint64
	state, wild := room[:], other[:]
	if n := len(c.single); n > len(room) {
		state, wild = make([]uint64, n), make([]uint64, n)
	}
	state, wild = state[:len(c.single)], wild[:len(c.single)]
	last := c.symbols - 1
	if last < 0 {
		return 0, true // variables without text
	}
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			step(state, state, 1, c.masks[c.of[text[i]]])
			i++
		} else {
			_, size := utf8.DecodeRuneInString(text[i:])
			step(wild, state, 1, c.single)
			for j := range size {
				begins := uint64(0)
				if j == 0 {
					begins = 1
				}
				step(state, state, begins, c.masks[c.of[text[i+j]]])
			}
			bitset(state).union(wild)
			i += size
		}
		if bitset(state).has(last) {
			return i, true
		}
	}
	return 0, false
}

// step moves all bits of a state on, and keeps those that the mask has.
func step(to, from []uint64, begins uint64, mask []uint64) {
	carry := begins
	for i, x := range from {
		to[i] = (x<<1 | carry) & mask[i]
		carry = x >> 63
	}
}
