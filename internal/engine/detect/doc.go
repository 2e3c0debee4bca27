// Package detect is what to look for in a cluster's audit log, as data: for each
// detection a condition in Logs Insights' language, why it matters, what to do, the
// ATT&CK technique, and where it comes from; where lists or patches matter, a rule that
// decides on each event's structure; where CloudWatch Logs' filter patterns can say it, or
// the most of it without meeting anything else, a pattern for a metric filter and so an
// alarm.
//
//	for _, d := range detect.All() {
//		rows := run(d.Query(params))                  // a row for each actor and target, or event
//		findings := d.Findings(params, d.Meant(rows)) // GuardDuty-style
//	}
//	event := detect.OCSF(finding, about)              // Detection Finding, class 2004
//
// Sources: GuardDuty's finding types for EKS audit logs, Falco's rules for Kubernetes
// audit events, and Stratus Red Team's attacks on Kubernetes. The conditions are our own.
//
// # What they don't see
//
// A detection sees what EKS's audit policy records: of secrets and config maps no
// contents, of most custom resources no more than who did what. "People" are users whose
// names don't begin with system: or eks:. Where requests come from is the last of
// sourceIPs, the peer, since those before are what headers claim. The control plane calls
// itself from the API server's loopback address, where nothing else runs: its components'
// and controllers' requests from there are no findings, and from elsewhere they are.
//
// The package is pure.
package detect
