// Package conformance proves NetworkPolicy on a real cluster of two nodes, by real
// packets, with three suites:
//
//   - cyclonus (./cyclonus): its 230 cases, by its own code;
//   - Kubernetes' own e2e tests of NetworkPolicy (./upstream/e2e);
//   - the leak loop (./leak): pods start under default-deny and no packet passes.
//
// With EKSACT_INTEGRATION=1 a part of them runs, in less than five minutes;
// EKSACT_CONFORMANCE=whole, as make conformance sets it, runs all. The first two
// are programs of modules of their own, for what they import is nobody else's
// business; make conformance-programs builds them and what their pods run.
package conformance
