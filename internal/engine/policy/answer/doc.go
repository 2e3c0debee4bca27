// Package answer puts into words why a request was decided as it was, for people
// and as JSON: of calls that were refused (package aws/iam) and of those not yet
// made (package policy/cases). Both have the layers and statements of
// policy.Explain, under the names that files of cases give them.
//
// Who asks says what policies are called and where their statements stand: a
// Namer.
package answer
