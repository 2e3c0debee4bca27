// Package nodes tests what a cluster of two nodes must do, and a second cluster
// beside it, on the real programs: see package lab. S3 (package s3) is tried while it
// is waited for nodes to be missed.
package nodes
