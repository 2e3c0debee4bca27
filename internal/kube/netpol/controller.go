package netpol

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/node/gate"
)

// Enforcer holds one node to its program.
type Enforcer interface {
	// Load replaces all that the node enforces, Apply changes it, by one change after
	// the other; each at once.
	Load(*ruleset.Program) error
	Apply(...*ruleset.Delta) error
}

// Controller is one cluster's. Its methods may be called concurrently.
type Controller struct {
	client  kubernetes.Interface
	objects dynamic.Interface
	log     *slog.Logger
	kick    chan struct{} // something was told to the compiler
	running sync.WaitGroup

	mu         sync.Mutex
	changed    chan struct{} // closed when anything below did
	compiler   *netpol.Compiler
	known      map[schema.GroupVersionResource]known
	synced     bool // all objects and addresses are known
	on         bool
	nodes      map[string]*node
	pods       map[netpol.PodName]*pod
	interfaces map[string]gate.Request // by pod's UID, as its CNI told
	policies   map[netpol.PolicyName]*receipt
	open       map[netpol.PolicyName]*receipt // those not noted on every node yet
	leased     bool                           // addresses are the CNI's alone, whatever the status says
	generation uint64
}

// pod is a pod as the API server last showed it.
type pod struct {
	netpol.Pod
	version uint64 // resource version
}

// New makes a controller that enforces policies, until told otherwise. Run follows the
// cluster. Without objects there are no ClusterNetworkPolicies.
func New(client kubernetes.Interface, objects dynamic.Interface, log *slog.Logger) *Controller {
	return &Controller{
		client: client, objects: objects, log: log, kick: make(chan struct{}, 1), changed: make(chan struct{}), compiler: netpol.New(), on: true,
		nodes: map[string]*node{}, pods: map[netpol.PodName]*pod{}, interfaces: map[string]gate.Request{}, policies: map[netpol.PolicyName]*receipt{}, open: map[netpol.PolicyName]*receipt{}, known: map[schema.GroupVersionResource]known{},
	}
}

// Run follows the cluster until ctx ends. leases are the addresses that pods have on
// the nodes, read when all objects are known; others come and go by Admit. Without it
// pods have the addresses of their status.
func (c *Controller) Run(ctx context.Context, leases func() ([]gate.Request, error)) error {
	c.leased = leases != nil
	factory := informers.NewSharedInformerFactoryWithOptions(c.client, 0, informers.WithTransform(strip))
	var registered []cache.InformerSynced
	for _, kind := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{factory.Core().V1().Namespaces().Informer(), follow(c, kinds[0], c.setNamespace, c.deleteNamespace)},
		{factory.Core().V1().Pods().Informer(), follow(c, kinds[1], c.setPod, c.deletePod)},
		{factory.Networking().V1().NetworkPolicies().Informer(), follow(c, kinds[2], c.setPolicy, c.deletePolicy)},
	} {
		r, err := kind.informer.AddEventHandler(kind.handler)
		if err != nil {
			return err
		}
		registered = append(registered, r.HasSynced)
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer c.running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	synced, err := c.followClusterPolicies(ctx)
	if err != nil {
		return err
	}
	if !cache.WaitForCacheSync(ctx.Done(), append(synced, registered...)...) {
		return ctx.Err()
	}
	if err := c.begin(ctx, leases); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.kick:
			c.mu.Lock()
			c.flush()
			c.mu.Unlock()
		}
	}
}

// leasesAgain is the pause after leases could not be read.
const leasesAgain = time.Second

// begin takes the pods' addresses over and lets the nodes load their programs.
func (c *Controller) begin(ctx context.Context, leases func() ([]gate.Request, error)) error {
	for {
		var all []gate.Request
		var err error
		if leases != nil {
			all, err = leases()
		}
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, l := range all {
				c.attach(l)
			}
			c.synced = true
			c.flush()
			c.reload()
			return nil
		}
		c.log.Error("the addresses of pods can't be read; network policies stay as they are", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(leasesAgain):
		}
	}
}

// Enforce switches enforcement: off, nothing is restricted.
func (c *Controller) Enforce(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on == on {
		return
	}
	c.on = on
	c.reload()
}

// Enforcing reports whether enforcement is on.
func (c *Controller) Enforcing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.on
}

// Switch is Enforce, and returns when it is so on every node.
func (c *Controller) Switch(ctx context.Context, on bool) error {
	c.Enforce(on)
	c.mu.Lock()
	generation := c.generation
	c.mu.Unlock()
	var last *node
	err := c.until(ctx, func() bool {
		n, behind := c.behind(generation)
		last = n
		return !behind
	})
	if err != nil && last != nil {
		return fmt.Errorf("%s: %w", last.why("the switch of network policies"), err)
	}
	return err
}

// reload has all nodes written anew; no receipt counts before that. c.mu is held.
func (c *Controller) reload() {
	c.generation++
	for name, r := range c.policies {
		r.generation, r.enforced = c.generation, map[string]time.Time{}
		c.open[name] = r
	}
	for _, n := range c.nodes {
		n.reload()
	}
	c.touch()
}

// flush takes over what the compiler was told and hands it on. c.mu is held.
func (c *Controller) flush() {
	if !c.synced {
		return
	}
	change := c.compiler.Flush()
	if len(change.Nodes)+len(change.Policies)+len(change.Gone) == 0 {
		c.touch() // more is known all the same
		return
	}
	c.generation++
	now := time.Now()
	for name, version := range change.Policies {
		r := &receipt{version: version, generation: c.generation, known: now, enforced: map[string]time.Time{}}
		c.policies[name], c.open[name] = r, r
	}
	for _, name := range change.Gone {
		delete(c.policies, name)
		delete(c.open, name)
	}
	for name, n := range c.nodes {
		if d, found := change.Nodes[name]; found {
			n.change(c, &d)
		} else {
			n.change(c, nil)
		}
	}
	c.touch()
}

