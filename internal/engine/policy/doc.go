// Package policy is the IAM policy language: parse a document, compile it, and
// decide a request.
//
// A document is parsed into a Document (the parse tree, with the position of
// everything), compiled into a Policy, which is immutable and shared by all
// principals that have it, and evaluated with the other policies that apply:
//
//	doc, err := policy.Parse(policy.Managed, text) // err is a *policy.Error: AWS's text, line and column
//	p := policy.Compile(doc)
//	d := policy.Decide(&policy.Applied{Identity: policy.NewProgram(policy.Source{Policy: p})}, &policy.Request{…})
//
// The order of the decision is AWS's
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html):
// an explicit deny anywhere wins; then, by the form of principal that a
// resource policy names, it alone, or it within the limits, or it together with
// the identity side grants; then every layer that limits must allow. What no
// policy allows is denied.
//
// The policies of a layer are joined into a Program. It knows which actions of each
// service its statements cover, as sets of the numbers that package engine/actions
// gives them, and finds statements by the literal beginning of their resources, or
// by a rare literal further on. So what a decision costs depends little on how many
// statements there are, and it allocates nothing. An action that is not in the
// reference is looked for in every statement.
//
// Explain decides the same and tells why, for people and for SimulatePrincipalPolicy.
//
// Wildcards are matched leftmost first, without backtracking, however many stars.
// Long parts with many single wildcards are looked for at all places at once, 64
// symbols a step.
//
// The package is pure: no clock, no I/O, no state. The time of a request is one
// of its keys (aws:CurrentTime).
//
// # What differs from AWS
//
//   - A multi-valued key under an operator without ForAllValues or ForAnyValue is
//     compared as by ForAnyValue (negated: no value may match). AWS leaves it open.
//   - Operator names are read in any case, which AWS is not known to promise.
package policy
