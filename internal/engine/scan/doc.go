// Package scan is what the query engine asks of a store of log events, and how a
// store answers. engine/insights plans queries to it; engine/columns, a store in
// memory and a distributed one answer them, each the same.
//
// A store is handed only what it can do better than its caller: leave out what lies
// outside a range of time, apply predicates on single fields (one decision for each
// value of a dictionary instead of each event), take texts apart by patterns where they
// are stored. All else, conditions over several fields, functions, groups, orders, is
// the query engine's, on vectors. A field's values come as a dictionary wherever they
// repeat, so that the engine too works once for each value.
//
// A predicate is a function; a Test beside it says the same as data, for stores whose
// values are elsewhere (scan/lower writes it in SQL). Rows that are only counted may come
// as one with their number.
//
// # Fields
//
// @timestamp, @ingestionTime (epoch milliseconds), @message, @logStream, @log and @ptr
// are of every event. @ptr is base64; of two events of a log, the one that came later has
// the greater bytes. All other names are discovered: an event whose message is a JSON
// object has a field for each leaf below it, named by keys and array indexes joined by
// dots ("user.username", "sourceIPs.0", "annotations.authorization.k8s.io/decision").
// A key at the top that begins with @ is named with another @ before it. Only the first
// MaxFields leaves of an event, in the order of its text, are fields. Of keys that an
// object has twice, the last counts. Empty objects and arrays, like all others, are no
// leaves. A leaf null is as good as none.
package scan
