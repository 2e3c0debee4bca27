package api

import "context"

// Service is one AWS service: its operations by name.
type Service struct {
	// ID names the wire table of the service as the Go SDK's folder does:
	// "iam", "sts", "eks", "elasticloadbalancingv2".
	ID string
	// Action is the prefix of its IAM actions: "iam", "eks",
	// "elasticloadbalancing".
	Action     string
	Operations map[string]Operation
}

// Operation is one call a service answers.
type Operation struct {
	// Input makes the empty input that the codec fills: a pointer to an SDK
	// input struct.
	Input func() any
	// Handle answers the call with a pointer to an SDK output struct.
	Handle func(ctx context.Context, in any) (any, error)
	// Resources are the ARNs the call touches, in the form IAM policies match;
	// none means "*".
	Resources func(ctx context.Context, in any) []string
	// Unsigned marks the calls that carry no signature
	// (AssumeRoleWithWebIdentity).
	Unsigned bool
	// Open marks the one call that no policy can refuse: GetCallerIdentity.
	Open bool
	// SelfAuthorized marks a call whose service decides by itself, because the
	// decision is not the identity policy's alone (sts:AssumeRole), or the call has
	// condition keys of its own (iam:CreateRole).
	SelfAuthorized bool
}

// Op makes an Operation from a typed handler and, optionally, a typed function
// that names the resources.
func Op[I, O any](handle func(context.Context, *I) (*O, error), resources func(context.Context, *I) []string) Operation {
	op := Operation{
		Input:  func() any { return new(I) },
		Handle: func(ctx context.Context, in any) (any, error) { return handle(ctx, in.(*I)) },
	}
	if resources != nil {
		op.Resources = func(ctx context.Context, in any) []string { return resources(ctx, in.(*I)) }
	}
	return op
}

// Add registers a typed handler under the operation's name.
func Add[I, O any](s *Service, name string, handle func(context.Context, *I) (*O, error), resources func(context.Context, *I) []string) {
	if s.Operations == nil {
		s.Operations = map[string]Operation{}
	}
	s.Operations[name] = Op(handle, resources)
}
