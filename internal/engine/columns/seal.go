package columns

import (
	"math/bits"
	"slices"
)

// sealer has room for what sealing a chunk needs, from chunk to chunk.
type sealer struct {
	out, block []byte
	rank       []uint32
	coded      []*codedColumn
}

// codedColumn is a column of a chunk as numbers into the values that it uses.
type codedColumn struct {
	column int
	used   []uint32 // numbers in the dictionary, ascending
	ids    []uint32 // into used, in the order of the column
	parts  []part
	by     bool // follows from another
}

// part is the rows of a template in a column.
type part struct{ place, from, to int }

// sealed is a chunk as it is to be written.
type sealed struct {
	info      chunkInfo
	templates []int     // numbers
	counts    []int     // of rows of each
	arrived   [4][]byte // order, times, times of ingestion, streams
	columns   []sealedColumn
}

type sealedColumn struct {
	column int
	form   byte
	dict   int // below formArray
	data   []byte
	sieve  []byte // or nil
}

// putChunk writes a chunk. Its columns are in their order.
func (w *Writer) putChunk(k *sealed) {
	k.info.base = w.at
	out := appendUint(w.seal.out[:0], len(k.templates))
	for i, t := range k.templates {
		out = appendUint(appendUint(out, t), k.counts[i])
	}
	for _, data := range k.arrived {
		at := w.block(data, k.info.base)
		out = at.appendTo(out)
	}
	out = appendUint(out, len(k.columns))
	last := 0
	for i := range k.columns {
		c := &k.columns[i]
		out = appendUint(out, c.column-last)
		last = c.column
		if c.sieve == nil {
			out = append(out, c.form)
		} else {
			at := w.block(c.sieve, k.info.base)
			out = at.appendTo(append(out, c.form|sieved))
		}
		if c.form < formArray {
			out = appendUint(out, c.dict)
		}
		at := w.block(c.data, k.info.base)
		out = at.appendTo(out)
	}
	w.seal.out = out
	packed := w.z.pack(nil, out)
	k.info.directory = block{offset: w.at, length: len(packed), sum: checksum(packed)}
	w.write(packed)
	w.chunks = append(w.chunks, k.info)
	w.next = k.info.sequence + int64(k.info.rows)
}

// sealChunk writes the events gathered.
func (w *Writer) sealChunk() {
	b, s := w.b, &w.seal
	k := sealed{templates: b.used, info: chunkInfo{
		rows: len(b.order), bytes: b.bytes, sequence: w.next,
		first: slices.Min(b.times), end: slices.Max(b.times),
	}}
	parts := map[int][]part{}
	ends := map[int]int{}
	for place, t := range b.used {
		r := &b.templates[t]
		k.counts = append(k.counts, r.count)
		for _, column := range b.split.shapes.templates[t].columns {
			from := ends[column]
			ends[column] = from + r.count
			parts[column] = append(parts[column], part{place, from, from + r.count})
		}
	}
	k.arrived = [4][]byte{w.appendNumbers(nil, widen(b.order), len(b.used)), appendInts(nil, b.times), appendInts(nil, b.ingested), w.appendStreams(nil)}
	arrived := arrivals(b.order, k.counts)
	slices.Sort(b.touched)
	s.coded = s.coded[:0]
	for _, c := range b.touched {
		k.columns = append(k.columns, w.sealColumn(c, parts[c], ends[c], arrived))
	}
	w.putChunk(&k)
	b.reset(len(w.chunks)%16 == 0)
}

func widen(in []uint16) []uint32 {
	out := make([]uint32, len(in))
	for i, v := range in {
		out[i] = uint32(v)
	}
	return out
}

// appendStreams writes which streams there are and which each event has.
func (w *Writer) appendStreams(out []byte) []byte {
	used, ids := w.seal.compact(w.b.stream, len(w.streams))
	out = appendUint(out, len(used))
	for _, u := range used {
		out = appendUint(out, int(u))
	}
	if len(used) > 1 {
		out = w.appendNumbers(out, ids, len(used))
	}
	return out
}

// compact numbers the numbers that occur, in their order.
func (s *sealer) compact(in []uint32, most int) (used, ids []uint32) {
	if cap(s.rank) < most {
		s.rank = make([]uint32, most)
	}
	rank := s.rank[:most]
	clear(rank)
	for _, v := range in {
		rank[v] = 1
	}
	for v, seen := range rank {
		if seen != 0 {
			rank[v] = uint32(len(used))
			used = append(used, uint32(v))
		}
	}
	ids = make([]uint32, len(in))
	for i, v := range in {
		ids[i] = rank[v]
	}
	return used, ids
}

