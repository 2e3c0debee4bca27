package iam

import (
	"context"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// entry is one entity in the account's details: it puts itself where it belongs.
type entry struct {
	put func(*iam.GetAccountAuthorizationDetailsOutput)
}

// GetAccountAuthorizationDetails shows all users, roles, groups and policies with
// everything that says what they may do, as one list in this order. AWS's policies
// are there only as far as they are used.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
func (i *IAM) GetAccountAuthorizationDetails(_ context.Context, in *iam.GetAccountAuthorizationDetailsInput) (*iam.GetAccountAuthorizationDetailsOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	kinds := l.entityTypes(in.Filter)
	page, err := pageOf(l, i.entries(kinds), always(func(e entry) entry { return e }))
	if err != nil {
		return nil, err
	}
	out := &iam.GetAccountAuthorizationDetailsOutput{
		UserDetailList: []types.UserDetail{}, RoleDetailList: []types.RoleDetail{}, GroupDetailList: []types.GroupDetail{},
		Policies: []types.ManagedPolicyDetail{}, Marker: page.marker, IsTruncated: page.more,
	}
	for _, e := range page.items {
		e.put(out)
	}
	return out, nil
}

// entityTypes are the kinds that a filter lets pass. A marker belongs to the filter
// that it was given under, whatever its order.
func (l *listing) entityTypes(filter []types.EntityType) []types.EntityType {
	kinds := types.EntityType("").Values()
	if len(filter) > 0 {
		kinds = slices.Clone(filter)
		l.bad = api.ValidationError("Marker and Filter do not match")
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	for _, kind := range kinds {
		l.of += string(kind) + " "
	}
	return kinds
}

// sections are the kinds of entities in their order.
var sections = []types.EntityType{
	types.EntityTypeUser, types.EntityTypeRole, types.EntityTypeGroup, types.EntityTypeLocalManagedPolicy, types.EntityTypeAWSManagedPolicy,
}

// entries are all entities of those kinds, each under a key that sorts it.
func (i *IAM) entries(kinds []types.EntityType) iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		for n, kind := range sections {
			if !slices.Contains(kinds, kind) {
				continue
			}
			for k, e := range i.section(kind) {
				if !yield(string(rune('1'+n))+k, e) {
					return
				}
			}
		}
	}
}

// section is all entities of one kind, by key.
func (i *IAM) section(kind types.EntityType) iter.Seq2[string, entry] {
	switch kind {
	case types.EntityTypeUser:
		return entriesOf(i.users.List(""), i.putUserDetail)
	case types.EntityTypeRole:
		return entriesOf(i.roles.List(""), i.putRoleDetail)
	case types.EntityTypeGroup:
		return entriesOf(i.groups.List(""), i.putGroupDetail)
	case types.EntityTypeLocalManagedPolicy:
		return entriesOf(i.policies.List(""), func(_ string, p Policy, out *iam.GetAccountAuthorizationDetailsOutput) {
			i.putPolicyDetail(i.policyARN(&p), out)
		})
	}
	used := func(yield func(string, Uses) bool) {
		for arn, u := range i.awsUses.List("") {
			if u.Attached+u.Boundaries > 0 && !yield(arn, u) {
				return
			}
		}
	}
	return entriesOf(used, func(arn string, _ Uses, out *iam.GetAccountAuthorizationDetailsOutput) { i.putPolicyDetail(arn, out) })
}

func entriesOf[T any](records iter.Seq2[string, T], put func(string, T, *iam.GetAccountAuthorizationDetailsOutput)) iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		for k, r := range records {
			if !yield(k, entry{func(out *iam.GetAccountAuthorizationDetailsOutput) { put(k, r, out) }}) {
				return
			}
		}
	}
}

