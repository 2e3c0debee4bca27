// Package daemon joins the halves: the AWS half, the Kubernetes half and the
// network, over one store.
//
// It is the process `eksact serve`, run and restarted by the keeper. All that
// must go on without it does: etcd and the control planes are the keeper's
// children, a node's programs its init's, load balancing and routing the
// kernel's, and every listening socket is the keeper's. So its end is a pause to
// its callers, and its start adopts what runs: each thing is made only if it is
// not there, by the same code the first time and every other.
package daemon
