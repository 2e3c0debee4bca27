package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	enginepol "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/kube/netpol"
)

// PolicyWait asks until when policies are enforced. Without a name it is about all
// that the API server has acknowledged.
type PolicyWait struct {
	Cluster   string        `json:"cluster"`
	Namespace string        `json:"namespace"`
	Name      string        `json:"name"`
	Timeout   time.Duration `json:"timeout"`
}

// waitPolicies returns when a policy's newest generation, or all that is there, is
// enforced on every node.
func (d *Daemon) waitPolicies(ctx context.Context, want PolicyWait) ([]netpol.Receipt, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, want.Timeout, fmt.Errorf("%s passed", want.Timeout))
	defer cancel()
	k, err := d.clusterServing(ctx, want.Cluster)
	if err != nil {
		return nil, err
	}
	var receipts []netpol.Receipt
	if want.Name == "" {
		receipts, err = k.policies.CatchUp(ctx, k.plane.Metadata())
	} else {
		receipts, err = d.waitPolicy(ctx, k, want)
	}
	if errors.Is(err, netpol.ErrOff) {
		err = hint.Wrap(err, `aws eks update-addon --cluster-name `+k.record.Name+` --addon-name vpc-cni --configuration-values '{"enableNetworkPolicy":"true"}'`)
	}
	return receipts, err
}

func (d *Daemon) waitPolicy(ctx context.Context, k *cluster, want PolicyWait) ([]netpol.Receipt, error) {
	p, err := k.client.NetworkingV1().NetworkPolicies(want.Namespace).Get(ctx, want.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, hint.New(fmt.Sprintf("there is no network policy %s in namespace %s", want.Name, want.Namespace), "eksact kubectl get networkpolicies --all-namespaces shows those there are")
	}
	if err != nil {
		return nil, err
	}
	name := enginepol.PolicyName{Group: enginepol.NetworkingGroup, Namespace: p.Namespace, Name: p.Name}
	return k.policies.Wait(ctx, map[enginepol.PolicyName]enginepol.Version{name: {UID: string(p.UID), Generation: p.Generation}})
}

// policyKinds are what policies see of a cluster.
var policyKinds = []schema.GroupVersionResource{
	{Version: "v1", Resource: "namespaces"},
	{Version: "v1", Resource: "pods"},
	{Version: "v1", Resource: "services"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: enginepol.NetworkingGroup, Version: "v1", Resource: "networkpolicies"},
	{Group: enginepol.UpstreamGroup, Version: "v1beta1", Resource: "clusternetworkpolicies"},
	{Group: enginepol.AWSGroup, Version: "v1alpha1", Resource: "clusternetworkpolicies"},
}

// PolicyObjects are a cluster's objects that policies are about, one list of each kind
// as kubectl get -o json writes it.
type PolicyObjects struct {
	Enforced bool              `json:"enforced"`
	Lists    []json.RawMessage `json:"lists"`
}

func (d *Daemon) policyObjects(ctx context.Context, cluster string) (all PolicyObjects, err error) {
	k, err := d.clusterServing(ctx, cluster)
	if err != nil {
		return all, err
	}
	all.Enforced = k.policies.Enforcing()
	for _, kind := range policyKinds {
		text, err := listOf(ctx, k.plane.Objects(), kind)
		if err != nil {
			return all, fmt.Errorf("listing %s: %w", kind.Resource, err)
		}
		if text != nil {
			all.Lists = append(all.Lists, text)
		}
	}
	return all, nil
}

// listOf is nil for a kind that the API server does not serve.
func listOf(ctx context.Context, objects dynamic.Interface, kind schema.GroupVersionResource) ([]byte, error) {
	all, err := objects.Resource(kind).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for i := range all.Items {
		all.Items[i].SetManagedFields(nil)
	}
	return all.MarshalJSON()
}
