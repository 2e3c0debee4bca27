// Package route53 is Amazon Route 53's API for hosted zones, public and private, and
// their records. Behaviour and error texts are Route 53's own, from its API reference
// and from what it was seen to answer.
//
// A change is in force when its call returns, for resolvers read the records where
// they are kept: see Find. What a hosted zone is for others (a VPC to be associated
// with, a load balancer to point an alias at) is stated here as interfaces.
//
// # What differs from Route 53
//
//   - What isn't there is refused by its name: routing policies other than simple,
//     health checks, traffic policies, reusable delegation sets, DNSSEC, query logs,
//     CIDR collections, and authorizations for VPCs of other accounts.
//   - There is no delegation: NS records below a zone's own are answers like others.
//   - A hosted zone can be made for any name. Resolvers answer for AWS's own zones
//     first, save that a private zone with the same name or a longer one goes before.
//   - The characters of a name are letters, digits, -, _, * and /.
package route53
