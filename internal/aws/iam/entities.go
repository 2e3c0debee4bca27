package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// ListEntitiesForPolicy lists who holds a managed policy: groups, roles and
// users as one list, filtered by kind, path and way of use.
func (i *IAM) ListEntitiesForPolicy(_ context.Context, in *iam.ListEntitiesForPolicyInput) (*iam.ListEntitiesForPolicyOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	prefix := l.prefix(in.PathPrefix)
	l.enum("entityFilter", string(in.EntityFilter), "User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
	l.enum("policyUsageFilter", string(in.PolicyUsageFilter), "PermissionsPolicy", "PermissionsBoundary")
	if err := l.err(); err != nil {
		return nil, err
	}
	if _, _, err := i.policy(in.PolicyArn); err != nil {
		return nil, err
	}
	type entity struct{ kind, name, id string }
	var all []entity
	add := func(kind types.EntityType, g *Grants, name, path, id string) {
		attached, bounds := slices.Contains(g.Attached, *in.PolicyArn), g.Boundary == *in.PolicyArn
		switch in.PolicyUsageFilter {
		case types.PolicyUsageTypePermissionsPolicy:
			bounds = false
		case types.PolicyUsageTypePermissionsBoundary:
			attached = false
		}
		if (attached || bounds) && strings.HasPrefix(path, prefix) && (in.EntityFilter == "" || in.EntityFilter == kind) {
			all = append(all, entity{string(kind), name, id})
		}
	}
	for _, g := range i.groups.List("") {
		add(types.EntityTypeGroup, &g.Grants, g.Name, g.Path, g.ID)
	}
	for _, r := range i.roles.List("") {
		add(types.EntityTypeRole, &r.Grants, r.Name, r.Path, r.ID)
	}
	for _, u := range i.users.List("") {
		add(types.EntityTypeUser, &u.Grants, u.Name, u.Path, u.ID)
	}
	page, err := pageOf(l, byKey(all, func(e entity) string { return e.kind + " " + key(e.name) }), always(func(e entity) entity { return e }))
	if err != nil {
		return nil, err
	}
	out := &iam.ListEntitiesForPolicyOutput{
		PolicyGroups: []types.PolicyGroup{}, PolicyRoles: []types.PolicyRole{}, PolicyUsers: []types.PolicyUser{},
		Marker: page.marker, IsTruncated: page.more,
	}
	for _, e := range page.items {
		switch types.EntityType(e.kind) {
		case types.EntityTypeGroup:
			out.PolicyGroups = append(out.PolicyGroups, types.PolicyGroup{GroupName: &e.name, GroupId: &e.id})
		case types.EntityTypeRole:
			out.PolicyRoles = append(out.PolicyRoles, types.PolicyRole{RoleName: &e.name, RoleId: &e.id})
		default:
			out.PolicyUsers = append(out.PolicyUsers, types.PolicyUser{UserName: &e.name, UserId: &e.id})
		}
	}
	return out, nil
}
