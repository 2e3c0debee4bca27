package columns

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"sync"
)

// Integers lie in blocks of intBlock: the least of them, how many bits the differences
// to it take, these bits, and those few differences that take more. Of a row of values
// that grow, each stands as its difference to the one before.
const intBlock = 128

const (
	asThemselves byte = iota
	asDifferences
)

func appendInts(out []byte, values []int64) []byte {
	a := appendIntBlocks(nil, values)
	steps := make([]int64, len(values))
	last := int64(0)
	for i, v := range values {
		steps[i], last = v-last, v
	}
	if b := appendIntBlocks(nil, steps); len(b) < len(a) {
		return append(append(out, asDifferences), b...)
	}
	return append(append(out, asThemselves), a...)
}

func appendIntBlocks(out []byte, values []int64) []byte {
	var above [intBlock]uint64
	for len(values) > 0 {
		n := min(len(values), intBlock)
		block := values[:n]
		values = values[n:]
		least := block[0]
		for _, v := range block {
			least = min(least, v)
		}
		for i, v := range block {
			above[i] = uint64(v) - uint64(least)
		}
		width, more := widthOf(above[:n])
		out = binary.AppendVarint(out, least)
		out = append(out, byte(width), byte(more))
		out = appendBits(out, above[:n], width)
		for i, v := range above[:n] {
			if high := v >> width; width < 64 && high > 0 {
				out = binary.AppendUvarint(append(out, byte(i)), high)
			}
		}
	}
	return out
}

// widthOf is how many bits make the block shortest, and how many values take more.
func widthOf(values []uint64) (width, more int) {
	var lengths [65]int
	longest := 0
	for _, v := range values {
		l := bits.Len64(v)
		lengths[l]++
		longest = max(longest, l)
	}
	best := 1 << 30
	for w := longest; w >= 0; w-- {
		cost, n := len(values)*w, 0
		for l := w + 1; l <= longest; l++ {
			if lengths[l] > 0 {
				n += lengths[l]
				cost += lengths[l] * (8 + 8*((l-w+6)/7))
			}
		}
		if cost <= best {
			best, width, more = cost, w, n
		}
	}
	return width, more
}

// appendBits writes the lowest bits of values.
func appendBits(out []byte, values []uint64, width int) []byte {
	if width == 0 {
		return out
	}
	var word uint64
	used := 0
	mask := ^uint64(0) >> (64 - width)
	for _, v := range values {
		v &= mask
		word |= v << used
		if used += width; used >= 64 {
			out = binary.LittleEndian.AppendUint64(out, word)
			used -= 64
			word = v >> (width - used)
		}
	}
	for ; used > 0; used -= 8 {
		out = append(out, byte(word))
		word >>= 8
	}
	return out
}

// ints reads n integers.
func (c *cursor) ints(n int) []int64 {
	if n > len(c.b)*intBlock {
		c.fail()
		return nil
	}
	out := make([]int64, n)
	if c.intsInto(out); c.err != nil {
		return nil
	}
	return out
}

// intsInto reads as many integers as out has room for.
func (c *cursor) intsInto(out []int64) {
	mode := c.byte()
	for from := 0; from < len(out) && c.err == nil; from += intBlock {
		block := out[from:min(from+intBlock, len(out))]
		least, width, more := c.int(), int(c.byte()), int(c.byte())
		if width > 64 {
			c.fail()
			return
		}
		packed := c.take((len(block)*width + 7) / 8)
		if c.err != nil {
			return
		}
		readBits(block, packed, 0, width)
		for range more {
			i, high := int(c.byte()), c.uint()
			if i >= len(block) || width == 64 {
				c.fail()
				return
			}
			block[i] |= int64(high << width)
		}
		for i := range block {
			block[i] += least
		}
	}
	if mode == asDifferences {
		last := int64(0)
		for i := range out {
			last += out[i]
			out[i] = last
		}
	}
}

