package columns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
)

// A Segment is one that was written and can be read. It is safe for use by several
// goroutines.
type Segment struct {
	r       io.ReaderAt
	cache   *Cache
	texts   *texts
	dicts   []dictionaryInfo
	streams []StreamStats
	chunks  []chunkInfo
	size    int64
}

// Open reads the contents of a segment of so many bytes.
func Open(r io.ReaderAt, size int64, cache *Cache) (*Segment, error) {
	s := &Segment{r: r, cache: cache, size: size}
	if err := s.open(size); err != nil {
		return nil, fmt.Errorf("reading the contents of a segment: %w", err)
	}
	return s, nil
}

func (s *Segment) open(size int64) error {
	data, err := s.contents(size)
	if err != nil {
		return err
	}
	c := cursor{b: data}
	s.texts = &texts{packed: c.bytes()}
	s.dicts = make([]dictionaryInfo, c.count(len(c.b)))
	for i := range s.dicts {
		s.dicts[i] = c.dictionaryInfo()
	}
	s.streams = make([]StreamStats, c.count(len(c.b)))
	for i := range s.streams {
		s.streams[i] = c.streamStats()
	}
	s.chunks = make([]chunkInfo, c.count(len(c.b)))
	for i := range s.chunks {
		s.chunks[i] = c.chunkInfo()
	}
	return c.err
}

// texts are a segment's templates, which are read when the first chunk is opened: many
// segments are only ever merged or expire.
type texts struct {
	once   sync.Once
	packed []byte
	shapes *shapes
	err    error
}

func (t *texts) read(cache *Cache) (*shapes, error) {
	t.once.Do(func() {
		data, err := unpack(t.packed)
		shapes := newShapes()
		c := cursor{b: data, err: err}
		for n := c.count(len(c.b)); n > 0 && c.err == nil; n-- {
			text := string(c.bytes())
			if c.err != nil {
				break
			}
			var template *template
			if template, c.err = cache.template(text); c.err == nil {
				shapes.use(template)
			}
		}
		t.packed, t.shapes, t.err = nil, shapes, c.err
	})
	return t.shapes, t.err
}

// Apart is the same segment with a cache of its own.
func (s *Segment) Apart(cache *Cache) *Segment {
	apart := *s
	apart.cache = cache
	return &apart
}

// mostContents is how many bytes from the end the contents are looked for.
const mostContents = 16 << 20

// contents finds the contents of a segment: at its end or, if they are damaged there, the
// same before.
func (s *Segment) contents(size int64) ([]byte, error) {
	if size < int64(len(magic)+tailLength) {
		return nil, errCorrupt
	}
	if data, err := s.contentsBefore(size); err == nil {
		return data, nil
	}
	last := make([]byte, min(size, mostContents))
	if _, err := s.r.ReadAt(last, size-int64(len(last))); err != nil {
		return nil, err
	}
	for {
		at := bytes.LastIndex(last, []byte(magic))
		if at < 0 {
			return nil, errCorrupt
		}
		if data, err := s.contentsBefore(size - int64(len(last)-at-len(magic))); err == nil {
			return data, nil
		}
		size, last = size-int64(len(last)-at), last[:at]
	}
}

func (s *Segment) contentsBefore(end int64) ([]byte, error) {
	end -= int64(tailLength)
	if end < 0 {
		return nil, errCorrupt
	}
	tail := make([]byte, tailLength)
	if _, err := s.r.ReadAt(tail, end); err != nil {
		return nil, err
	}
	at, n := binary.LittleEndian.Uint64(tail), binary.LittleEndian.Uint64(tail[8:])
	if string(tail[20:]) != magic || n > maxBlock || at+n != uint64(end) {
		return nil, errCorrupt
	}
	packed, err := s.read(&block{offset: int64(at), length: int(n), sum: binary.LittleEndian.Uint32(tail[16:])})
	if err != nil {
		return nil, err
	}
	return unpack(packed)
}

// read gives the bytes of a block.
func (s *Segment) read(b *block) ([]byte, error) {
	if b.here != nil {
		return b.here, nil
	}
	data := make([]byte, b.length)
	if _, err := s.r.ReadAt(data, b.offset); err != nil {
		return nil, err
	}
	if checksum(data) != b.sum {
		return nil, fmt.Errorf("%w: the checksum of %d bytes at %d is another", errCorrupt, b.length, b.offset)
	}
	return data, nil
}

