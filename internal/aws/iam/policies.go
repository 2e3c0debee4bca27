package iam

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// managedQuota is the length of a managed policy, white space aside.
const managedQuota = 6144

// CreatePolicy makes a customer managed policy.
func (i *IAM) CreatePolicy(ctx context.Context, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
	var c check
	c.name("policyName", in.PolicyName, 128)
	path := c.path(in.Path)
	c.document("policyDocument", in.PolicyDocument)
	c.description(in.Description, 1000)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	tags = append(tags, systemTags(ctx)...)
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	now := i.today()
	p := Policy{
		Name: *in.PolicyName, Path: path, ID: i.entityID(policyPrefix), Description: value(in.Description),
		Created: now, Updated: now, Tags: tags, Default: "v1", Made: 1,
		Versions: []Version{{ID: "v1", Document: *in.PolicyDocument, Created: now}},
	}
	err := i.change(ctx, func(tx *store.Tx) error {
		if err := vacant(tx, i.policies, p.Name, "A policy called %s already exists. Duplicate names are not allowed.", "PoliciesPerAccount", policiesQuota); err != nil {
			return err
		}
		i.policies.In(tx).Put(key(p.Name), p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreatePolicyOutput{Policy: i.showPolicy(&p, i.policyARN(&p), true)}, nil
}

func (i *IAM) showPolicy(p *Policy, arn string, attachable bool) *types.Policy {
	attached, boundaries := int32(p.Attached), int32(p.Boundaries)
	out := &types.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &arn, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount: &attached, PermissionsBoundaryUsageCount: &boundaries, IsAttachable: attachable,
		CreateDate: &p.Created, UpdateDate: &p.Updated, Tags: showTags(p.Tags),
	}
	if p.Description != "" {
		out.Description = &p.Description
	}
	return out
}

// lookup finds a managed policy, a customer's or AWS's, by ARN.
func (i *IAM) lookup(arn string) (p Policy, attachable, ok bool) {
	if a, found := i.awsManaged.byARN[arn]; found {
		p = a.Policy
		p.Uses, _ = i.awsUses.Get(arn)
		return p, a.attachable(), true
	}
	p, ok = i.policies.Get(key(lastOf(arn)))
	return p, true, ok && i.policyARN(&p) == arn
}

func (i *IAM) policy(arn *string) (Policy, bool, error) {
	var c check
	c.arn("policyArn", arn)
	if err := c.err(); err != nil {
		return Policy{}, false, err
	}
	p, attachable, ok := i.lookup(*arn)
	if !ok {
		return p, false, noSuchEntity("Policy %s was not found.", *arn)
	}
	return p, attachable, nil
}

// GetPolicy describes a managed policy.
func (i *IAM) GetPolicy(_ context.Context, in *iam.GetPolicyInput) (*iam.GetPolicyOutput, error) {
	p, attachable, err := i.policy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetPolicyOutput{Policy: i.showPolicy(&p, *in.PolicyArn, attachable)}, nil
}

// GetPolicyVersion shows a version's text.
func (i *IAM) GetPolicyVersion(_ context.Context, in *iam.GetPolicyVersionInput) (*iam.GetPolicyVersionOutput, error) {
	p, _, err := i.policy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, ok := p.version(value(in.VersionId))
	if !ok {
		return nil, noVersion(*in.PolicyArn, value(in.VersionId))
	}
	shown := showVersion(&p, v)
	shown.Document = escaped(v.Document)
	return &iam.GetPolicyVersionOutput{PolicyVersion: &shown}, nil
}

func showVersion(p *Policy, v Version) types.PolicyVersion {
	return types.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: &v.Created}
}

// newestFirst sorts versions by number, downwards.
func newestFirst(v Version) string {
	n, _ := strconv.Atoi(strings.TrimPrefix(v.ID, "v")) // ids are v1, v2, …
	return fmt.Sprintf("%010d", math.MaxInt32-n)
}

// ListPolicyVersions lists a policy's versions, the newest first.
func (i *IAM) ListPolicyVersions(_ context.Context, in *iam.ListPolicyVersionsInput) (*iam.ListPolicyVersionsOutput, error) {
	p, _, err := i.policy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	list := byKey(p.Versions, newestFirst)
	page, err := pageOf(newListing(in.Marker, in.MaxItems), list, always(func(v Version) types.PolicyVersion { return showVersion(&p, v) }))
	return &iam.ListPolicyVersionsOutput{Versions: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

// ListPolicies lists managed policies by scope, path and use.
func (i *IAM) ListPolicies(_ context.Context, in *iam.ListPoliciesInput) (*iam.ListPoliciesOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	prefix := l.prefix(in.PathPrefix)
	l.enum("scope", string(in.Scope), "All", "AWS", "Local")
	l.enum("policyUsageFilter", string(in.PolicyUsageFilter), "PermissionsPolicy", "PermissionsBoundary")
	// Customer policies and AWS's, sorted as one list by name.
	var arns []string
	if in.Scope != types.PolicyScopeTypeAws {
		for _, p := range i.policies.List("") {
			arns = append(arns, i.policyARN(&p))
		}
	}
	if in.Scope != types.PolicyScopeTypeLocal {
		for _, p := range i.awsManaged.sorted {
			arns = append(arns, p.arn)
		}
	}
	page, err := pageOf(l, byKey(arns, byPolicyName), func(arn string) (types.Policy, bool) {
		p, attachable, ok := i.lookup(arn)
		shown := *i.showPolicy(&p, arn, attachable)
		shown.Tags, shown.Description = nil, nil // lists leave them out
		return shown, ok && strings.HasPrefix(p.Path, prefix) && listedUse(in, &p.Uses)
	})
	if err != nil {
		return nil, err
	}
	return &iam.ListPoliciesOutput{Policies: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// listedUse says whether the filters by use let a policy pass.
func listedUse(in *iam.ListPoliciesInput, u *Uses) bool {
	switch in.PolicyUsageFilter {
	case types.PolicyUsageTypePermissionsPolicy:
		return u.Attached > 0
	case types.PolicyUsageTypePermissionsBoundary:
		return u.Boundaries > 0
	}
	return !in.OnlyAttached || u.Attached > 0
}

// DeletePolicy deletes a customer managed policy that nobody has and that has no
// other version.
func (i *IAM) DeletePolicy(ctx context.Context, in *iam.DeletePolicyInput) (*iam.DeletePolicyOutput, error) {
	if _, _, err := i.policy(in.PolicyArn); err != nil {
		return nil, err
	}
	if _, ok := i.awsManaged.byARN[*in.PolicyArn]; ok {
		return nil, managedByAWS(*in.PolicyArn)
	}
	return &iam.DeletePolicyOutput{}, i.change(ctx, func(tx *store.Tx) error {
		p, ok := i.policies.In(tx).Get(key(lastOf(*in.PolicyArn)))
		switch {
		case !ok:
			return noSuchEntity("Policy %s was not found.", *in.PolicyArn)
		case p.Attached+p.Boundaries > 0:
			text := "Cannot delete a policy attached to entities."
			return &types.DeleteConflictException{Message: &text}
		case len(p.Versions) > 1:
			text := "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
			return &types.DeleteConflictException{Message: &text}
		}
		i.policies.In(tx).Delete(key(p.Name))
		return nil
	})
}
