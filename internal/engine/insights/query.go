package insights

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// Limits of queries.
const (
	DefaultLimit = 10_000
	MaxLimit     = 100_000
	MaxStats     = 10 // stats commands in a query
)

// A Query is a query that was read and checked. It can be run any number of times.
type Query struct {
	tree *syntax.Query
}

// An Env is what a query is run against.
type Env struct {
	// Open gives the events of what a query, or a part of it, selects. The error ends
	// the query.
	Open func(ctx context.Context, s Selection) (scan.Source, error)
	// Table gives a lookup table by its name.
	Table func(ctx context.Context, name string) (*Table, error)
	// Zone finds a time zone by its IANA name; nil knows UTC and fixed offsets alone.
	Zone func(name string) (*time.Location, error)

	Start, End int64 // milliseconds since 1970, both inclusive
	Now        int64
	Limit      int   // rows, if the query doesn't say; 0: DefaultLimit
	Workers    int   // goroutines of a scan; less than 2 is 1
	Memory     int64 // bytes of rows and groups; 0: DefaultMemory
	Progress   *Progress
	Partial    *Partial // shows what there is so far; nil: nobody looks
	// Damaged is told of parts of a store that can't be read, from several goroutines; the
	// query goes on without them. If it is nil, they end the query.
	Damaged func(error)
}

// A Progress is kept while a query runs, for the statistics of GetQueryResults.
type Progress struct {
	scan.Progress
	Rows atomic.Int64 // events that met all conditions
}

// A Result is the rows of a query.
type Result struct {
	// Columns are the names, in order. @ptr is not among them.
	Columns []string
	Rows    []Row
}

// A Row is one row of a result.
type Row struct {
	// Values are those of the result's columns; null where the row has none.
	Values []value.Value
	// Ptr is @ptr of a row that is an event.
	Ptr string
}

// A Field is a name and a value, as GetQueryResults gives them.
type Field struct{ Name, Value string }

// Fields are a row's fields: those that are null are left out, and @ptr comes last in
// rows that are events.
func (r *Result) Fields(row int) []Field {
	list := make([]Field, 0, len(r.Columns)+1)
	for i, v := range r.Rows[row].Values {
		if !v.IsNull() && r.Columns[i] != pointer {
			list = append(list, Field{r.Columns[i], v.String()})
		}
	}
	if ptr := r.Rows[row].Ptr; ptr != "" {
		list = append(list, Field{pointer, ptr})
	}
	return list
}
