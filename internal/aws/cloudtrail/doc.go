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
// Secrets are left out as CloudTrail leaves them out: passwords, secret keys,
// private keys, web identity and SAML tokens, by the names of their fields.
package cloudtrail
