package controlplane

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// MetricsServer is what can be set of metrics-server.
type MetricsServer struct {
	Image    string
	Replicas int // 0 means 2
}

func (p *Plane) metricsServer(m MetricsServer) ([]*unstructured.Unstructured, error) {
	all, err := manifest("metrics-server.yaml", map[string]any{"Image": m.Image})
	if err != nil || m.Replicas == 0 {
		return all, err
	}
	for _, o := range all {
		if o.GetKind() == "Deployment" {
			err = unstructured.SetNestedField(o.Object, int64(m.Replicas), "spec", "replicas")
		}
	}
	return all, err
}

// ApplyMetricsServer makes the cluster's metrics-server what m says. Fields of its
// objects that others have set are treated as mode says.
func (p *Plane) ApplyMetricsServer(ctx context.Context, m MetricsServer, mode Conflicts) error {
	all, err := p.metricsServer(m)
	if err != nil {
		return err
	}
	return p.applySoftware(ctx, all, mode)
}

// RemoveMetricsServer removes its objects, as far as they are there.
func (p *Plane) RemoveMetricsServer(ctx context.Context) error {
	all, err := p.metricsServer(MetricsServer{Image: "none"})
	if err != nil {
		return err
	}
	return p.removeSoftware(ctx, all)
}
