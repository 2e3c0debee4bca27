// Package netpol attacks the enforcement of network policies on a cluster of two nodes:
// the daemon is killed, a node dies, rules are flushed by hand, labels change under
// load, pods start while others try to reach them. Packets are sent from within pods'
// own network namespaces.
package netpol
