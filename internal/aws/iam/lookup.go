package iam

import "strings"

// What other packages ask about entities.

// AccessKey returns an active access key with its owner, while both live.
func (i *IAM) AccessKey(id string) (AccessKey, User, bool) {
	k, ok := i.keys.Get(id)
	if !ok || !k.Active {
		return k, User{}, false
	}
	u, ok := i.users.Get(k.User)
	return k, u, ok && u.ID == k.UserID
}

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

// PrincipalID is the unique id of the user, role or root of that ARN, path included.
func (i *IAM) PrincipalID(arn string) (id string, ok bool) {
	if arn == "arn:"+i.place.Partition+":iam::"+i.place.AccountID+":root" {
		return i.place.AccountID, true
	}
	if r, ok := i.RoleByARN(arn); ok {
		return r.ID, true
	}
	u, ok := i.UserByName(lastOf(arn))
	return u.ID, ok && i.userARN(&u) == arn
}

// NoRole says why RoleByARN finds none, for the machine's owner.
func (i *IAM) NoRole(arn string) string {
	r, ok := i.roles.Get(key(lastOf(arn)))
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case len(parts) == 6 && parts[4] != i.place.AccountID:
		return "account " + parts[4] + " is not this account, " + i.place.AccountID + ": here are no roles of others"
	case ok:
		return "there is no role by that ARN: the role of that name is " + i.roleARN(&r)
	}
	return "there is no role by that ARN, nor one of that name"
}

// RoleByID returns the role of a unique id while it lives.
func (i *IAM) RoleByID(id string) (Role, bool) {
	s := i.index.subject(id)
	if s == nil || s.kind != "role" {
		return Role{}, false
	}
	r, ok := i.RoleByName(s.name)
	return r, ok && r.ID == id
}

// RoleARN is the ARN of a role, path included.
func (i *IAM) RoleARN(r *Role) string { return i.roleARN(r) }

// UserByName returns the user of that name, in that case of letters.
func (i *IAM) UserByName(name string) (User, bool) {
	u, ok := i.users.Get(key(name))
	return u, ok && u.Name == name
}

// UserByID returns the name and ARN of the user of a unique id while it lives.
func (i *IAM) UserByID(id string) (name, arn string, ok bool) {
	s := i.index.subject(id)
	if s == nil || s.kind != "user" {
		return "", "", false
	}
	return s.name, s.arn, true
}

// UserARN is a user's ARN.
func (i *IAM) UserARN(u *User) string { return i.userARN(u) }

// ProfileRole returns the role in an instance profile, given by name or ARN.
func (i *IAM) ProfileRole(profile string) (Role, bool) {
	p, ok := i.profiles.Get(key(lastOf(profile)))
	if !ok || p.Name != profile && i.profileARN(&p) != profile || len(p.Roles) == 0 {
		return Role{}, false
	}
	return i.roles.Get(p.Roles[0])
}

// InstanceProfile finds an instance profile by its name or ARN, and the ARN of its role;
// "" without one.
func (i *IAM) InstanceProfile(nameOrARN string) (arn, id, roleARN string, ok bool) {
	p, ok := i.profiles.Get(key(lastOf(nameOrARN)))
	if !ok || p.Name != nameOrARN && i.profileARN(&p) != nameOrARN {
		return "", "", "", false
	}
	if role, has := i.ProfileRole(nameOrARN); has {
		roleARN = i.roleARN(&role)
	}
	return i.profileARN(&p), p.ID, roleARN, true
}

// ManagedPolicy says whether there is a managed policy of that ARN, the
// customer's or AWS's.
func (i *IAM) ManagedPolicy(arn string) bool {
	_, _, ok := i.lookup(arn)
	return ok
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
