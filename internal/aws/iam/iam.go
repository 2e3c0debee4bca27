package iam

import (
	"context"
	"fmt"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// IAM is the service of one account.
type IAM struct {
	store *store.Store
	place api.Place
	now   func() time.Time

	users    *store.Table[User]
	groups   *store.Table[Group]
	roles    *store.Table[Role]
	policies *store.Table[Policy]
	profiles *store.Table[Profile]
	keys     *store.Table[AccessKey]
	awsUses  *store.Table[Uses]

	awsManaged *library
	index      *index
}

// New makes the service over a store, registering its tables there.
func New(s *store.Store, place api.Place, now func() time.Time) (*IAM, error) {
	if _, err := NewID(userPrefix, place.AccountID, make([]byte, 9)); err != nil {
		return nil, fmt.Errorf("iam: %w", err)
	}
	aws, err := openLibrary(place.Partition)
	if err != nil {
		return nil, fmt.Errorf("iam: %w", err)
	}
	i := &IAM{
		store: s, place: place, now: now, awsManaged: aws,
		users:    store.NewTable[User](s, "iam/user"),
		groups:   store.NewTable[Group](s, "iam/group"),
		roles:    store.NewTable[Role](s, "iam/role"),
		policies: store.NewTable[Policy](s, "iam/policy"),
		profiles: store.NewTable[Profile](s, "iam/profile"),
		keys:     store.NewTable[AccessKey](s, "iam/key"),
		awsUses:  store.NewTable[Uses](s, "iam/awspolicy"),
	}
	i.index = newIndex(i)
	return i, nil
}

// today is the time to note in records: IAM's dates have whole seconds.
func (i *IAM) today() time.Time { return i.now().UTC().Truncate(time.Second) }

// arn is the ARN of an IAM resource: "role" + "/path/" + "name".
func (i *IAM) arn(kind, path, name string) string {
	return "arn:" + i.place.Partition + ":iam::" + i.place.AccountID + ":" + kind + path + name
}

func (i *IAM) userARN(u *User) string       { return i.arn("user", u.Path, u.Name) }
func (i *IAM) groupARN(g *Group) string     { return i.arn("group", g.Path, g.Name) }
func (i *IAM) roleARN(r *Role) string       { return i.arn("role", r.Path, r.Name) }
func (i *IAM) policyARN(p *Policy) string   { return i.arn("policy", p.Path, p.Name) }
func (i *IAM) profileARN(p *Profile) string { return i.arn("instance-profile", p.Path, p.Name) }

// rootARN is the account's root user, and the account as a principal.
func (i *IAM) rootARN() string { return i.arn("", "", "root") }

// RoleByName returns the role of that name, in that case of letters.
func (i *IAM) RoleByName(name string) (Role, bool) {
	r, ok := i.roles.Get(key(name))
	return r, ok && r.Name == name
}

// RoleByARN returns the role of that ARN, path included.
func (i *IAM) RoleByARN(arn string) (Role, bool) {
	r, ok := i.RoleByName(lastOf(arn))
	return r, ok && i.roleARN(&r) == arn
}

// RoleARN is the ARN of a role, path included.
func (i *IAM) RoleARN(r *Role) string { return i.roleARN(r) }

// UserByName returns the user of that name, in that case of letters.
func (i *IAM) UserByName(name string) (User, bool) {
	u, ok := i.users.Get(key(name))
	return u, ok && u.Name == name
}

// ProfileRole returns the role in an instance profile, given by name or ARN.
func (i *IAM) ProfileRole(profile string) (Role, bool) {
	p, ok := i.profiles.Get(key(lastOf(profile)))
	if !ok || p.Name != profile && i.profileARN(&p) != profile || len(p.Roles) == 0 {
		return Role{}, false
	}
	return i.roles.Get(p.Roles[0])
}

// lastOf is the name at the end of an ARN, or the name itself.
func lastOf(arn string) string {
	for n := len(arn) - 1; n >= 0; n-- {
		if arn[n] == '/' {
			return arn[n+1:]
		}
	}
	return arn
}

// change is one transaction.
func (i *IAM) change(ctx context.Context, fn func(*store.Tx) error) error {
	return i.store.Update(ctx, fn)
}
