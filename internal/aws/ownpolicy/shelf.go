package ownpolicy

import (
	"log/slog"
	"sync"

	"github.com/eksact/eksact/internal/engine/policy"
)

// IAM is what is asked about principals.
type IAM interface {
	// StoredPolicy puts unique ids in the place of users and roles, and fails if one
	// isn't there; ShownPolicy puts their ARNs back.
	StoredPolicy(*policy.Document) (string, error)
	ShownPolicy(*policy.Document) string
}

// Shelf holds compiled policies by the resources' ARNs. Its methods may be called at
// once.
type Shelf struct {
	// Kind is that of all its policies: policy.Resource, or policy.Attached.
	Kind policy.Kind

	mu       sync.RWMutex
	compiled map[string]own
}

type own struct {
	document *policy.Document
	program  *policy.Program
}

// What denies everything, of each kind.
const (
	denyAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`
	denyItself = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*"}]}`
)

// Set compiles a resource's stored policy; "" takes it away.
func (s *Shelf) Set(arn, stored string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored == "" {
		delete(s.compiled, arn)
		return
	}
	doc, err := policy.ParseStored(s.Kind, stored)
	if err != nil {
		slog.Error("a resource's policy can't be read: all is denied", "resource", arn, "error", err)
		none := denyAll
		if s.Kind == policy.Attached {
			none = denyItself
		}
		doc, _ = policy.Parse(s.Kind, none)
	}
	if s.compiled == nil {
		s.compiled = map[string]own{}
	}
	s.compiled[arn] = own{doc, policy.NewProgram(policy.Source{Policy: policy.Compile(doc)})}
}

// Program is a resource's policy for a decision; nil without one.
func (s *Shelf) Program(arn string) *policy.Program {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.compiled[arn].program
}

// Shown is a resource's policy as answers have it; "" without one.
func (s *Shelf) Shown(iam IAM, arn string) string {
	s.mu.RLock()
	doc := s.compiled[arn].document
	s.mu.RUnlock()
	if doc == nil {
		return ""
	}
	return iam.ShownPolicy(doc)
}

// Check parses a policy that is to be set, holds it against what names actions and
// resources, and gives it as it is to be stored. The error is a *policy.Error, a
// *Foreign, or IAM's for a principal that isn't there.
func (s *Shelf) Check(iam IAM, text string, action func(pattern string) bool, resource func(pattern string) bool) (stored string, err error) {
	doc, err := policy.Parse(s.Kind, text)
	if err != nil {
		return "", err
	}
	for _, st := range doc.Statements {
		for _, a := range st.Actions {
			if !action(a.Value) {
				return "", &Foreign{"action", a.Value}
			}
		}
		for _, r := range st.Resources {
			if !resource(r.Value) {
				return "", &Foreign{"resource", r.Value}
			}
		}
	}
	return iam.StoredPolicy(doc)
}

// Foreign is an action of another service, or a resource that is another.
type Foreign struct{ What, Value string }

func (f *Foreign) Error() string { return "a policy's " + f.What + " is of something else: " + f.Value }
