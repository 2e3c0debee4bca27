// Package flows sees what passes a router and what it refuses, for flow logs
// (package engine/flowlog).
//
// No packet waits for it. Connections are counted by the kernel's connection
// tracking (a counter for each direction); a Capture reads them all when asked, and
// hears of each that ends. Packets that rules refuse come through netfilter's log,
// their headers alone, as do, if they are asked for, the TCP packets that begin and
// end connections. What a full buffer drops is known (Sink.Missed), not what was in
// it.
package flows
