package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// Session lengths of a role, in seconds.
const (
	minSession     = 3600
	maxSession     = 43200
	defaultSession = 3600
)

// linkedPath begins the paths of service-linked roles, and of no others.
const linkedPath = "/aws-service-role/"

// CreateRole makes a role.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
func (i *IAM) CreateRole(ctx context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	path := c.path(in.Path)
	c.document("assumeRolePolicyDocument", in.AssumeRolePolicyDocument)
	c.description(in.Description, 1000)
	c.between("maxSessionDuration", in.MaxSessionDuration, minSession, maxSession)
	c.optionalBoundary(in.PermissionsBoundary)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	tags = append(tags, systemTags(ctx)...)
	if strings.HasPrefix(path, linkedPath) {
		return nil, invalidInput("Path prefix '%s' can only be used for AWS Service linked Roles", linkedPath)
	}
	r := Role{
		Name: *in.RoleName, Path: path, ID: i.entityID(rolePrefix), Created: i.today(),
		Description: value(in.Description), MaxSession: defaultSession, Tags: tags,
	}
	if in.MaxSessionDuration != nil {
		r.MaxSession = int(*in.MaxSessionDuration)
	}
	var err error
	if r.Trust, err = i.trust(*in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	err = i.change(ctx, func(tx *store.Tx) error {
		if err := vacant(tx, i.roles, r.Name, "Role with name %s already exists.", "RolesPerAccount", rolesQuota); err != nil {
			return err
		}
		r.Grants = Grants{} // also when run again
		if err := i.bound(tx, &r.Grants, value(in.PermissionsBoundary)); err != nil {
			return err
		}
		i.roles.In(tx).Put(key(r.Name), r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateRoleOutput{Role: i.showRole(&r)}, nil
}

func (i *IAM) showRole(r *Role) *types.Role { return i.shownRole(r, i.shownTrust(r)) }

func (i *IAM) shownRole(r *Role, trust *string) *types.Role {
	arn, session := i.roleARN(r), int32(r.MaxSession)
	out := &types.Role{
		RoleName: &r.Name, Path: &r.Path, RoleId: &r.ID, Arn: &arn, CreateDate: &r.Created,
		AssumeRolePolicyDocument: trust, MaxSessionDuration: &session, Tags: showTags(r.Tags),
		PermissionsBoundary: showBoundary(&r.Grants),
	}
	if r.Description != "" {
		out.Description = &r.Description
	}
	return out
}

// listedRole is the role as lists have it: without tags and boundary. Most are
// ready in the index, for escaping trust policies is most of what listing roles
// costs.
func (i *IAM) listedRole(r *Role) types.Role {
	if s := i.index.subject(r.ID); s != nil && s.listed != nil {
		return *s.listed
	}
	return *i.asListed(r, i.shownTrust(r))
}

// asListed makes it, with its trust policy spelled out.
func (i *IAM) asListed(r *Role, trust *string) *types.Role {
	shown := i.shownRole(r, trust)
	shown.Tags, shown.PermissionsBoundary = nil, nil
	return shown
}

// GetRole describes a role.
func (i *IAM) GetRole(_ context.Context, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	r, err := i.roleHolder().named("roleName", in.RoleName)
	if err != nil {
		return nil, err
	}
	role := i.showRole(&r)
	role.RoleLastUsed = i.roleLastUsed(&r)
	return &iam.GetRoleOutput{Role: role}, nil
}

// ListRoles lists roles by path prefix.
func (i *IAM) ListRoles(_ context.Context, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	prefix := l.prefix(in.PathPrefix)
	p, err := pageOf(l, i.roles.Shared(""), func(r *Role) (types.Role, bool) {
		if !strings.HasPrefix(r.Path, prefix) {
			return types.Role{}, false
		}
		return i.listedRole(r), true
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListRolesOutput{Roles: p.items, Marker: p.marker, IsTruncated: p.more}, nil
}

// UpdateRole changes description and session length, the latter not of
// service-linked roles.
func (i *IAM) UpdateRole(ctx context.Context, in *iam.UpdateRoleInput) (*iam.UpdateRoleOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	c.description(in.Description, 1000)
	c.between("maxSessionDuration", in.MaxSessionDuration, minSession, maxSession)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UpdateRoleOutput{}, i.roleHolder().edit(ctx, *in.RoleName, func(_ *store.Tx, r *Role) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration == nil {
			return nil
		}
		r.MaxSession = int(*in.MaxSessionDuration)
		return protected(r)
	})
}

// UpdateRoleDescription changes the description, of service-linked roles too.
func (i *IAM) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionInput) (*iam.UpdateRoleDescriptionOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	c.length("description", in.Description, 0, 1000)
	if err := c.err(); err != nil {
		return nil, err
	}
	var changed Role
	err := i.roleHolder().edit(ctx, *in.RoleName, func(_ *store.Tx, r *Role) error {
		r.Description = *in.Description
		changed = *r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.UpdateRoleDescriptionOutput{Role: i.showRole(&changed)}, nil
}

// UpdateAssumeRolePolicy replaces the trust policy.
func (i *IAM) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput) (*iam.UpdateAssumeRolePolicyOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	c.document("policyDocument", in.PolicyDocument)
	if err := c.err(); err != nil {
		return nil, err
	}
	// An unknown role wins over a bad document.
	if _, err := i.roleHolder().find(*in.RoleName); err != nil {
		return nil, err
	}
	trust, err := i.trust(*in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	return &iam.UpdateAssumeRolePolicyOutput{}, i.roleHolder().edit(ctx, *in.RoleName, func(_ *store.Tx, r *Role) error {
		if err := protected(r); err != nil {
			return err
		}
		r.Trust = trust
		return nil
	})
}

// DeleteRole deletes a role that holds nothing any more.
func (i *IAM) DeleteRole(ctx context.Context, in *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	if err := c.err(); err != nil {
		return nil, err
	}
	h := i.roleHolder()
	return &iam.DeleteRoleOutput{}, i.change(ctx, func(tx *store.Tx) error {
		r, err := h.in(tx, *in.RoleName)
		switch {
		case err != nil:
			return err
		case r.Service != "":
			return protected(&r)
		case len(r.Profiles) > 0:
			return deleteConflict("remove roles from instance profile")
		case len(r.Attached) > 0:
			return deleteConflict("detach all policies")
		case len(r.Inline) > 0:
			return deleteConflict("delete policies")
		}
		if err := i.bound(tx, &r.Grants, ""); err != nil {
			return err
		}
		i.roles.In(tx).Delete(key(r.Name))
		i.keyUses.In(tx).Delete(r.ID)
		return nil
	})
}

// TagRole, UntagRole and ListRoleTags are about a role's tags.
func (i *IAM) TagRole(ctx context.Context, in *iam.TagRoleInput) (*iam.TagRoleOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.TagRoleOutput{}, i.roleHolder().edit(ctx, *in.RoleName, func(_ *store.Tx, r *Role) (err error) {
		r.Tags, err = tagged(r.Tags, tags)
		return err
	})
}

func (i *IAM) UntagRole(ctx context.Context, in *iam.UntagRoleInput) (*iam.UntagRoleOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	c.tagKeys(in.TagKeys)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UntagRoleOutput{}, i.roleHolder().edit(ctx, *in.RoleName, func(_ *store.Tx, r *Role) error {
		r.Tags = untagged(r.Tags, in.TagKeys)
		return nil
	})
}

func (i *IAM) ListRoleTags(_ context.Context, in *iam.ListRoleTagsInput) (*iam.ListRoleTagsOutput, error) {
	r, err := i.roleHolder().named("roleName", in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := listTags(r.Tags, in.Marker, in.MaxItems)
	return &iam.ListRoleTagsOutput{Tags: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// named checks a name and finds its entity.
func (h holder[T]) named(field string, name *string) (T, error) {
	var c check
	c.name(field, name, 128)
	if err := c.err(); err != nil {
		var zero T
		return zero, err
	}
	return h.find(*name)
}
