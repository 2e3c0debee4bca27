package resources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// retag changes the tags of EKS's resources.
func retag(ctx context.Context, j *Job, arn string) error {
	set, less := j.changedTags()
	var steps []step
	if len(set) > 0 {
		steps = append(steps, step{"TagResource", &eks.TagResourceInput{ResourceArn: &arn, Tags: set}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagResource", &eks.UntagResourceInput{ResourceArn: &arn, TagKeys: less}})
	}
	return do(ctx, j, "eks", steps...)
}

// eksTags are nil without any: EKS asks for the right to tag when there are some.
func eksTags(p map[string]any) map[string]string {
	if t := tags(p); len(t) > 0 {
		return t
	}
	return nil
}

func createEntry(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	cluster, principal := ptr(p, "ClusterName"), ptr(p, "PrincipalArn")
	id := *principal + "|" + *cluster
	entry, err := newEntry(ctx, j)
	if err != nil {
		return Made{}, err
	}
	j.initiated(id)
	return Made{id, map[string]any{"AccessEntryArn": aws.ToString(entry.AccessEntryArn)}}, associate(ctx, j)
}

func newEntry(ctx context.Context, j *Job) (*types.AccessEntry, error) {
	p := j.Properties
	find := func() (*types.AccessEntry, error) {
		out, err := call[eks.DescribeAccessEntryOutput](ctx, j, "eks", "DescribeAccessEntry", &eks.DescribeAccessEntryInput{ClusterName: ptr(p, "ClusterName"), PrincipalArn: ptr(p, "PrincipalArn")})
		if err != nil {
			return nil, err
		}
		return out.AccessEntry, nil
	}
	if j.PhysicalID != "" {
		return find()
	}
	out, err := call[eks.CreateAccessEntryOutput](ctx, j, "eks", "CreateAccessEntry", &eks.CreateAccessEntryInput{
		ClusterName: ptr(p, "ClusterName"), PrincipalArn: ptr(p, "PrincipalArn"), KubernetesGroups: list(p, "KubernetesGroups"),
		Type: ptr(p, "Type"), Username: ptr(p, "Username"), Tags: eksTags(p),
	})
	if err == nil {
		return out.AccessEntry, nil
	}
	if exists(err) && j.Again {
		if found, e := find(); e == nil && j.mine(found.CreatedAt) {
			return found, nil
		}
	}
	return nil, err
}

// associate gives an entry its access policies.
func associate(ctx context.Context, j *Job) error {
	p := j.Properties
	for _, policy := range objects(p, "AccessPolicies") {
		scope := object(policy, "AccessScope")
		err := do(ctx, j, "eks", step{"AssociateAccessPolicy", &eks.AssociateAccessPolicyInput{
			ClusterName: ptr(p, "ClusterName"), PrincipalArn: ptr(p, "PrincipalArn"), PolicyArn: ptr(policy, "PolicyArn"),
			AccessScope: &types.AccessScope{Type: types.AccessScopeType(text(scope, "Type")), Namespaces: list(scope, "Namespaces")},
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

func accessPolicies(p map[string]any) (arns []string) {
	for _, x := range objects(p, "AccessPolicies") {
		arns = append(arns, text(x, "PolicyArn"))
	}
	return arns
}

func updateEntry(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	cluster, principal := ptr(p, "ClusterName"), ptr(p, "PrincipalArn")
	groups := list(p, "KubernetesGroups")
	if groups == nil {
		groups = []string{}
	}
	if len(dropped(groups, list(j.Old, "KubernetesGroups")))+len(dropped(list(j.Old, "KubernetesGroups"), groups)) > 0 || text(j.Old, "Username") != text(p, "Username") {
		err := do(ctx, j, "eks", step{"UpdateAccessEntry", &eks.UpdateAccessEntryInput{ClusterName: cluster, PrincipalArn: principal, KubernetesGroups: groups, Username: ptr(p, "Username")}})
		if err != nil {
			return Made{}, err
		}
	}
	for _, arn := range dropped(j.had(accessPolicies), accessPolicies(p)) {
		err := undo(ctx, j, "eks", step{"DisassociateAccessPolicy", &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal, PolicyArn: &arn}})
		if err != nil {
			return Made{}, err
		}
	}
	if err := associate(ctx, j); err != nil {
		return Made{}, err
	}
	return Made{}, retag(ctx, j, text(j.After.Attributes, "AccessEntryArn"))
}

func deleteEntry(ctx context.Context, j *Job) error {
	return do(ctx, j, "eks", step{"DeleteAccessEntry", &eks.DeleteAccessEntryInput{ClusterName: ptr(j.Old, "ClusterName"), PrincipalArn: ptr(j.Old, "PrincipalArn")}})
}

func createAssociation(ctx context.Context, j *Job) (Made, error) {
	a, err := newAssociation(ctx, j)
	if err != nil {
		return Made{}, err
	}
	id := aws.ToString(a.AssociationArn)
	j.initiated(id)
	return Made{id, map[string]any{
		"AssociationArn": id, "AssociationId": aws.ToString(a.AssociationId), "ExternalId": aws.ToString(a.ExternalId),
	}}, nil
}

func newAssociation(ctx context.Context, j *Job) (*types.PodIdentityAssociation, error) {
	p := j.Properties
	out, err := call[eks.CreatePodIdentityAssociationOutput](ctx, j, "eks", "CreatePodIdentityAssociation", &eks.CreatePodIdentityAssociationInput{
		ClusterName: ptr(p, "ClusterName"), Namespace: ptr(p, "Namespace"), ServiceAccount: ptr(p, "ServiceAccount"), RoleArn: ptr(p, "RoleArn"),
		TargetRoleArn: ptr(p, "TargetRoleArn"), DisableSessionTags: flag(p, "DisableSessionTags"), Policy: ptr(p, "Policy"), Tags: eksTags(p),
	})
	if err == nil {
		return out.Association, nil
	}
	if !exists(err) || !j.Again {
		return nil, err
	}
	// One service account has at most one.
	listed, e := call[eks.ListPodIdentityAssociationsOutput](ctx, j, "eks", "ListPodIdentityAssociations", &eks.ListPodIdentityAssociationsInput{
		ClusterName: ptr(p, "ClusterName"), Namespace: ptr(p, "Namespace"), ServiceAccount: ptr(p, "ServiceAccount"),
	})
	if e != nil || len(listed.Associations) != 1 {
		return nil, err
	}
	found, e := call[eks.DescribePodIdentityAssociationOutput](ctx, j, "eks", "DescribePodIdentityAssociation", &eks.DescribePodIdentityAssociationInput{
		ClusterName: ptr(p, "ClusterName"), AssociationId: listed.Associations[0].AssociationId,
	})
	if e != nil || !j.mine(found.Association.CreatedAt) && aws.ToString(found.Association.AssociationArn) != j.PhysicalID {
		return nil, err
	}
	return found.Association, nil
}

func updateAssociation(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	in := &eks.UpdatePodIdentityAssociationInput{
		ClusterName: ptr(p, "ClusterName"), AssociationId: ptr(j.After.Attributes, "AssociationId"), RoleArn: ptr(p, "RoleArn"),
		TargetRoleArn: ptr(p, "TargetRoleArn"), DisableSessionTags: flag(p, "DisableSessionTags"), Policy: ptr(p, "Policy"),
	}
	if in.TargetRoleArn == nil && text(j.Old, "TargetRoleArn") != "" {
		in.TargetRoleArn = aws.String("")
	}
	out, err := call[eks.UpdatePodIdentityAssociationOutput](ctx, j, "eks", "UpdatePodIdentityAssociation", in)
	if err != nil {
		return Made{}, err
	}
	a := out.Association
	return Made{Attributes: map[string]any{
		"AssociationArn": aws.ToString(a.AssociationArn), "AssociationId": aws.ToString(a.AssociationId), "ExternalId": aws.ToString(a.ExternalId),
	}}, retag(ctx, j, j.PhysicalID)
}

func deleteAssociation(ctx context.Context, j *Job) error {
	id := j.PhysicalID[strings.LastIndexByte(j.PhysicalID, '/')+1:]
	return do(ctx, j, "eks", step{"DeletePodIdentityAssociation", &eks.DeletePodIdentityAssociationInput{ClusterName: ptr(j.Old, "ClusterName"), AssociationId: &id}})
}
