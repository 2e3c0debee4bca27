package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// bound makes a managed policy, or none, the permissions boundary that g holds.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func (i *IAM) bound(tx *store.Tx, g *Grants, arn string) error {
	if g.Boundary == arn {
		return nil
	}
	if arn != "" {
		if p, ok := i.awsManaged.byARN[arn]; ok && !p.attachable() {
			return bounding.missing(arn)
		}
		if err := i.count(tx, arn, bounding, +1); err != nil {
			return err
		}
	}
	if g.Boundary != "" {
		if err := i.count(tx, g.Boundary, bounding, -1); err != nil {
			return err
		}
	}
	g.Boundary = arn
	return nil
}

// optionalBoundary checks the boundary that a new user or role is made with.
func (c *check) optionalBoundary(arn *string) {
	if arn != nil {
		c.arn("permissionsBoundary", arn)
	}
}

// putBoundary sets the boundary of an entity.
func (h holder[T]) putBoundary(ctx context.Context, field string, name, arn *string) error {
	var c check
	c.name(field, name, 128)
	c.arn("permissionsBoundary", arn)
	if err := c.err(); err != nil {
		return err
	}
	return h.editGrants(ctx, *name, func(tx *store.Tx, g *Grants) error {
		return h.i.bound(tx, g, *arn)
	})
}

// dropBoundary removes it.
func (h holder[T]) dropBoundary(ctx context.Context, field string, name *string) error {
	var c check
	c.name(field, name, 128)
	if err := c.err(); err != nil {
		return err
	}
	return h.editGrants(ctx, *name, func(tx *store.Tx, g *Grants) error {
		if g.Boundary == "" {
			return noSuchEntity("The %s with name %s does not have a permissions boundary.", h.noun, *name)
		}
		return h.i.bound(tx, g, "")
	})
}

func showBoundary(g *Grants) *types.AttachedPermissionsBoundary {
	if g.Boundary == "" {
		return nil
	}
	return &types.AttachedPermissionsBoundary{
		PermissionsBoundaryType: types.PermissionsBoundaryAttachmentTypePolicy, PermissionsBoundaryArn: &g.Boundary,
	}
}

// PutUserPermissionsBoundary and its three siblings set and remove boundaries.
func (i *IAM) PutUserPermissionsBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) (*iam.PutUserPermissionsBoundaryOutput, error) {
	return &iam.PutUserPermissionsBoundaryOutput{}, i.userHolder().putBoundary(ctx, "userName", in.UserName, in.PermissionsBoundary)
}

func (i *IAM) DeleteUserPermissionsBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
	return &iam.DeleteUserPermissionsBoundaryOutput{}, i.userHolder().dropBoundary(ctx, "userName", in.UserName)
}

func (i *IAM) PutRolePermissionsBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryInput) (*iam.PutRolePermissionsBoundaryOutput, error) {
	return &iam.PutRolePermissionsBoundaryOutput{}, i.roleHolder().putBoundary(ctx, "roleName", in.RoleName, in.PermissionsBoundary)
}

func (i *IAM) DeleteRolePermissionsBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryInput) (*iam.DeleteRolePermissionsBoundaryOutput, error) {
	return &iam.DeleteRolePermissionsBoundaryOutput{}, i.roleHolder().dropBoundary(ctx, "roleName", in.RoleName)
}
