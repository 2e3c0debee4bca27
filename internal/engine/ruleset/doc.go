// Package ruleset says, as values, what a point of the network lets through: a
// node's namespace for NetworkPolicies, the VPC's router for security groups.
// Compilers (package netpol and the like) make Programs, package nft writes them
// into the kernel, and Decide runs them on a packet for the tests of both.
//
// A packet that begins a flow is looked up twice: its source in Egress, then its
// destination in Ingress. An address that a map does not hold is not restricted
// in that direction. The chain that a map holds decides: its rules are tried in
// order, and a packet that none decides is dropped. Packets of known flows, and
// those from an address to itself, pass.
//
//	egress map ── address → chain ── rule: other end in set? ports? → accept, drop, goto
//	ingress map ─ address → chain ── …
//
// What many addresses have in common is written once: addresses with the same
// rules share a chain, rules about the same peers share a set. So one look-up
// finds the chain however many there are, and a new peer is an element in each
// set that holds it.
package ruleset
