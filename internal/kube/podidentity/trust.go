package podidentity

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// The authority of AWS's names on this machine, in pods.
const (
	// TrustName is the ConfigMap's in each namespace, and the volume's.
	TrustName  = "eksact-aws-ca"
	trustKey   = "ca.crt"
	trustMount = "/var/run/secrets/eksact/aws-ca"
	trustFile  = trustMount + "/" + trustKey
)

func trustVolume() corev1.Volume {
	return corev1.Volume{Name: TrustName, VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: TrustName}},
	}}
}

// Publish keeps the ConfigMap with the authority's certificate in every namespace,
// until ctx ends: made where it is missing, mended where it was changed.
func Publish(ctx context.Context, client kubernetes.Interface, authority []byte, log *slog.Logger) error {
	p := &publisher{client: client, text: string(authority), queue: workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](20*time.Millisecond, 10*time.Second))}
	defer p.queue.ShutDown()
	all := informers.NewSharedInformerFactory(client, 0)
	ours := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", TrustName).String()
	}))
	p.namespaces = all.Core().V1().Namespaces().Informer()
	p.maps = ours.Core().V1().ConfigMaps().Informer()
	for _, i := range []struct {
		informer cache.SharedIndexInformer
		key      func(metav1.Object) string
	}{{p.namespaces, metav1.Object.GetName}, {p.maps, metav1.Object.GetNamespace}} {
		add := func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			if m, ok := o.(metav1.Object); ok {
				p.queue.Add(i.key(m))
			}
		}
		if _, err := i.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, o any) { add(o) }, DeleteFunc: add}); err != nil {
			return err
		}
	}
	all.Start(ctx.Done())
	ours.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), p.namespaces.HasSynced, p.maps.HasSynced) {
		return ctx.Err()
	}
	context.AfterFunc(ctx, p.queue.ShutDown)
	for {
		namespace, end := p.queue.Get()
		if end {
			return ctx.Err()
		}
		if err := p.bring(ctx, namespace); err != nil && ctx.Err() == nil {
			log.Warn("a namespace has no certificate of AWS's names", "namespace", namespace, "error", err)
			p.queue.AddRateLimited(namespace)
		} else {
			p.queue.Forget(namespace)
		}
		p.queue.Done(namespace)
	}
}

type publisher struct {
	client           kubernetes.Interface
	text             string
	namespaces, maps cache.SharedIndexInformer
	queue            workqueue.TypedRateLimitingInterface[string]
}

// bring makes one namespace's ConfigMap what it is to be.
func (p *publisher) bring(ctx context.Context, namespace string) error {
	n, there, err := p.namespaces.GetStore().GetByKey(namespace)
	if err != nil || !there || n.(*corev1.Namespace).Status.Phase == corev1.NamespaceTerminating {
		return err
	}
	found, there, err := p.maps.GetStore().GetByKey(namespace + "/" + TrustName)
	if err != nil {
		return err
	}
	maps := p.client.CoreV1().ConfigMaps(namespace)
	if !there {
		_, err = maps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: TrustName, Annotations: map[string]string{
				"kubernetes.io/description": "The certificate authority of AWS's endpoints on this machine. See docs/POD-IDENTITIES.md of eksact.",
			}},
			Data: map[string]string{trustKey: p.text},
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) { // it is shown soon; or the namespace is gone
			return nil
		}
		return err
	}
	m := found.(*corev1.ConfigMap)
	if len(m.Data) == 1 && m.Data[trustKey] == p.text && len(m.BinaryData) == 0 {
		return nil
	}
	m = m.DeepCopy()
	m.Data, m.BinaryData = map[string]string{trustKey: p.text}, nil
	_, err = maps.Update(ctx, m, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
