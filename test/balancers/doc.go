// Package balancers tries load balancers of Services on a real cluster of two
// nodes in two zones: from outside, from inside, and by what the ELB APIs say.
package balancers