func (i *IAM) putUserDetail(_ string, u User, out *iam.GetAccountAuthorizationDetailsOutput) {
	shown := i.showUser(&u)
	d := types.UserDetail{
		UserName: shown.UserName, UserId: shown.UserId, Path: shown.Path, Arn: shown.Arn, CreateDate: shown.CreateDate,
		Tags: shown.Tags, PermissionsBoundary: shown.PermissionsBoundary,
		GroupList: []string{}, AttachedManagedPolicies: showAttached(&u.Grants),
	}
	if len(u.Inline) > 0 { // of roles and groups, an empty list is shown
		d.UserPolicyList = showInline(&u.Grants)
	}
	for _, k := range u.Groups {
		if g, ok := i.groups.Get(k); ok {
			d.GroupList = append(d.GroupList, g.Name)
		}
	}
	out.UserDetailList = append(out.UserDetailList, d)
}

func (i *IAM) putRoleDetail(_ string, r Role, out *iam.GetAccountAuthorizationDetailsOutput) {
	shown := i.showRole(&r)
	d := types.RoleDetail{
		RoleName: shown.RoleName, RoleId: shown.RoleId, Path: shown.Path, Arn: shown.Arn, CreateDate: shown.CreateDate,
		AssumeRolePolicyDocument: shown.AssumeRolePolicyDocument, Tags: shown.Tags, PermissionsBoundary: shown.PermissionsBoundary,
		RolePolicyList: showInline(&r.Grants), AttachedManagedPolicies: showAttached(&r.Grants),
		InstanceProfileList: []types.InstanceProfile{}, RoleLastUsed: i.roleLastUsed(&r),
	}
	for _, k := range r.Profiles {
		if p, ok := i.profiles.Get(k); ok {
			profile := i.showProfile(&p)
			profile.Tags = nil
			d.InstanceProfileList = append(d.InstanceProfileList, *profile)
		}
	}
	out.RoleDetailList = append(out.RoleDetailList, d)
}

func (i *IAM) putGroupDetail(_ string, g Group, out *iam.GetAccountAuthorizationDetailsOutput) {
	shown := i.showGroup(&g)
	out.GroupDetailList = append(out.GroupDetailList, types.GroupDetail{
		GroupName: shown.GroupName, GroupId: shown.GroupId, Path: shown.Path, Arn: shown.Arn, CreateDate: shown.CreateDate,
		GroupPolicyList: showInline(&g.Grants), AttachedManagedPolicies: showAttached(&g.Grants),
	})
}

func (i *IAM) putPolicyDetail(arn string, out *iam.GetAccountAuthorizationDetailsOutput) {
	p, attachable, ok := i.lookup(arn)
	if !ok {
		return // deleted since the page was begun
	}
	shown := i.showPolicy(&p, arn, attachable)
	d := types.ManagedPolicyDetail{
		PolicyName: shown.PolicyName, PolicyId: shown.PolicyId, Arn: shown.Arn, Path: shown.Path, DefaultVersionId: shown.DefaultVersionId,
		AttachmentCount: shown.AttachmentCount, PermissionsBoundaryUsageCount: shown.PermissionsBoundaryUsageCount, IsAttachable: attachable,
		CreateDate: shown.CreateDate, UpdateDate: shown.UpdateDate, PolicyVersionList: []types.PolicyVersion{},
	}
	for _, v := range byKey(p.Versions, newestFirst) {
		version := showVersion(&p, v)
		version.Document = escaped(v.Document)
		d.PolicyVersionList = append(d.PolicyVersionList, version)
	}
	out.Policies = append(out.Policies, d)
}

func showAttached(g *Grants) []types.AttachedPolicy {
	list := []types.AttachedPolicy{}
	for _, arn := range byKey(g.Attached, byPolicyName) {
		name := lastOf(arn)
		list = append(list, types.AttachedPolicy{PolicyName: &name, PolicyArn: &arn})
	}
	return list
}

func showInline(g *Grants) []types.PolicyDetail {
	list := []types.PolicyDetail{}
	for _, p := range byKey(g.Inline, func(p Inline) string { return p.Name }) {
		list = append(list, types.PolicyDetail{PolicyName: &p.Name, PolicyDocument: escaped(p.Document)})
	}
	return list
}
