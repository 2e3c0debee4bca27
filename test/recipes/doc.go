// Package recipes retells the recipes of ahmetb/kubernetes-network-policy-recipes as
// tests: what a policy is to forbid is refused to real packets on a cluster of two
// nodes, what it is to allow arrives, and all of it arrived before and arrives after.
// Policies and words are our own; the recipes' numbers are kept. Package netpol runs it.
package recipes
