// Package filter reads CloudWatch Logs' filter patterns and matches log messages
// with them, as FilterLogEvents, metric filters, subscription filters and Live Tail
// do. There are three forms, told apart by their first character:
//
//	ERROR -"health check" ?a ?b %5\d\d%            terms: texts that a message contains
//	{ $.verb = "get" && $.code >= 400 }            JSON: conditions on a message's fields
//	[ip, ..., status = 4* && status != 404, size]  space-delimited: one name for each word
//
// A pattern is parsed once. Match then looks first for texts that every matching
// message holds (need.go), so that most messages are passed by without being read; a
// JSON message is read in one pass, and only what the pattern names is taken out of it.
//
// Regular expressions are RE2's, restricted to what CloudWatch Logs takes: time is
// linear in the message. What AWS leaves open is decided so: a comparison with a field
// that is missing or null is false, but != is true; of keys that an object has twice
// the last counts; a message that is not JSON matches no JSON pattern.
//
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
package filter
