package columns

// numbers are small ones, as they lie in a segment: each may be read alone.
type numbers struct {
	n     int
	width int    // in bits
	bits  []byte // packed, or
	bytes []byte // the low byte of each, then, if width is above 8, the high ones
}

// numbers reads n numbers.
func (c *cursor) numbers(n int) numbers {
	mode, width := c.byte(), int(c.byte())
	a := numbers{n: n, width: width}
	if width > 16 {
		c.fail()
		return a
	}
	switch mode {
	case packedBits:
		a.bits = c.take((n*width + 7) / 8)
	case packedBytes:
		var err error
		if a.bytes, err = unpack(c.b); err != nil || len(a.bytes) != n*(1+(width-1)/8) {
			c.fail()
		}
	default:
		c.fail()
	}
	return a
}

func (a *numbers) at(i int) int {
	switch {
	case a.bytes == nil:
		return int(bitsAt(a.bits, i*a.width, a.width))
	case a.width > 8:
		return int(a.bytes[i]) | int(a.bytes[a.n+i])<<8
	}
	return int(a.bytes[i])
}

// fill gives as many as out has room for, from one on.
func (a *numbers) fill(out []uint16, from int) {
	if a.bytes == nil {
		readBits(out, a.bits, from*a.width, a.width)
		return
	}
	for i, v := range a.bytes[from : from+len(out)] {
		out[i] = uint16(v)
	}
	if a.width > 8 {
		for i, v := range a.bytes[a.n+from : a.n+from+len(out)] {
			out[i] |= uint16(v) << 8
		}
	}
}

// below tells whether all are below a bound.
func (a *numbers) below(bound int) bool {
	var some [256]uint16
	for from := 0; from < a.n; from += len(some) {
		part := some[:min(len(some), a.n-from)]
		a.fill(part, from)
		for _, v := range part {
			if int(v) >= bound {
				return false
			}
		}
	}
	return true
}
