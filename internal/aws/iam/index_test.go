package iam

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Several callers change few entities in every way, at once. After it the index
// is what one made anew would be, links hold on both sides, and uses are counted
// right. The rounds are short: a later change would mend what an earlier broke.
func TestTheIndexFollows(t *testing.T) {
	renamed := 0
	for round := range uint64(60) {
		s := store.NewMemory()
		i, err := New(s, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		i.users.Watch(func(k string, old, new *User) {
			if old != nil && new == nil && i.index.subject(old.ID) != nil {
				renamed++
			}
		})
		var all sync.WaitGroup
		for caller := range uint64(4) {
			all.Go(func() {
				c := chaos{i, rand.New(rand.NewPCG(round, caller))}
				for range 60 {
					c.change(t.Context())
				}
			})
		}
		all.Wait()
		checkIndex(t, i)
		checkLinks(t, i)
		checkUses(t, i)
		s.Close()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if renamed == 0 {
		t.Error("no user was renamed: nothing is shown")
	}
}

func checkIndex(t *testing.T, i *IAM) {
	have, want := i.index.describe(), newIndex(i).describe()
	for id := range want {
		if have[id] != want[id] {
			t.Errorf("%s: the index has\n%s\na new one\n%s", id, have[id], want[id])
		}
	}
	for id := range have {
		if want[id] == "" {
			t.Errorf("%s is in the index and nowhere else:\n%s", id, have[id])
		}
	}
}

// describe spells what the index knows of each principal.
func (x *index) describe() map[string]string {
	out := map[string]string{}
	for id, s := range x.subjects {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s %s", s.kind, s.arn, s.name)
		for _, p := range s.identity.Sources() {
			fmt.Fprintf(&b, "\n%s %s", p.ARN, p.Policy.Document().Text)
		}
		for _, p := range s.boundary.Sources() {
			fmt.Fprintf(&b, "\nwithin %s %s", p.ARN, p.Policy.Document().Text)
		}
		out[id] = b.String()
	}
	return out
}

func checkLinks(t *testing.T, i *IAM) {
	for k, u := range i.users.List("") {
		for _, name := range u.Groups {
			if g, ok := i.groups.Get(name); !ok || !slices.Contains(g.Members, k) {
				t.Errorf("user %s has the group %s, which has not the user", k, name)
			}
		}
		for _, id := range u.Keys {
			if key, ok := i.keys.Get(id); !ok || key.User != k || key.UserID != u.ID {
				t.Errorf("user %s has the key %s of %s", k, id, key.User)
			}
		}
	}
	for name, g := range i.groups.List("") {
		for _, k := range g.Members {
			if u, ok := i.users.Get(k); !ok || !slices.Contains(u.Groups, name) {
				t.Errorf("group %s has the user %s, which has not the group", name, k)
			}
		}
	}
	for id, key := range i.keys.List("") {
		if u, ok := i.users.Get(key.User); !ok || !slices.Contains(u.Keys, id) {
			t.Errorf("key %s is of the user %s, which has it not", id, key.User)
		}
	}
}

func checkUses(t *testing.T, i *IAM) {
	want := map[string]Uses{}
	add := func(g *Grants) {
		for _, arn := range g.Attached {
			u := want[arn]
			u.Attached++
			want[arn] = u
		}
		if g.Boundary != "" {
			u := want[g.Boundary]
			u.Boundaries++
			want[g.Boundary] = u
		}
	}
	for _, u := range i.users.List("") {
		add(&u.Grants)
	}
	for _, g := range i.groups.List("") {
		add(&g.Grants)
	}
	for _, r := range i.roles.List("") {
		add(&r.Grants)
	}
	for _, p := range i.policies.List("") {
		arn := i.policyARN(&p)
		if p.Uses != want[arn] {
			t.Errorf("%s counts %+v, there are %+v", arn, p.Uses, want[arn])
		}
		delete(want, arn)
	}
	for arn, n := range want {
		if have, _ := i.awsUses.Get(arn); have != n {
			t.Errorf("%s counts %+v, there are %+v", arn, have, n)
		}
	}
}

// chaos makes changes by chance, most of which are refused.
type chaos struct {
	i *IAM
	*rand.Rand
}

func (c chaos) pick(list ...string) *string { return &list[c.IntN(len(list))] }
func (c chaos) name() *string               { return c.pick("a", "B", "c", "M", "n", "z") }

func (c chaos) document() *string {
	return aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get%d","Resource":"*"}]}`, c.IntN(1000)))
}

func (c chaos) policy() *string {
	name := c.name()
	return c.pick("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111122223333:policy/"+*name, "arn:aws:iam::111122223333:policy/"+*name)
}

// version is one that the policy has, if it is there.
func (c chaos) version(arn *string) *string {
	p, _, ok := c.i.lookup(*arn)
	if !ok {
		return nil
	}
	return &p.Versions[c.IntN(len(p.Versions))].ID
}

func (c chaos) change(ctx context.Context) {
	changes := []func() error{
		func() error {
			_, err := c.i.CreateUser(ctx, &iam.CreateUserInput{UserName: c.name(), PermissionsBoundary: c.policy()})
			return err
		},
		func() error {
			_, err := c.i.CreateUser(ctx, &iam.CreateUserInput{UserName: c.name()})
			return err
		},
		func() error { _, err := c.i.DeleteUser(ctx, &iam.DeleteUserInput{UserName: c.name()}); return err },
		func() error {
			_, err := c.i.UpdateUser(ctx, &iam.UpdateUserInput{UserName: c.name(), NewUserName: c.name(), NewPath: c.pick("/", "/x/")})
			return err
		},
		func() error {
			_, err := c.i.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: c.name()})
			return err
		},
		func() error {
			for id, k := range c.i.keys.List("") {
				_, err := c.i.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &k.User, AccessKeyId: &id})
				return err
			}
			return nil
		},
		func() error { _, err := c.i.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: c.name()}); return err },
		func() error { _, err := c.i.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: c.name()}); return err },
		func() error {
			_, err := c.i.UpdateGroup(ctx, &iam.UpdateGroupInput{GroupName: c.name(), NewGroupName: c.name()})
			return err
		},
		func() error {
			_, err := c.i.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: c.name(), UserName: c.name()})
			return err
		},
		func() error {
			_, err := c.i.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: c.name(), UserName: c.name()})
			return err
		},
		func() error {
			_, err := c.i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: c.name(), PermissionsBoundary: c.policy(),
				AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
			return err
		},
		func() error { _, err := c.i.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: c.name()}); return err },
		func() error {
			_, err := c.i.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: c.name(), PolicyDocument: c.document()})
			return err
		},
		func() error {
			_, err := c.i.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: c.policy()})
			return err
		},
		func() error {
			_, err := c.i.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: c.policy(), PolicyDocument: c.document(), SetAsDefault: true})
			return err
		},
		func() error {
			p := c.policy()
			_, err := c.i.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: p, VersionId: c.version(p)})
			return err
		},
		func() error {
			p := c.policy()
			_, err := c.i.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: p, VersionId: c.version(p)})
			return err
		},
	}
	all := append(changes, c.grants(ctx)...)
	_ = all[c.IntN(len(all))]()
}

// grants are changes to the policies that users, groups and roles hold.
func (c chaos) grants(ctx context.Context) []func() error {
	return []func() error{
		func() error { return c.i.userHolder().attach(ctx, "userName", c.name(), c.policy()) },
		func() error { return c.i.userHolder().detach(ctx, "userName", c.name(), c.policy()) },
		func() error { return c.i.groupHolder().attach(ctx, "groupName", c.name(), c.policy()) },
		func() error { return c.i.groupHolder().detach(ctx, "groupName", c.name(), c.policy()) },
		func() error { return c.i.groupHolder().put(ctx, "groupName", c.name(), c.name(), c.document()) },
		func() error { return c.i.groupHolder().drop(ctx, "groupName", c.name(), c.name()) },
		func() error { return c.i.roleHolder().attach(ctx, "roleName", c.name(), c.policy()) },
		func() error { return c.i.roleHolder().detach(ctx, "roleName", c.name(), c.policy()) },
		func() error { return c.i.userHolder().putBoundary(ctx, "userName", c.name(), c.policy()) },
	}
}
