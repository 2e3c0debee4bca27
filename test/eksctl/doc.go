// Package eksctl runs eksctl itself, unmodified, against the real eksact: on a cluster that
// it did not make, and on clusters that it makes and deletes, with VPCs of their own.
//
// It is nothing that the project has or fetches: the test runs the eksctl that is on PATH,
// and without one is skipped. What eksctl calls is tested always: in internal/aws/cloudformation
// (TestEksctl…), test/stacks and test/nodes.
package eksctl
