// Package flowlog makes VPC flow log records of what a router saw of its
// connections and of the packets it refused.
//
// A [Table] takes connections, each with what was counted of it so far, and
// refused packets, and attributes them to network interfaces: a connection between
// two interfaces is four flows, one in each direction at each. At the end of a
// capture window [Table.Close] gives the window's records: of each interface its
// flows, or one record that says NODATA, or SKIPDATA where something was missed.
//
// A [Format] writes a record's line. Source of fields, versions and values:
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
package flowlog
