// Package evict empties a node: it is cordoned, and its pods are evicted, as fast as their
// disruption budgets let them go.
package evict

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// again is how long is waited between two looks at what is left.
const again = 250 * time.Millisecond

// LeftError are the pods, "NAMESPACE/NAME", that were still there when the time was over.
type LeftError struct{ Pods []string }

func (e *LeftError) Error() string { return "pods are left: " + strings.Join(e.Pods, ", ") }

// Drain returns when no pod is left on the node save those of DaemonSets and those that
// the node itself runs. With force, pods that a budget keeps are deleted. A node that is
// not there is empty.
func Drain(ctx context.Context, client kubernetes.Interface, node string, force bool) error {
	if err := cordon(ctx, client, node); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	for {
		left, err := leaving(ctx, client, node)
		if err == nil && len(left) == 0 {
			return nil
		}
		for _, p := range left {
			if p.DeletionTimestamp != nil {
				continue
			}
			if e := evict(ctx, client, p, force); e != nil && err == nil {
				err = e
			}
		}
		select {
		case <-ctx.Done():
			if len(left) == 0 {
				return fmt.Errorf("draining node %s: %w", node, err)
			}
			return &LeftError{names(left)}
		case <-time.After(again):
		}
	}
}

func names(pods []corev1.Pod) (all []string) {
	for _, p := range pods {
		all = append(all, p.Namespace+"/"+p.Name)
	}
	return all
}

func cordon(ctx context.Context, client kubernetes.Interface, node string) error {
	_, err := client.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
	return err
}

// leaving are the pods of a node that are to go.
func leaving(ctx context.Context, client kubernetes.Interface, node string) ([]corev1.Pod, error) {
	all, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String()})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all.Items, stays), nil
}

func stays(p corev1.Pod) bool {
	_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
	over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	owner := metav1.GetControllerOf(&p)
	return mirror || over || owner != nil && owner.Kind == "DaemonSet"
}

func evict(ctx context.Context, client kubernetes.Interface, p corev1.Pod, force bool) error {
	err := client.PolicyV1().Evictions(p.Namespace).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace}})
	if apierrors.IsTooManyRequests(err) && force { // a budget
		err = client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}})
	}
	if apierrors.IsNotFound(err) || apierrors.IsTooManyRequests(err) || apierrors.IsConflict(err) {
		return nil // gone, or to be tried again
	}
	return err
}
