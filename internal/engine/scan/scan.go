package scan

import (
	"context"
	"regexp"
	"sync/atomic"
)

// MaxFields is how many leaves of an event are fields, as in CloudWatch Logs.
const MaxFields = 200

// A Source is a set of events that can be scanned: one log group, or several.
type Source interface {
	// Scan calls yield for all batches of rows that the request asks for, from as many
	// goroutines as the request allows. A worker is one of them, from 0; calls with the
	// same worker come one after the other. When yield returns false, or ctx ends, the
	// scan stops; only the latter is an error.
	Scan(ctx context.Context, r *Request, yield func(worker int, b *Batch) bool) error
}

// A Request says which rows are wanted and what of them.
type Request struct {
	// From and To bound @timestamp, in epoch milliseconds, both inclusive.
	From, To int64
	// Fields are the columns wanted, in this order.
	Fields []string
	// Extracts are columns taken out of texts, which follow those of Fields.
	Extracts []Extract
	// Where are conditions that rows must meet, all of them. A source applies each
	// exactly.
	Where []Predicate
	// Order says from which end of time rows are wanted first. Rows within a batch are
	// in any order, and so are batches: it is a hint that makes Cutoff worth while.
	Order Order
	// Cutoff, if not nil, is a time beyond which rows have become useless while the
	// scan runs: older ones when Order is Newest, younger ones when it is Oldest. A
	// source may leave them out.
	Cutoff *atomic.Int64
	// Counted says that rows are only counted: a source may give those that agree in all
	// columns as one, and say how many it stands for (Batch.Counts).
	Counted bool
	// Grain, if not 0, is a length of time in milliseconds: @timestamp may be rounded down
	// to a multiple of it.
	Grain int64
	// Passing says that nothing of a batch is kept once yield returns. A source may make
	// batches larger, and use their memory again.
	Passing bool
	// Workers is how many goroutines may call yield at once; less than 2 is 1.
	Workers int
	// Progress, if not nil, is kept by the source while it scans.
	Progress *Progress
	// Damaged, if not nil, is told of what can't be read, once for each part of the
	// store; the scan goes on without those rows, and late values of them are null. It
	// may be called by several goroutines, also after the scan, by Late vectors. If it is
	// nil, such damage ends the scan with an error.
	Damaged func(error)
}

// An Order is an order of time.
type Order int

// Orders of time.
const (
	Any Order = iota
	Newest
	Oldest
)

// A Predicate is a condition on one field. Match is pure: it depends on the value
// alone, null included, for which events without the field count.
type Predicate struct {
	Field string
	Match func(Value) bool
	// Contains are texts that every value that matches contains, literally. They let a
	// source pass by what can't match. Enough says that containing all of them is all
	// that Match asks of a value that isn't null.
	Contains []string
	Enough   bool
	// Test, if not nil, says what Match decides: exactly that.
	Test *Test
}

// An Extract takes a field's text apart. Its columns are null for rows whose text does
// not match.
type Extract struct {
	Field string // usually @message
	// Glob are the literal parts between wildcards, one more than there are columns: a
	// text matches where all follow one another, each as early as it can; the text
	// before the first part is skipped, and an empty last part takes the rest.
	Glob []string
	// Regexp is an alternative to Glob; Groups are the numbers of its groups that become
	// columns. The leftmost match counts.
	Regexp *regexp.Regexp
	Groups []int
	// Find, if not nil, finds what Regexp's FindStringSubmatchIndex does, but gives up when
	// nobody waits for it any more.
	Find func(text string) []int
}

// Columns is how many columns the extract makes.
func (e Extract) Columns() int {
	if e.Regexp != nil {
		return len(e.Groups)
	}
	return len(e.Glob) - 1
}

// Progress counts what a scan has done so far, for GetQueryResults' statistics.
type Progress struct {
	Records atomic.Int64 // events looked at, or passed by because none can match
	Bytes   atomic.Int64 // of their messages, in bytes
	Matched atomic.Int64 // that met the request's conditions
	// Skipped are events whose data were not opened at all.
	Skipped atomic.Int64
}

// A Batch is rows that met a request. Unless the request says that batches are passing, it
// never changes and may be kept: columns that are read late hold what they need.
type Batch struct {
	Rows    int
	Counts  []int64  // how many rows each stands for; nil: itself (Request.Counted)
	Columns []Vector // Request.Fields, then the columns of Request.Extracts
}
