package iam

import (
	"context"
	"slices"

	"github.com/eksact/eksact/internal/store"
)

// holder is what users, groups and roles have in common: a name, and grants.
type holder[T any] struct {
	i      *IAM
	table  *store.Table[T]
	noun   string          // as the error texts say it
	quota  int             // bytes of all inline policies together
	title  func(*T) string // its name
	grants func(*T) *Grants
	// fixed refuses changes by hand, of service-linked roles.
	fixed func(*T) error
}

// Bytes of all inline policies of one holder together, white space aside.
const (
	userInlineQuota  = 2048
	groupInlineQuota = 5120
	roleInlineQuota  = 10240
)

func (i *IAM) userHolder() holder[User] {
	return holder[User]{i, i.users, "user", userInlineQuota, (*User).title, (*User).grants, func(*User) error { return nil }}
}

func (i *IAM) groupHolder() holder[Group] {
	return holder[Group]{i, i.groups, "group", groupInlineQuota, (*Group).title, (*Group).grants, func(*Group) error { return nil }}
}

func (i *IAM) roleHolder() holder[Role] {
	return holder[Role]{i, i.roles, "role", roleInlineQuota, (*Role).title, (*Role).grants, protected}
}

// protected refuses to change a service-linked role.
func protected(r *Role) error {
	if r.Service == "" {
		return nil
	}
	return unmodifiable("Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", r.Name)
}

// find returns the entity of that name.
func (h holder[T]) find(name string) (T, error) {
	e, ok := h.table.Get(key(name))
	if !ok || h.title(&e) != name {
		return e, noSuch(h.noun, name)
	}
	return e, nil
}

// in is find within a transaction.
func (h holder[T]) in(tx *store.Tx, name string) (T, error) {
	e, ok := h.table.In(tx).Get(key(name))
	if !ok || h.title(&e) != name {
		return e, noSuch(h.noun, name)
	}
	return e, nil
}

// edit changes the entity of that name in one transaction. Records are shared:
// fn replaces slices, it never changes their elements.
func (h holder[T]) edit(ctx context.Context, name string, fn func(tx *store.Tx, e *T) error) error {
	return h.i.change(ctx, func(tx *store.Tx) error {
		e, err := h.in(tx, name)
		if err != nil {
			return err
		}
		if err := fn(tx, &e); err != nil {
			return err
		}
		h.table.In(tx).Put(key(name), e)
		return nil
	})
}

// editGrants is edit for what the entity may do. What only AWS may change is
// refused, whichever change it is.
func (h holder[T]) editGrants(ctx context.Context, name string, fn func(tx *store.Tx, g *Grants) error) error {
	return h.edit(ctx, name, func(tx *store.Tx, e *T) error {
		if err := h.fixed(e); err != nil {
			return err
		}
		return fn(tx, h.grants(e))
	})
}

// vacant says whether a table has room for one more record, under a name that
// nothing there has. Taken is what is said of a name that something has.
func vacant[T any](tx *store.Tx, table *store.Table[T], name, taken, what string, quota int) error {
	if _, ok := table.In(tx).Get(key(name)); ok {
		return alreadyExists(taken, name)
	}
	return full(table.Len(), what, quota)
}

// with and without make a new list, as records' slices are shared.
func with[E any](list []E, e E) []E { return append(slices.Clip(list), e) }

func without[E comparable](list []E, e E) []E {
	return slices.DeleteFunc(slices.Clone(list), func(x E) bool { return x == e })
}
