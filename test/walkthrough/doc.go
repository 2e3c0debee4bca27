// Package walkthrough executes the workshop "Securing your EKS cluster" (re:Invent
// 2019, CON317) against a cluster of eksact, with the real aws and kubectl.
//
// No packet may leave the machine meanwhile: it is package uplink's.
//
// It needs root, the programs in bin/ and EKSACT_INTEGRATION=1, which make
// test-integration sets. It starts eksact on this machine in folders of its own
// and leaves nothing running.
package walkthrough
