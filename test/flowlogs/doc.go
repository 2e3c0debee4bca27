// Package flowlogs tests VPC flow logs on a real cluster of two nodes: connections
// between known addresses are made, and their records looked for in a bucket.
package flowlogs
