// Package cloudwatch is Amazon CloudWatch: metrics, alarms on them, and what alarms do
// when they change state. What a state follows from, and how it is explained, is
// engine/alarm's; statistics are engine/metric's.
//
// # Metrics
//
// They are in memory, in front of a journal of their own (journal.go): etcd is made for
// few writes, metrics are many. Data of each resolution are kept as long as in
// CloudWatch and become coarser with age.
//
// # Alarms
//
// Their records are in the store. One goroutine, Run, evaluates them: each minute, those
// with periods below a minute every ten seconds, with the periods that are complete by
// then, as CloudWatch does; and those on a metric as soon as data of it come. A period
// that isn't over counts only if what comes can't undo that it breaches: of a sum of
// what isn't negative that is above its threshold, a greatest value, a count. So an
// alarm fires within milliseconds of the event, and no average does too early.
//
// A change of state is written together with what it owes: its actions, carried out
// afterwards, at the next start if need be. They publish to SNS topics, an interface
// here.
package cloudwatch
