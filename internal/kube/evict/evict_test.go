package evict

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	core "k8s.io/client-go/testing"
)

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: "1"}, Spec: corev1.PodSpec{NodeName: "node"}}
	for _, fn := range change {
		fn(p)
	}
	return p
}

// world is a cluster whose evictions delete, save those of pods that are kept.
func world(kept ...string) *fake.Clientset {
	yes := true
	client := fake.NewClientset(
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}},
		pod("a"), pod("b"),
		pod("over", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		pod("static", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }),
		pod("daemon", func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "d", Controller: &yes}}
		}),
	)
	client.PrependReactor("create", "pods", func(action core.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		name := action.(core.CreateAction).GetObject().(*policyv1.Eviction).Name
		if slices.Contains(kept, name) {
			return true, nil, apierrors.NewTooManyRequests("a budget", 1)
		}
		return true, nil, client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "default", name)
	})
	return client
}

func left(t *testing.T, client *fake.Clientset) (all []string) {
	t.Helper()
	pods, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		all = append(all, p.Name)
	}
	slices.Sort(all)
	return all
}

func TestDrain(t *testing.T) {
	stay := []string{"daemon", "over", "static"}
	client := world()
	if err := Drain(t.Context(), client, "node", false); err != nil {
		t.Fatal(err)
	}
	if got := left(t, client); !slices.Equal(got, stay) {
		t.Errorf("left are %v", got)
	}
	n, err := client.CoreV1().Nodes().Get(t.Context(), "node", metav1.GetOptions{})
	if err != nil || !n.Spec.Unschedulable {
		t.Errorf("the node is %+v, %v", n, err)
	}
	if err := Drain(t.Context(), client, "absent", false); err != nil {
		t.Errorf("a node that is not there: %v", err)
	}

	client = world("b")
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	var e *LeftError
	if err := Drain(ctx, client, "node", false); !errors.As(err, &e) || !slices.Equal(e.Pods, []string{"default/b"}) {
		t.Errorf("with a budget: %v", err)
	}
	if err := Drain(t.Context(), client, "node", true); err != nil || !slices.Equal(left(t, client), stay) {
		t.Errorf("by force: %v, left %v", err, left(t, client))
	}
}
