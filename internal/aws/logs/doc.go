// Package logs is Amazon CloudWatch Logs: groups and streams, the events that clients put
// and that AWS services vend, filter patterns, metric and subscription filters, Live Tail,
// exports, and queries in Insights' language with what they need: saved queries, lookup tables,
// and schedules. What else there is of the service is unknown to the front door and refused there.
//
// Groups and streams are records of the store; events are in a Storage of their own
// (package storage). An answer to PutLogEvents means that they are on disk, synced. Then,
// in the same call, metric filters take what they find in them, Live Tail sees them, and
// subscriptions are woken, which read from the storage behind a cursor.
//
//	PutLogEvents, Vend ─► take ─► Storage.Append ─► meter (metric filters) ─► Deps.Metrics
//	                                             ├► tails (Live Tail)
//	                                             └► senders ─ Storage.Arrived ─► bucket, topic, URL
//	StartQuery ─► engine/insights ─► Storage.Source
//	schedule ─► engine/cron ─► front door, as a role ─► StartQuery, GetQueryResults, PutObject
//
// Limits, errors and defaults follow
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/.
package logs
