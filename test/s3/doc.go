// Package s3 tries S3 as its users meet it: the real AWS CLIs, on the host by
// `eksact env` and by AWS's own names in `eksact shell`, against a daemon that is
// stopped and started again. Package nodes runs it, while its cluster is waited for.
package s3
