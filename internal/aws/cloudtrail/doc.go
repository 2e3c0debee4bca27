// Package cloudtrail records every call to the account as an event of AWS
// CloudTrail's shape, version 1.11
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
//
// Events go to files of JSON lines ("segments") under one directory. A segment
// that is full is closed and the next begun; when all together exceed their
// bound, the oldest is deleted.
//
// Record costs its caller a send on a channel: one goroutine turns events into
// JSON and writes them. What it reads of an event (the call's input and output)
// must therefore not change after the call is over. When the channel is full,
// Record waits: under more load than the disk takes, callers become slower, and
// no event is dropped. When the disk takes nothing at all, Err says why, and
// the front door refuses calls rather than handle them unrecorded.
//
// A line is handed to the kernel within a second and at Close, so it survives
// the end of the process; only full and closed segments are synced, so the last
// second may not survive the end of the machine.
//
// Newest reads lines from the newest backwards, and LookupEvents is built on it:
// a page costs the reading of what it passes over, whatever the trail's size.
//
// Secrets are left out as CloudTrail leaves them out: passwords, secret keys,
// private keys, web identity and SAML tokens, by the names of their fields.
//
// # What differs from AWS
//
//   - An event can be looked up as soon as its call is over, AWS needs minutes. There
//     is one history for all regions; AWS shows IAM's events in us-east-1 alone.
//   - LookupEvents is not throttled. A search that passes over more than 64 MiB ends
//     its page early, with a token. How far back it sees, 90 days at most, depends
//     on the trail's bound on all files.
//   - Which resources an event speaks of follows from its parameters by a table of
//     ours, CloudTrail's being unknown.
//   - No trails, event data stores, Insights or data events.
package cloudtrail
