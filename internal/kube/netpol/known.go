package netpol

import (
	"context"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/eksact/eksact/internal/engine/netpol"
)

// known are the objects of a kind that were told to the compiler, each with its
// resource version: which state of it.
type known map[netpol.PodName]uint64

// The kinds that policies are about.
var kinds = []schema.GroupVersionResource{
	{Version: "v1", Resource: "namespaces"},
	{Version: "v1", Resource: "pods"},
	{Group: netpol.NetworkingGroup, Version: "v1", Resource: "networkpolicies"},
	{Group: netpol.UpstreamGroup, Version: "v1beta1", Resource: "clusternetworkpolicies"},
	{Group: netpol.AWSGroup, Version: "v1alpha1", Resource: "clusternetworkpolicies"},
}

// note keeps which state of an object is known; 0 is none, for it is gone. c.mu is held.
func (c *Controller) note(kind schema.GroupVersionResource, o metav1.Object, version uint64) {
	name := netpol.PodName{Namespace: o.GetNamespace(), Name: o.GetName()}
	if version == 0 {
		delete(c.known[kind], name)
		return
	}
	if c.known[kind] == nil {
		c.known[kind] = known{}
	}
	c.known[kind][name] = version
}

// snapshot is what the API server has of a kind.
type snapshot struct {
	version uint64 // of the list
	objects known
}

// lacks names an object of which another state is known than the API server had.
func (k known) lacks(s snapshot) (string, bool) {
	for name, version := range s.objects {
		if k[name] < version {
			return name.String(), true
		}
	}
	for name, version := range k {
		if _, there := s.objects[name]; !there && version <= s.version {
			return name.String() + ", which is gone", true
		}
	}
	return "", false
}

// CatchUp returns when all that the API server has acknowledged before the call is
// enforced on every node: policies, pods and namespaces as they were changed, made and
// deleted.
func (c *Controller) CatchUp(ctx context.Context, api metadata.Interface) ([]Receipt, error) {
	now := map[schema.GroupVersionResource]snapshot{}
	for _, kind := range kinds {
		s, err := list(ctx, api, kind)
		if err != nil {
			return nil, err
		}
		now[kind] = s
	}
	var missing string
	err := c.until(ctx, func() bool {
		for kind, s := range now {
			if name, lacks := c.known[kind].lacks(s); lacks {
				missing = fmt.Sprintf("the newest state of %s %s is not known yet", kind.Resource, name)
				return false
			}
		}
		return c.synced
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", missing, err)
	}
	c.mu.Lock()
	c.flush()
	generation := c.generation
	c.mu.Unlock()
	return c.everywhere(ctx, generation)
}

// everywhere returns when every node enforces a generation, with all receipts.
func (c *Controller) everywhere(ctx context.Context, generation uint64) ([]Receipt, error) {
	return c.collect(ctx, func() (out []Receipt, missing string) {
		if n, behind := c.behind(generation); behind {
			return nil, n.why("the newest state")
		}
		for name, r := range c.policies {
			if r.generation <= generation {
				out = append(out, c.receipts(name, r)...)
			}
		}
		return out, ""
	})
}

// pageSize of lists, as client-go's.
const pageSize = 500

// list reads a kind's objects, their names and versions alone. Of a kind that the API
// server does not serve there are none.
func list(ctx context.Context, api metadata.Interface, kind schema.GroupVersionResource) (snapshot, error) {
	s := snapshot{objects: known{}}
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := api.Resource(kind).List(ctx, options)
		if apierrors.IsNotFound(err) {
			return s, nil
		}
		if err != nil {
			return s, fmt.Errorf("listing %s: %w", kind.Resource, err)
		}
		for _, o := range page.Items {
			s.objects[netpol.PodName{Namespace: o.Namespace, Name: o.Name}] = versionOf(&o)
		}
		s.version, _ = strconv.ParseUint(page.ResourceVersion, 10, 64)
		if options.Continue = page.Continue; options.Continue == "" {
			return s, nil
		}
	}
}

// versionOf orders the states of objects.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
func versionOf(o metav1.Object) uint64 {
	version, _ := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	return version
}
