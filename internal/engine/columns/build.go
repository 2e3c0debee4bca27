package columns

// An Event is one line of a log.
type Event struct {
	Time     int64 // epoch milliseconds
	Ingested int64 // epoch milliseconds
	Stream   string
	Message  []byte
}

// Bounds of a chunk.
const (
	// ChunkEvents is how many events a chunk has at most.
	ChunkEvents = 16 << 10
	// ChunkBytes is how many bytes of messages fill a chunk.
	ChunkBytes = 48 << 20

	// mostlyUnique is after how many rows a column is seen to have hardly a value twice.
	mostlyUnique = 1024

	chunkTemplates   = 1024
	segmentTemplates = 8192
)

// builder takes the events of a chunk.
type builder struct {
	split   *splitter
	streams interner // of the segment

	order     []uint16 // places in used, by arrival
	times     []int64
	ingested  []int64
	stream    []uint32
	bytes     int64
	templates []rows // by number
	used      []int  // numbers of templates, by first appearance
	columns   []*interner
	touched   []int // columns with rows
}

// rows are those of a template in a chunk.
type rows struct {
	place int // in used, + 1
	count int
	ids   []uint32 // of the values, row by row
}

func newBuilder() *builder {
	return &builder{split: newSplitter(newShapes(), segmentTemplates)}
}

// renew begins a segment.
func (b *builder) renew() {
	b.reset(true)
	b.split = newSplitter(newShapes(), segmentTemplates)
	b.streams.reset()
	for _, c := range b.columns {
		c.every = false
	}
}

func (b *builder) full() bool { return len(b.order) >= ChunkEvents || b.bytes >= ChunkBytes }

func (b *builder) add(e *Event) {
	t, spans := b.split.split(e.Message)
	for len(b.templates) < len(b.split.shapes.templates) {
		b.templates = append(b.templates, rows{})
	}
	for len(b.columns) < len(b.split.shapes.columns) {
		b.columns = append(b.columns, &interner{})
	}
	if b.templates[t].place == 0 && len(b.used) >= chunkTemplates-1 {
		t, spans = 0, append(spans[:0], span{0, len(e.Message)})
	}
	r := &b.templates[t]
	if r.place == 0 {
		b.used = append(b.used, t)
		r.place = len(b.used)
	}
	last := r.ids[max(0, len(r.ids)-len(spans)):]
	for i, column := range b.split.shapes.templates[t].columns {
		v := e.Message[spans[i].from:spans[i].to]
		c := b.columns[column]
		if c.rows == 0 {
			b.touched = append(b.touched, column)
		}
		var id uint32
		if r.count > 0 && !c.every && string(c.at(int(last[i]))) == string(v) {
			id = last[i]
			c.rows++
		} else {
			id = c.intern(v)
			c.every = c.every || c.rows == mostlyUnique && len(c.ends) > mostlyUnique*7/8
		}
		r.ids = append(r.ids, id)
	}
	r.count++
	b.order = append(b.order, uint16(r.place-1))
	b.times = append(b.times, e.Time)
	b.ingested = append(b.ingested, e.Ingested)
	b.stream = append(b.stream, b.streams.intern([]byte(e.Stream)))
	b.bytes += int64(len(e.Message))
}

// reset begins a chunk. A column whose values differed stays so, save now and then.
func (b *builder) reset(again bool) {
	for _, t := range b.used {
		r := &b.templates[t]
		r.place, r.count, r.ids = 0, 0, r.ids[:0]
	}
	for _, c := range b.touched {
		every := b.columns[c].every
		b.columns[c].reset()
		b.columns[c].every = every && !again
	}
	b.order, b.times, b.ingested, b.stream = b.order[:0], b.times[:0], b.ingested[:0], b.stream[:0]
	b.used, b.touched, b.bytes = b.used[:0], b.touched[:0], 0
}

// arrivals are the places in order of arrival of each used template's rows.
func arrivals(order []uint16, counts []int) [][]uint16 {
	all := make([]uint16, len(order))
	out := make([][]uint16, len(counts))
	at := 0
	for i, n := range counts {
		out[i] = all[at : at : at+n]
		at += n
	}
	for i, t := range order {
		out[t] = append(out[t], uint16(i))
	}
	return out
}
