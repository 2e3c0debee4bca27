package columns

import "bytes"

// memorySegment is how many bytes of messages are in one segment of a log in memory.
const memorySegment = 128 << 20

// A Memory is a log in memory, for events that are asked at once and not kept: they take
// a fortieth of their bytes there.
type Memory struct {
	log   Log
	next  int64
	room  int64 // bytes that the segment still takes
	out   *bytes.Buffer
	w     *Writer
	cache *Cache
}

// NewMemory begins a log. What is opened of it takes so many bytes at most.
func NewMemory(name string, cached int64) *Memory {
	return &Memory{log: Log{ID: name, Name: name}, cache: NewCache(cached)}
}

// Append adds an event. It keeps nothing of it.
func (m *Memory) Append(e *Event) error {
	if m.out == nil {
		m.out, m.room = &bytes.Buffer{}, memorySegment
		if m.w == nil {
			m.w = NewWriter(m.out, m.next)
		} else {
			m.w.Reset(m.out, m.next)
		}
	}
	if err := m.w.Append(e); err != nil {
		return err
	}
	m.next++
	if m.room -= int64(len(e.Message)); m.room > 0 {
		return nil
	}
	return m.close()
}

func (m *Memory) close() error {
	if err := m.w.Close(); err != nil {
		return err
	}
	s, err := Open(bytes.NewReader(m.out.Bytes()), int64(m.out.Len()), m.cache)
	if err != nil {
		return err
	}
	m.log.Segments, m.out = append(m.log.Segments, s), nil
	return nil
}

// Source ends the log, to which nothing can be added any more.
func (m *Memory) Source() (Source, error) {
	if m.out != nil {
		if err := m.close(); err != nil {
			return nil, err
		}
	}
	m.w = nil
	return Source{m.log}, nil
}
