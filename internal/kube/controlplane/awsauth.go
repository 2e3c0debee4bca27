package controlplane

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/yaml"
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
		if apierrors.IsNotFound(err) {
			_, err = maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Namespace: metav1.NamespaceSystem},
				Data:       map[string]string{"mapRoles": nodeRoleEntry(roleARN)},
			}, metav1.CreateOptions{FieldManager: manager})
			return err
		}
		if err != nil {
			return err
		}
		mapRoles, err := addNodeRole(found.Data["mapRoles"], roleARN)
		if err != nil || mapRoles == found.Data["mapRoles"] {
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

// nodeRoleEntry is the very text eksctl and EKS write.
func nodeRoleEntry(roleARN string) string {
	return "- groups:\n  - system:bootstrappers\n  - system:nodes\n  rolearn: " + roleARN +
		"\n  username: system:node:{{EC2PrivateDNSName}}\n"
}

// addNodeRole adds the role to mapRoles, a YAML list, unless it is there. ARNs
// are compared as the authenticator compares them, ignoring case. A list in
// block style, as everyone writes it, keeps its text, comments included; another
// is written anew.
func addNodeRole(mapRoles, roleARN string) (string, error) {
	var entries []map[string]any
	if err := yaml.Unmarshal([]byte(mapRoles), &entries); err != nil {
		return "", fmt.Errorf("mapRoles is no YAML list of mappings, and is left as it is: %w", err)
	}
	for _, e := range entries {
		if arn, _ := e["rolearn"].(string); strings.EqualFold(arn, roleARN) {
			return mapRoles, nil
		}
	}
	if len(entries) == 0 {
		return nodeRoleEntry(roleARN), nil
	}
	text := strings.TrimRight(mapRoles, "\n") + "\n" + nodeRoleEntry(roleARN)
	var joined []map[string]any
	if yaml.Unmarshal([]byte(text), &joined) == nil && len(joined) == len(entries)+1 {
		return text, nil
	}
	rewritten, err := yaml.Marshal(entries)
	if err != nil {
		return "", err
	}
	text = string(rewritten) + nodeRoleEntry(roleARN)
	if yaml.Unmarshal([]byte(text), &joined) != nil || len(joined) != len(entries)+1 {
		return "", errors.New("mapRoles can't be added to, and is left as it is")
	}
	return text, nil
}
