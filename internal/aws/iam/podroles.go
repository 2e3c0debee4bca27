package iam

import (
	"path"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/policy"
)

// NamesService says whether the role exists, and whether its trust policy allows the
// service each of the actions, under whatever conditions: whether these hold is seen
// when the service acts.
func (i *IAM) NamesService(roleARN, service string, actions ...string) (exists, names bool) {
	r, ok := i.RoleByARN(roleARN)
	if !ok {
		return false, false
	}
	trust, err := policy.ParseStored(policy.Trust, r.Trust)
	if err != nil {
		return true, false
	}
	for _, action := range actions {
		if !slices.ContainsFunc(trust.Statements, func(s policy.Statement) bool { return allowsService(s, service, action) }) {
			return true, false
		}
	}
	return true, true
}

func allowsService(s policy.Statement, service, action string) bool {
	named := func(t policy.Text) bool {
		match, err := path.Match(strings.ToLower(t.Value), strings.ToLower(action))
		return err == nil && match
	}
	return s.Effect == policy.Allow && !s.NotPrincipal &&
		slices.ContainsFunc(s.Principals, func(p policy.Principal) bool {
			return p.Type == policy.Anyone || p.Type == policy.Service && p.Value == service
		}) && slices.ContainsFunc(s.Actions, named) != s.NotAction
}

// AdmitsSession says whether a role's trust policy lets a service make a session of
// it, each of the actions, under the condition keys of the request.
func (i *IAM) AdmitsSession(r *Role, service string, actions []string, keys map[string][]string) bool {
	s := i.index.subject(r.ID)
	return s != nil && !slices.ContainsFunc(actions, func(action string) bool {
		return !i.AdmitsService(service, action, i.roleARN(r), s.trust, keys)
	})
}
