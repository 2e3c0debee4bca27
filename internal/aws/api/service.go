package api

import (
	"context"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// Service is one AWS service: its operations by name.
type Service struct {
	// ID names the wire table of the service as the Go SDK's folder does:
	// "iam", "sts", "eks", "elasticloadbalancingv2".
	ID string
	// Action is the prefix of its IAM actions: "iam", "eks",
	// "elasticloadbalancing".
	Action     string
	Operations map[string]Operation
	// Resource answers for the condition keys that follow from one of the
	// service's resources, by its ARN: "aws:resourcetag/team", and the service's
	// own. Keys are given in lower case; a service's spelling of the tags' key
	// ("ec2:resourcetag/team") is asked for as the global one. Nil: none.
	Resource func(arn, key string) policy.Values
	// Policy is the policy that one of the service's resources has, by its ARN; nil of
	// what has none. Nil: none has.
	Policy func(arn string) *policy.Program
	// Denied is the error code of what policies refuse, where it is not its protocol's.
	Denied string
}

// Keys answers for the condition keys that a call has beside those of its
// caller, for each of its resources, by the key's name in lower case; and for the
// policies that the resources have.
type Keys interface {
	Values(resource, key string) policy.Values
	// Policy is the resource's own policy; nil: it has none.
	Policy(resource string) *policy.Program
}

// Need is an action that a call needs beside its own.
type Need struct {
	Action    string // "iam:TagRole"
	Resources []string
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
	// Keys answers for the condition keys that the service authorization reference
	// lists for the operation and that follow from its input, given in lower case:
	// "eks:kubernetesversion". What the caller left out has no values. Tags are
	// found in the input without it. Nil: none.
	Keys func(ctx context.Context, in any, key string) policy.Values
	// Also are the actions that the call needs beside its own, with the same
	// condition keys: those that tag what is made. Nil: none.
	Also func(ctx context.Context, in any) []Need
	// Unsigned marks the calls that carry no signature
	// (AssumeRoleWithWebIdentity), or, if the service decides by itself, may come
	// without one (S3's).
	Unsigned bool
	// Open marks the one call that no policy can refuse: GetCallerIdentity.
	Open bool
	// SelfAuthorized marks a call whose service decides by itself, because the
	// decision is not the identity policy's alone (sts:AssumeRole).
	SelfAuthorized bool
	// Data marks a call on what a resource holds (S3's objects), which CloudTrail
	// records as a data event.
	Data bool
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

// WithKeys adds a typed function for the condition keys of a registered operation.
func WithKeys[I any](s *Service, name string, keys func(ctx context.Context, in *I, key string) policy.Values) {
	op := s.Operations[name]
	op.Keys = func(ctx context.Context, in any, key string) policy.Values { return keys(ctx, in.(*I), key) }
	s.Operations[name] = op
}

// WithNeeds adds a typed function for the other actions of a registered operation.
func WithNeeds[I any](s *Service, name string, needs func(ctx context.Context, in *I) []Need) {
	op := s.Operations[name]
	op.Also = func(ctx context.Context, in any) []Need { return needs(ctx, in.(*I)) }
	s.Operations[name] = op
}

// Add registers a typed handler under the operation's name.
func Add[I, O any](s *Service, name string, handle func(context.Context, *I) (*O, error), resources func(context.Context, *I) []string) {
	if s.Operations == nil {
		s.Operations = map[string]Operation{}
	}
	s.Operations[name] = Op(handle, resources)
}

// TagValue is the value of a tag as a condition key's: names are compared without
// regard to case.
func TagValue(tags map[string]string, name string) policy.Values {
	if v, ok := tags[name]; ok {
		return policy.One(v)
	}
	for n, v := range tags {
		if strings.EqualFold(n, name) {
			return policy.One(v)
		}
	}
	return policy.Values{}
}
