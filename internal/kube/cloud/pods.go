package cloud

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// follower keeps load balancers whose targets are pods up with their pods, which
// upstream's controller does not watch.
type follower struct {
	slices discoverylisters.EndpointSliceLister
	queue  workqueue.TypedRateLimitingInterface[string]

	mu    sync.Mutex
	asked map[string]Asked // by namespace/name: what was ensured last
}

func newFollower(informer discoveryinformers.EndpointSliceInformer) (*follower, error) {
	f := &follower{
		slices: informer.Lister(), asked: map[string]Asked{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	changed := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if s, ok := obj.(*discoveryv1.EndpointSlice); ok {
			f.queue.Add(s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName])
		}
	}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed, DeleteFunc: changed, UpdateFunc: func(_, now any) { changed(now) },
	})
	return f, err
}

// remember makes a Service's load balancer follow its pods.
func (f *follower) remember(key string, a Asked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[key] = a
}

func (f *follower) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.asked, key)
}

// run ensures anew, until ctx ends, the load balancers whose pods changed.
func (f *follower) run(ctx context.Context, ensure func(context.Context, Asked) error) {
	stop := context.AfterFunc(ctx, f.queue.ShutDown)
	defer stop()
	for {
		key, down := f.queue.Get()
		if down {
			return
		}
		f.mu.Lock()
		a, ok := f.asked[key]
		f.mu.Unlock()
		if !ok {
			f.queue.Forget(key)
		} else if err := ensure(ctx, a); err != nil {
			utilruntime.HandleErrorWithContext(ctx, err, "A load balancer does not follow its pods", "service", key)
			f.queue.AddRateLimited(key)
		} else {
			f.queue.Forget(key)
		}
		f.queue.Done(key)
	}
}

// pods implements PodsOf: the ready endpoints of a port, in the order of their
// addresses.
func (f *follower) pods(s *corev1.Service, port corev1.ServicePort) ([]Target, error) {
	all, err := f.slices.EndpointSlices(s.Namespace).List(labels.Set{discoveryv1.LabelServiceName: s.Name}.AsSelector())
	if err != nil {
		return nil, err
	}
	var out []Target
	for _, slice := range all {
		if slice.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, p := range slice.Ports {
			if p.Port == nil || p.Name == nil || *p.Name != port.Name {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready != nil && !*e.Conditions.Ready || len(e.Addresses) == 0 {
					continue
				}
				addr, err := netip.ParseAddr(e.Addresses[0])
				if err != nil {
					return nil, err
				}
				t := Target{ID: addr.String(), Addr: netip.AddrPortFrom(addr, uint16(*p.Port))}
				if e.Zone != nil {
					t.Zone = *e.Zone
				}
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, func(a, b Target) int { return strings.Compare(a.Addr.String(), b.Addr.String()) })
	return slices.Compact(out), nil
}
