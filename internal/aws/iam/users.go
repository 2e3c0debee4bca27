package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// CreateUser makes a user.
func (i *IAM) CreateUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	var c check
	c.name("userName", in.UserName, 64)
	path := c.path(in.Path)
	c.optionalBoundary(in.PermissionsBoundary)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	u := User{Name: *in.UserName, Path: path, ID: i.entityID(userPrefix), Created: i.today(), Tags: tags}
	err := i.change(ctx, func(tx *store.Tx) error {
		if err := vacant(tx, i.users, u.Name, "User with name %s already exists.", "UsersPerAccount", usersQuota); err != nil {
			return err
		}
		u.Grants = Grants{} // also when run again
		if err := i.bound(tx, &u.Grants, value(in.PermissionsBoundary)); err != nil {
			return err
		}
		i.users.In(tx).Put(key(u.Name), u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateUserOutput{User: i.showUser(&u)}, nil
}

func (i *IAM) showUser(u *User) *types.User {
	arn := i.userARN(u)
	return &types.User{UserName: &u.Name, Path: &u.Path, UserId: &u.ID, Arn: &arn, CreateDate: &u.Created,
		Tags: showTags(u.Tags), PermissionsBoundary: showBoundary(&u.Grants)}
}

// listedUser is the user as lists have it: without tags and boundary.
func (i *IAM) listedUser(u *User) types.User {
	shown := *i.showUser(u)
	shown.Tags, shown.PermissionsBoundary = nil, nil
	return shown
}

// GetUser describes a user, the caller when none is named.
func (i *IAM) GetUser(ctx context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	name := in.UserName
	if name == nil {
		who := api.CallerFrom(ctx)
		if who.Type != api.User {
			return nil, api.ValidationError("Must specify userName when calling with non-User credentials")
		}
		name = &who.Name
	}
	u, err := i.userHolder().named("userName", name)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserOutput{User: i.showUser(&u)}, nil
}

// ListUsers lists users by path prefix.
func (i *IAM) ListUsers(_ context.Context, in *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	prefix := l.prefix(in.PathPrefix)
	p, err := pageOf(l, i.users.List(""), func(u User) (types.User, bool) {
		return i.listedUser(&u), strings.HasPrefix(u.Path, prefix)
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListUsersOutput{Users: p.items, Marker: p.marker, IsTruncated: p.more}, nil
}

// UpdateUser gives a user another name or path. Its id stays, and with it what
// trust policies say about it.
func (i *IAM) UpdateUser(ctx context.Context, in *iam.UpdateUserInput) (*iam.UpdateUserOutput, error) {
	var c check
	c.name("userName", in.UserName, 128)
	newName, newPath := c.renamed("newUserName", in.UserName, in.NewUserName, in.NewPath, 64)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UpdateUserOutput{}, i.change(ctx, func(tx *store.Tx) error {
		u, err := i.userHolder().in(tx, *in.UserName)
		if err != nil {
			return err
		}
		before, after := key(u.Name), key(newName)
		if _, taken := i.users.In(tx).Get(after); taken && after != before {
			return alreadyExists("User with name %s already exists.", newName)
		}
		u.Name = newName
		if newPath != "" {
			u.Path = newPath
		}
		if after != before {
			i.moveUser(tx, &u, before, after)
		}
		i.users.In(tx).Put(after, u)
		return nil
	})
}

// moveUser renews the links to a user whose key changes.
func (i *IAM) moveUser(tx *store.Tx, u *User, before, after string) {
	for _, id := range u.Keys {
		k, _ := i.keys.In(tx).Get(id)
		k.User = after
		i.keys.In(tx).Put(id, k)
	}
	for _, name := range u.Groups {
		g, _ := i.groups.In(tx).Get(name)
		g.Members = with(without(g.Members, before), after)
		i.groups.In(tx).Put(name, g)
	}
	i.users.In(tx).Delete(before)
}

// DeleteUser deletes a user that holds nothing any more.
func (i *IAM) DeleteUser(ctx context.Context, in *iam.DeleteUserInput) (*iam.DeleteUserOutput, error) {
	var c check
	c.name("userName", in.UserName, 64)
	if err := c.err(); err != nil {
		return nil, err
	}
	h := i.userHolder()
	return &iam.DeleteUserOutput{}, i.change(ctx, func(tx *store.Tx) error {
		u, err := h.in(tx, *in.UserName)
		switch {
		case err != nil:
			return err
		case len(u.Attached) > 0:
			return deleteConflict("detach all policies")
		case len(u.Inline) > 0:
			return deleteConflict("delete policies")
		case len(u.Keys) > 0:
			return deleteConflict("delete access keys")
		case len(u.Groups) > 0:
			return deleteConflict("remove users from group")
		case len(u.MFA) > 0:
			return deleteConflict("delete MFA device")
		}
		if err := i.bound(tx, &u.Grants, ""); err != nil {
			return err
		}
		i.users.In(tx).Delete(key(u.Name))
		return nil
	})
}

// TagUser, UntagUser and ListUserTags are about a user's tags.
func (i *IAM) TagUser(ctx context.Context, in *iam.TagUserInput) (*iam.TagUserOutput, error) {
	var c check
	c.name("userName", in.UserName, 128)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.TagUserOutput{}, i.userHolder().edit(ctx, *in.UserName, func(_ *store.Tx, u *User) (err error) {
		u.Tags, err = tagged(u.Tags, tags)
		return err
	})
}

func (i *IAM) UntagUser(ctx context.Context, in *iam.UntagUserInput) (*iam.UntagUserOutput, error) {
	var c check
	c.name("userName", in.UserName, 128)
	c.tagKeys(in.TagKeys)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UntagUserOutput{}, i.userHolder().edit(ctx, *in.UserName, func(_ *store.Tx, u *User) error {
		u.Tags = untagged(u.Tags, in.TagKeys)
		return nil
	})
}

func (i *IAM) ListUserTags(_ context.Context, in *iam.ListUserTagsInput) (*iam.ListUserTagsOutput, error) {
	u, err := i.userHolder().named("userName", in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := listTags(u.Tags, in.Marker, in.MaxItems)
	return &iam.ListUserTagsOutput{Tags: p.items, Marker: p.marker, IsTruncated: p.more}, err
}
