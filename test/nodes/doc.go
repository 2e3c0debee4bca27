// Package nodes tests what a cluster of two nodes must do, and a second cluster
// beside it, on the real programs: see package lab.
package nodes
