package controlplane

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"text/template"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

//go:embed objects/*.yaml
var objectFiles embed.FS

// manager is the field manager of EKS's own controllers.
const manager = "eks"

// Bootstrap makes the objects that an EKS cluster has. EKS's own roles, bindings and
// webhooks are applied each time. Service account aws-node and CoreDNS, if it is given, as it
// is for a new cluster, are made where they are missing and otherwise left as they are. Call it once the API is ready; it
// tries again what fails for a moment, until ctx ends.
func (p *Plane) Bootstrap(ctx context.Context, dns *CoreDNS) error {
	roles, err := manifest("roles.yaml", nil)
	if err != nil {
		return err
	}
	if p.webhook != nil {
		webhooks, err := manifest("webhooks.yaml", p.webhook)
		if err != nil {
			return err
		}
		roles = append(roles, webhooks...)
	}
	// The account's role is its add-on's to say.
	users, err := manifest("awsnode.yaml", map[string]any{"Role": ""})
	if err != nil {
		return err
	}
	if dns != nil {
		coredns, err := p.coreDNS(*dns)
		if err != nil {
			return err
		}
		users = append(users, coredns...)
	}
	// The API server makes the namespace itself, but soon after it is ready.
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": metav1.NamespaceSystem},
	}}
	if err := p.persist(ctx, namespace, create); err != nil {
		return err
	}
	// Side by side: the order does not matter to any of them, the round trips do.
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, object := range roles {
		g.Go(func() error { return p.persist(ctx, object, apply) })
	}
	for _, object := range users {
		g.Go(func() error { return p.persist(ctx, object, create) })
	}
	return g.Wait()
}

// manifest reads the objects of a file below objects/.
func manifest(name string, data any) ([]*unstructured.Unstructured, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(objectFiles, "objects/"+name)
	if err != nil {
		return nil, err
	}
	text, err := execute(t, data)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		switch err := d.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, object)
	}
}

// kinds are the kinds used below objects/: known here, so that no start waits
// for discovery.
var kinds = map[string]struct {
	resource   schema.GroupVersionResource
	namespaced bool
}{
	"Namespace":                    {schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, false},
	"ServiceAccount":               {schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, true},
	"ConfigMap":                    {schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, true},
	"Service":                      {schema.GroupVersionResource{Version: "v1", Resource: "services"}, true},
	"Deployment":                   {schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, true},
	"PodDisruptionBudget":          {schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}, true},
	"ClusterRole":                  {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, false},
	"MutatingWebhookConfiguration": {schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}, false},
	"RoleBinding":                  {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}, true},
	"APIService":                   {schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}, false},
	"ClusterRoleBinding":           {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}, false},
}

// create makes an object where it is missing. It looks first: a Service that is
// there would be refused for its address being taken, not for its name.
func create(ctx context.Context, r dynamic.ResourceInterface, object *unstructured.Unstructured) error {
	_, err := r.Get(ctx, object.GetName(), metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	return apply(ctx, r, object) // so that what is applied later meets its own fields
}

// apply makes an object say what it should, whoever wrote it last.
func apply(ctx context.Context, r dynamic.ResourceInterface, object *unstructured.Unstructured) error {
	_, err := r.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// persist writes an object, and tries again while the API server is not up to it
// yet: its allocator of Service addresses, for one, starts after it is ready.
func (p *Plane) persist(ctx context.Context, object *unstructured.Unstructured,
	write func(context.Context, dynamic.ResourceInterface, *unstructured.Unstructured) error) error {
	kind, ok := kinds[object.GetKind()]
	if !ok {
		return fmt.Errorf("%s %s: a kind this cluster's own objects don't have", object.GetKind(), object.GetName())
	}
	var r dynamic.ResourceInterface = p.objects.Resource(kind.resource)
	if kind.namespaced {
		r = p.objects.Resource(kind.resource).Namespace(object.GetNamespace())
	}
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := write(ctx, r, object)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("cluster %s: %s %s: %w", p.cluster, object.GetKind(), object.GetName(), err)
		if final(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// final reports errors that trying again can't mend.
func final(err error) bool {
	return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsUnsupportedMediaType(err) || apierrors.IsMethodNotSupported(err)
}
