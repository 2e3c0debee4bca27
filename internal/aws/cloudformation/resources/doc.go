// Package resources makes, changes and deletes the resources of CloudFormation's
// stacks, each by calls of its own service, as whoever the stack acts for: what these
// may not do fails.
//
//	h, known := resources.Find("AWS::IAM::Role")
//	made, err := h.Do(ctx, &resources.Job{Order: order, Call: call, …})
//
// A handler is written so that it can be carried out a second time, when the daemon was
// killed before the result was stored: what was made before is found by the name that
// the stack made for it, by a client token, or by what it belongs to.
//
// Properties are those of a type that its service here can do; another one fails the
// resource by its name (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/).
package resources
