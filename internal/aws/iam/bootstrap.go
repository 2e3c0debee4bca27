package iam

import (
	"context"
	"errors"

	"github.com/eksact/eksact/internal/store"
)

// adminName is the user that every account starts with.
const adminName = "admin"

// Admin is that user's credentials.
type Admin struct{ AccessKeyID, SecretAccessKey, ARN string }

// Bootstrap makes the admin, with AdministratorAccess and an access key, in an
// account that has no user yet, and notes when that was.
func (i *IAM) Bootstrap(ctx context.Context) error {
	if a, _ := i.account.Get(accountKey); !a.Created.IsZero() {
		if _, err := i.Admin(); err == nil {
			return nil
		}
	}
	return i.change(ctx, func(tx *store.Tx) error {
		u, ok := i.users.In(tx).Get(adminName)
		if !ok {
			arn := "arn:" + i.place.Partition + ":iam::aws:policy/AdministratorAccess"
			u = User{Name: adminName, Path: "/", ID: i.entityID(userPrefix), Created: i.today()}
			if err := i.count(tx, arn, attachment, +1); err != nil {
				return err
			}
			u.Attached = []string{arn}
		}
		if a, _ := i.account.In(tx).Get(accountKey); a.Created.IsZero() {
			a.Created = u.Created
			i.account.In(tx).Put(accountKey, a)
		}
		if len(u.Keys) > 0 { // its own keys were changed: they are the admin's to know
			return nil
		}
		k := AccessKey{ID: i.keyID(), Secret: newSecret(), Active: true, Created: i.today(), User: adminName, UserID: u.ID}
		u.Keys = []string{k.ID}
		i.keys.In(tx).Put(k.ID, k)
		i.users.In(tx).Put(adminName, u)
		return nil
	})
}

// Admin returns the admin's credentials, while it has an active key.
func (i *IAM) Admin() (Admin, error) {
	u, ok := i.users.Get(adminName)
	if !ok {
		return Admin{}, errors.New("the account has no user admin")
	}
	for _, id := range u.Keys {
		if k, ok := i.keys.Get(id); ok && k.Active {
			return Admin{k.ID, k.Secret, i.userARN(&u)}, nil
		}
	}
	return Admin{}, errors.New("the user admin has no active access key")
}
