// Package netpol holds a cluster's nodes to its network policies.
//
// A Controller follows namespaces, pods and policies, has them compiled (package
// engine/netpol) and hands each node's changes to its Enforcer, which writes them into
// the kernel; nodes do that beside each other. What the kernel holds survives the
// daemon: a new Controller writes nothing before it knows all objects and all
// addresses that pods have, and then replaces what is there in one transaction.
//
// Each flush of the compiler is a generation. A node has enforced a generation when
// its kernel has all changes up to it; a pod's network is made when every node has
// enforced the generation that knows its address (Admit), and a policy is enforced
// when every node has enforced the one that knows it (Wait).
package netpol
