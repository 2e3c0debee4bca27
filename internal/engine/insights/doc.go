// Package insights runs queries in CloudWatch Logs Insights' language.
//
//	q, err := insights.Parse(text)   // *syntax.Error: MalformedQueryException
//	r, err := q.Run(ctx, insights.Env{Open: …, Start: …, End: …, Now: …})
//	r.Fields(0)                      // a row as GetQueryResults gives it
//
// A query is commands in a row. The first of them, as far as they look at one event at a
// time, become a plan (compile.go): conditions on single fields are the store's to apply
// (predicate.go), as is taking messages apart (extract.go); of the fields, only those
// that somebody asks for are read. What remains is done on vectors (frame.go), and with
// a dictionary's values once for each value instead of each row (vector.go). The next
// command decides what becomes of the rows: the first of an order (top.go), groups and
// their aggregates (groups.go, stats.go, accumulate.go), the first of each key
// (dedup.go), patterns (patterns.go), or all of them (view.go). Several workers do this
// at once, each for itself, and are merged. Commands after that work on the table that
// is left, row by row (table.go, command.go, series.go). Whoever looks while a query runs
// gets what workers have by then, as a result (partial.go).
//
// The package is pure: events come from scan.Source, times and tables from the
// environment. A query's memory is bounded, its end follows its context's.
package insights
