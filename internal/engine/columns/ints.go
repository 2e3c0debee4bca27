package columns

import (
	"encoding/binary"
	"math/bits"
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
	for _, v := range values {
		lengths[bits.Len64(v)]++
	}
	best := 1 << 30
	for w := 64; w >= 0; w-- {
		cost, n := len(values)*w, 0
		for l := w + 1; l <= 64; l++ {
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
	mode := c.byte()
	if c.err != nil || n > len(c.b)*intBlock {
		c.fail()
		return nil
	}
	out := make([]int64, n)
	for from := 0; from < n && c.err == nil; from += intBlock {
		block := out[from:min(from+intBlock, n)]
		least, width, more := c.int(), int(c.byte()), int(c.byte())
		if width > 64 {
			c.fail()
			return nil
		}
		packed := c.take((len(block)*width + 7) / 8)
		if c.err != nil {
			return nil
		}
		readBits(block, packed, width)
		for range more {
			i, high := int(c.byte()), c.uint()
			if i >= len(block) || width == 64 {
				c.fail()
				return nil
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
	if c.err != nil {
		return nil
	}
	return out
}

// readBits reads as many values as out has room for.
func readBits[T int64 | uint8 | uint16](out []T, packed []byte, width int) {
	if width == 0 {
		return
	}
	mask := ^uint64(0) >> (64 - width)
	at := 0
	for i := range out {
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
		out[i] = T(v & mask)
		at += width
	}
}
