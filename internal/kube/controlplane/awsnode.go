package controlplane

import (
	"context"
	"errors"
)

// ApplyNodeAccount makes service account aws-node, which the VPC CNI's pods have on EKS,
// what EKS makes of it: with a role's annotation, or without one if role is "". Pods that
// use it get the role.
func (p *Plane) ApplyNodeAccount(ctx context.Context, role string) error {
	all, err := manifest("awsnode.yaml", map[string]any{"Role": role})
	for _, o := range all {
		err = errors.Join(err, p.persist(ctx, o, apply))
	}
	return err
}