// readBits reads as many values as out has room for, from a bit on.
func readBits[T int64 | uint16](out []T, packed []byte, at, width int) {
	if width == 0 {
		clear(out)
		return
	}
	mask := ^uint64(0) >> (64 - width)
	if width <= 28 { // several from each word
		each := (64 - 7) / width
		for len(out) >= each && at>>3+8 <= len(packed) {
			word := binary.LittleEndian.Uint64(packed[at>>3:]) >> (at & 7)
			for i := range out[:each] {
				out[i] = T(word & mask)
				word >>= width
			}
			out, at = out[each:], at+each*width
		}
	}
	for i := range out {
		out[i] = T(bitsAt(packed, at, width))
		at += width
	}
}

// bitsAt reads one value, of up to 64 bits.
func bitsAt(packed []byte, at, width int) uint64 {
	if width == 0 {
		return 0
	}
	from, shift := at>>3, at&7
	var v uint64
	if from+8 <= len(packed) {
		v = binary.LittleEndian.Uint64(packed[from:]) >> shift
		if shift+width > 64 {
			v |= uint64(packed[from+8]) << (64 - shift)
		}
	} else {
		for j := len(packed) - 1; j >= from; j-- {
			v = v<<8 | uint64(packed[j])
		}
		v >>= shift
	}
	return v & (^uint64(0) >> (64 - width))
}

// integers are whole numbers in memory: in blocks of intBlock, each as what it is above
// the least of its block, in as many bytes as the largest of these takes.
type integers struct {
	n      int
	blocks []packedInts
	above  []byte // and room behind the last to read eight from it on
}

type packedInts struct {
	least int64
	from  uint32 // in above
	width uint8  // in bytes
}

// newIntegers copies integers.
func newIntegers(all []int64) *integers {
	a := &integers{n: len(all), blocks: make([]packedInts, 0, (len(all)+intBlock-1)/intBlock)}
	size := 0
	for block := range slices.Chunk(all, intBlock) {
		least := slices.Min(block)
		width := (bits.Len64(uint64(slices.Max(block))-uint64(least)) + 7) / 8
		a.blocks = append(a.blocks, packedInts{least, uint32(size), uint8(width)})
		size += width * len(block)
	}
	a.above = make([]byte, size+8)
	for i, b := range a.blocks {
		to := a.above[b.from:]
		for _, v := range all[i*intBlock : min(len(all), (i+1)*intBlock)] {
			binary.LittleEndian.PutUint64(to, uint64(v-b.least)) // the next one overwrites what is too much
			to = to[b.width:]
		}
	}
	return a
}

func (b *packedInts) mask() uint64 { return 1<<(8*b.width) - 1 }

func (a *integers) at(i int) int64 {
	b := &a.blocks[i/intBlock]
	return b.least + int64(binary.LittleEndian.Uint64(a.above[int(b.from)+i%intBlock*int(b.width):])&b.mask())
}

// fill gives as many as out has room for, from one on.
func (a *integers) fill(out []int64, from int) {
	for len(out) > 0 {
		b := &a.blocks[from/intBlock]
		n := min(len(out), intBlock-from%intBlock)
		width, mask := int(b.width), b.mask()
		in := a.above[int(b.from)+from%intBlock*width:]
		for i := range out[:n] {
			out[i] = b.least + int64(binary.LittleEndian.Uint64(in)&mask)
			in = in[width:]
		}
		out, from = out[n:], from+n
	}
}

func (a *integers) appendTo(out []byte, i int) []byte { return strconv.AppendInt(out, a.at(i), 10) }
func (a *integers) text(i int) string                 { return strconv.FormatInt(a.at(i), 10) }
func (a *integers) bytes() int                        { return 16*len(a.blocks) + len(a.above) }

// lent are integers that are only read on their way into another form.
var lent = sync.Pool{New: func() any { return new([ChunkEvents]int64) }}

// lend gives room for n integers, and what takes it back.
func lend(n int) (room []int64, back func()) {
	if n > ChunkEvents {
		return make([]int64, n), func() {}
	}
	all := lent.Get().(*[ChunkEvents]int64)
	return all[:n], func() { lent.Put(all) }
}

// integers reads n integers.
func (c *cursor) integers(n int) *integers {
	if n > len(c.b)*intBlock {
		c.fail()
		return nil
	}
	all, back := lend(n)
	defer back()
	if c.intsInto(all); c.err != nil {
		return nil
	}
	return newIntegers(all)
}
