package controlplane

import (
	"context"
	"errors"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRemove(t *testing.T) {
	object := func() map[string]any {
		return map[string]any{"spec": map[string]any{"replicas": int64(2), "template": map[string]any{"containers": []any{
			map[string]any{"name": "a", "image": "a:1"}, map[string]any{"name": "b", "image": "b:1"}}}}}
	}
	for path, removed := range map[string]bool{
		".spec.replicas": true,
		`.spec.template.containers[name="b"].image`: true,
		`.spec.template.containers[name="c"].image`: false,
		".spec.none":                          false,
		".spec.replicas.deeper":               false,
		`.spec["a"]`:                          false,
		"":                                    false,
		`.spec.template.containers[name="b"]`: false,
	} {
		if got := remove(object(), path); got != removed {
			t.Errorf("%s: %t", path, got)
		}
	}
	o := object()
	remove(o, `.spec.template.containers[name="b"].image`)
	b := o["spec"].(map[string]any)["template"].(map[string]any)["containers"].([]any)[1].(map[string]any)
	if _, there := b["image"]; there || b["name"] != "b" {
		t.Errorf("left %v", b)
	}
}

// dnsIsAnAddon sets CoreDNS as EKS's add-on does, beside a user who edits it.
func (l *live) dnsIsAnAddon(ctx context.Context, t *testing.T) {
	deployments := l.plane.Client().AppsV1().Deployments("kube-system")
	replicas := func() int32 {
		d, err := deployments.Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return *d.Spec.Replicas
	}
	dns := CoreDNS{Image: "example.com/eks/coredns:v1", Replicas: 1, Corefile: ".:53 {\n}\n"}
	if err := l.plane.ApplyCoreDNS(ctx, dns, Fail); err != nil || replicas() != 1 {
		t.Fatalf("EKS's own fields: %v, %d replicas", err, replicas())
	}
	m, err := l.plane.Client().CoreV1().ConfigMaps("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil || m.Data["Corefile"] != dns.Corefile {
		t.Errorf("%v, %v", m.Data, err)
	}
	scale, err := deployments.GetScale(ctx, "coredns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	scale.Spec.Replicas = 4
	if _, err := deployments.UpdateScale(ctx, "coredns", scale, metav1.UpdateOptions{FieldManager: "kubectl"}); err != nil {
		t.Fatal(err)
	}
	var conflict *ConflictError
	if err := l.plane.ApplyCoreDNS(ctx, dns, Fail); !errors.As(err, &conflict) || !slices.Equal(conflict.Fields, []string{"Deployment.apps coredns - .spec.replicas"}) || replicas() != 4 {
		t.Errorf("the user's scale: %v, %d replicas", err, replicas())
	}
	if err := l.plane.ApplyCoreDNS(ctx, dns, Preserve); err != nil || replicas() != 4 {
		t.Errorf("preserve: %v, %d replicas", err, replicas())
	}
	if err := l.plane.ApplyCoreDNS(ctx, dns, Overwrite); err != nil || replicas() != 1 {
		t.Errorf("overwrite: %v, %d replicas", err, replicas())
	}
	for range 2 {
		if err := l.plane.RemoveCoreDNS(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := deployments.Get(ctx, "coredns", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after its removal: %v", err)
	}
	if err := l.plane.Bootstrap(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := deployments.Get(ctx, "coredns", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a later start: %v", err)
	}
}
