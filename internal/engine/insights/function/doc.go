// Package function is the scalar functions of the query language: what each is called,
// how many arguments it takes, and what it makes of them.
//
// [Lookup] finds a function by its name, in whatever case. [Function.Bind] takes the
// arguments that are literals, refuses those that can't be right (a period that is none,
// a regular expression that does not compile), prepares what can be prepared once, and
// gives an [Eval] for all rows. An Eval depends on its arguments and the [Context]
// alone, so that it can be asked once for each value of a dictionary.
//
// # Rules
//
// A function of which an argument is null is null, unless Nulls says that it looks for
// itself. So is one whose argument is not of the kind it wants (a text that is no
// number, a list), whose result is none (a root of -1) or is longer than MaxText. True
// and false are [value.OfBool], which print as 1 and 0. Periods ("5m") and regular
// expressions are literal texts.
//
// Source of names, arguments and results, unless a comment says otherwise:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
package function
