// Package cni is the CNI plugin of a node: it gives pods addresses of the VPC.
//
// It speaks CNI 1.0 and 1.1 (ADD, DEL, CHECK, STATUS, GC, VERSION; the spec is
// github.com/containernetworking/cni/blob/main/SPEC.md). A pod's network is
// what the Amazon VPC CNI makes:
//
//	pod                        node
//	eth0 10.0.65.3/32 ───────── eni5f2c… , route 10.0.65.3/32
//	default via 169.254.1.1     the pod's hardware address, known for good
//	169.254.1.1 is the node's end, known for good
//
//	fd65:6b73:6163::10.0.65.3   for instance metadata alone: fd00:ec2::254
//
// The node's default route leads on. There is no bridge, no ARP and no address
// translation: pods are seen by their addresses everywhere in the VPC.
//
// Addresses come from the node's block. Who has which is written to one file per
// address, before anything is made in the kernel and under a lock that is held
// to the end of each call; so after a crash at any moment a file without its
// link is a lease that was never or is no longer used, and is taken back when
// addresses run out. An address rests for 30 s before it is given again, so that
// nobody takes the new pod for the old.
//
// Host ports are done here too (capability portMappings), by package nft in the
// node's namespace.
package cni
