package iam

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// attachedQuota is how many managed policies a user or role may have.
const attachedQuota = 10

// attach gives the entity a managed policy. One that it has already is no error.
func (h holder[T]) attach(ctx context.Context, field string, name, arn *string) error {
	var c check
	c.name(field, name, 128)
	c.arn("policyArn", arn)
	if err := c.err(); err != nil {
		return err
	}
	return h.edit(ctx, *name, func(tx *store.Tx, e *T) error {
		g := h.grants(e)
		if err := h.fixed(e); err != nil {
			return err
		}
		if slices.Contains(g.Attached, *arn) {
			return nil
		}
		if len(g.Attached) >= attachedQuota {
			noun := strings.ToUpper(h.noun[:1]) + h.noun[1:]
			return limitExceeded("Cannot exceed quota for PoliciesPer%s: %d", noun, attachedQuota)
		}
		if err := h.i.count(tx, *arn, +1); err != nil {
			return err
		}
		g.Attached = with(g.Attached, *arn)
		return nil
	})
}

// detach takes a managed policy away.
func (h holder[T]) detach(ctx context.Context, field string, name, arn *string) error {
	var c check
	c.name(field, name, 128)
	c.arn("policyArn", arn)
	if err := c.err(); err != nil {
		return err
	}
	return h.edit(ctx, *name, func(tx *store.Tx, e *T) error {
		g := h.grants(e)
		if err := h.fixed(e); err != nil {
			return err
		}
		if !slices.Contains(g.Attached, *arn) {
			return noSuchEntity("Policy %s was not found.", *arn)
		}
		g.Attached = without(g.Attached, *arn)
		return h.i.count(tx, *arn, -1)
	})
}

// count notes that one more, or one fewer, has a managed policy.
func (i *IAM) count(tx *store.Tx, arn string, n int) error {
	if p, ok := i.awsManaged.byARN[arn]; ok {
		if n > 0 && !p.attachable() {
			return noSuchEntity("Policy ARN does not exist or is not attachable.")
		}
		u, _ := i.awsUses.In(tx).Get(arn)
		u.Attached += n
		i.awsUses.In(tx).Put(arn, u)
		return nil
	}
	p, ok := i.policies.In(tx).Get(key(lastOf(arn)))
	if !ok || i.policyARN(&p) != arn {
		return noSuchEntity("Policy ARN does not exist or is not attachable.")
	}
	p.Attached += n
	i.policies.In(tx).Put(key(p.Name), p)
	return nil
}

// put embeds a policy, or replaces the one of that name.
func (h holder[T]) put(ctx context.Context, field string, name, policyName, document *string) error {
	var c check
	c.name(field, name, 128)
	c.name("policyName", policyName, 128)
	c.document("policyDocument", document)
	if err := c.err(); err != nil {
		return err
	}
	if _, err := h.find(*name); err != nil {
		return err
	}
	if _, err := policy.Parse(policy.Inline, *document); err != nil {
		return malformed(err)
	}
	return h.edit(ctx, *name, func(_ *store.Tx, e *T) error {
		if err := h.fixed(e); err != nil {
			return err
		}
		g := h.grants(e)
		list := slices.Clone(g.Inline)
		if n := slices.IndexFunc(list, func(p Inline) bool { return p.Name == *policyName }); n >= 0 {
			list[n].Document = *document
		} else {
			list = append(list, Inline{*policyName, *document})
		}
		g.Inline = list
		if g.inlineSize() > h.quota {
			return limitExceeded("Maximum policy size of %d bytes exceeded for %s %s", h.quota, h.noun, *name)
		}
		return nil
	})
}

// inline finds an embedded policy and returns its document, escaped as answers
// have it (RFC 3986).
func (h holder[T]) inline(field string, name, policyName *string) (*string, error) {
	e, err := h.named(field, name)
	if err != nil {
		return nil, err
	}
	for _, p := range h.grants(&e).Inline {
		if policyName != nil && p.Name == *policyName {
			return escaped(p.Document), nil
		}
	}
	return nil, noSuchEntity("The %s policy with name %s cannot be found.", h.noun, value(policyName))
}

