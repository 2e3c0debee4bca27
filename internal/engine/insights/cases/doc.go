// Package cases is queries written down with the events that they are asked of and the
// rows that they must give: the conformance suite of the query engine and of every store
// beneath it.
//
// The cases are in testdata/*.yaml. A file says what it is about, has events, and cases,
// which may have events of their own:
//
//	about: what the file is about
//	source: a page of AWS's documentation
//	events:
//	- {at: 1m30s, message: '{"a":1}'}      # after Start; also stream, group
//	expressions:                           # fields EXPRESSION as r | display r
//	- ["abs(a - 3)", "2"]                  # of the first event; null: r is absent
//	cases:
//	- name: sums
//	  query: stats sum(a) as s
//	  rows: [{s: "1"}]                     # in this order, unless unordered is true
//	- name: a mistake
//	  query: fields abs(
//	  error: unexpected symbol found       # what its text begins with; any: whatever
//
// A row lists the fields that it has, and no others but @ptr. A case may say in known why
// the engine fails it.
package cases
