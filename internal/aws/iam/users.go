package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// keysPerUser is IAM's quota.
const keysPerUser = 2

// CreateUser makes a user.
func (i *IAM) CreateUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	var c check
	c.name("userName", in.UserName, 64)
	path := c.path(in.Path)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	if in.PermissionsBoundary != nil {
		return nil, invalidInput("Permissions boundaries are not supported here yet.")
	}
	u := User{Name: *in.UserName, Path: path, ID: i.entityID(userPrefix), Created: i.today(), Tags: tags}
	err := i.change(ctx, func(tx *store.Tx) error {
		if _, ok := i.users.In(tx).Get(key(u.Name)); ok {
			return alreadyExists("User with name %s already exists.", u.Name)
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
	return &types.User{UserName: &u.Name, Path: &u.Path, UserId: &u.ID, Arn: &arn, CreateDate: &u.Created, Tags: showTags(u.Tags)}
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
		shown := *i.showUser(&u)
		shown.Tags = nil // lists leave them out
		return shown, strings.HasPrefix(u.Path, prefix)
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListUsersOutput{Users: p.items, Marker: p.marker, IsTruncated: p.more}, nil
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

// keyOwner is the user that an access key call is about: the caller's own when
// none is named.
func (i *IAM) keyOwner(ctx context.Context, name *string) (*string, error) {
	if name != nil {
		return name, nil
	}
	if who := api.CallerFrom(ctx); who.Type == api.User {
		return &who.Name, nil
	}
	return nil, api.ValidationError("Must specify userName when calling with non-User credentials")
}

// CreateAccessKey gives a user an access key.
func (i *IAM) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
	name, err := i.keyOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	k := AccessKey{ID: i.keyID(), Secret: newSecret(), Active: true, Created: i.today()}
	err = i.userHolder().edit(ctx, *name, func(tx *store.Tx, u *User) error {
		if len(u.Keys) >= keysPerUser {
			return limitExceeded("Cannot exceed quota for AccessKeysPerUser: %d", keysPerUser)
		}
		k.User, k.UserID = key(u.Name), u.ID
		u.Keys = with(u.Keys, k.ID)
		i.keys.In(tx).Put(k.ID, k)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateAccessKeyOutput{AccessKey: &types.AccessKey{
		UserName: name, AccessKeyId: &k.ID, SecretAccessKey: &k.Secret, Status: types.StatusTypeActive, CreateDate: &k.Created,
	}}, nil
}

func status(k *AccessKey) types.StatusType {
	if k.Active {
		return types.StatusTypeActive
	}
	return types.StatusTypeInactive
}

// ListAccessKeys lists a user's access keys.
func (i *IAM) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysInput) (*iam.ListAccessKeysOutput, error) {
	name, err := i.keyOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	u, err := i.userHolder().find(*name)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(newListing(in.Marker, in.MaxItems), byKey(u.Keys, func(id string) string { return id }), func(id string) (types.AccessKeyMetadata, bool) {
		k, ok := i.keys.Get(id)
		return types.AccessKeyMetadata{UserName: name, AccessKeyId: &k.ID, Status: status(&k), CreateDate: &k.Created}, ok
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListAccessKeysOutput{AccessKeyMetadata: p.items, Marker: p.marker, IsTruncated: p.more}, nil
}

// editKey changes a user's access key; a nil result of fn deletes it.
func (i *IAM) editKey(ctx context.Context, user, id *string, fn func(AccessKey) *AccessKey) error {
	name, err := i.keyOwner(ctx, user)
	if err != nil {
		return err
	}
	var c check
	c.length("accessKeyId", id, 16, 128)
	if err := c.err(); err != nil {
		return err
	}
	return i.userHolder().edit(ctx, *name, func(tx *store.Tx, u *User) error {
		k, ok := i.keys.In(tx).Get(*id)
		if !ok || k.UserID != u.ID {
			return noSuchEntity("The Access Key with id %s cannot be found.", *id)
		}
		if changed := fn(k); changed != nil {
			i.keys.In(tx).Put(*id, *changed)
			return nil
		}
		u.Keys = without(u.Keys, *id)
		i.keys.In(tx).Delete(*id)
		return nil
	})
}

// UpdateAccessKey switches a key on or off.
func (i *IAM) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	if in.Status != types.StatusTypeActive && in.Status != types.StatusTypeInactive {
		return nil, api.ValidationError("1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
	}
	return &iam.UpdateAccessKeyOutput{}, i.editKey(ctx, in.UserName, in.AccessKeyId, func(k AccessKey) *AccessKey {
		k.Active = in.Status == types.StatusTypeActive
		return &k
	})
}

// DeleteAccessKey deletes a key.
func (i *IAM) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyInput) (*iam.DeleteAccessKeyOutput, error) {
	return &iam.DeleteAccessKeyOutput{}, i.editKey(ctx, in.UserName, in.AccessKeyId, func(AccessKey) *AccessKey { return nil })
}
