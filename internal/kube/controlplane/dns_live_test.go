package controlplane_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/kube/controlplane"
)

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
	dns := controlplane.CoreDNS{Image: "example.com/eks/coredns:v1", Replicas: 1, Corefile: ".:53 {\n}\n"}
	if err := l.plane.ApplyCoreDNS(ctx, dns, controlplane.Fail); err != nil || replicas() != 1 {
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
	var conflict *controlplane.ConflictError
	if err := l.plane.ApplyCoreDNS(ctx, dns, controlplane.Fail); !errors.As(err, &conflict) || !slices.Equal(conflict.Fields, []string{"Deployment.apps coredns - .spec.replicas"}) || replicas() != 4 {
		t.Errorf("the user's scale: %v, %d replicas", err, replicas())
	}
	if err := l.plane.ApplyCoreDNS(ctx, dns, controlplane.Preserve); err != nil || replicas() != 4 {
		t.Errorf("preserve: %v, %d replicas", err, replicas())
	}
	if err := l.plane.ApplyCoreDNS(ctx, dns, controlplane.Overwrite); err != nil || replicas() != 1 {
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
