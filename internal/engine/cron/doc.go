// Package cron reads the cron expressions of AWS's schedules and tells when they are due:
//
//	cron(minutes hours day-of-month month day-of-week year)
//
//	minutes 0-59, hours 0-23, month 1-12 or JAN-DEC, year 1970-2199
//	day-of-month 1-31; L the last day, LW the last weekday, 15W the weekday next to the 15th
//	day-of-week 1-7 or SUN-SAT; L Saturday, 6L the month's last Friday, 6#3 its third one
//
// Fields are lists of values, ranges (a-b), all (*) and steps (a/n, a-b/n, */n); one of the
// two fields of days is ?, which asks nothing. Ranges do not wrap around. Of W, L and #
// there is one in a field, alone.
//
// A schedule follows the clock on the wall of its time zone: what falls into the hour that
// a zone leaves out is left out, what falls into an hour that comes twice is due once, at
// the first.
//
// Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
// and, of clocks that change,
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
package cron
