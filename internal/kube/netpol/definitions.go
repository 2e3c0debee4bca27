package netpol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// manager is the field manager of EKS's own controllers.
const manager = "eks"

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// followClusterPolicies follows ClusterNetworkPolicies, and makes their definitions
// where they lack. What it returns tells of those that were there, which policies may
// have been made by.
func (c *Controller) followClusterPolicies(ctx context.Context) (synced []cache.InformerSynced, err error) {
	if c.objects == nil {
		return nil, nil
	}
	for _, text := range netpol.CRDs() {
		d := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &d.Object); err != nil {
			return nil, fmt.Errorf("definition of cluster network policies: %w", err)
		}
		informer := dynamicinformer.NewFilteredDynamicInformer(c.objects, served(d), "", 0, cache.Indexers{}, nil).Informer()
		r, err := informer.AddEventHandler(follow(c, served(d), c.setClusterPolicy, c.deleteClusterPolicy))
		if err != nil {
			return nil, err
		}
		there, err := c.isDefined(ctx, d.GetName())
		if err != nil {
			return nil, err
		}
		if there {
			synced = append(synced, r.HasSynced)
			c.running.Go(func() { informer.Run(ctx.Done()) })
			c.running.Go(func() { _ = c.define(ctx, d) }) // as this version has it
			continue
		}
		c.running.Go(func() {
			if c.define(ctx, d) == nil {
				informer.Run(ctx.Done())
			}
		})
	}
	return synced, nil
}

// served is the version of a definition's objects that is stored.
func served(d *unstructured.Unstructured) schema.GroupVersionResource {
	group, _, _ := unstructured.NestedString(d.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(d.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(d.Object, "spec", "versions")
	for _, v := range versions {
		if v, _ := v.(map[string]any); v["storage"] == true {
			name, _ := v["name"].(string)
			return schema.GroupVersionResource{Group: group, Version: name, Resource: plural}
		}
	}
	return schema.GroupVersionResource{Group: group, Resource: plural}
}

// isDefined is whether the API server serves a definition's objects.
func (c *Controller) isDefined(ctx context.Context, name string) (there bool, err error) {
	err = c.again(ctx, func() error {
		d, err := c.objects.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		there = err == nil && established(d)
		return err
	})
	return there, err
}

func established(d *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(d.Object, "status", "conditions")
	for _, one := range conditions {
		if one, _ := one.(map[string]any); one["type"] == "Established" && one["status"] == "True" {
			return true
		}
	}
	return false
}

// define makes a definition say what this version has, and returns when its objects
// are served.
func (c *Controller) define(ctx context.Context, d *unstructured.Unstructured) error {
	crds := c.objects.Resource(definitions)
	return c.again(ctx, func() error {
		made, err := crds.Apply(ctx, d.GetName(), d, metav1.ApplyOptions{FieldManager: manager, Force: true})
		if err != nil {
			return err
		}
		if !established(made) {
			return errors.New("the definition is not served yet")
		}
		return nil
	})
}

// again tries until it works or ctx ends.
func (c *Controller) again(ctx context.Context, try func() error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := try()
		if err == nil {
			return nil
		}
		if pause == lastPause {
			c.log.Error("definitions of cluster network policies", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (c *Controller) setClusterPolicy(u *unstructured.Unstructured) {
	text, err := json.Marshal(u.Object)
	if err != nil {
		c.log.Error("a cluster network policy can't be read", "policy", u.GetName(), "error", err)
		return
	}
	policy, err := netpol.FromClusterNetworkPolicy(text)
	if err != nil {
		c.log.Error("a cluster network policy can't be read", "policy", u.GetName(), "error", err)
		return
	}
	c.takePolicy(policy)
}

func (c *Controller) deleteClusterPolicy(u *unstructured.Unstructured) {
	c.compiler.DeletePolicy(netpol.PolicyName{Group: u.GroupVersionKind().Group, Name: u.GetName()})
}
