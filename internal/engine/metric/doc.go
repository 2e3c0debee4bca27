// Package metric is what CloudWatch makes of measurements: sets of values that were
// measured in a while, their statistics, and how a set ages.
//
// A Set is enough for every statistic: count, sum, least and greatest value, and the
// values themselves as far as they were given, which percentiles and trimmed
// statistics need. Sets are merged, never changed back.
//
// # What differs from CloudWatch
//
//   - CloudWatch does not say how it computes percentiles. Here a percentile is the
//     nearest rank: the least value that at least that part of all values do not exceed.
//     The trimmed statistics take the values between two ranks, of a value that is
//     partly between them its part.
//   - A set with more than 256 different values keeps them rounded: to 1 %, or
//     more where they are spread wide.
//
// The package is pure.
package metric
