package columns

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// A Cache holds what was opened of segments, the most recently used, within a bound. But
// a scan never drives out what it used itself: one that needs more than there is room for
// would find nothing of it when it comes again. Segments may share it. It is safe for use
// by several goroutines.
type Cache struct {
	bound    int64
	messages *Cache // a part of it, for messages; nil there

	mu      sync.Mutex
	scans   int64 // so many have begun
	size    int64
	entries map[cacheKey]*cached
	recent  *list.List // of *cached, the latest used in front

	templates sync.Map // by text: segments of a log have mostly the same
	count     atomic.Int32
}

// mostShared is how many templates are shared by segments.
const mostShared = 4096

// template gives the template with a text.
func (c *Cache) template(text string) (*template, error) {
	if t, ok := c.templates.Load(text); ok {
		return t.(*template), nil
	}
	t, err := parseTemplate(text)
	if err != nil || c.count.Load() >= mostShared {
		return t, err
	}
	c.count.Add(1)
	stored, _ := c.templates.LoadOrStore(text, t)
	return stored.(*template), nil
}

// cacheKey names a part of a segment.
type cacheKey struct {
	segment *Segment
	part    part8
	chunk   int32
	number  int32
}

// part8 is a kind of part.
type part8 uint8

const (
	partDirectory part8 = iota
	partColumn
	partDictionary
	partValues
	partTimes
	partIngested
	partStreams
	partArrivals
	partMessage
	partSieve
)

type cached struct {
	key   cacheKey
	ready sync.Once
	value any
	size  int64
	err   error
	place *list.Element
	used  int64 // scans that had begun
}

// forMessages is which part of a cache is for messages that were rebuilt.
const forMessages = 8

// NewCache makes a cache of so many bytes.
func NewCache(bytes int64) *Cache {
	c := newCache(bytes - bytes/forMessages)
	c.messages = newCache(bytes / forMessages)
	return c
}

func newCache(bytes int64) *Cache {
	return &Cache{bound: bytes, entries: map[cacheKey]*cached{}, recent: list.New()}
}

// get gives a part, which load opens if it isn't there. Callers of the same part wait for
// one another.
func get[T any](c *Cache, key cacheKey, load func() (T, int, error)) (T, error) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil {
		e = &cached{key: key}
		e.place = c.recent.PushFront(e)
		c.entries[key] = e
	} else if e.place != nil {
		c.recent.MoveToFront(e.place)
	}
	e.used = c.scans
	c.mu.Unlock()
	e.ready.Do(func() {
		var size int
		e.value, size, e.err = load()
		e.size = int64(size) + 200
		c.mu.Lock()
		defer c.mu.Unlock()
		if e.place == nil {
			return // forgotten meanwhile
		}
		c.size += e.size
		if e.err != nil {
			c.remove(e)
		}
		c.fit(e)
	})
	value, _ := e.value.(T)
	return value, e.err
}

// fit makes room for what has come or grown, if there is any.
func (c *Cache) fit(e *cached) {
	for c.size > c.bound && c.recent.Len() > 1 {
		last := c.recent.Back().Value.(*cached)
		if last.used == c.scans && e.place != nil {
			last = e
		}
		c.remove(last)
	}
}

// grow tells that what a part holds has become larger.
func (c *Cache) grow(key cacheKey, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || e.size == 0 {
		return // it isn't kept, or counts what it has when it is
	}
	e.size += int64(bytes)
	c.size += int64(bytes)
	c.fit(e)
}

// begin tells that a scan begins, or something else that is no part of one.
func (c *Cache) begin() {
	if c.messages != nil {
		c.messages.begin()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scans++
}

func (c *Cache) remove(e *cached) {
	c.recent.Remove(e.place)
	e.place = nil
	delete(c.entries, e.key)
	c.size -= e.size
}

// Forget drops what is there of a segment.
func (c *Cache) Forget(s *Segment) {
	if c.messages != nil {
		c.messages.Forget(s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.entries {
		if key.segment == s {
			c.remove(e)
		}
	}
}

// Bytes is how much the cache holds, as far as that can be told.
func (c *Cache) Bytes() int64 {
	bytes := int64(0)
	if c.messages != nil {
		bytes = c.messages.Bytes()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes + c.size
}