// Streams says what the segment has of each stream.
func (s *Segment) Streams() []StreamStats { return s.streams }

// Events is how many events the segment has, Bytes how long their messages are in all.
func (s *Segment) Events() (n int64) {
	for i := range s.chunks {
		n += int64(s.chunks[i].rows)
	}
	return n
}

// Bytes is how long all messages are.
func (s *Segment) Bytes() (n int64) {
	for i := range s.chunks {
		n += s.chunks[i].bytes
	}
	return n
}

// Sequence is the numbers of the first event and of the one behind the last.
func (s *Segment) Sequence() (first, behind int64) {
	if len(s.chunks) == 0 {
		return 0, 0
	}
	last := &s.chunks[len(s.chunks)-1]
	return s.chunks[0].sequence, last.sequence + int64(last.rows)
}

// Size is how many bytes the segment itself has.
func (s *Segment) Size() int64 { return s.size }

// Chunks is how many chunks the segment has.
func (s *Segment) Chunks() int { return len(s.chunks) }

// Times are the earliest and the latest time of an event.
func (s *Segment) Times() (first, last int64) {
	for i := range s.chunks {
		if c := &s.chunks[i]; i == 0 {
			first, last = c.first, c.end
		} else {
			first, last = min(first, c.first), max(last, c.end)
		}
	}
	return first, last
}

// chunk is a chunk's directory.
type chunk struct {
	*chunkInfo
	s         *Segment
	shapes    *shapes
	number    int
	templates []chunkRows
	counts    []int
	order     block
	times     block
	ingested  block
	streams   block
	entries   []entry
	entryOf   []int32         // by column, + 1
	data      []byte          // of the directory
	sieves    map[int32]block // by entry

	held *held // what was opened for a scan, or nil
	late *late // the same for what is read when the scan may be elsewhere
}

// held is what was opened of a chunk for those who ask for it again and again: there may
// be no room for it in the cache.
type held struct {
	columns []*column // by entry
	parts   [partArrivals + 1]any
}

// late is a chunk of which messages are read after it was scanned. Its batches share what
// is opened, for as long as there are any.
type late struct {
	mu    sync.Mutex
	chunk *chunk
}

func (l *late) messages(template int) (*messages, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.chunk.messages(template)
}

// forWorker is the chunk for a worker that scans it.
func (k *chunk) forWorker(h *held) *chunk {
	own, after := *k, *k
	after.held = &held{columns: make([]*column, len(k.entries))}
	own.held, own.late = h, &late{chunk: &after}
	h.columns = slices.Grow(h.columns[:0], len(k.entries))[:len(k.entries)]
	clear(h.columns)
	clear(h.parts[:])
	return &own
}

// getHeld is get for what a chunk has once.
func getHeld[T any](k *chunk, part part8, load func() (T, int, error)) (T, error) {
	if k.held != nil {
		if v, ok := k.held.parts[part].(T); ok {
			return v, nil
		}
	}
	v, err := get(k.s.cache, cacheKey{k.s, part, int32(k.number), 0}, load)
	if k.held != nil && err == nil {
		k.held.parts[part] = v
	}
	return v, err
}

// chunkRows are those of a template.
type chunkRows struct {
	*shape
	number int
	count  int
	froms  []uint16 // of the slots: how many values of the same column come before
}

// entry is a column of a chunk. There are many: it is kept short.
type entry struct {
	at     int64 // where its block is in the file, or in the directory
	length int32
	sum    uint32
	column int32
	dict   int32
	rows   uint16
	form   byte
	here   bool // in the directory
}

// block is where an entry's values lie.
func (k *chunk) block(e *entry) *block {
	if e.here {
		return &block{here: k.data[e.at : e.at+int64(e.length)]}
	}
	return &block{offset: e.at, length: int(e.length), sum: e.sum}
}

// placesOf are the places of the templates that have an entry.
func (k *chunk) placesOf(e *entry) []uint16 {
	var places []uint16
	for i := range k.templates {
		if k.templates[i].has.has(int(e.column)) {
			places = append(places, uint16(i))
		}
	}
	return places
}

// entryIn is the entry of a slot.
func (k *chunk) entryIn(r *chunkRows, slot int) int { return int(k.entryOf[r.columns[slot]]) - 1 }

