// Package follow keeps up with a few objects of a Kubernetes API server: it
// lists them once and then watches, resuming where it left off.
//
// It is client-go's reflector without its store and with other manners. A
// reflector's pause between attempts grows to half a minute; here it ends at a
// second, because what is followed decides who may log in, and the API server
// on the other end restarts in seconds. While the API server is away nothing is
// reported, so that what was last known stays in force.
package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// The pause after a failed attempt doubles from one to the other.
const (
	shortest = 50 * time.Millisecond
	longest  = time.Second
)

// watchSeconds is how long the API server may keep one watch open.
const watchSeconds int64 = 480

// Feed is what to follow and whom to tell. All four functions must be set; they
// are called from Run's goroutine only.
type Feed struct {
	// FieldSelector narrows the objects; "" means all of them.
	FieldSelector string
	List          func(context.Context, metav1.ListOptions) (runtime.Object, error)
	Watch         func(context.Context, metav1.ListOptions) (watch.Interface, error)

	// Reset tells the whole state: after the first list, and whenever the API
	// server no longer knows what happened in between.
	Reset func(all []runtime.Object)
	// Changed tells one change: watch.Added, watch.Modified or watch.Deleted.
	Changed func(kind watch.EventType, object runtime.Object)
	// Failed tells an attempt's error. Run goes on.
	Failed func(error)
}

// Run follows until ctx ends.
func (f Feed) Run(ctx context.Context) {
	version, pause := "", time.Duration(0)
	for ctx.Err() == nil {
		next, err := f.attempt(ctx, version)
		if next != version {
			pause = 0 // there was progress
		}
		version = next
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			f.Failed(err)
		}
		pause = min(max(2*pause, shortest), longest)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// attempt lists when it has no resource version to resume from, then watches
// until the watch ends. It answers with the version to resume from, "" when
// only a new list will do.
func (f Feed) attempt(ctx context.Context, version string) (string, error) {
	if version == "" {
		var err error
		if version, err = f.list(ctx); err != nil {
			return "", err
		}
	}
	timeout := watchSeconds
	w, err := f.Watch(ctx, metav1.ListOptions{
		FieldSelector:       f.FieldSelector,
		ResourceVersion:     version,
		AllowWatchBookmarks: true,
		TimeoutSeconds:      &timeout,
	})
	if gone(err) {
		return "", nil
	}
	if err != nil {
		return version, fmt.Errorf("watch: %w", err)
	}
	defer w.Stop()
	return f.consume(ctx, w, version)
}

// list reads the state and tells it.
func (f Feed) list(ctx context.Context) (version string, err error) {
	l, err := f.List(ctx, metav1.ListOptions{FieldSelector: f.FieldSelector})
	if err != nil {
		return "", fmt.Errorf("list: %w", err)
	}
	items, err := meta.ExtractList(l)
	if err != nil {
		return "", fmt.Errorf("list: %w", err)
	}
	m, err := meta.ListAccessor(l)
	if err != nil {
		return "", fmt.Errorf("list: %w", err)
	}
	f.Reset(items)
	return m.GetResourceVersion(), nil
}

// errEnded is a watch that ended before anything came of it; one that lasted
// ends without an error.
var errEnded = errors.New("watch ended at once")

func (f Feed) consume(ctx context.Context, w watch.Interface, version string) (string, error) {
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return version, nil
		case event, open := <-w.ResultChan():
			if !open {
				if time.Since(began) < longest {
					return version, errEnded
				}
				return version, nil
			}
			switch event.Type {
			case watch.Error:
				err := apierrors.FromObject(event.Object)
				if gone(err) {
					return "", nil
				}
				return "", fmt.Errorf("watch: %w", err)
			case watch.Bookmark, watch.Added, watch.Modified, watch.Deleted:
				if m, err := meta.Accessor(event.Object); err == nil && m.GetResourceVersion() != "" {
					version = m.GetResourceVersion()
				}
				if event.Type != watch.Bookmark {
					f.Changed(event.Type, event.Object)
				}
			}
		}
	}
}

// gone reports whether the API server has forgotten the version asked for.
func gone(err error) bool {
	return err != nil && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err))
}
