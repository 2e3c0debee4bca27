package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// A file is a row of frames, each a batch:
//
//	length of what follows the sum (4 bytes), CRC-32C of it (4)
//	length of the mark (4), mark
//	for each event: time (8), time taken (8), serial (8), length of the message (4), message
const (
	headBytes  = 8
	eventBytes = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is where an event is.
type entry struct {
	Place
	taken  int64
	offset int64 // of the message in the file
	size   int32 // of the message in bytes
}

// frame is where a batch is, and which serials it has.
type frame struct {
	entries []entry
	mark    string
	last    int64 // the greatest serial
}

// appendFrame writes a batch that begins at an offset of its file, and says where its
// events are.
func appendFrame(b []byte, offset int64, events []Event, mark string) ([]byte, []entry) {
	start := len(b)
	b = append(b, make([]byte, headBytes)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(mark)))
	b = append(b, mark...)
	entries := make([]entry, 0, len(events))
	for _, e := range events {
		for _, n := range []int64{e.At, e.Taken, e.Serial} {
			b = binary.BigEndian.AppendUint64(b, uint64(n))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.Message)))
		entries = append(entries, entry{e.Place, e.Taken, offset + int64(len(b)-start), int32(len(e.Message))})
		b = append(b, e.Message...)
	}
	body := b[start+headBytes:]
	binary.BigEndian.PutUint32(b[start:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b, entries
}

// readFrame reads the frame at the beginning of b, which lies at an offset of its file.
// It is not ok if the frame is cut short or damaged.
func readFrame(b []byte, offset int64) (f frame, size int64, ok bool) {
	if len(b) < headBytes {
		return f, 0, false
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n < 4 || int64(len(b)) < headBytes+n || crc32.Checksum(b[headBytes:headBytes+n], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return f, 0, false
	}
	body, at := b[headBytes:headBytes+n], offset+headBytes
	skip := func(n int) {
		body = body[n:]
		at += int64(n)
	}
	length := int(binary.BigEndian.Uint32(body))
	skip(4)
	if length > len(body) {
		return f, 0, false
	}
	f.mark = string(body[:length])
	skip(length)
	for len(body) >= eventBytes {
		e := entry{
			Place: Place{int64(binary.BigEndian.Uint64(body)), int64(binary.BigEndian.Uint64(body[16:]))},
			taken: int64(binary.BigEndian.Uint64(body[8:])), size: int32(binary.BigEndian.Uint32(body[24:])),
		}
		skip(eventBytes)
		if int(e.size) > len(body) || e.size < 0 {
			return f, 0, false
		}
		e.offset = at
		skip(int(e.size))
		f.entries = append(f.entries, e)
		f.last = max(f.last, e.Serial)
	}
	return f, headBytes + n, len(body) == 0
}

// nextFrame finds the next whole frame in what follows a damaged one.
func nextFrame(b []byte, offset int64) (skipped int64, ok bool) {
	for i := 1; i+headBytes <= len(b); i++ {
		n := int64(binary.BigEndian.Uint32(b[i:]))
		if n < 4 || int64(len(b)-i) < headBytes+n {
			continue
		}
		if _, _, ok := readFrame(b[i:], offset); ok {
			return int64(i), true
		}
	}
	return 0, false
}
