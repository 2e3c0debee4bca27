// Package stacks tries CloudFormation as its users meet it: the AWS CLI's deploy and its
// waiters, and CDK's own command where it is installed, against a real cluster whose daemon
// is killed in the middle.
package stacks
