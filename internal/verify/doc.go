// Package verify proves a cluster's controls by trying them.
//
// A control is a claim about who may do what: "a token of an unmapped role is
// refused". Reading its configuration would prove nothing, so a control's Check
// tries it from outside, through the cluster's public APIs alone, with a positive
// probe beside each refusal: the identity that must be refused is first shown to
// be alive, or the refusal would prove nothing either. It ends in a verdict:
//
//	PROVEN    every probe answered as the claim says
//	REFUTED   a probe answered otherwise; the finding says how to mend it
//	UNPROVEN  the control can't be tried here
//	ERROR     a probe failed; an error is never a pass
//
// Every request of a check and its answer is kept as evidence.
//
// What a check needs it makes under names of its own (Guest) and removes again:
// a role, a namespace, an entry of aws-auth.
//
// The controls are in package controls, one directory each.
package verify
