// Package alarm decides what state an alarm is in, and says why in CloudWatch's words.
//
// A metric alarm (Rule) looks at the points of its most recent periods, the newest
// first, and compares each with a threshold. M of N must breach. Where points are
// missing, older real ones fill in before missing ones count as the alarm says. A
// composite alarm (Composite) is an expression over other alarms' states.
//
// Sources: CloudWatch's guide on evaluation and on missing data, whose tables are the
// package's tests, and notifications and histories that people published.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
//
// # What CloudWatch leaves open
//
//   - How many periods are looked at for real points: two more than are evaluated, as in
//     the guide's example.
//   - What an alarm that treats missing data as missing does with breaching points alone
//     that are too few and too new to alarm: it keeps its state.
//   - In which words it says that five or more points did not cross the threshold.
//
// The package is pure: the time is given.
package alarm