// sealColumn gives a column as it is to be written.
func (w *Writer) sealColumn(c int, parts []part, n int, arrived [][]uint16) sealedColumn {
	b := w.b
	col := b.columns[c]
	numbers := make([]uint32, 0, n)
	for _, p := range parts {
		r := &b.templates[b.used[p.place]]
		columns := b.split.shapes.templates[b.used[p.place]].columns
		for i := slices.Index(columns, c); i < len(r.ids); i += len(columns) {
			numbers = append(numbers, r.ids[i])
		}
	}
	if d := len(col.ends); col.every || n >= 32 && d > n*3/4 || c == 0 {
		times := make([]int64, 0, n)
		for _, p := range parts {
			for _, at := range arrived[p.place] {
				times = append(times, b.times[at])
			}
		}
		col.values.rows = numbers
		form, data := w.z.array(&col.values, times)
		sealed := sealedColumn{column: c, form: formArray + form, data: data}
		switch form {
		case asText:
			sealed.sieve = newSieve(&col.values, len(data))
		case asUUIDs:
			sealed.sieve = newUUIDFilter(data)
		}
		col.values.rows = nil
		return sealed
	}
	into := w.dictionary(c)
	global := make([]uint32, len(col.ends))
	for i := range global {
		global[i] = into.intern(col.at(i))
	}
	if len(global) == 1 {
		return sealedColumn{column: c, form: formOne, dict: into.number, data: appendUint(nil, int(global[0]))}
	}
	for i, v := range numbers {
		numbers[i] = global[v]
	}
	coded := &codedColumn{column: c, parts: parts}
	coded.used, coded.ids = w.seal.compact(numbers, len(into.ends))
	w.seal.coded = append(w.seal.coded, coded)
	head := appendUsed(nil, coded.used)
	data := w.appendNumbers(nil, coded.ids, len(coded.used))
	if len(data) > inline/2 {
		if by := w.follow(coded); by != nil && len(by) < len(data) {
			coded.by = true
			return sealedColumn{column: c, form: formFollows, dict: into.number, data: append(head, by...)}
		}
	}
	return sealedColumn{column: c, form: formCoded, dict: into.number, data: append(head, data...)}
}

// appendUsed writes which values of its dictionary a column uses.
func appendUsed(out []byte, used []uint32) []byte {
	wide := make([]int64, len(used))
	for i, u := range used {
		wide[i] = int64(u)
	}
	return appendBytes(appendUint(out, len(used)), appendInts(nil, wide))
}

// appendNumbers writes numbers below a bound.
func (w *Writer) appendNumbers(out []byte, ids []uint32, bound int) []byte {
	width := bits.Len(uint(bound - 1))
	if width == 0 {
		return append(out, packedBits, 0)
	}
	plain := make([]byte, 0, 2*len(ids))
	for _, v := range ids {
		plain = append(plain, byte(v))
	}
	if width > 8 {
		for _, v := range ids {
			plain = append(plain, byte(v>>8))
		}
	}
	w.seal.block = w.z.pack(w.seal.block[:0], plain)
	if len(w.seal.block) < (len(ids)*width+7)/8*9/10 {
		return append(append(out, packedBytes, byte(width)), w.seal.block...)
	}
	wide := make([]uint64, len(ids))
	for i, v := range ids {
		wide[i] = uint64(v)
	}
	return appendBits(append(out, packedBits, byte(width)), wide, width)
}

// mostTried is how many columns are tried as the one that another follows from.
const mostTried = 32

// follow looks for a column of which each value goes with one value of c. It gives the
// column and what goes with its values.
func (w *Writer) follow(c *codedColumn) []byte {
	tried := 0
	for i := len(w.seal.coded) - 2; i >= 0 && tried < mostTried; i-- {
		from := w.seal.coded[i]
		if from.by || len(from.used) < len(c.used) {
			continue
		}
		tried++
		if to := follows(from, c); to != nil {
			return appendInts(appendUint(nil, from.column), to)
		}
	}
	return nil
}

// follows gives the value of c for each of from, if that is all it depends on.
func follows(from, c *codedColumn) []int64 {
	to := make([]int64, len(from.used))
	for i := range to {
		to[i] = -1
	}
	i := 0
	for _, p := range c.parts {
		for from.parts[i].place < p.place {
			if i++; i == len(from.parts) {
				return nil
			}
		}
		if from.parts[i].place != p.place {
			return nil
		}
		at := from.parts[i].from - p.from
		for row := p.from; row < p.to; row++ {
			switch v := int64(c.ids[row]); to[from.ids[row+at]] {
			case v:
			case -1:
				to[from.ids[row+at]] = v
			default:
				return nil
			}
		}
	}
	last := int64(0)
	for i, v := range to { // values that don't occur in these rows cost nothing
		if v < 0 {
			to[i] = last
		}
		last = to[i]
	}
	return to
}
