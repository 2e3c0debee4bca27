package cloud_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	n.made[b.Name] = b
	return b.Name + ".us-west-2.elb.amazonaws.com", nil
}

func (n *network) Delete(_ context.Context, name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.made, name)
	return nil
}

func (n *network) Host(name string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.made[name]
	return name + ".us-west-2.elb.amazonaws.com", ok
}

// targets are the instances behind the only balancer, in order.
func (n *network) targets() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ids []string
	for _, b := range n.made {
		for _, t := range b.Targets {
			ids = append(ids, t.Instance)
		}
	}
	return strings.Join(ids, " ")
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
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
