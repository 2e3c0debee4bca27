package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
)

// The namespaces: open has server and scanner, free pods without a policy, closed
// pods under default-deny.
const (
	open   = "leak-open"
	free   = "leak-free"
	closed = "leak-closed"
)

type cluster struct {
	*kubernetes.Clientset
	image string
}

// connect makes the namespaces.
func connect(ctx context.Context, image string) (*cluster, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{open, free, closed} {
		n := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := client.CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{}); err != nil {
			return nil, err
		}
	}
	return &cluster{client, image}, nil
}

func (c *cluster) remove() {
	for _, name := range []string{open, free, closed} {
		if err := c.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			fmt.Fprintln(os.Stderr, "leak:", err)
		}
	}
}

func (c *cluster) deny(ctx context.Context) error {
	p := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "default-deny"},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"}},
	}
	_, err := c.NetworkingV1().NetworkPolicies(closed).Create(ctx, p, metav1.CreateOptions{})
	return err
}

func (c *cluster) create(ctx context.Context, namespace, name string, command ...string) error {
	zero, no := int64(0), false
	_, err := c.CoreV1().Pods(namespace).Create(ctx, &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1.PodSpec{
			RestartPolicy:                 v1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &zero,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			Containers: []v1.Container{{
				Name: "probe", Image: c.image, ImagePullPolicy: v1.PullIfNotPresent, Command: command,
			}},
		},
	}, metav1.CreateOptions{})
	return err
}

// until returns the pod once it is as wanted.
func (c *cluster) until(ctx context.Context, namespace, name string, wanted func(*v1.Pod) bool) (*v1.Pod, error) {
	list := cache.NewListWatchFromClient(c.CoreV1().RESTClient(), "pods", namespace, fields.OneTermEqualSelector("metadata.name", name))
	event, err := watchtools.UntilWithSync(ctx, list, &v1.Pod{}, nil, func(e watch.Event) (bool, error) {
		p, ok := e.Object.(*v1.Pod)
		return ok && wanted(p), nil
	})
	if err != nil {
		return nil, fmt.Errorf("pod %s/%s: %w", namespace, name, err)
	}
	return event.Object.(*v1.Pod), nil
}

// start starts a pod that stays and returns its address.
func (c *cluster) start(ctx context.Context, namespace, name string, command ...string) (address string, err error) {
	if err := c.create(ctx, namespace, name, command...); err != nil {
		return "", err
	}
	p, err := c.until(ctx, namespace, name, func(p *v1.Pod) bool { return p.Status.Phase == v1.PodRunning && p.Status.PodIP != "" })
	if err != nil {
		return "", err
	}
	return p.Status.PodIP, nil
}

// loop runs pods to their ends, some at once, and returns what each counted.
func (c *cluster) loop(ctx context.Context, namespace string, pods, atOnce int, server string) (map[string]counts, error) {
	var mu sync.Mutex
	all := map[string]counts{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range pods {
		group.Go(func() error {
			name := fmt.Sprintf("pod-%d", i)
			n, err := c.once(ctx, namespace, name, server)
			mu.Lock()
			defer mu.Unlock()
			all[name] = n
			return err
		})
	}
	return all, group.Wait()
}

// once runs one pod to its end.
func (c *cluster) once(ctx context.Context, namespace, name, server string) (n counts, err error) {
	if err := c.create(ctx, namespace, name, "/probe", "pod", server); err != nil {
		return n, err
	}
	p, err := c.until(ctx, namespace, name, func(p *v1.Pod) bool { return p.Status.Phase == v1.PodSucceeded || p.Status.Phase == v1.PodFailed })
	if err != nil {
		return n, err
	}
	end := p.Status.ContainerStatuses[0].State.Terminated
	if end == nil || json.Unmarshal([]byte(end.Message), &n) != nil {
		return n, fmt.Errorf("pod %s/%s ended without counts: %s %+v", namespace, name, p.Status.Phase, end)
	}
	return n, c.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// report asks the server how many packets it has seen, the scanner's left out.
func (c *cluster) report(ctx context.Context, scanner string) (packets int, err error) {
	cmd := exec.CommandContext(ctx, "kubectl", "exec", "--namespace", open, "server", "--", "/probe", "report")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", cmd, err)
	}
	bySource := map[string]int{}
	if err := json.Unmarshal(out.Bytes(), &bySource); err != nil {
		return 0, fmt.Errorf("the server's report %q: %w", out.String(), err)
	}
	for source, n := range bySource {
		if source != scanner {
			packets += n
		}
	}
	return packets, nil
}
