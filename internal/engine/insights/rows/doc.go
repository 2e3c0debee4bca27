// Package rows is what commands compute that look at rows beside one another: accum,
// autoregress, filldown, fillmissing, addtotals, outlier, sessionize, relevantfields. A
// column is a slice with a value for each row, in the order of the rows; columns are
// never changed.
//
// What is no number is left out of all sums and comparisons.
package rows
