// Package imds tests the instance metadata service on a real node: from the node,
// from a pod of its own network, and past what the workshop puts in the pod's way.
package imds
