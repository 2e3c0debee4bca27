package iam

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// versionsPerPolicy is IAM's quota.
const versionsPerPolicy = 5

// checkManaged parses a managed policy and compares its length with the quota.
func checkManaged(text string) error {
	if _, err := policy.Parse(policy.Managed, text); err != nil {
		return malformed(err)
	}
	if policy.Size(text) > managedQuota {
		return limitExceeded("Cannot exceed quota for PolicySize: %d", managedQuota)
	}
	return nil
}

func managedByAWS(arn string) error {
	return accessDenied("The policy " + arn + " is managed by AWS and cannot be changed.")
}

// editPolicy changes a customer managed policy in one transaction.
func (i *IAM) editPolicy(ctx context.Context, arn string, fn func(*Policy) error) error {
	if _, ok := i.awsManaged.byARN[arn]; ok {
		return managedByAWS(arn)
	}
	return i.change(ctx, func(tx *store.Tx) error {
		p, ok := i.policies.In(tx).Get(key(lastOf(arn)))
		if !ok || i.policyARN(&p) != arn {
			return noSuchEntity("Policy %s was not found.", arn)
		}
		if err := fn(&p); err != nil {
			return err
		}
		i.policies.In(tx).Put(key(p.Name), p)
		return nil
	})
}

// CreatePolicyVersion adds a version, and makes it the default when asked to.
func (i *IAM) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionInput) (*iam.CreatePolicyVersionOutput, error) {
	var c check
	c.document("policyDocument", in.PolicyDocument)
	if err := c.err(); err != nil {
		return nil, err
	}
	if _, _, err := i.policy(in.PolicyArn); err != nil { // an unknown policy wins over a bad document
		return nil, err
	}
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	var made types.PolicyVersion
	err := i.editPolicy(ctx, *in.PolicyArn, func(p *Policy) error {
		if len(p.Versions) >= versionsPerPolicy {
			return limitExceeded("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", versionsPerPolicy)
		}
		p.Made++
		v := Version{ID: fmt.Sprintf("v%d", p.Made), Document: *in.PolicyDocument, Created: i.today()}
		p.Versions, p.Updated = with(p.Versions, v), v.Created
		if in.SetAsDefault {
			p.Default = v.ID
		}
		made = showVersion(p, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreatePolicyVersionOutput{PolicyVersion: &made}, nil
}

// SetDefaultPolicyVersion puts a version in force.
func (i *IAM) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionInput) (*iam.SetDefaultPolicyVersionOutput, error) {
	if _, _, err := i.policy(in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.SetDefaultPolicyVersionOutput{}, i.editPolicy(ctx, *in.PolicyArn, func(p *Policy) error {
		if _, ok := p.version(value(in.VersionId)); !ok {
			return noVersion(*in.PolicyArn, value(in.VersionId))
		}
		p.Default = *in.VersionId
		return nil
	})
}

// DeletePolicyVersion deletes a version that is not the default.
func (i *IAM) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionInput) (*iam.DeletePolicyVersionOutput, error) {
	if _, _, err := i.policy(in.PolicyArn); err != nil {
		return nil, err
	}
	return &iam.DeletePolicyVersionOutput{}, i.editPolicy(ctx, *in.PolicyArn, func(p *Policy) error {
		id := value(in.VersionId)
		if _, ok := p.version(id); !ok {
			return noVersion(*in.PolicyArn, id)
		}
		if id == p.Default {
			text := "Cannot delete the default version of a policy."
			return &types.DeleteConflictException{Message: &text}
		}
		p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(v Version) bool { return v.ID == id })
		return nil
	})
}

func noVersion(arn, id string) error {
	return noSuchEntity("Policy %s version %s does not exist or is not attachable.", arn, id)
}

// TagPolicy, UntagPolicy and ListPolicyTags are about a policy's tags.
func (i *IAM) TagPolicy(ctx context.Context, in *iam.TagPolicyInput) (*iam.TagPolicyOutput, error) {
	var c check
	c.arn("policyArn", in.PolicyArn)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.TagPolicyOutput{}, i.editPolicy(ctx, *in.PolicyArn, func(p *Policy) (err error) {
		p.Tags, err = tagged(p.Tags, tags)
		return err
	})
}

func (i *IAM) UntagPolicy(ctx context.Context, in *iam.UntagPolicyInput) (*iam.UntagPolicyOutput, error) {
	var c check
	c.arn("policyArn", in.PolicyArn)
	c.tagKeys(in.TagKeys)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UntagPolicyOutput{}, i.editPolicy(ctx, *in.PolicyArn, func(p *Policy) error {
		p.Tags = untagged(p.Tags, in.TagKeys)
		return nil
	})
}

func (i *IAM) ListPolicyTags(_ context.Context, in *iam.ListPolicyTagsInput) (*iam.ListPolicyTagsOutput, error) {
	p, _, err := i.policy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	page, err := listTags(p.Tags, in.Marker, in.MaxItems)
	return &iam.ListPolicyTagsOutput{Tags: page.items, Marker: page.marker, IsTruncated: page.more}, err
}