func escaped(text string) *string {
	out := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	return &out
}

// drop deletes an embedded policy.
func (h holder[T]) drop(ctx context.Context, field string, name, policyName *string) error {
	if _, err := h.inline(field, name, policyName); err != nil {
		return err
	}
	return h.edit(ctx, *name, func(_ *store.Tx, e *T) error {
		g := h.grants(e)
		g.Inline = slices.DeleteFunc(slices.Clone(g.Inline), func(p Inline) bool { return p.Name == *policyName })
		return h.fixed(e)
	})
}

func (h holder[T]) inlineNames(field string, name, marker *string, maxItems *int32) (paged[string], error) {
	e, err := h.named(field, name)
	if err != nil {
		return paged[string]{}, err
	}
	list := byKey(h.grants(&e).Inline, func(p Inline) string { return p.Name })
	return pageOf(newListing(marker, maxItems), list, always(func(p Inline) string { return p.Name }))
}

func (h holder[T]) attached(field string, name, prefix, marker *string, maxItems *int32) (paged[types.AttachedPolicy], error) {
	e, err := h.named(field, name)
	if err != nil {
		return paged[types.AttachedPolicy]{}, err
	}
	l := newListing(marker, maxItems)
	under := l.prefix(prefix)
	list := byKey(h.grants(&e).Attached, lastOf)
	return pageOf(l, list, func(arn string) (types.AttachedPolicy, bool) {
		last := lastOf(arn)
		_, path, _ := strings.Cut(arn, ":policy")
		return types.AttachedPolicy{PolicyName: &last, PolicyArn: &arn}, strings.HasPrefix(path, under)
	})
}

func (i *IAM) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
	return &iam.AttachRolePolicyOutput{}, i.roleHolder().attach(ctx, "roleName", in.RoleName, in.PolicyArn)
}

func (i *IAM) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
	return &iam.DetachRolePolicyOutput{}, i.roleHolder().detach(ctx, "roleName", in.RoleName, in.PolicyArn)
}

func (i *IAM) ListAttachedRolePolicies(_ context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	p, err := i.roleHolder().attached("roleName", in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
	return &iam.PutRolePolicyOutput{}, i.roleHolder().put(ctx, "roleName", in.RoleName, in.PolicyName, in.PolicyDocument)
}

func (i *IAM) GetRolePolicy(_ context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	text, err := i.roleHolder().inline("roleName", in.RoleName, in.PolicyName)
	return &iam.GetRolePolicyOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

func (i *IAM) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
	return &iam.DeleteRolePolicyOutput{}, i.roleHolder().drop(ctx, "roleName", in.RoleName, in.PolicyName)
}

func (i *IAM) ListRolePolicies(_ context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	p, err := i.roleHolder().inlineNames("roleName", in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesOutput{PolicyNames: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
	return &iam.AttachUserPolicyOutput{}, i.userHolder().attach(ctx, "userName", in.UserName, in.PolicyArn)
}

func (i *IAM) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
	return &iam.DetachUserPolicyOutput{}, i.userHolder().detach(ctx, "userName", in.UserName, in.PolicyArn)
}

func (i *IAM) ListAttachedUserPolicies(_ context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
	p, err := i.userHolder().attached("userName", in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: p.items, Marker: p.marker, IsTruncated: p.more}, err
}

func (i *IAM) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
	return &iam.PutUserPolicyOutput{}, i.userHolder().put(ctx, "userName", in.UserName, in.PolicyName, in.PolicyDocument)
}

func (i *IAM) GetUserPolicy(_ context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
	text, err := i.userHolder().inline("userName", in.UserName, in.PolicyName)
	return &iam.GetUserPolicyOutput{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: text}, err
}

func (i *IAM) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
	return &iam.DeleteUserPolicyOutput{}, i.userHolder().drop(ctx, "userName", in.UserName, in.PolicyName)
}

func (i *IAM) ListUserPolicies(_ context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
	p, err := i.userHolder().inlineNames("userName", in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesOutput{PolicyNames: p.items, Marker: p.marker, IsTruncated: p.more}, err
}
