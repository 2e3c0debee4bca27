// Package ipam hands out the VPC's addresses and remembers who has which.
//
// A range is a subnet, or any pool of addresses. From it an owner gets one
// address, or an aligned block for the pods of a node; asking again gives the
// same, so a caller that crashed between asking and using simply asks again.
// Leases are records of the store and outlive everything but their release.
//
// Choice is next-fit: after the address last given, around the range. A name
// made from an address (ip-10-0-64-5) is thus not used again by the next node
// after its owner has gone, which Kubernetes would take for the same node.
package ipam
