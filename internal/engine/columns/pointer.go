package columns

import (
	"encoding/base64"
	"encoding/binary"
	"sort"
)

// Pointer names an event by its log and its number in it: what @ptr is.
func Pointer(log string, sequence int64) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(log)), uint64(sequence))
	return base64.StdEncoding.EncodeToString(append(b, log...))
}

// ParsePointer reads what Pointer wrote.
func ParsePointer(pointer string) (log string, sequence int64, ok bool) {
	b, err := base64.StdEncoding.DecodeString(pointer)
	if err != nil || len(b) < 8 {
		return "", 0, false
	}
	return string(b[8:]), int64(binary.BigEndian.Uint64(b)), true
}

// Event reads an event by its number. It reports whether the segment has it.
func (s *Segment) Event(sequence int64) (e Event, found bool, err error) {
	i := sort.Search(len(s.chunks), func(i int) bool { return s.chunks[i].sequence > sequence }) - 1
	if i < 0 || sequence >= s.chunks[i].sequence+int64(s.chunks[i].rows) {
		return e, false, nil
	}
	k, err := s.chunk(i)
	if err != nil {
		return e, false, err
	}
	e, err = k.event(int(sequence - k.sequence))
	return e, err == nil, err
}

// event reads a chunk's event by its place in the order of arrival.
func (k *chunk) event(arrival int) (e Event, err error) {
	times, err1 := k.timesIn()
	ingested, err2 := k.ingestedIn()
	streams, err3 := k.streamsIn()
	arrived, err4 := k.arrivals()
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return e, err
		}
	}
	for t, at := range arrived {
		row := sort.Search(len(at), func(i int) bool { return int(at[i]) >= arrival })
		if row == len(at) || int(at[row]) != arrival {
			continue
		}
		m, err := k.messages(t)
		if err != nil {
			return e, err
		}
		e = Event{Time: times[arrival], Ingested: ingested[arrival], Stream: k.s.streams[streams.at(arrival)].Name}
		e.Message = m.appendTo(nil, row)
		return e, m.broken()
	}
	return e, errCorrupt
}
