// Package nft writes kernel packet rules, and is the only package that does.
//
// Rules are values: a caller hands over the whole of what one table shall hold,
// and the table is replaced in one netlink transaction. The kernel swaps old for
// new between two packets, so no packet ever meets half of a change, and a crash
// leaves either. Translations already under way live in conntrack, not in rules:
// replacing rules moves no established connection.
//
// Rulesets that change often, security groups and NetworkPolicies, are an
// Enforcer's: it keeps a table of family inet by changes, each one transaction,
// over a socket that owns the table.
//
// The other tables, of family ip save the last:
//
//	world:  eksact           what may enter and leave the VPC's router (Edge)
//	        eksact-api       who reaches cluster endpoints (Endpoints)
//	        eksact-routes    the ways from subnets to public addresses (Routes)
//	        eksact-lb        load balancers (Listeners)
//	        eksact-idle      how long their connections may be silent
//	        eksact-flags     what flow logs need of TCP (LogFlags)
//	node:   eksact-node      addresses that no pod has (ApplyNode)
//	        eksact-hostport  pods' host ports (HostPorts)
//	both:   eksact-metadata6 IPv6, for instance metadata alone (Metadata6)
//
// World's are a Router's, over a socket that owns them.
//
// Every function works on the network namespace named by a file (see package
// netns). Nothing executes nft(8): an update over netlink costs about 20 µs
// where starting the tool costs 2 ms.
package nft
