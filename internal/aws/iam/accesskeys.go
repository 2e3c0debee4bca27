package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// keysPerUser is IAM's quota.
const keysPerUser = 2

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
	var c check
	c.name("userName", name, 128)
	if err := c.err(); err != nil {
		return nil, err
	}
	k := AccessKey{ID: i.keyID(), Secret: newSecret(), Active: true, Created: i.today()}
	err = i.userHolder().edit(ctx, *name, func(tx *store.Tx, u *User) error {
		if err := full(len(u.Keys), "AccessKeysPerUser", keysPerUser); err != nil {
			return err
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
	u, err := i.userHolder().named("userName", name)
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
		i.keyUses.In(tx).Delete(*id)
		return nil
	})
}

// UpdateAccessKey switches a key on or off.
func (i *IAM) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	var c check
	if in.Status == "" {
		c.fault("status", "null ", "Member must not be null")
	}
	c.enum("status", string(in.Status), "Active", "Inactive")
	if err := c.err(); err != nil {
		return nil, err
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
