package iam

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// held is a policy of an entity, with what answers call it.
type held struct {
	name, arn   string // arn of a managed one only
	kind, owner string // of an inline one, who holds it: "user", "alice"
	policy      *policy.Policy
}

// entity is a user, group or role with all policies that say what it may do.
type entity struct {
	kind, name, arn, id string
	policies            []held
	boundary            *held
}

// entityByARN finds a user, group or role. IAM looks at kind and name, not at the
// path.
func (i *IAM) entityByARN(arn string) (*entity, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" {
		return nil, noEntity(arn)
	}
	if parts[4] != i.place.AccountID {
		return nil, invalidInput("Invalid Policy Source Arn: caller's account %s does not have access to policies in account %s", i.place.AccountID, parts[4])
	}
	kind, path, _ := strings.Cut(parts[5], "/")
	name := lastOf(path)
	if name == "" {
		return nil, noEntity(arn)
	}
	switch kind {
	case "user":
		return i.userEntity(name)
	case "group":
		g, err := i.groupHolder().find(name)
		return i.entityOf(kind, g.Name, i.groupARN(&g), g.ID, &g.Grants), err
	case "role":
		r, err := i.roleHolder().find(name)
		return i.entityOf(kind, r.Name, i.roleARN(&r), r.ID, &r.Grants), err
	}
	return nil, noEntity(arn)
}

func noEntity(arn string) error {
	return invalidInput("Invalid Entity Arn: %s does not clearly define entity type and name.", arn)
}

func (i *IAM) entityOf(kind, name, arn, id string, g *Grants) *entity {
	e := &entity{kind: kind, name: name, arn: arn, id: id}
	e.add(i, kind, name, g)
	if g.Boundary != "" {
		e.boundary = &held{name: lastOf(g.Boundary), arn: g.Boundary, policy: i.index.managedPolicy(g.Boundary)}
	}
	return e
}

// userEntity is a user with what its groups hold. A managed policy that it has
// several times counts once.
func (i *IAM) userEntity(name string) (*entity, error) {
	u, err := i.userHolder().find(name)
	if err != nil {
		return nil, err
	}
	e := i.entityOf("user", u.Name, i.userARN(&u), u.ID, &u.Grants)
	for _, k := range u.Groups {
		if g, ok := i.groups.Get(k); ok {
			e.add(i, "group", g.Name, &g.Grants)
		}
	}
	return e, nil
}

func (e *entity) add(i *IAM, kind, owner string, g *Grants) {
	for _, p := range g.Inline {
		e.policies = append(e.policies, held{name: p.Name, kind: kind, owner: owner, policy: compileStored(policy.Inline, p.Document)})
	}
	for _, arn := range g.Attached {
		if !e.has(arn) {
			e.policies = append(e.policies, held{name: lastOf(arn), arn: arn, policy: i.index.managedPolicy(arn)})
		}
	}
}

func (e *entity) has(arn string) bool {
	for _, p := range e.policies {
		if p.arn == arn {
			return true
		}
	}
	return false
}

// ownerType is who holds an inline policy, in answers.
func (h *held) ownerType() types.PolicyOwnerEntityType {
	return types.PolicyOwnerEntityType(strings.ToUpper(h.kind))
}
