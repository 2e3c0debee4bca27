package columns

import (
	"sort"
	"sync/atomic"
)

// Forms in which values lie one after the other.
const (
	asText     byte = iota // in pages
	asInstants             // relative to times that the reader has, if any
	asInts
	asUUIDs
)

// pageBytes is how much text makes a page.
const pageBytes = 32 << 10

// values are texts to be written.
type values struct {
	text []byte
	ends []uint32
	rows []uint32 // which of them, in which order; nil for all
}

func (v *values) len() int {
	if v.rows != nil {
		return len(v.rows)
	}
	return len(v.ends)
}

func (v *values) at(i int) []byte {
	if v.rows != nil {
		i = int(v.rows[i])
	}
	from := uint32(0)
	if i > 0 {
		from = v.ends[i-1]
	}
	return v.text[from:v.ends[i]]
}

// array writes values in the form that fits them. Times, if given, are of the events
// that have them, in milliseconds.
func (z compressor) array(v *values, times []int64) (form byte, out []byte) {
	if v.len() > 0 {
		if _, digits, ok := parseInstant(v.at(0)); ok {
			if b, ok := appendInstants(nil, v, digits, times); ok {
				return asInstants, b
			}
		}
		if b, ok := appendIntegers(nil, v); ok {
			return asInts, b
		}
		if b, ok := appendUUIDs(nil, v); ok {
			return asUUIDs, b
		}
	}
	return asText, z.appendPages(nil, v)
}

func appendInstants(out []byte, v *values, digits int, times []int64) ([]byte, bool) {
	ints := make([]int64, v.len())
	for i := range ints {
		micros, d, ok := parseInstant(v.at(i))
		if !ok || d != digits {
			return nil, false
		}
		ints[i] = micros / tens[digits]
		if times != nil {
			ints[i] -= times[i] * 1000 / tens[digits]
		}
	}
	return appendInts(append(out, byte(digits)), ints), true
}

func appendIntegers(out []byte, v *values) ([]byte, bool) {
	ints := make([]int64, v.len())
	for i := range ints {
		n, ok := parseInt(v.at(i))
		if !ok {
			return nil, false
		}
		ints[i] = n
	}
	return appendInts(out, ints), true
}

func appendUUIDs(out []byte, v *values) ([]byte, bool) {
	for i := range v.len() {
		var ok bool
		if out, ok = appendUUID(out, v.at(i)); !ok {
			return nil, false
		}
	}
	return out, true
}

func (z compressor) appendPages(out []byte, v *values) []byte {
	var head, body, page, packed []byte
	pages := 0
	for i := 0; i < v.len(); {
		first, size := i, 0
		page = page[:0]
		for ; i < v.len() && size < pageBytes; i++ {
			n := len(v.at(i))
			page = appendUint(page, n)
			size += n
		}
		for j := first; j < i; j++ {
			page = append(page, v.at(j)...)
		}
		packed = z.pack(packed[:0], page)
		head = appendUint(appendUint(appendUint(head, i-first), len(packed)), size)
		body = append(body, packed...)
		pages++
	}
	return append(append(appendUint(out, pages), head...), body...)
}

// An array is values in memory.
type array interface {
	// appendTo writes a value as it was in its message.
	appendTo(out []byte, i int) []byte
	// text is that as a string.
	text(i int) string
	// bytes is how much memory it may take.
	bytes() int
}

// readArray reads n values in a form. What it gives may refer to the cursor's bytes. Times
// are nil for values that are of no events.
func (c *cursor) readArray(form byte, n int, times *rowTimes) array {
	switch form {
	case asText:
		return c.readPages(n)
	case asInstants:
		digits := int(c.byte())
		if digits > 6 {
			c.fail()
			return nil
		}
		return &instants{c.integers(n), digits, times}
	case asInts:
		return c.integers(n)
	case asUUIDs:
		return uuids(c.take(n * 16))
	}
	c.fail()
	return nil
}