// chunk opens a chunk's directory.
func (s *Segment) chunk(number int) (*chunk, error) {
	return get(s.cache, cacheKey{s, partDirectory, int32(number), 0}, func() (*chunk, int, error) {
		c, size, err := s.openChunk(number)
		if err != nil {
			err = fmt.Errorf("reading the directory of chunk %d: %w", number, err)
		}
		return c, size, err
	})
}

func (s *Segment) openChunk(number int) (*chunk, int, error) {
	shapes, err := s.texts.read(s.cache)
	if err != nil {
		return nil, 0, err
	}
	k := &chunk{chunkInfo: &s.chunks[number], s: s, shapes: shapes, number: number}
	packed, err := s.read(&k.directory)
	if err != nil {
		return nil, 0, err
	}
	data, err := unpack(packed)
	if err != nil {
		return nil, 0, err
	}
	k.data = data
	c := cursor{b: data}
	size := len(data) + k.readTemplates(&c)
	if c.err != nil {
		return nil, 0, errCorrupt
	}
	k.order, k.times, k.ingested, k.streams = c.block(k.base), c.block(k.base), c.block(k.base), c.block(k.base)
	column := 0
	for range c.count(len(c.b)) {
		column += c.count(len(shapes.columns))
		if column >= len(k.entryOf) || k.entryOf[column] == 0 {
			return nil, 0, errCorrupt
		}
		if k.readEntry(&c, int(k.entryOf[column]-1)); c.err != nil {
			return nil, 0, errCorrupt
		}
	}
	for i := range k.entries {
		if k.entries[i].form == unread {
			return nil, 0, errCorrupt
		}
	}
	return k, size + 80*len(k.sieves), nil
}

// unread is the form of an entry of which nothing is known.
const unread byte = 0xff

func (k *chunk) readEntry(c *cursor, i int) {
	e := &k.entries[i]
	e.form = c.byte()
	if e.form&sieved != 0 {
		e.form &^= sieved
		if k.sieves == nil {
			k.sieves = map[int32]block{}
		}
		k.sieves[int32(i)] = c.block(k.base)
	}
	if e.form < formArray {
		if e.dict = int32(c.count(len(k.s.dicts))); int(e.dict) == len(k.s.dicts) {
			c.fail()
		}
	} else if e.form > formArray+asUUIDs {
		c.fail()
	}
	b := c.block(k.base)
	e.at, e.length, e.sum = b.offset, int32(b.length), b.sum
	if b.here != nil {
		e.at, e.here = int64(len(k.data)-len(c.b)-len(b.here)), true
	}
}

// readTemplates reads which templates the chunk has, from which it follows where their
// values lie. It gives about how much memory that takes.
func (k *chunk) readTemplates(c *cursor) (size int) {
	k.entryOf = make([]int32, len(k.shapes.columns))
	k.templates = make([]chunkRows, c.count(min(len(c.b), chunkTemplates)))
	total, slots := 0, 0
	for i := range k.templates {
		t, n := c.count(len(k.shapes.templates)-1), c.count(k.rows)
		shape := &k.shapes.templates[t]
		k.templates[i] = chunkRows{shape: shape, number: t, count: n}
		total += n
		slots += len(shape.slots)
		k.counts = append(k.counts, n)
	}
	if total != k.rows {
		c.fail()
		return 0
	}
	froms := make([]uint16, 0, slots)
	for i := range k.templates {
		r := &k.templates[i]
		first := len(froms)
		for _, column := range r.columns {
			e := k.entryOf[column]
			if e == 0 {
				k.entries = append(k.entries, entry{column: int32(column), form: unread})
				e = int32(len(k.entries))
				k.entryOf[column] = e
			}
			froms = append(froms, k.entries[e-1].rows)
			k.entries[e-1].rows += uint16(r.count)
		}
		r.froms = froms[first:len(froms):len(froms)]
	}
	k.entries = slices.Clip(k.entries)
	return 2*slots + 32*len(k.entries) + 4*len(k.entryOf) + 48*len(k.templates)
}

// find is the entry of a column, or none.
func (k *chunk) find(column int) int {
	if column >= len(k.entryOf) {
		return -1
	}
	return int(k.entryOf[column]) - 1
}
