package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mattfenwick/cyclonus/pkg/kube"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// cluster is cyclonus's client of Kubernetes. It notes what changes policies, pods
// and namespaces, and holds the first probe after it until that is enforced.
type cluster struct {
	*kube.Kubernetes
	enforced func() error

	mu    sync.Mutex
	dirty bool
}

func (c *cluster) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
}

// settle waits for enforcement if anything was changed since it last did.
func (c *cluster) settle() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	if err := c.enforced(); err != nil {
		return err
	}
	c.dirty = false
	return nil
}

func (c *cluster) ExecuteRemoteCommand(namespace, pod, container string, command []string) (string, string, error, error) {
	if err := c.settle(); err != nil {
		return "", "", nil, err
	}
	return c.Kubernetes.ExecuteRemoteCommand(namespace, pod, container, command)
}

func (c *cluster) CreateNamespace(n *v1.Namespace) (*v1.Namespace, error) {
	defer c.changed()
	return c.Kubernetes.CreateNamespace(n)
}

func (c *cluster) SetNamespaceLabels(namespace string, labels map[string]string) (*v1.Namespace, error) {
	defer c.changed()
	return c.Kubernetes.SetNamespaceLabels(namespace, labels)
}

func (c *cluster) DeleteNamespace(namespace string) error {
	defer c.changed()
	return c.Kubernetes.DeleteNamespace(namespace)
}

func (c *cluster) CreateNetworkPolicy(p *networkingv1.NetworkPolicy) (*networkingv1.NetworkPolicy, error) {
	defer c.changed()
	return c.Kubernetes.CreateNetworkPolicy(p)
}

func (c *cluster) UpdateNetworkPolicy(p *networkingv1.NetworkPolicy) (*networkingv1.NetworkPolicy, error) {
	defer c.changed()
	return c.Kubernetes.UpdateNetworkPolicy(p)
}

func (c *cluster) DeleteNetworkPolicy(namespace, name string) error {
	defer c.changed()
	return c.Kubernetes.DeleteNetworkPolicy(namespace, name)
}

func (c *cluster) DeleteAllNetworkPoliciesInNamespace(namespace string) error {
	defer c.changed()
	return c.Kubernetes.DeleteAllNetworkPoliciesInNamespace(namespace)
}

func (c *cluster) CreatePod(p *v1.Pod) (*v1.Pod, error) {
	defer c.changed()
	return c.Kubernetes.CreatePod(p)
}

func (c *cluster) DeletePod(namespace, pod string) error {
	defer c.changed()
	return c.Kubernetes.DeletePod(namespace, pod)
}

func (c *cluster) SetPodLabels(namespace, pod string, labels map[string]string) (*v1.Pod, error) {
	defer c.changed()
	return c.Kubernetes.SetPodLabels(namespace, pod, labels)
}

// spread reports the pods' nodes, of which there must be several: on one alone, half
// of what a policy means would go untested.
func (c *cluster) spread() error {
	all, err := kube.GetPodsInNamespaces(c, namespaces)
	if err != nil {
		return err
	}
	nodes := map[string][]string{}
	for _, p := range all {
		nodes[p.Spec.NodeName] = append(nodes[p.Spec.NodeName], p.Namespace+"/"+p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		fmt.Printf("node %s: %s\n", name, strings.Join(nodes[name], " "))
	}
	if len(nodes) < 2 {
		return fmt.Errorf("all pods are on one node: cases need two")
	}
	return nil
}
