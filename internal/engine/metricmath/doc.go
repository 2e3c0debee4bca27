// Package metricmath computes CloudWatch's metric math: expressions over metrics, as
// GetMetricData and alarms have them.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
//
// A metric is a series: a value, or none, for each period of a grid that all metrics of
// a query share. An expression makes series, lists of them and numbers. Where one of two
// operands has no value in a period, or a result is no number, there is none.
//
// Arithmetic, comparisons, AND, OR and the functions of the table in functions.go are
// there. Others are refused by name, for they need what is not: SEARCH,
// ANOMALY_DETECTION_BAND, INSIGHT_RULE_METRIC, SERVICE_QUOTA, DB_PERF_INSIGHTS, LAMBDA, and
// Metrics Insights' SELECT.
//
// The package is pure.
package metricmath
