package podidentity

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Accounts follows the service accounts of a cluster.
type Accounts struct {
	client   kubernetes.Interface
	informer cache.SharedIndexInformer
}

// NewAccounts prepares to follow; Run does it.
func NewAccounts(client kubernetes.Interface) (*Accounts, error) {
	informer := informers.NewSharedInformerFactory(client, 0).Core().V1().ServiceAccounts().Informer()
	// Of each its annotations alone: there are many.
	err := informer.SetTransform(func(o any) (any, error) {
		a, ok := o.(*corev1.ServiceAccount)
		if !ok {
			return o, nil
		}
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
			Name: a.Name, Namespace: a.Namespace, ResourceVersion: a.ResourceVersion, UID: a.UID, Annotations: a.Annotations,
		}}, nil
	})
	return &Accounts{client, informer}, err
}

// Run follows until ctx ends.
func (a *Accounts) Run(ctx context.Context) { a.informer.Run(ctx.Done()) }

// lookupTime is how long a service account that isn't known yet may take to be found.
const lookupTime = 2 * time.Second

// Account implements Handler.Account.
func (a *Accounts) Account(ctx context.Context, namespace, name string) (Account, error) {
	if a.informer.HasSynced() {
		if o, ok, err := a.informer.GetStore().GetByKey(namespace + "/" + name); err == nil && ok {
			return ReadAccount(o.(*corev1.ServiceAccount).Annotations), nil
		}
	}
	// It may have been made a moment before its pod.
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := a.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ReadAccount(nil), nil
	}
	if err != nil {
		return Account{}, err
	}
	return ReadAccount(found.Annotations), nil
}
