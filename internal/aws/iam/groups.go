package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// groupsPerUser is IAM's quota.
const groupsPerUser = 10

// CreateGroup makes a group.
func (i *IAM) CreateGroup(ctx context.Context, in *iam.CreateGroupInput) (*iam.CreateGroupOutput, error) {
	var c check
	c.name("groupName", in.GroupName, 128)
	path := c.path(in.Path)
	if err := c.err(); err != nil {
		return nil, err
	}
	g := Group{Name: *in.GroupName, Path: path, ID: i.entityID(groupPrefix), Created: i.today()}
	err := i.change(ctx, func(tx *store.Tx) error {
		if err := vacant(tx, i.groups, g.Name, "Group with name %s already exists.", "GroupsPerAccount", groupsQuota); err != nil {
			return err
		}
		i.groups.In(tx).Put(key(g.Name), g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateGroupOutput{Group: i.showGroup(&g)}, nil
}

func (i *IAM) showGroup(g *Group) *types.Group {
	arn := i.groupARN(g)
	return &types.Group{GroupName: &g.Name, Path: &g.Path, GroupId: &g.ID, Arn: &arn, CreateDate: &g.Created}
}

// GetGroup describes a group and lists its users.
func (i *IAM) GetGroup(_ context.Context, in *iam.GetGroupInput) (*iam.GetGroupOutput, error) {
	g, err := i.groupHolder().named("groupName", in.GroupName)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(newListing(in.Marker, in.MaxItems), byKey(g.Members, func(k string) string { return k }), func(k string) (types.User, bool) {
		u, ok := i.users.Get(k)
		return i.listedUser(&u), ok
	})
	if err != nil {
		return nil, err
	}
	return &iam.GetGroupOutput{Group: i.showGroup(&g), Users: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// ListGroups lists groups by path prefix.
func (i *IAM) ListGroups(_ context.Context, in *iam.ListGroupsInput) (*iam.ListGroupsOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	prefix := l.prefix(in.PathPrefix)
	page, err := pageOf(l, i.groups.List(""), func(g Group) (types.Group, bool) {
		return *i.showGroup(&g), strings.HasPrefix(g.Path, prefix)
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListGroupsOutput{Groups: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// ListGroupsForUser lists the groups of a user.
func (i *IAM) ListGroupsForUser(_ context.Context, in *iam.ListGroupsForUserInput) (*iam.ListGroupsForUserOutput, error) {
	u, err := i.userHolder().named("userName", in.UserName)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(newListing(in.Marker, in.MaxItems), byKey(u.Groups, func(k string) string { return k }), func(k string) (types.Group, bool) {
		g, ok := i.groups.Get(k)
		return *i.showGroup(&g), ok
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListGroupsForUserOutput{Groups: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// UpdateGroup gives a group another name or path. Its id stays.
func (i *IAM) UpdateGroup(ctx context.Context, in *iam.UpdateGroupInput) (*iam.UpdateGroupOutput, error) {
	var c check
	c.name("groupName", in.GroupName, 128)
	newName, newPath := c.renamed("newGroupName", in.GroupName, in.NewGroupName, in.NewPath, 128)
	if err := c.err(); err != nil {
		return nil, err
	}
	h := i.groupHolder()
	return &iam.UpdateGroupOutput{}, i.change(ctx, func(tx *store.Tx) error {
		g, err := h.in(tx, *in.GroupName)
		if err != nil {
			return err
		}
		before, after := key(g.Name), key(newName)
		if _, taken := i.groups.In(tx).Get(after); taken && after != before {
			return alreadyExists("Group with name %s already exists.", newName)
		}
		g.Name = newName
		if newPath != "" {
			g.Path = newPath
		}
		if after != before {
			for _, k := range g.Members {
				u, _ := i.users.In(tx).Get(k)
				u.Groups = with(without(u.Groups, before), after)
				i.users.In(tx).Put(k, u)
			}
			i.groups.In(tx).Delete(before)
		}
		i.groups.In(tx).Put(after, g)
		return nil
	})
}

// DeleteGroup deletes a group that has and holds nothing any more.
func (i *IAM) DeleteGroup(ctx context.Context, in *iam.DeleteGroupInput) (*iam.DeleteGroupOutput, error) {
	var c check
	c.name("groupName", in.GroupName, 128)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.DeleteGroupOutput{}, i.change(ctx, func(tx *store.Tx) error {
		g, err := i.groupHolder().in(tx, *in.GroupName)
		switch {
		case err != nil:
			return err
		case len(g.Members) > 0:
			return deleteConflict("remove users from group")
		case len(g.Attached) > 0:
			return deleteConflict("detach all policies")
		case len(g.Inline) > 0:
			return deleteConflict("delete policies")
		}
		i.groups.In(tx).Delete(key(g.Name))
		return nil
	})
}

// AddUserToGroup makes a user a member. One that is already is no error.
func (i *IAM) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupInput) (*iam.AddUserToGroupOutput, error) {
	return &iam.AddUserToGroupOutput{}, i.membership(ctx, in.GroupName, in.UserName, func(g *Group, u *User) error {
		if slices.Contains(g.Members, key(u.Name)) {
			return nil
		}
		if err := full(len(u.Groups), "GroupsPerUser", groupsPerUser); err != nil {
			return err
		}
		g.Members, u.Groups = with(g.Members, key(u.Name)), with(u.Groups, key(g.Name))
		return nil
	})
}

// RemoveUserFromGroup ends a membership.
func (i *IAM) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupInput) (*iam.RemoveUserFromGroupOutput, error) {
	return &iam.RemoveUserFromGroupOutput{}, i.membership(ctx, in.GroupName, in.UserName, func(g *Group, u *User) error {
		g.Members, u.Groups = without(g.Members, key(u.Name)), without(u.Groups, key(g.Name))
		return nil
	})
}

// membership changes a group and a user in one transaction.
func (i *IAM) membership(ctx context.Context, group, user *string, fn func(*Group, *User) error) error {
	var c check
	c.name("groupName", group, 128)
	c.name("userName", user, 128)
	if err := c.err(); err != nil {
		return err
	}
	return i.groupHolder().edit(ctx, *group, func(tx *store.Tx, g *Group) error {
		u, err := i.userHolder().in(tx, *user)
		if err != nil {
			return err
		}
		if err := fn(g, &u); err != nil {
			return err
		}
		i.users.In(tx).Put(key(u.Name), u)
		return nil
	})
}
