// Package lower turns scans into ClickHouse's SQL, and its answers into batches: the
// query engine's plans, carried out by a cluster of ClickHouse.
//
//	s := lower.Lower(request, lower.Table{Name: "events", Log: "111122223333:/aws/eks/c/cluster"})
//	s.SQL              // what to ask
//	s.Columns          // what comes back, to be read into a Block
//	s.Batch(block)     // rows that meet the request
//
// # The table
//
// A row is an event: its log, stream, times, pointer and message as they came, and the
// fields discovered in the message (scan.Discover) as four arrays that go together:
//
//	names    the fields' names
//	kinds    scan.Kind: 1 text, 2 number, 3 true or false
//	texts    as the query language prints them: true is 1
//	numbers  what they count as in comparisons; NaN for none
//
// A field is texts[indexOf(names, 'user.username')], and kinds[…] is 0, null, where an
// event hasn't got it. What counts as a number is decided once, by package
// insights/value, when an event is written, so that ClickHouse's reading of numbers does
// not matter. Neither a Map, which knows no kinds, nor the type JSON, which keeps neither
// numbers as they were written nor keys with dots apart from paths, holds what the query
// language asks for. The table is ordered by log and time.
//
// # What is lowered
//
// Time, and each predicate as far as its Test can be said in SQL exactly. The rest is a
// superset, by the texts that a match must contain, and Batch asks Match again. Regular
// expressions are RE2 on both sides; they go in the canonical spelling of Go's parser,
// where flags, classes of Unicode and what the dot means are written out. What differs is
// text that is no UTF-8, which RE2 passes by: such messages always come back, and are
// decided here. Extracts are extractGroups, with the same care. Rows that need only be
// counted (Request.Counted) are grouped by all columns.
//
// The package is pure: connections are internal/logstore/clickhouse's.
package lower
