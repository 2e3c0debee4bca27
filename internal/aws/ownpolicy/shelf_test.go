package ownpolicy_test

import (
	"errors"
	"testing"

	"github.com/eksact/eksact/internal/aws/ownpolicy"
	"github.com/eksact/eksact/internal/engine/policy"
)

// plain knows every principal by its name.
type plain struct{}

func (plain) StoredPolicy(d *policy.Document) (string, error) { return d.Text, nil }
func (plain) ShownPolicy(d *policy.Document) string           { return d.Text }

func allowed(p *policy.Program, action, resource string) bool {
	return policy.Decide(&policy.Applied{Resource: p}, &policy.Request{
		Caller: policy.Caller{Kind: policy.UserCaller, Account: "111122223333", ARN: "u", Entity: "u", ID: "u"}, Action: action, Resource: resource, Keys: none{},
	}).Allowed
}

type none struct{}

func (none) Values(string) policy.Values { return policy.Values{} }

// TestAttached: a policy that names no resource is about what has it.
func TestAttached(t *testing.T) {
	s := ownpolicy.Shelf{Kind: policy.Attached}
	const text = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`
	yes := func(string) bool { return true }
	stored, err := s.Check(plain{}, text, yes, yes)
	if err != nil {
		t.Fatal(err)
	}
	s.Set("r", stored)
	if p := s.Program("r"); !allowed(p, "ecr:BatchGetImage", "r") || allowed(p, "ecr:PutImage", "r") {
		t.Error("it does not decide")
	}
	if s.Program("other") != nil || s.Shown(plain{}, "r") != text {
		t.Error("it is another's")
	}
	_, err = s.Check(plain{}, text, func(string) bool { return false }, yes)
	var foreign *ownpolicy.Foreign
	if !errors.As(err, &foreign) || foreign.What != "action" {
		t.Errorf("%v", err)
	}
	if _, err := s.Check(plain{}, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}]}`, yes, yes); err == nil {
		t.Error("a resource is taken")
	}
}

// TestUnreadable: what can't be read any more denies everything.
func TestUnreadable(t *testing.T) {
	for _, kind := range []policy.Kind{policy.Resource, policy.Attached} {
		s := ownpolicy.Shelf{Kind: kind}
		s.Set("r", "{")
		if p := s.Program("r"); p == nil || allowed(p, "sns:Publish", "r") {
			t.Errorf("kind %d: something is allowed", kind)
		}
		s.Set("r", "")
		if s.Program("r") != nil {
			t.Error("it is still there")
		}
	}
}
