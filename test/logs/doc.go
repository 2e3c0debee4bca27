// Package logs tries a cluster's control plane logs as CloudWatch Logs shows them: what
// people do appears within a second, killed programs lose and double nothing, and what
// is switched off stays silent.
package logs
