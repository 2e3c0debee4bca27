// Package logs is the part of Amazon CloudWatch Logs that takes and gives back log
// events: groups with a retention, streams, PutLogEvents, GetLogEvents and
// FilterLogEvents. What else there is of the service is unknown to the front door
// and refused there.
//
// Groups and streams are records of the store. A stream's events are a file of its
// own, written at the end alone (events): an answer to PutLogEvents means that they
// are in it. A daemon killed in the middle of a write leaves half an event there,
// which is cut off when the file is next read.
//
// Limits, errors and defaults follow
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/.
package logs
