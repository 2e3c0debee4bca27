package columns

import "encoding/binary"

// A segment begins with magic. It ends with its contents, their place, length and
// checksum and magic again; then comes the same once more.
const (
	magic      = "EKSACTC1"
	tailLength = 8 + 8 + 4 + len(magic)
)

// inline is the most bytes of a column that lie in the directory.
const inline = 160

// Forms of a column in a chunk.
const (
	formOne     byte = iota // one value of a dictionary
	formCoded               // values of a dictionary
	formFollows             // the same, each row's following from another column's in the same row
	formArray               // the values themselves, and above it the other forms of arrays
)

// sieved, with the form of a column or a dictionary, says that a sieve stands before it.
const sieved byte = 1 << 6

// Forms of numbers.
const (
	packedBits  byte = iota
	packedBytes      // compressed: the low bytes of all, then the high ones if there are any
)

// A block is where bytes lie: in a file, or here.
type block struct {
	offset int64
	length int
	sum    uint32
	here   []byte // if not nil
}

func (b *block) appendTo(out []byte) []byte {
	if b.here != nil {
		return append(appendUint(out, len(b.here)<<1), b.here...)
	}
	out = appendUint(out, b.length<<1|1)
	out = binary.AppendUvarint(out, uint64(b.offset))
	return binary.LittleEndian.AppendUint32(out, b.sum)
}

// block reads what appendTo wrote; offsets are from a base.
func (c *cursor) block(base int64) block {
	n := c.count(maxBlock << 1)
	if n&1 == 0 {
		return block{here: c.take(n >> 1), length: n >> 1}
	}
	return block{length: n >> 1, offset: base + int64(c.count(1<<62)), sum: c.uint32()}
}

// chunkInfo is what a segment's contents say of a chunk.
type chunkInfo struct {
	directory  block
	base       int64 // where its blocks begin
	rows       int
	bytes      int64 // of messages
	first, end int64 // times, both inclusive
	sequence   int64 // number of its first event
}

// dictionaryInfo is what they say of a dictionary.
type dictionaryInfo struct {
	block
	count int
	form  byte // of the array
	sieve *block
}

func (d *dictionaryInfo) appendTo(out []byte) []byte {
	out = appendUint(d.block.appendTo(out), d.count)
	if d.sieve == nil {
		return append(out, d.form)
	}
	return d.sieve.appendTo(append(out, d.form|sieved))
}

func (c *cursor) dictionaryInfo() dictionaryInfo {
	d := dictionaryInfo{block: c.block(0), count: c.count(maxBlock), form: c.byte()}
	if d.form&sieved != 0 {
		d.form &^= sieved
		at := c.block(0)
		d.sieve = &at
	}
	return d
}

// A StreamStats says what a stream has in a segment.
type StreamStats struct {
	Name        string
	Events      int64
	Bytes       int64 // of messages
	First, Last int64 // times, inclusive
	Ingested    int64 // the latest
}

func (i *chunkInfo) appendTo(out []byte) []byte {
	out = i.directory.appendTo(out)
	for _, n := range [...]int64{i.base, int64(i.rows), i.bytes, i.first, i.end, i.sequence} {
		out = binary.AppendVarint(out, n)
	}
	return out
}

func (c *cursor) chunkInfo() chunkInfo {
	i := chunkInfo{directory: c.block(0)}
	var rows int64
	for _, n := range [...]*int64{&i.base, &rows, &i.bytes, &i.first, &i.end, &i.sequence} {
		*n = c.int()
	}
	if i.rows = int(rows); rows < 1 || rows > ChunkEvents {
		c.fail()
	}
	return i
}

func (s *StreamStats) appendTo(out []byte) []byte {
	out = appendBytes(out, s.Name)
	for _, n := range [...]int64{s.Events, s.Bytes, s.First, s.Last, s.Ingested} {
		out = binary.AppendVarint(out, n)
	}
	return out
}

func (c *cursor) streamStats() StreamStats {
	s := StreamStats{Name: string(c.bytes())}
	for _, n := range [...]*int64{&s.Events, &s.Bytes, &s.First, &s.Last, &s.Ingested} {
		*n = c.int()
	}
	return s
}