// tell notes that the compiler was told something. c.mu is held.
func (c *Controller) tell() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// touch wakes those who wait. c.mu is held.
func (c *Controller) touch() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// until waits for a condition, which is asked with c.mu held.
func (c *Controller) until(ctx context.Context, done func() bool) error {
	for {
		c.mu.Lock()
		ok, changed := done(), c.changed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// follow hands an informer's events on, in the terms of one kind of object.
func follow[T any, O interface {
	*T
	metav1.Object
}](c *Controller, kind schema.GroupVersionResource, set, gone func(O)) cache.ResourceEventHandler {
	locked := func(object any, f func(O), version func(O) uint64) {
		if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = last.Obj
		}
		if o, ok := object.(O); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			f(o)
			c.note(kind, o, version(o))
			c.tell()
		}
	}
	now := func(o O) uint64 { return versionOf(o) }
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { locked(o, set, now) },
		UpdateFunc: func(_, o any) { locked(o, set, now) },
		DeleteFunc: func(o any) { locked(o, gone, func(O) uint64 { return 0 }) },
	}
}

func (c *Controller) setNamespace(n *corev1.Namespace) {
	c.compiler.SetNamespace(netpol.NamespaceOf(n))
}
func (c *Controller) deleteNamespace(n *corev1.Namespace) { c.compiler.DeleteNamespace(n.Name) }

func (c *Controller) setPolicy(p *networkingv1.NetworkPolicy) {
	c.takePolicy(netpol.FromNetworkPolicy(p))
}

func (c *Controller) takePolicy(policy *netpol.Policy) {
	for _, problem := range policy.Problems {
		c.log.Warn("a network policy has a problem; what it speaks of stays closed", "policy", policy.PolicyName, "problem", problem)
	}
	c.compiler.SetPolicy(policy)
}

func (c *Controller) deletePolicy(p *networkingv1.NetworkPolicy) {
	c.compiler.DeletePolicy(netpol.FromNetworkPolicy(p).PolicyName)
}

// setPod takes a pod over, unless a newer state of it, or a later pod of its name, is known.
// Of a pod that is gone the informer may tell after its successor was looked up, or not at
// all.
func (c *Controller) setPod(p *corev1.Pod) {
	name, version := nameOf(p), versionOf(p)
	have := c.pods[name]
	if have != nil && have.version > version {
		return
	}
	if have == nil || have.UID != string(p.UID) {
		if have != nil {
			c.haunt(have.Pod)
		}
		c.compiler.DeletePod(ghostOf(name, string(p.UID)), string(p.UID))
	}
	c.pods[name] = &pod{netpol.PodOf(p), version}
	c.tellPod(name)
}

// deletePod takes a pod out.
func (c *Controller) deletePod(p *corev1.Pod) {
	name := nameOf(p)
	c.compiler.DeletePod(name, string(p.UID))
	have := c.pods[name]
	if have == nil || have.UID != string(p.UID) {
		return
	}
	delete(c.pods, name)
	c.haunt(have.Pod)
}

// haunt keeps a pod that is deleted as it was while its interface is there: one that was
// deleted by force may run on for a while, and is not set free by that.
func (c *Controller) haunt(p netpol.Pod) {
	if i, found := c.interfaces[p.UID]; found {
		p.Name, p.Addresses = ghostOf(p.Key(), p.UID).Name, []netip.Addr{i.Address}
		c.compiler.SetPod(p)
	}
}

// ghostOf is a name that no pod has: another of the same name may come soon.
func ghostOf(name netpol.PodName, uid string) netpol.PodName {
	return netpol.PodName{Namespace: name.Namespace, Name: name.Name + "/" + uid}
}

func nameOf(p *corev1.Pod) netpol.PodName {
	return netpol.PodName{Namespace: p.Namespace, Name: p.Name}
}

// tellPod gives a pod to the compiler. Its address is the one that its CNI gave, which
// is earlier than its status to come and to go.
func (c *Controller) tellPod(name netpol.PodName) {
	p := c.pods[name].Pod
	if c.leased {
		p.Addresses = nil
		if i, found := c.interfaces[p.UID]; found {
			p.Addresses = []netip.Addr{i.Address}
		}
	}
	c.compiler.SetPod(p)
}

// strip leaves of a pod what policies see: there are many.
func strip(object any) (any, error) {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	out := &corev1.Pod{
		TypeMeta:   p.TypeMeta,
		ObjectMeta: p.ObjectMeta,
		Spec:       corev1.PodSpec{NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork},
		Status:     corev1.PodStatus{Phase: p.Status.Phase, PodIP: p.Status.PodIP, PodIPs: p.Status.PodIPs},
	}
	out.ManagedFields, out.Annotations, out.OwnerReferences = nil, nil, nil
	for _, container := range p.Spec.Containers {
		out.Spec.Containers = append(out.Spec.Containers, corev1.Container{Ports: container.Ports})
	}
	for _, container := range p.Spec.InitContainers {
		out.Spec.InitContainers = append(out.Spec.InitContainers, corev1.Container{Ports: container.Ports, RestartPolicy: container.RestartPolicy})
	}
	return out, nil
}
