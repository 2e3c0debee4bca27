// Package crash kills the programs of a running eksact one after another, with
// SIGKILL and under load, and shows that nothing acknowledged is lost, that pods
// run on, what callers of both APIs notice, and that `down` leaves nothing.
//
// It needs root, the programs in bin/ and EKSACT_INTEGRATION=1, which make
// test-integration sets. It starts eksact on this machine in a folder of its own
// and leaves nothing running. The table it logs (go test -v) says for each kill
// what callers saw.
package crash
