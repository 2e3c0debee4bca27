package iam

import (
	"context"
	"net/url"
	"slices"
	"strings"

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
	return h.editGrants(ctx, *name, func(tx *store.Tx, g *Grants) error {
		if slices.Contains(g.Attached, *arn) {
			return nil
		}
		if p, ok := h.i.awsManaged.byARN[*arn]; ok && !p.attachable() {
			return notAttachable(h.noun)
		}
		if err := full(len(g.Attached), "PoliciesPer"+capital(h.noun), attachedQuota); err != nil {
			return err
		}
		if err := h.i.count(tx, *arn, attachment, +1); err != nil {
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
	return h.editGrants(ctx, *name, func(tx *store.Tx, g *Grants) error {
		if !slices.Contains(g.Attached, *arn) {
			return noSuchEntity("Policy %s was not found.", *arn)
		}
		g.Attached = without(g.Attached, *arn)
		return h.i.count(tx, *arn, attachment, -1)
	})
}

// use is a way of holding a managed policy.
type use uint8

const (
	attachment use = iota
	bounding
)

func (u *Uses) add(way use, n int) {
	if way == bounding {
		u.Boundaries += n
	} else {
		u.Attached += n
	}
}

// missing says that the policy to be held isn't there.
func (way use) missing(arn string) error {
	what := "Policy"
	if way == bounding {
		what = "Scope ARN:"
	}
	return noSuchEntity("%s %s does not exist or is not attachable.", what, arn)
}

// count notes that n more hold a managed policy.
func (i *IAM) count(tx *store.Tx, arn string, way use, n int) error {
	if _, ok := i.awsManaged.byARN[arn]; ok {
		u, _ := i.awsUses.In(tx).Get(arn)
		u.add(way, n)
		i.awsUses.In(tx).Put(arn, u)
		return nil
	}
	p, ok := i.policies.In(tx).Get(key(lastOf(arn)))
	if !ok || i.policyARN(&p) != arn {
		return way.missing(arn)
	}
	p.add(way, n)
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
	return h.editGrants(ctx, *name, func(_ *store.Tx, g *Grants) error {
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
	return h.editGrants(ctx, *name, func(_ *store.Tx, g *Grants) error {
		g.Inline = slices.DeleteFunc(slices.Clone(g.Inline), func(p Inline) bool { return p.Name == *policyName })
		return nil
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
	list := byKey(h.grants(&e).Attached, byPolicyName)
	return pageOf(l, list, func(arn string) (types.AttachedPolicy, bool) {
		last := lastOf(arn)
		_, path, _ := strings.Cut(arn, ":policy")
		return types.AttachedPolicy{PolicyName: &last, PolicyArn: &arn}, strings.HasPrefix(path, under)
	})
}

// byPolicyName sorts ARNs by the names at their ends. Several can have one name,
// under different paths or as AWS's and the customer's.
func byPolicyName(arn string) string { return key(lastOf(arn)) + " " + arn }
