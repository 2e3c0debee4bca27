package authn

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/eksact/eksact/internal/engine/mapping"
	"github.com/eksact/eksact/internal/kube/authn/follow"
)

const (
	configMapName = "aws-auth"
	// patience is how long a caller waits for the first list of aws-auth: an API
	// server asks about tokens before it answers lists.
	patience = 10 * time.Second
)

// AWSAuth is the Source that follows the ConfigMap kube-system/aws-auth.
//
// As upstream does: a deleted ConfigMap maps nobody; of a malformed one the good
// entries hold and the rest is logged; while the API server is away the last map
// stays in force.
type AWSAuth struct {
	configMaps v1.ConfigMapInterface
	log        *Log
	current    atomic.Pointer[mapping.ConfigMap]
	loaded     chan struct{} // closed once the first list is in
	once       sync.Once
}

// NewAWSAuth makes a Source; call Run to fill it. The client is of the namespace
// kube-system. It must not authenticate by a token of this same webhook.
func NewAWSAuth(configMaps v1.ConfigMapInterface, log *Log) *AWSAuth {
	return &AWSAuth{configMaps: configMaps, log: log, loaded: make(chan struct{})}
}

// Run follows the ConfigMap until ctx ends.
func (a *AWSAuth) Run(ctx context.Context) {
	follow.Feed{
		FieldSelector: "metadata.name=" + configMapName,
		List: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return a.configMaps.List(ctx, o)
		},
		Watch: a.configMaps.Watch,
		Reset: func(all []runtime.Object) {
			// One step from the old map to the new: in between nobody is unmapped.
			found := false
			for _, object := range all {
				found = a.changed(watch.Added, object) || found
			}
			if !found {
				a.set(nil)
			}
			a.once.Do(func() { close(a.loaded) })
		},
		Changed: func(kind watch.EventType, object runtime.Object) {
			if cm, ok := object.(*corev1.ConfigMap); ok && cm.Name == configMapName {
				a.log.line(info, "Received aws-auth watch event", nil)
			}
			a.changed(kind, object)
		},
		Failed: func(err error) {
			a.log.line(failure, fmt.Sprintf("Unable to follow aws-auth: %v; trying again.", err), nil)
		},
	}.Run(ctx)
}

// Loaded is closed once aws-auth was read for the first time.
func (a *AWSAuth) Loaded() <-chan struct{} { return a.loaded }

// changed puts one state of the ConfigMap in force, if it is that ConfigMap.
func (a *AWSAuth) changed(kind watch.EventType, object runtime.Object) bool {
	cm, ok := object.(*corev1.ConfigMap)
	if !ok || cm.Name != configMapName {
		return false
	}
	if kind == watch.Deleted {
		a.log.line(info, "Resetting configmap on delete", nil)
		a.set(nil)
		return true
	}
	m, errs := mapping.Compile(cm.Data)
	if len(errs) > 0 { // told before it counts
		a.log.line(failure, fmt.Sprintf("There was an error parsing the config maps.  Only saving data that was good, error parsing config map: %v", errs), nil)
	}
	a.set(m)
	return true
}

func (a *AWSAuth) set(m *mapping.ConfigMap) { a.current.Store(m) }

// Identify implements Source. It waits for the first list, but not for ever.
func (a *AWSAuth) Identify(ctx context.Context, c mapping.Caller, name mapping.InstanceName) (mapping.Identity, error) {
	select {
	case <-a.loaded:
	default:
		if err := a.wait(ctx); err != nil {
			return mapping.Identity{}, err
		}
	}
	return a.current.Load().Identify(c, name)
}

func (a *AWSAuth) wait(ctx context.Context) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a.loaded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ErrNotReady
	}
}
