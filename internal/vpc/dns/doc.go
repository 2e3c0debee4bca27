// Package dns is the VPC's resolver and the Internet's DNS as far as we are it.
//
// There are two views of one set of names. Inside is what the VPC's own resolver
// (its base address plus two) answers: AWS endpoints by their in-VPC addresses,
// instances' private names, private cluster endpoints. Outside is what the rest
// of the world sees. A name may be in either or both, with different addresses.
//
// Names belong to zones. In its zones the server answers for every name: one
// that is not there is NXDOMAIN, with the zone's SOA so that the absence is
// cached briefly. Wildcards work inside their zone and stop at the next zone
// below: with the zones amazonaws.com and us-west-2.elb.amazonaws.com, a name
// *.amazonaws.com stands for every endpoint but for no load balancer. For names
// of no zone the answer is REFUSED, unless forwarding was configured: nothing
// leaves the machine unasked.
//
// Zones that someone else keeps, such as Route 53's hosted zones, are asked for by
// name (Hosted). Inside, a private one goes before a zone of the server's own that is
// not longer, and so before all public ones; public ones come last, in both views.
//
// Rules: RFC 1035 (messages), 2308 (negative answers), 4343 (case), 6891 (EDNS),
// 8020 (a name below which there are names exists), 8482 (ANY).
package dns
