// Package refusals tests who is turned away, at the AWS front door and at a
// cluster's API server, and with which words: the error code and HTTP status that
// AWS and Kubernetes answer with. Requests are signed by the AWS SDK, not by code
// of ours. Beside each refusal stands the same request, unspoilt, that is let in.
package refusals
