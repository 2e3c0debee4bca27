// Package plan says what changes when a stack gets another template, other
// parameters or other tags: what a change set shows.
//
//	p, err := plan.Make(before, plan.Stack{Scope: scope, Tags: tags})
//	if p.Empty() { … }     // "No updates are to be performed."
//	for _, c := range p.Changes { … }
//
// Resources are looked at in the order of their dependencies. A reference to what
// will be made or replaced is unknown, so is an attribute of what will be updated: a
// property that uses one is a Dynamic change, which execution may find to be none.
// That is how CloudFormation's change sets read too:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-samples.html
//
// What is no change: a policy of deletion alone, expressions that say the same in
// other words, a parameter that nothing uses. Metadata is one.
package plan
