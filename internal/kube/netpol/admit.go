package netpol

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/node/gate"
)

// mirror marks the API's copy of a static pod, whose UID is another than its kubelet's.
const mirror = "kubernetes.io/config.mirror"

// Admit carries out what a node's CNI asks: it returns when every node enforces the
// policies of the pod with its address, and knows the address as a peer. That an
// interface is gone is noted at once.
func (c *Controller) Admit(ctx context.Context, r gate.Request) error {
	if r.Gone {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.detach(r)
		return nil
	}
	if r.Name == "" {
		return fmt.Errorf("network policies: the runtime did not say which pod container %s is of", r.Container)
	}
	defer time.AfterFunc(long, func() { c.complain(r) }).Stop()
	if err := c.until(ctx, func() bool { return c.synced }); err != nil {
		return fmt.Errorf("network policies of %s/%s: the cluster's objects are not known: %w", r.Namespace, r.Name, err)
	}
	r, err := c.look(ctx, r)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.attach(r)
	c.flush()
	generation := c.generation
	c.mu.Unlock()
	if err := c.until(ctx, func() bool { _, behind := c.behind(generation); return !behind }); err != nil {
		return c.unenforced(r, generation, err)
	}
	return nil
}

// long is when a pod's waiting is worth a line in the log.
const long = 2 * time.Second

// complain says in the log what a pod waits for.
func (c *Controller) complain(r gate.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	why := "the cluster's objects are not all known yet"
	if c.synced {
		why = "the API server has not shown the pod"
		if n, behind := c.behind(c.generation); behind {
			why = n.why("the newest state")
		}
	}
	c.log.Warn("a pod waits for its network policies", "pod", r.Namespace+"/"+r.Name, "why", why)
}

// unenforced says which node keeps a pod waiting.
func (c *Controller) unenforced(r gate.Request, generation uint64, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, behind := c.behind(generation); behind {
		if n.failed != nil {
			err = n.failed
		}
		return fmt.Errorf("network policies of %s/%s are not enforced on node %s: %w", r.Namespace, r.Name, n.name, err)
	}
	return err
}

// look makes sure that the pod is known. A pod that the informer has not shown yet is
// read from the API server.
func (c *Controller) look(ctx context.Context, r gate.Request) (gate.Request, error) {
	name := netpol.PodName{Namespace: r.Namespace, Name: r.Name}
	c.mu.Lock()
	have := c.pods[name]
	c.mu.Unlock()
	if have != nil && have.UID == r.UID {
		return r, nil
	}
	p, err := c.client.CoreV1().Pods(r.Namespace).Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return r, fmt.Errorf("network policies: reading pod %s: %w", name, err)
	}
	_, static := p.Annotations[mirror]
	if err != nil || r.UID != "" && string(p.UID) != r.UID && !static {
		return r, fmt.Errorf("network policies: pod %s of UID %s is there no more", name, r.UID)
	}
	r.UID = string(p.UID)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setPod(p)
	return r, nil
}

// attach notes a pod's interface. One whose pod is there no more is held to what holds for
// all pods of its namespace: its labels are not known. c.mu is held.
func (c *Controller) attach(r gate.Request) {
	name := netpol.PodName{Namespace: r.Namespace, Name: r.Name}
	p := c.pods[name]
	if r.UID == "" && p != nil {
		r.UID = p.UID
	}
	c.interfaces[r.UID] = r
	switch {
	case p != nil && p.UID == r.UID:
		c.tellPod(name)
	case r.UID != "":
		c.haunt(netpol.Pod{Namespace: r.Namespace, Name: r.Name, UID: r.UID, Node: r.Node})
	}
}

// detach notes that an interface is gone, unless the pod has another by now. c.mu is
// held.
func (c *Controller) detach(r gate.Request) {
	name := netpol.PodName{Namespace: r.Namespace, Name: r.Name}
	for uid, i := range c.interfaces {
		if i.Container != r.Container {
			continue
		}
		delete(c.interfaces, uid)
		if p := c.pods[name]; p != nil && p.UID == uid {
			c.tellPod(name)
		} else {
			c.compiler.DeletePod(ghostOf(name, uid), uid)
		}
		c.tell()
		return
	}
}
