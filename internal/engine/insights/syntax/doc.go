// Package syntax reads queries of CloudWatch Logs Insights' language: text in, a tree
// with positions out, or AWS's sentence about the first symbol that has no place there.
//
//	q, err := syntax.Parse(`fields @message | filter code >= 400 | limit 20`)
//
// A query is commands joined by |. Keywords and functions are read in any case, fields
// as they are written. The package knows how commands are written, not what they do:
// which functions there are, how many arguments they take and which command may follow
// which is the concern of package insights.
//
// Texts, trees and the depth of nesting are bounded, and so is the time of parsing.
package syntax
