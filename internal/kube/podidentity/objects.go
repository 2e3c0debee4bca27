package podidentity

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"github.com/eksact/eksact/internal/engine/oidc"
)

var (
	accountKind = corev1.SchemeGroupVersion.WithResource("serviceaccounts")
	podKind     = corev1.SchemeGroupVersion.WithResource("pods")
)

// Objects follows what identities hang on in a cluster: its service accounts and pods.
type Objects struct {
	accounts, pods *followed
	now            func() time.Time
}

// NewObjects prepares to follow; Run does it.
func NewObjects(client metadata.Interface, now func() time.Time) (*Objects, error) {
	accounts, err := follow(client, accountKind)
	if err != nil {
		return nil, err
	}
	pods, err := follow(client, podKind)
	return &Objects{accounts, pods, now}, err
}

// Run follows until ctx ends.
func (o *Objects) Run(ctx context.Context) {
	pods := make(chan struct{})
	go func() {
		defer close(pods)
		o.pods.informer.Run(ctx.Done())
	}()
	o.accounts.informer.Run(ctx.Done())
	<-pods
}

// lookupTime is how long a cluster may take to answer about one object.
const lookupTime = 2 * time.Second

// Account implements Handler.Account.
func (o *Objects) Account(ctx context.Context, namespace, name string) (Account, error) {
	m, err := o.accounts.find(ctx, namespace, name, func(*metav1.PartialObjectMetadata) bool { return true })
	if err != nil {
		return Account{}, err
	}
	if m == nil {
		return ReadAccount(nil), nil
	}
	return ReadAccount(m.Annotations), nil
}

// leeway is how long a token is good after what it is bound to was to be gone.
const leeway = time.Minute

// Live says whether the pod and the service account that a token is bound to are there,
// and those that it was made for. The rule is the API server's own
// (k8s.io/kubernetes/pkg/serviceaccount, validator.Validate). An error is an outage.
func (o *Objects) Live(ctx context.Context, b oidc.Bound) (bool, error) {
	for _, of := range []struct {
		kind      *followed
		name, uid string
	}{{o.accounts, b.ServiceAccount, b.ServiceAccountUID}, {o.pods, b.Pod, b.PodUID}} {
		good := func(m *metav1.PartialObjectMetadata) bool {
			gone := m.DeletionTimestamp != nil && m.DeletionTimestamp.Before(&metav1.Time{Time: o.now().Add(-leeway)})
			return of.uid != "" && string(m.UID) == of.uid && !gone
		}
		m, err := of.kind.find(ctx, b.Namespace, of.name, good)
		if err != nil || m == nil || !good(m) {
			return false, err
		}
	}
	return true, nil
}
