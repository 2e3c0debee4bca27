package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// CreateInstanceProfile makes an instance profile.
func (i *IAM) CreateInstanceProfile(ctx context.Context, in *iam.CreateInstanceProfileInput) (*iam.CreateInstanceProfileOutput, error) {
	var c check
	c.name("instanceProfileName", in.InstanceProfileName, 128)
	path := c.path(in.Path)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	tags = append(tags, systemTags(ctx)...)
	p := Profile{Name: *in.InstanceProfileName, Path: path, ID: i.entityID(profilePrefix), Created: i.today(), Tags: tags}
	err := i.change(ctx, func(tx *store.Tx) error {
		if err := vacant(tx, i.profiles, p.Name, "Instance Profile %s already exists.", "InstanceProfilesPerAccount", profilesQuota); err != nil {
			return err
		}
		i.profiles.In(tx).Put(key(p.Name), p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateInstanceProfileOutput{InstanceProfile: i.showProfile(&p)}, nil
}

func (i *IAM) showProfile(p *Profile) *types.InstanceProfile {
	arn := i.profileARN(p)
	out := &types.InstanceProfile{
		InstanceProfileName: &p.Name, InstanceProfileId: &p.ID, Arn: &arn, Path: &p.Path, CreateDate: &p.Created,
		Roles: []types.Role{}, Tags: showTags(p.Tags),
	}
	for _, k := range p.Roles {
		if r, ok := i.roles.Get(k); ok {
			out.Roles = append(out.Roles, i.listedRole(&r))
		}
	}
	return out
}

func noProfile(name string) error {
	return noSuchEntity("Instance Profile %s cannot be found.", name)
}

func (i *IAM) profile(name *string) (Profile, error) {
	var c check
	c.name("instanceProfileName", name, 128)
	if err := c.err(); err != nil {
		return Profile{}, err
	}
	p, ok := i.profiles.Get(key(*name))
	if !ok || p.Name != *name {
		return p, noProfile(*name)
	}
	return p, nil
}

// GetInstanceProfile describes an instance profile.
func (i *IAM) GetInstanceProfile(_ context.Context, in *iam.GetInstanceProfileInput) (*iam.GetInstanceProfileOutput, error) {
	p, err := i.profile(in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	return &iam.GetInstanceProfileOutput{InstanceProfile: i.showProfile(&p)}, nil
}

// ListInstanceProfiles lists them by path prefix.
func (i *IAM) ListInstanceProfiles(_ context.Context, in *iam.ListInstanceProfilesInput) (*iam.ListInstanceProfilesOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	prefix := l.prefix(in.PathPrefix)
	page, err := pageOf(l, i.profiles.List(""), func(p Profile) (types.InstanceProfile, bool) {
		shown := *i.showProfile(&p)
		shown.Tags = nil // lists leave them out
		return shown, strings.HasPrefix(p.Path, prefix)
	})
	return &iam.ListInstanceProfilesOutput{InstanceProfiles: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

// ListInstanceProfilesForRole lists the profiles that hold a role.
func (i *IAM) ListInstanceProfilesForRole(_ context.Context, in *iam.ListInstanceProfilesForRoleInput) (*iam.ListInstanceProfilesForRoleOutput, error) {
	r, err := i.roleHolder().named("roleName", in.RoleName)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(newListing(in.Marker, in.MaxItems), byKey(r.Profiles, func(k string) string { return k }), func(k string) (types.InstanceProfile, bool) {
		p, ok := i.profiles.Get(k)
		return *i.showProfile(&p), ok
	})
	return &iam.ListInstanceProfilesForRoleOutput{InstanceProfiles: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

// AddRoleToInstanceProfile puts a role into a profile, which holds one at most.
func (i *IAM) AddRoleToInstanceProfile(ctx context.Context, in *iam.AddRoleToInstanceProfileInput) (*iam.AddRoleToInstanceProfileOutput, error) {
	if r, ok := i.RoleByName(value(in.RoleName)); ok {
		if err := i.mayPass(ctx, i.roleARN(&r), "ec2."+i.domain()); err != nil {
			return nil, asAccessDenied(err)
		}
	}
	return &iam.AddRoleToInstanceProfileOutput{}, i.link(ctx, in.InstanceProfileName, in.RoleName, func(p *Profile, r *Role) error {
		if err := full(len(p.Roles), "InstanceSessionsPerInstanceProfile", 1); err != nil {
			return err
		}
		p.Roles, r.Profiles = with(p.Roles, key(r.Name)), with(r.Profiles, key(p.Name))
		return nil
	})
}

// RemoveRoleFromInstanceProfile takes it out.
func (i *IAM) RemoveRoleFromInstanceProfile(ctx context.Context, in *iam.RemoveRoleFromInstanceProfileInput) (*iam.RemoveRoleFromInstanceProfileOutput, error) {
	return &iam.RemoveRoleFromInstanceProfileOutput{}, i.link(ctx, in.InstanceProfileName, in.RoleName, func(p *Profile, r *Role) error {
		if !slices.Contains(p.Roles, key(r.Name)) {
			return noSuch("role", r.Name)
		}
		p.Roles, r.Profiles = without(p.Roles, key(r.Name)), without(r.Profiles, key(p.Name))
		return nil
	})
}

// link changes a profile and a role in one transaction.
func (i *IAM) link(ctx context.Context, profile, role *string, fn func(*Profile, *Role) error) error {
	if _, err := i.profile(profile); err != nil {
		return err
	}
	var c check
	c.name("roleName", role, 64)
	if err := c.err(); err != nil {
		return err
	}
	return i.roleHolder().edit(ctx, *role, func(tx *store.Tx, r *Role) error {
		p, ok := i.profiles.In(tx).Get(key(*profile))
		if !ok {
			return noProfile(*profile)
		}
		if err := protected(r); err != nil {
			return err
		}
		if err := fn(&p, r); err != nil {
			return err
		}
		i.profiles.In(tx).Put(key(p.Name), p)
		return nil
	})
}

// DeleteInstanceProfile deletes an empty one.
func (i *IAM) DeleteInstanceProfile(ctx context.Context, in *iam.DeleteInstanceProfileInput) (*iam.DeleteInstanceProfileOutput, error) {
	if _, err := i.profile(in.InstanceProfileName); err != nil {
		return nil, err
	}
	return &iam.DeleteInstanceProfileOutput{}, i.change(ctx, func(tx *store.Tx) error {
		p, ok := i.profiles.In(tx).Get(key(*in.InstanceProfileName))
		if !ok {
			return noProfile(*in.InstanceProfileName)
		}
		if len(p.Roles) > 0 {
			return deleteConflict("remove roles from instance profile")
		}
		i.profiles.In(tx).Delete(key(p.Name))
		return nil
	})
}

// TagInstanceProfile, UntagInstanceProfile and ListInstanceProfileTags are about
// a profile's tags.
func (i *IAM) TagInstanceProfile(ctx context.Context, in *iam.TagInstanceProfileInput) (*iam.TagInstanceProfileOutput, error) {
	var c check
	c.name("instanceProfileName", in.InstanceProfileName, 128)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.TagInstanceProfileOutput{}, i.editProfile(ctx, *in.InstanceProfileName, func(p *Profile) (err error) {
		p.Tags, err = tagged(p.Tags, tags)
		return err
	})
}

func (i *IAM) UntagInstanceProfile(ctx context.Context, in *iam.UntagInstanceProfileInput) (*iam.UntagInstanceProfileOutput, error) {
	var c check
	c.name("instanceProfileName", in.InstanceProfileName, 128)
	c.tagKeys(in.TagKeys)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UntagInstanceProfileOutput{}, i.editProfile(ctx, *in.InstanceProfileName, func(p *Profile) error {
		p.Tags = untagged(p.Tags, in.TagKeys)
		return nil
	})
}

func (i *IAM) ListInstanceProfileTags(_ context.Context, in *iam.ListInstanceProfileTagsInput) (*iam.ListInstanceProfileTagsOutput, error) {
	p, err := i.profile(in.InstanceProfileName)
	if err != nil {
		return nil, err
	}
	page, err := listTags(p.Tags, in.Marker, in.MaxItems)
	return &iam.ListInstanceProfileTagsOutput{Tags: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

func (i *IAM) editProfile(ctx context.Context, name string, fn func(*Profile) error) error {
	return i.change(ctx, func(tx *store.Tx) error {
		p, ok := i.profiles.In(tx).Get(key(name))
		if !ok || p.Name != name {
			return noProfile(name)
		}
		if err := fn(&p); err != nil {
			return err
		}
		i.profiles.In(tx).Put(key(name), p)
		return nil
	})
}
