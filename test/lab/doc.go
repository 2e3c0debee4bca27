// Package lab runs the real eksact for the tests below test/, and cleans up
// after them.
//
// A lab is one instance in folders of its own, as a user has it: the program in
// bin/, the real aws and kubectl, terminals to type lines into. Whatever becomes
// of the test (it fails, panics, is killed) the instance is brought down, and
// after that the lab looks at the machine: a process, mount, namespace, link,
// route, packet rule, control group or line in the hosts file that was not there
// before fails the test.
//
// Labs need root and EKSACT_INTEGRATION=1, which make test-integration sets.
package lab
