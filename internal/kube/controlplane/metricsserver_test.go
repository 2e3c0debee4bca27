package controlplane

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestMetricsServer(t *testing.T) {
	all, err := (&Plane{}).metricsServer(MetricsServer{Image: "eks/metrics-server:v1", Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	deployments := 0
	for _, o := range all {
		if _, known := kinds[o.GetKind()]; !known {
			t.Errorf("%s %s is of a kind that can't be written", o.GetKind(), o.GetName())
		}
		if o.GetKind() != "Deployment" {
			continue
		}
		deployments++
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		if n, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); n != 3 || len(containers) != 1 || containers[0].(map[string]any)["image"] != "eks/metrics-server:v1" {
			t.Errorf("%d replicas of %v", n, containers)
		}
	}
	if deployments != 1 || len(all) != 10 {
		t.Errorf("%d objects, %d of them Deployments", len(all), deployments)
	}
}
