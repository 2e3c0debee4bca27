package controlplane

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/eksact/eksact/internal/engine/mapping"
)

// EnsureNodeRole maps a node role in ConfigMap aws-auth, as EKS does when a
// managed node group with that role is made: nodes join by it. The ConfigMap is
// made when it is missing; what others wrote into it stays as they wrote it, and
// a role that is mapped already, to whatever, is left alone. It is for the moment
// a role is first used: calling it at each start would undo what an
// administrator removed on purpose.
func (p *Plane) EnsureNodeRole(ctx context.Context, roleARN string) error {
	maps := p.client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	changedMeanwhile := func(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }
	err := retry.OnError(retry.DefaultBackoff, changedMeanwhile, func() error {
		found, err := maps.Get(ctx, "aws-auth", metav1.GetOptions{})
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return err
		}
		mapRoles, err := mapping.AddRole(found.Data["mapRoles"], nodeRole(roleARN))
		if err != nil || mapRoles == found.Data["mapRoles"] {
			return err
		}
		if missing {
			_, err = maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: metav1.NamespaceSystem},
				Data:       map[string]string{"mapRoles": mapRoles},
			}, metav1.CreateOptions{FieldManager: manager})
			return err
		}
		if found.Data == nil {
			found.Data = map[string]string{}
		}
		found.Data["mapRoles"] = mapRoles
		_, err = maps.Update(ctx, found, metav1.UpdateOptions{FieldManager: manager})
		return err
	})
	if err != nil {
		return fmt.Errorf("cluster %s: mapping node role %s in aws-auth: %w", p.cluster, roleARN, err)
	}
	return nil
}

// RemoveNodeRole takes out of aws-auth what EnsureNodeRole wrote; a mapping that was
// changed since stays.
func (p *Plane) RemoveNodeRole(ctx context.Context, roleARN string) error {
	maps := p.client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		found, err := maps.Get(ctx, "aws-auth", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		mapRoles := mapping.RemoveRole(found.Data["mapRoles"], nodeRole(roleARN))
		if mapRoles == found.Data["mapRoles"] {
			return nil
		}
		found.Data["mapRoles"] = mapRoles
		_, err = maps.Update(ctx, found, metav1.UpdateOptions{FieldManager: manager})
		return err
	})
	if err != nil {
		return fmt.Errorf("cluster %s: taking node role %s out of aws-auth: %w", p.cluster, roleARN, err)
	}
	return nil
}

// nodeRole is the mapping that lets instances of a role be nodes.
func nodeRole(arn string) mapping.Role {
	return mapping.Role{ARN: arn, Username: "system:node:{{EC2PrivateDNSName}}", Groups: []string{"system:bootstrappers", "system:nodes"}}
}
