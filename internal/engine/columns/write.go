package columns

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A Writer writes a segment. It is not safe for use by several goroutines.
type Writer struct {
	out  io.Writer
	at   int64
	err  error
	next int64 // number of the next event

	z       compressor
	b       *builder
	chunks  []chunkInfo
	dicts   []dictionaryInfo
	open    map[int]*dictionary // by column
	free    []*dictionary       // of segments before
	streams []StreamStats
	seal    sealer
}

// A dictionary grows with the chunks until it is written.
type dictionary struct {
	interner
	number int
}

// Bounds of dictionaries: one that passes them is written, and another begun.
const (
	dictionaryValues = 1 << 16
	dictionaryBytes  = 2 << 20
)

// NewWriter begins a segment whose first event has a number in its log; those that follow
// count on. The caller makes the output durable.
func NewWriter(out io.Writer, first int64) *Writer {
	w := &Writer{z: newCompressor(), b: newBuilder(), open: map[int]*dictionary{}}
	w.Reset(out, first)
	return w
}

// Reset begins another segment. It keeps the memory of the one before, and nothing else.
func (w *Writer) Reset(out io.Writer, first int64) {
	for _, d := range w.open {
		w.release(d)
	}
	clear(w.open)
	w.b.renew()
	*w = Writer{out: out, next: first, z: w.z, b: w.b, open: w.open, free: w.free, seal: w.seal}
	w.write([]byte(magic))
}

// Append adds an event. It keeps nothing of it.
func (w *Writer) Append(e *Event) error {
	if w.err != nil {
		return w.err
	}
	if len(e.Message) > MaxMessage {
		return fmt.Errorf("an event of %d bytes is longer than %d", len(e.Message), MaxMessage)
	}
	w.b.add(e)
	w.count(e)
	if w.b.full() {
		w.sealChunk()
	}
	return w.err
}

// MaxMessage is the most bytes of a message: more than any service takes.
const MaxMessage = 16 << 20

func (w *Writer) count(e *Event) {
	id := int(w.b.stream[len(w.b.stream)-1])
	if id == len(w.streams) {
		w.streams = append(w.streams, StreamStats{Name: e.Stream, First: e.Time, Last: e.Time})
	}
	s := &w.streams[id]
	s.Events++
	s.Bytes += int64(len(e.Message))
	s.First, s.Last, s.Ingested = min(s.First, e.Time), max(s.Last, e.Time), max(s.Ingested, e.Ingested)
}

// Flush ends a chunk early.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.b.order) > 0 {
		w.sealChunk()
	}
	return w.err
}

// Jump gives the next event another number than the one behind the last.
func (w *Writer) Jump(sequence int64) error {
	if sequence != w.next+int64(len(w.b.order)) {
		if err := w.Flush(); err != nil {
			return err
		}
		w.next = sequence
	}
	return nil
}

// Close ends the segment. It doesn't close the output.
func (w *Writer) Close() error {
	if err := w.Flush(); err != nil {
		return err
	}
	for c := range w.b.split.shapes.columns {
		if d := w.open[c]; d != nil {
			w.writeDictionary(d)
		}
	}
	shapes := w.b.split.shapes
	texts := appendUint(nil, len(shapes.templates)-1)
	for _, t := range shapes.templates[1:] {
		texts = appendBytes(texts, t.text)
	}
	out := appendBytes(nil, w.z.pack(nil, texts))
	out = appendUint(out, len(w.dicts))
	for i := range w.dicts {
		out = w.dicts[i].appendTo(out)
	}
	out = appendUint(out, len(w.streams))
	for i := range w.streams {
		out = w.streams[i].appendTo(out)
	}
	out = appendUint(out, len(w.chunks))
	for i := range w.chunks {
		out = w.chunks[i].appendTo(out)
	}
	packed := w.z.pack(nil, out)
	for range 2 { // for without its contents a segment is lost
		at := w.at
		w.write(packed)
		var tail []byte
		tail = binary.LittleEndian.AppendUint64(tail, uint64(at))
		tail = binary.LittleEndian.AppendUint64(tail, uint64(len(packed)))
		tail = binary.LittleEndian.AppendUint32(tail, checksum(packed))
		w.write(append(tail, magic...))
	}
	if w.err != nil {
		return w.err
	}
	w.err = io.ErrClosedPipe
	return nil
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(b)
	w.at += int64(n)
	if w.err = err; err != nil {
		w.err = fmt.Errorf("writing a segment: %w", err)
	}
}

// block writes bytes, or keeps them where they are few.
func (w *Writer) block(b []byte, base int64) block {
	if len(b) <= inline {
		return block{here: append([]byte{}, b...)}
	}
	at := block{offset: w.at - base, length: len(b), sum: checksum(b)}
	w.write(b)
	return at
}

func (w *Writer) writeDictionary(d *dictionary) {
	form, data := w.z.array(&d.values, nil)
	info := dictionaryInfo{block: w.block(data, 0), count: len(d.ends), form: form}
	if form == asText {
		if s := newSieve(&d.values, len(data)); s != nil {
			at := w.block(s, 0)
			info.sieve = &at
		}
	}
	w.dicts[d.number] = info
}

// release lets a dictionary's memory serve another one. Large ones would make all so large
// by and by.
func (w *Writer) release(d *dictionary) {
	if cap(d.text) <= 64<<10 {
		w.free = append(w.free, d)
	}
}

// dictionary gives a column's. It fills up with values of no more than a chunk.
func (w *Writer) dictionary(column int) *dictionary {
	d := w.open[column]
	if d != nil && (len(d.ends) > dictionaryValues || len(d.text) > dictionaryBytes) {
		w.writeDictionary(d)
		w.release(d)
		d = nil
	}
	if d == nil {
		if n := len(w.free); n > 0 {
			d, w.free = w.free[n-1], w.free[:n-1]
			d.reset()
			d.number = len(w.dicts)
		} else {
			d = &dictionary{number: len(w.dicts)}
		}
		w.dicts = append(w.dicts, dictionaryInfo{})
		w.open[column] = d
	}
	return d
}
