package cloud

import (
	"context"
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
	// Delete removes the balancer of a name. One that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Host returns the DNS name of the balancer of a name.
	Host(name string) (host string, ok bool)
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
	factory := informers.NewSharedInformerFactory(client, resync)
	controller, err := service.New(provider{loadBalancer{b}}, client,
		factory.Core().V1().Services(), factory.Core().V1().Nodes(), cluster, nil)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	controller.Run(ctx, workers, controllersmetrics.NewControllerManagerMetrics("cloud-controller-manager"))
	factory.Shutdown()
	return ctx.Err()
}

// provider is a cloud as upstream's controllers see one. It has load balancers
// and leaves the rest to the kubelet.
type provider struct{ balancer loadBalancer }

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
type loadBalancer struct{ all Balancers }

func (l loadBalancer) GetLoadBalancerName(_ context.Context, _ string, s *corev1.Service) string {
	return cloudprovider.DefaultLoadBalancerName(s)
}

func (l loadBalancer) GetLoadBalancer(_ context.Context, _ string, s *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	host, ok := l.all.Host(cloudprovider.DefaultLoadBalancerName(s))
	if !ok {
		return nil, false, nil
	}
	return status(host), true, nil
}

func (l loadBalancer) EnsureLoadBalancer(ctx context.Context, cluster string, s *corev1.Service, nodes []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	want, err := Of(cluster, s, nodes)
	if err != nil {
		return nil, err
	}
	host, err := l.all.Ensure(ctx, want)
	if err != nil {
		return nil, err
	}
	return status(host), nil
}

func (l loadBalancer) UpdateLoadBalancer(ctx context.Context, cluster string, s *corev1.Service, nodes []*corev1.Node) error {
	_, err := l.EnsureLoadBalancer(ctx, cluster, s, nodes)
	return err
}

func (l loadBalancer) EnsureLoadBalancerDeleted(ctx context.Context, _ string, s *corev1.Service) error {
	return l.all.Delete(ctx, cloudprovider.DefaultLoadBalancerName(s))
}

func status(host string) *corev1.LoadBalancerStatus {
	return &corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{Hostname: host}}}
}
