package cloud_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/eksact/eksact/internal/kube/cloud"
)

// network notes what it is asked for.
type network struct {
	mu   sync.Mutex
	made map[string]cloud.Balancer
}

func (n *network) Ensure(_ context.Context, b cloud.Balancer) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made[b.ID] = b
	return b.ID + ".us-west-2.elb.amazonaws.com", nil
}

func (n *network) Delete(_ context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.made, id)
	return nil
}

func (n *network) Host(id string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.made[id]
	return id + ".us-west-2.elb.amazonaws.com", ok
}

// targets are those of the only balancer's first listener, in order.
func (n *network) targets() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []string
	for _, b := range n.made {
		for _, t := range b.Listeners[0].Targets {
			ids = append(ids, t.ID)
		}
	}
	return strings.Join(ids, " ")
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// A Service's life: it gets its name, follows the nodes, says why it can't have
// what it asks for, and is gone only after its balancer.
func TestAServicesLife(t *testing.T) {
	first := node("i-1", "10.0.64.4")
	first.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	client := fake.NewClientset(first)
	n := &network{made: map[string]cloud.Balancer{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cloud.Run(ctx, "cluster", client, n) }()
	defer func() { cancel(); <-ended }()
	services := client.CoreV1().Services("user1")

	s, err := services.Create(ctx, service(nil), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	get := func() *corev1.Service {
		got, err := services.Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	until(t, "the name is in the status", func() bool {
		in := get().Status.LoadBalancer.Ingress
		return len(in) == 1 && in[0].Hostname == "a0123456789abcdef0123456789abcde.us-west-2.elb.amazonaws.com"
	})
	until(t, "its target is the node", func() bool { return n.targets() == "i-1" })
	if !slices.Contains(get().Finalizers, "service.kubernetes.io/load-balancer-cleanup") {
		t.Errorf("finalizers %v: it could go before its balancer", get().Finalizers)
	}

	second := node("i-2", "10.0.96.4")
	second.Status.Conditions = first.Status.Conditions
	if _, err := client.CoreV1().Nodes().Create(ctx, second, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the new node is a target", func() bool { return n.targets() == "i-1 i-2" })

	wrong := get()
	wrong.Annotations = map[string]string{"service.beta.kubernetes.io/aws-load-balancer-ssl-cert": "arn"}
	if _, err := services.Update(ctx, wrong, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "an event says what is not supported", func() bool {
		events, _ := client.CoreV1().Events("user1").List(ctx, metav1.ListOptions{})
		return slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
			return e.Reason == "SyncLoadBalancerFailed" && strings.Contains(e.Message, "aws-load-balancer-ssl-cert is not supported")
		})
	})

	// As the API server marks what has finalizers, when it is deleted.
	going := get()
	now := metav1.Now()
	going.DeletionTimestamp = &now
	if _, err := services.Update(ctx, going, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the balancer is gone", func() bool { _, ok := n.Host("a0123456789abcdef0123456789abcde"); return !ok })
	until(t, "the Service may go", func() bool { return len(get().Finalizers) == 0 })
}

// Targets that are pods follow the Service's endpoints. Its class is no reason to
// pass it over, stays what it is, and deletion works as without.
func TestFollowsPods(t *testing.T) {
	client := fake.NewClientset()
	n := &network{made: map[string]cloud.Balancer{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cloud.Run(ctx, "cluster", client, n) }()
	defer func() { cancel(); <-ended }()
	class := "eks.amazonaws.com/nlb"
	s := service(func(s *corev1.Service) { s.Spec.LoadBalancerClass, s.Spec.Ports[0].NodePort = &class, 0 })
	services := client.CoreV1().Services("user1")
	if _, err := services.Create(ctx, s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "it has a load balancer", func() bool { _, ok := n.Host("a0123456789abcdef0123456789abcde"); return ok })
	endpoints := func(addresses ...string) *discoveryv1.EndpointSlice {
		name, port := "", int32(8080)
		e := &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "user1", Name: "nginx-1", Labels: map[string]string{discoveryv1.LabelServiceName: "nginx"}},
			AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		}
		for _, a := range addresses {
			e.Endpoints = append(e.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}})
		}
		no := false
		e.Endpoints = append(e.Endpoints, discoveryv1.Endpoint{Addresses: []string{"10.0.65.99"}, Conditions: discoveryv1.EndpointConditions{Ready: &no}})
		return e
	}
	slices := client.DiscoveryV1().EndpointSlices("user1")
	if _, err := slices.Create(ctx, endpoints("10.0.65.1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the pod is a target", func() bool { return n.targets() == "10.0.65.1" })
	if _, err := slices.Update(ctx, endpoints("10.0.65.2", "10.0.65.1"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the second pod too", func() bool { return n.targets() == "10.0.65.1 10.0.65.2" })
	if err := slices.Delete(ctx, "nginx-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "no pod is", func() bool { return n.targets() == "" })

	got, err := services.Get(ctx, "nginx", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Spec.LoadBalancerClass == nil || *got.Spec.LoadBalancerClass != class || len(got.Annotations) != 0 || len(got.Status.LoadBalancer.Ingress) != 1 {
		t.Errorf("the Service is now %+v", got)
	}
	now := metav1.Now()
	got.DeletionTimestamp = &now
	if _, err := services.Update(ctx, got, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the balancer is gone", func() bool { _, ok := n.Host("a0123456789abcdef0123456789abcde"); return !ok })
}

// Other classes are others' business.
func TestOtherClasses(t *testing.T) {
	class := "example.com/other"
	client := fake.NewClientset(service(func(s *corev1.Service) {
		s.Spec.LoadBalancerClass = &class
		s.Annotations["eksact/load-balancer-class"] = "eks.amazonaws.com/nlb" // means nothing when a user says it
	}))
	n := &network{made: map[string]cloud.Balancer{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cloud.Run(ctx, "cluster", client, n) }()
	defer func() { cancel(); <-ended }()
	plain := service(func(s *corev1.Service) { s.Name, s.UID = "plain", "11234567-89ab-cdef-0123-456789abcdef" })
	if _, err := client.CoreV1().Services("user1").Create(ctx, plain, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the one that came later is served", func() bool { _, ok := n.Host("a1123456789abcdef0123456789abcde"); return ok })
	if _, ok := n.Host("a0123456789abcdef0123456789abcde"); ok {
		t.Error("a Service of another class has a load balancer")
	}
}
