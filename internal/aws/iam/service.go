package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// Service lists the operations for the front door.
func (i *IAM) Service() *api.Service {
	s := &api.Service{ID: "iam", Action: "iam", Resource: i.ofResource}
	i.addRoleOperations(s)
	i.addUserOperations(s)
	i.addGroupOperations(s)
	i.addPolicyOperations(s)
	i.addProfileOperations(s)
	i.addProviderOperations(s)
	i.addMFAOperations(s)
	i.addAccountOperations(s)
	i.addSimulationOperations(s)
	return s
}

// guarded registers an operation that has condition keys of its own.
func guarded[I, O any](i *IAM, s *api.Service, name string, handle func(context.Context, *I) (*O, error),
	resources func(context.Context, *I) []string, keys func(*I) map[string][]string) {
	api.Add(s, name, handle, resources)
	api.WithKeys(s, name, func(_ context.Context, in *I, asked string) policy.Values {
		for key, values := range keys(in) {
			if strings.EqualFold(key, asked) {
				return policy.Many(values)
			}
		}
		return policy.Values{}
	})
}

// creating registers a call that makes a resource, perhaps with tags: these need
// the action that would tag it, too.
func creating[I, O any](i *IAM, s *api.Service, kind string, handle func(context.Context, *I) (*O, error),
	resources func(context.Context, *I) []string, parts func(*I) (boundary *string, tags []types.Tag)) {
	guarded(i, s, "Create"+kind, handle, resources, func(in *I) map[string][]string { return keysOf(parts(in)) })
	api.WithNeeds(s, "Create"+kind, func(ctx context.Context, in *I) []api.Need {
		if _, tags := parts(in); len(tags) > 0 {
			return []api.Need{{Action: "iam:Tag" + kind, Resources: resources(ctx, in)}}
		}
		return nil
	})
}

// keysOf are the keys of an entity that is made, or gets a boundary.
func keysOf(boundary *string, tags []types.Tag) map[string][]string {
	keys := tagKeysOf(tags)
	if boundary != nil {
		keys["iam:PermissionsBoundary"] = []string{*boundary}
	}
	return keys
}

func policyKey(arn *string) map[string][]string {
	return withPolicy(map[string][]string{}, arn)
}

func withPolicy(keys map[string][]string, arn *string) map[string][]string {
	keys["iam:PolicyARN"] = []string{value(arn)}
	return keys
}

func tagKeysOf(tags []types.Tag) map[string][]string {
	keys := map[string][]string{}
	for _, t := range tags {
		keys["aws:RequestTag/"+value(t.Key)] = []string{value(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], value(t.Key))
	}
	return keys
}

func untagKeysOf(names []string) map[string][]string {
	return map[string][]string{"aws:TagKeys": slices.Clone(names)}
}

// ofRole and ofUser are the keys of a call that changes an entity: which boundary
// it has. So can someone be let manage those entities alone that are bounded.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
func (i *IAM) ofRole(name *string) map[string][]string {
	r, _ := i.RoleByName(value(name))
	return boundaryKey(&r.Grants)
}

func (i *IAM) ofUser(name *string) map[string][]string {
	u, _ := i.UserByName(value(name))
	return boundaryKey(&u.Grants)
}

func boundaryKey(g *Grants) map[string][]string {
	if g.Boundary == "" {
		return map[string][]string{}
	}
	return map[string][]string{"iam:PermissionsBoundary": {g.Boundary}}
}

// The functions below name the resources of a call. A resource that is there has
// its path; one that isn't is named as if it had none.

func (i *IAM) roleOf(name *string) []string {
	if r, ok := i.RoleByName(value(name)); ok {
		return []string{i.roleARN(&r)}
	}
	return i.made("role", nil, name)
}

func (i *IAM) userOf(ctx context.Context, name *string) []string {
	if who := api.CallerFrom(ctx); name == nil && who.Type == api.User {
		return []string{who.PrincipalARN}
	}
	if u, ok := i.UserByName(value(name)); ok {
		return []string{i.userARN(&u)}
	}
	return i.made("user", nil, name)
}

func (i *IAM) groupOf(name *string) []string {
	if g, ok := i.groups.Get(key(value(name))); ok {
		return []string{i.groupARN(&g)}
	}
	return i.made("group", nil, name)
}

// renamedUser and renamedGroup are what a call is about that gives an entity
// another name or path: both what it is and what it becomes.
func (i *IAM) renamedUser(ctx context.Context, in *iam.UpdateUserInput) []string {
	list := i.userOf(ctx, in.UserName)
	u, ok := i.UserByName(value(in.UserName))
	if !ok || in.NewUserName == nil && in.NewPath == nil {
		return list
	}
	return append(list, i.arn("user", or(in.NewPath, u.Path), or(in.NewUserName, u.Name)))
}

func (i *IAM) renamedGroup(_ context.Context, in *iam.UpdateGroupInput) []string {
	list := i.groupOf(in.GroupName)
	g, ok := i.groups.Get(key(value(in.GroupName)))
	if !ok || in.NewGroupName == nil && in.NewPath == nil {
		return list
	}
	return append(list, i.arn("group", or(in.NewPath, g.Path), or(in.NewGroupName, g.Name)))
}

func or(v *string, otherwise string) string {
	if v == nil {
		return otherwise
	}
	return *v
}

func (i *IAM) profileOf(name *string) []string {
	if p, ok := i.profiles.Get(key(value(name))); ok {
		return []string{i.profileARN(&p)}
	}
	return i.made("instance-profile", nil, name)
}

func given(arn *string) []string { return []string{value(arn)} }

// made is the ARN of a resource that is to be created.
func (i *IAM) made(kind string, path, name *string) []string {
	p := value(path)
	if p == "" {
		p = "/"
	}
	return []string{i.arn(kind, p, value(name))}
}

// under is what lists are about: everything below a path.
func (i *IAM) under(kind string, prefix *string) []string { return i.made(kind, prefix, nil) }

// keyOwnerOf is the user of an access key.
func (i *IAM) keyOwnerOf(ctx context.Context, id *string) []string {
	k, _ := i.keys.Get(value(id))
	if u, ok := i.users.Get(k.User); ok {
		return []string{i.userARN(&u)}
	}
	return []string{i.arn("user", "/", "*")}
}

// deletedRole is the role that a task of DeleteServiceLinkedRole is about.
func (i *IAM) deletedRole(task *string) []string {
	// task/aws-service-role/SERVICE/NAME/UUID
	parts := strings.Split(value(task), "/")
	if len(parts) != 5 {
		return []string{i.arn("role", "/", "*")}
	}
	return []string{i.arn("role", "/aws-service-role/"+parts[2]+"/", parts[3])}
}
