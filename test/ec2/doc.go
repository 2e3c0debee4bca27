// Package ec2 tests that what runs follows the EC2 API, with the real AWS CLIs on a
// real cluster: packets obey route tables, and instances that are rebooted, stopped,
// started and terminated are nodes of Kubernetes.
package ec2