// instants are points in time.
type instants struct {
	*integers // in units of the last digit, since 1970 or since times
	digits    int
	times     *rowTimes // or nil
}

// at gives one in microseconds since 1970.
func (a *instants) at(i int) int64 {
	v := a.integers.at(i)
	if a.times != nil {
		v += a.times.at(i) * 1000 / tens[a.digits]
	}
	return v * tens[a.digits]
}

// since makes microseconds of instants, as they are kept, whose events have times.
func (a *instants) since(times, all []int64) {
	unit := tens[a.digits]
	switch {
	case a.times == nil:
		for i := range all {
			all[i] *= unit
		}
	case unit == 1:
		for i, t := range times {
			all[i] += t * 1000
		}
	default:
		for i, t := range times {
			all[i] = (all[i] + t*1000/unit) * unit
		}
	}
}

func (a *instants) appendTo(out []byte, i int) []byte { return appendInstant(out, a.at(i), a.digits) }
func (a *instants) text(i int) string                 { return string(a.appendTo(nil, i)) }

type uuids []byte

func (a uuids) appendTo(out []byte, i int) []byte { return appendUUIDText(out, a[i*16:]) }
func (a uuids) text(i int) string                 { return string(appendUUIDText(make([]byte, 0, uuidText), a[i*16:])) }
func (a uuids) bytes() int                        { return len(a) }

// pagedTexts are texts that are decompressed page by page when they are asked for.
type pagedTexts struct {
	firsts []int // value of each page, and one behind the last
	packed [][]byte
	opened []atomic.Pointer[page]
	size   int             // of those that are open and of what is there besides
	grow   func(bytes int) // if not nil, told of each page that is opened
	broken atomic.Bool     // a page was not what its checksum promised
}

type page struct {
	all  string
	ends []uint32
}

func (c *cursor) readPages(n int) array {
	count := c.count(len(c.b))
	a := &pagedTexts{firsts: make([]int, count+1), packed: make([][]byte, count), opened: make([]atomic.Pointer[page], count)}
	lengths := make([]int, count)
	for i := range count {
		a.firsts[i+1] = a.firsts[i] + c.count(n)
		lengths[i] = c.count(len(c.b))
		c.count(maxBlock)
	}
	for i := range count {
		a.packed[i] = c.take(lengths[i])
	}
	if a.firsts[count] != n {
		c.fail()
	}
	a.size = 48 * count
	for _, b := range a.packed {
		a.size += len(b)
	}
	return a
}

// page opens a page.
func (a *pagedTexts) page(i int) *page {
	if p := a.opened[i].Load(); p != nil {
		return p
	}
	n := a.firsts[i+1] - a.firsts[i]
	p := &page{ends: make([]uint32, n)}
	raw, err := unpack(a.packed[i])
	c := cursor{b: raw, err: err}
	end := 0
	for j := range p.ends {
		end += c.count(maxBlock)
		p.ends[j] = uint32(end)
	}
	if p.all = string(c.b); c.err != nil || len(p.all) != end {
		a.broken.Store(true)
		*p = page{ends: make([]uint32, n)}
	}
	if a.opened[i].CompareAndSwap(nil, p) && a.grow != nil {
		a.grow(len(p.all) + 4*n + 64)
	}
	return p
}

func (p *page) text(i int) string {
	from := uint32(0)
	if i > 0 {
		from = p.ends[i-1]
	}
	return p.all[from:p.ends[i]]
}

// pageOf is the number of the page that has a value.
func (a *pagedTexts) pageOf(i int) int {
	if len(a.packed) == 1 {
		return 0
	}
	return sort.SearchInts(a.firsts, i+1) - 1
}

func (a *pagedTexts) text(i int) string {
	at := a.pageOf(i)
	return a.page(at).text(i - a.firsts[at])
}

func (a *pagedTexts) appendTo(out []byte, i int) []byte { return append(out, a.text(i)...) }
func (a *pagedTexts) bytes() int                        { return a.size }
