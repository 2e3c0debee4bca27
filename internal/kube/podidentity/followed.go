package podidentity

import (
	"context"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

// followed are the objects of one kind in a cluster, of each its metadata. While a watch
// of them is open, what is known is as old as an event takes to arrive; while none is,
// nothing that is known counts.
type followed struct {
	objects  metadata.Getter
	informer cache.SharedIndexInformer
	watches  atomic.Int32 // that are open
}

func follow(client metadata.Interface, kind schema.GroupVersionResource) (*followed, error) {
	f := &followed{objects: client.Resource(kind)}
	f.informer = cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.Resource(kind).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := client.Resource(kind).Watch(ctx, o)
			if err != nil {
				return nil, err
			}
			return f.count(w), nil
		},
	}, client), &metav1.PartialObjectMetadata{}, 0, cache.Indexers{})
	// There are many, and of each little is asked.
	err := f.informer.SetTransform(func(o any) (any, error) {
		m, ok := o.(*metav1.PartialObjectMetadata)
		if !ok {
			return o, nil
		}
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion,
			DeletionTimestamp: m.DeletionTimestamp, Annotations: m.Annotations,
		}}, nil
	})
	return f, err
}

// known says whether what is remembered is what is there.
func (f *followed) known() bool { return f.watches.Load() > 0 && f.informer.HasSynced() }

// find returns an object, nil if there is none. What is remembered is taken if it fits;
// else the cluster is asked, which knows better: the object may have been made a moment
// ago.
func (f *followed) find(ctx context.Context, namespace, name string, fits func(*metav1.PartialObjectMetadata) bool) (*metav1.PartialObjectMetadata, error) {
	if f.known() {
		if o, ok, err := f.informer.GetStore().GetByKey(namespace + "/" + name); err == nil && ok {
			if m := o.(*metav1.PartialObjectMetadata); fits(m) {
				return m, nil
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	m, err := f.objects.Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return m, err
}

// count counts a watch until it has ended.
func (f *followed) count(w watch.Interface) watch.Interface {
	c := &counted{inner: w, events: make(chan watch.Event), stopped: make(chan struct{})}
	f.watches.Add(1)
	go func() {
		defer close(c.events)
		defer f.watches.Add(-1)
		for e := range w.ResultChan() {
			select {
			case c.events <- e:
			case <-c.stopped:
				return
			}
		}
	}()
	return c
}

type counted struct {
	inner   watch.Interface
	events  chan watch.Event
	once    sync.Once
	stopped chan struct{}
}

// Stop implements watch.Interface.
func (c *counted) Stop() {
	c.once.Do(func() { close(c.stopped) })
	c.inner.Stop()
}

// ResultChan implements watch.Interface.
func (c *counted) ResultChan() <-chan watch.Event { return c.events }
