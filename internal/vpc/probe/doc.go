// Package probe sends packets from one network namespace to another and tells what
// became of them: whether a flow is let through, by trying it.
//
// TCP connects: a connection that is accepted was let through, and so was one that its
// end refuses, as it does where nothing listens. Of UDP an end that is here is watched
// by a packet socket, so that a datagram is seen also where nothing answers; nobody
// binds a port that a program of the end may want. Elsewhere an answer or a refusal
// (ICMP port unreachable) tells that it arrived, and silence tells nothing.
//
// Nothing that came is no proof of a rule that drops: the end may be dead. So a second
// probe, the control, goes from where no rule applies; only where that one arrives,
// packets that don't count as dropped.
package probe
