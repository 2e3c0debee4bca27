package cloud

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/controllers/service"
	controllersmetrics "k8s.io/component-base/metrics/prometheus/controllers"
)

// Balancers makes load balancers. All methods may be called concurrently.
type Balancers interface {
	// Ensure makes or changes a balancer and returns its DNS name.
	Ensure(ctx context.Context, b Balancer) (host string, err error)
	// Delete removes the balancer of an ID. One that is not there is no error.
	Delete(ctx context.Context, id string) error
	// Host returns the DNS name of the balancer of an ID.
	Host(id string) (host string, ok bool)
}

const (
	// workers is how many Services are served at a time.
	workers = 2
	// resync is the shortest of the periods that the controller asks its informers
	// for.
	resync = 30 * time.Second
)

// Run serves a cluster's Services of type LoadBalancer until ctx ends.
func Run(ctx context.Context, cluster string, client kubernetes.Interface, b Balancers) error {
	factory := informers.NewSharedInformerFactoryWithOptions(client, resync, informers.WithTransform(showClasses))
	follower, err := newFollower(factory.Discovery().V1().EndpointSlices())
	if err != nil {
		return err
	}
	balancer := &loadBalancer{all: b, follower: follower}
	controller, err := service.New(provider{balancer}, client,
		factory.Core().V1().Services(), factory.Core().V1().Nodes(), cluster, nil)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done()) // pods too, before they become targets
	var following sync.WaitGroup
	following.Go(func() { follower.run(ctx, balancer.ensureAgain) })
	controller.Run(ctx, workers, controllersmetrics.NewControllerManagerMetrics("cloud-controller-manager"))
	following.Wait()
	factory.Shutdown()
	return ctx.Err()
}

// provider is a cloud as upstream's controllers see one. It has load balancers
// and leaves the rest to the kubelet.
type provider struct{ balancer *loadBalancer }

func (p provider) Initialize(cloudprovider.ControllerClientBuilder, <-chan struct{}) {}
func (p provider) LoadBalancer() (cloudprovider.LoadBalancer, bool)                  { return p.balancer, true }
func (p provider) Instances() (cloudprovider.Instances, bool)                        { return nil, false }
func (p provider) InstancesV2() (cloudprovider.InstancesV2, bool)                    { return nil, false }
func (p provider) Zones() (cloudprovider.Zones, bool)                                { return nil, false }
func (p provider) Clusters() (cloudprovider.Clusters, bool)                          { return nil, false }
func (p provider) Routes() (cloudprovider.Routes, bool)                              { return nil, false }
func (p provider) ProviderName() string                                              { return "aws" }
func (p provider) HasClusterID() bool                                                { return true }

// loadBalancer implements cloudprovider.LoadBalancer.
type loadBalancer struct {
	all      Balancers
	follower *follower
	// reading holds one change after another from reading pods to ensuring what was
	// read, so that the last to ensure has read last.
	reading sync.Mutex
}

func (l *loadBalancer) GetLoadBalancerName(_ context.Context, _ string, s *corev1.Service) string {
	return cloudprovider.DefaultLoadBalancerName(s)
}

func (l *loadBalancer) GetLoadBalancer(_ context.Context, _ string, s *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	host, ok := l.all.Host(cloudprovider.DefaultLoadBalancerName(s))
	if !ok {
		return nil, false, nil
	}
	return status(host), true, nil
}

func (l *loadBalancer) EnsureLoadBalancer(ctx context.Context, cluster string, s *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	a := Asked{Cluster: cluster, Service: s, Nodes: nodes, Pods: l.follower.pods}
	l.reading.Lock()
	defer l.reading.Unlock()
	// Before the pods are read: of those that change meanwhile the follower learns.
	l.follower.remember(keyOf(s), a)
	host, followed, err := l.ensure(ctx, a)
	if err != nil {
		return nil, err
	}
	if !followed {
		l.follower.forget(keyOf(s))
	}
	return status(host), nil
}

// ensure is called with reading held.
func (l *loadBalancer) ensure(ctx context.Context, a Asked) (host string, followed bool, err error) {
	want, err := Of(a)
	if err != nil {
		return "", false, err
	}
	host, err = l.all.Ensure(ctx, want)
	return host, slices.ContainsFunc(want.Listeners, func(l Listener) bool { return l.Pods }), err
}

// ensureAgain is for a load balancer whose pods changed, if it is there still.
func (l *loadBalancer) ensureAgain(ctx context.Context, a Asked) error {
	l.reading.Lock()
	defer l.reading.Unlock()
	if _, ok := l.all.Host(cloudprovider.DefaultLoadBalancerName(a.Service)); !ok {
		return nil
	}
	_, _, err := l.ensure(ctx, a)
	return err
}

func (l *loadBalancer) UpdateLoadBalancer(ctx context.Context, cluster string, s *corev1.Service, nodes []*corev1.Node) error {
	_, err := l.EnsureLoadBalancer(ctx, cluster, s, nodes)
	return err
}

func (l *loadBalancer) EnsureLoadBalancerDeleted(ctx context.Context, _ string, s *corev1.Service) error {
	l.follower.forget(keyOf(s))
	l.reading.Lock() // nobody who follows pods makes it again
	defer l.reading.Unlock()
	return l.all.Delete(ctx, cloudprovider.DefaultLoadBalancerName(s))
}

func keyOf(s *corev1.Service) string { return s.Namespace + "/" + s.Name }

func status(host string) *corev1.LoadBalancerStatus {
	return &corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{Hostname: host}}}
}
