// Package value is what the query language computes with: values of events' fields, of
// functions and of aggregates, and the rules that are the same everywhere.
//
//   - Null is a field that isn't there. Every comparison with it is false, != too.
//   - What events hold is text that counts as a number where it reads as one: "401" and
//     401 are equal, and 9 is less than "10". Numbers are of float64; from 2^53 on, where
//     that leaves digits out, they compare by all digits that they print with.
//   - Numbers are printed in their shortest form, or as the event wrote them. Functions'
//     true and false, and JSON's, are 1 and 0.
//   - Times are milliseconds since 1970, and numbers, that print as a date in UTC.
//   - Lists and maps, of jsonParse and the like, compare with nothing and are null to
//     functions of texts and numbers.
//
// Values are immutable. They are small enough to be passed by value; none needs a lock.
package value
