package storage

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"strconv"

	"github.com/eksact/eksact/internal/engine/scan"
)

// Stream names a stream.
type Stream struct{ Group, Name string }

// Place is an event's in its stream, and among those of other streams: by time, and
// then as they came.
type Place struct {
	At     int64 // ms since 1970
	Serial int64 // of all events of the group, growing
}

// First and Last are before and behind all events.
var (
	First = Place{math.MinInt64, math.MinInt64}
	Last  = Place{math.MaxInt64, math.MaxInt64}
)

// From is the place before all events of a time, in ms since 1970.
func From(at int64) Place { return Place{at, math.MinInt64} }

// Compare orders places.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.At, q.At), cmp.Compare(p.Serial, q.Serial))
}

// After is the first place behind another.
func (p Place) After() Place { return Place{p.At, p.Serial + 1} }

// Before is the last place ahead of another, as far as events have places.
func (p Place) Before() Place {
	if p.Serial > 0 {
		return Place{p.At, p.Serial - 1}
	}
	return Place{p.At - 1, math.MaxInt64 - 1}
}

// ID is an event's id, or a place's in a token: 56 digits, as AWS's.
func (p Place) ID() string { return fmt.Sprintf("%028d%028d", max(p.At, 0), max(p.Serial, 0)) }

// ParseID reads one.
func ParseID(id string) (Place, bool) {
	if len(id) != 56 {
		return Place{}, false
	}
	at, err1 := strconv.ParseInt(id[:28], 10, 64)
	serial, err2 := strconv.ParseInt(id[28:], 10, 64)
	return Place{at, serial}, err1 == nil && err2 == nil
}

// Event is a log event.
type Event struct {
	Place
	Stream  string // its name
	Taken   int64  // when it came, ms since 1970
	Message string
}

// Query says which events are read.
type Query struct {
	Group   string
	Streams []string // names
	// From is the first place wanted, To the first one no more.
	From, To Place
	// Backward reads the last first.
	Backward bool
	// May, if not nil, are conditions of which events meet one list, as far as the storage
	// can tell: others may be left out. See filter.Pattern.May.
	May [][]scan.Predicate
	// Passed, if not nil, is told while events are left out which place is the next to be
	// looked at. Reading stops when it returns false.
	Passed func(next Place) bool
}

// Stats are about a stream.
type Stats struct {
	Events      int64
	Bytes       int64 // of messages
	First, Last int64 // times of the oldest and the youngest event, ms since 1970
	LastTaken   int64 // when an event came last
}

// Scope is a group as queries see it.
type Scope struct {
	Group  string
	Log    string // what @log says: ACCOUNT:GROUP
	Oldest int64  // events before it are not there, ms since 1970
}

// Storage keeps streams' events. It is safe for concurrent use.
type Storage interface {
	// Append adds events, gives each its serial, in their order, and keeps a mark of where
	// they came from, unless it is "". When it returns they are on disk; after an error,
	// or a crash, all or none are.
	Append(s Stream, events []Event, mark string) error
	// Mark is the last mark, "" without.
	Mark(s Stream) (string, error)
	// Read gives events in the order of their places.
	Read(q Query) iter.Seq2[Event, error]
	// Arrived gives a stream's events that came after a serial, in the order they came:
	// some megabytes of them, whoever wants more asks again.
	Arrived(s Stream, after int64) ([]Event, error)
	// Next is the serial behind a group's events, which the next one gets or a later one.
	Next(group string) (int64, error)
	// Stats are of the events from a time on.
	Stats(s Stream, since int64) (Stats, error)
	// Source makes groups a source for queries.
	Source(groups []Scope) (scan.Source, error)
	// Record finds the event that a query's @ptr names.
	Record(pointer string) (Stream, Event, bool, error)
	// Expire lets go of a group's events that are older than a time; it may keep them a
	// while.
	Expire(group string, oldest int64) error
	// DeleteStream removes a stream's events and its mark, DeleteGroup all of a group's.
	DeleteStream(s Stream) error
	DeleteGroup(group string) error
}
