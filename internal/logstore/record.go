package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"

	"github.com/eksact/eksact/internal/engine/columns"
)

// A tail is a header, magic and a mark of eight random bytes, and records: the mark, the
// length of what follows (4 bytes), its CRC-32C (4) and then the kind and what the kind
// has. Where bytes are damaged, the next mark is where the next record may be: a message
// can't contain it but by chance.
const (
	magic      = "EKSACTW1"
	markBytes  = 8
	headBytes  = len(magic) + markBytes
	frameBytes = markBytes + 4 + 4
)

// Kinds of records.
const (
	eventsRecord byte = iota + 1 // a batch of a stream, and how far its source was read
	stateRecord                  // what tails before this one left
	deleteRecord                 // a stream's events so far are gone
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("a record is not what was written")

// entry is an event with its number.
type entry struct {
	columns.Event
	sequence int64
}

// record is what a record says.
type record struct {
	kind    byte
	stream  string
	mark    string
	entries []entry
	texts   []string          // messages to be written, if the entries have none yet
	before  int64             // deleteRecord: events before it are gone
	marks   map[string]string // stateRecord
	hidden  map[string]int64
}

func appendText[T ~string | ~[]byte](out []byte, s T) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// size is at least how many bytes the record has.
func (r *record) size() int {
	n := frameBytes + 64 + len(r.stream) + len(r.mark)
	for i := range r.entries {
		n += 25 + len(r.entries[i].Message)
	}
	for _, t := range r.texts {
		n += len(t)
	}
	return n
}

// appendTo writes the record with its frame. Entries whose messages are texts get theirs
// from what was written.
func (r *record) appendTo(out []byte, mark []byte) []byte {
	from := len(out)
	out = slices.Grow(out, r.size())
	out = append(append(out, mark...), make([]byte, 8)...)
	out = append(out, r.kind)
	switch r.kind {
	case eventsRecord:
		out = appendText(appendText(out, r.stream), r.mark)
		out = binary.AppendUvarint(out, uint64(len(r.entries)))
		for i := range r.entries {
			e := &r.entries[i]
			if i == 0 {
				out = binary.AppendVarint(out, e.sequence)
			}
			out = binary.AppendVarint(binary.AppendVarint(out, e.Time), e.Ingested)
			if r.texts == nil {
				out = appendText(out, e.Message)
				continue
			}
			out = appendText(out, r.texts[i])
			e.Message = out[len(out)-len(r.texts[i]) : len(out) : len(out)]
		}
	case deleteRecord:
		out = binary.AppendVarint(appendText(out, r.stream), r.before)
	case stateRecord:
		out = binary.AppendUvarint(out, uint64(len(r.marks)))
		for stream, mark := range r.marks {
			out = appendText(appendText(out, stream), mark)
		}
		out = binary.AppendUvarint(out, uint64(len(r.hidden)))
		for stream, before := range r.hidden {
			out = binary.AppendVarint(appendText(out, stream), before)
		}
	}
	body := out[from+frameBytes:]
	binary.LittleEndian.PutUint32(out[from+markBytes:], uint32(len(body)))
	binary.LittleEndian.PutUint32(out[from+markBytes+4:], crc32.Checksum(body, castagnoli))
	return out
}

// reader takes a record's body apart.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// readRecord reads the record at the beginning of data and how long it is with its frame.
func readRecord(data, mark []byte) (r record, size int, err error) {
	if len(data) < frameBytes || !bytes.Equal(data[:markBytes], mark) {
		return r, 0, errRecord
	}
	n := int(binary.LittleEndian.Uint32(data[markBytes:]))
	if n < 1 || n > len(data)-frameBytes {
		return r, 0, errRecord
	}
	body := data[frameBytes : frameBytes+n]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[markBytes+4:]) {
		return r, 0, errRecord
	}
	in := reader{b: body[1:]}
	switch r.kind = body[0]; r.kind {
	case eventsRecord:
		r.stream, r.mark = string(in.text()), string(in.text())
		count := in.uint()
		if count > 0 {
			sequence := in.int()
			for i := int64(0); i < int64(min(count, uint64(n))) && !in.bad; i++ {
				e := entry{sequence: sequence + i}
				e.Time, e.Ingested, e.Stream, e.Message = in.int(), in.int(), r.stream, in.text()
				r.entries = append(r.entries, e)
			}
		}
	case deleteRecord:
		r.stream, r.before = string(in.text()), in.int()
	case stateRecord:
		r.marks, r.hidden = map[string]string{}, map[string]int64{}
		for n := in.uint(); n > 0 && !in.bad; n-- {
			stream := string(in.text())
			r.marks[stream] = string(in.text())
		}
		for n := in.uint(); n > 0 && !in.bad; n-- {
			stream := string(in.text())
			r.hidden[stream] = in.int()
		}
	default:
		in.bad = true
	}
	if in.bad {
		return r, 0, errRecord
	}
	return r, frameBytes + n, nil
}

// readRecords calls f with the records of a tail's file, in their order. It gives where
// the last of them ends, and how many bytes before it are damaged.
func readRecords(data []byte, f func(*record)) (end, damaged int, err error) {
	if len(data) < headBytes || string(data[:len(magic)]) != magic {
		return 0, 0, errRecord
	}
	mark := data[len(magic):headBytes]
	end = headBytes
	for at := headBytes; ; {
		r, n, err := readRecord(data[at:], mark)
		if err == nil {
			damaged += at - end
			f(&r)
			at += n
			end = at
			continue
		}
		if at >= len(data) {
			return end, damaged, nil
		}
		next := bytes.Index(data[at+1:], mark)
		if next < 0 {
			return end, damaged, nil
		}
		at += 1 + next
	}
}
