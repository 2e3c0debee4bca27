// Package cloudformation answers the CloudFormation API: stacks and change sets over the
// engine (engine/template), whose machine says what a stack needs next.
//
//	a call      create.go, delete.go, changeset.go: its input becomes a stack.Deployment
//	(prepare.go), which the machine takes or refuses
//	driver.go   stores state and events in one transaction, then has orders carried out
//	perform.go  carries out one order by its type's handler (package resources)
//	actor.go    whom the calls of a stack are made by: a session of its role, or its caller
//
// Handlers' calls pass the front door (front.Do), so that IAM decides each of them and
// CloudTrail has it. A template's URL is read from S3 here in the same way; no host is
// dialled.
//
// A call that begins something answers when it is done, or after Deps.Wait: clients look
// after a stack in steps of up to 30 s, and find a small one finished. An operation that
// the daemon's end interrupts goes on with the next start (Open).
package cloudformation
