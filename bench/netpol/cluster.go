package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
)

const namespace = "netpol-bench"

// cluster has a namespace with two pods on different nodes, server and client.
type cluster struct {
	*kubernetes.Clientset
	image  string
	nodes  []string
	server string     // its address
	near   string     // that of a server on the client's own node
	events chan event // what arrives at server
	ends   []*exec.Cmd
}

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
	c := &cluster{Clientset: client, image: image}
	nodes, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, n := range nodes.Items {
		c.nodes = append(c.nodes, n.Name)
	}
	if len(c.nodes) != 2 {
		return nil, fmt.Errorf("the cluster has %d nodes: two are needed", len(c.nodes))
	}
	if _, err := c.CoreV1().Namespaces().Create(ctx, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	if c.server, err = c.start(ctx, "server", c.nodes[0], nil); err != nil {
		return nil, err
	}
	if c.near, err = c.start(ctx, "near", c.nodes[1], nil); err != nil {
		return nil, err
	}
	if _, err = c.start(ctx, "client", c.nodes[1], map[string]string{"allowed": "no"}); err != nil {
		return nil, err
	}
	c.events = make(chan event, 1000)
	return c, errors.Join(c.serve(ctx, "server", c.events), c.serve(ctx, "near", nil))
}

func (c *cluster) remove() {
	for _, cmd := range c.ends {
		cmd.Process.Kill()
		cmd.Wait()
	}
	if err := c.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
	}
}

// start starts a pod on a node and returns its address.
func (c *cluster) start(ctx context.Context, name, node string, labels map[string]string) (string, error) {
	zero, no := int64(0), false
	all := map[string]string{"name": name}
	for k, v := range labels {
		all[k] = v
	}
	_, err := c.CoreV1().Pods(namespace).Create(ctx, &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all},
		Spec: v1.PodSpec{
			NodeName:                      node,
			TerminationGracePeriodSeconds: &zero,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			Containers:                    []v1.Container{{Name: "agent", Image: c.image, ImagePullPolicy: v1.PullIfNotPresent}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	list := cache.NewListWatchFromClient(c.CoreV1().RESTClient(), "pods", namespace, fields.OneTermEqualSelector("metadata.name", name))
	event, err := watchtools.UntilWithSync(ctx, list, &v1.Pod{}, nil, func(e watch.Event) (bool, error) {
		p, ok := e.Object.(*v1.Pod)
		return ok && p.Status.Phase == v1.PodRunning && p.Status.PodIP != "", nil
	})
	if err != nil {
		return "", fmt.Errorf("pod %s: %w", name, err)
	}
	return event.Object.(*v1.Pod).Status.PodIP, nil
}

// agent is the agent's command line in a pod.
func (c *cluster) agent(ctx context.Context, pod string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "kubectl", append([]string{"exec", "--namespace", namespace, pod, "--", "/agent"}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// run starts the agent in a pod, until the end: killing kubectl would not end it.
func (c *cluster) run(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	c.ends = append(c.ends, cmd)
	return nil
}

// serve has a pod accept connections and, on events, tell what arrives.
func (c *cluster) serve(ctx context.Context, pod string, events chan<- event) error {
	cmd := c.agent(ctx, pod, "serve")
	if events == nil {
		return c.run(cmd)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	go func() {
		defer close(events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var kind string
			var ns int64
			if _, err := fmt.Sscan(lines.Text(), &kind, &ns); err == nil {
				events <- event{kind, time.Unix(0, ns)}
			}
		}
	}()
	return c.run(cmd)
}

// enforced makes sure that somebody enforces policies, before what that costs is told.
func (c *cluster) enforced(ctx context.Context) error {
	if err := c.reachable(ctx, c.server); err != nil {
		return err
	}
	nobody := from("nobody", map[string]string{"name": "server"}, map[string]string{"name": "nobody"})
	if err := c.create(ctx, nobody); err != nil {
		return err
	}
	for limit := time.Now().Add(time.Minute); c.connects(ctx, c.server) == nil; time.Sleep(time.Second) {
		if time.Now().After(limit) {
			return errors.New("nobody enforces: a minute after a policy lets only others in, the client connects")
		}
	}
	if err := c.delete(ctx, "nobody"); err != nil {
		return err
	}
	return c.reachable(ctx, c.server)
}

// label sets a label of pod client.
func (c *cluster) label(ctx context.Context, key, value string) error {
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
	_, err := c.CoreV1().Pods(namespace).Patch(ctx, "client", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

func (c *cluster) create(ctx context.Context, p *networkingv1.NetworkPolicy) error {
	_, err := c.NetworkingV1().NetworkPolicies(namespace).Create(ctx, p, metav1.CreateOptions{})
	return err
}

func (c *cluster) delete(ctx context.Context, name string) error {
	return c.NetworkingV1().NetworkPolicies(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

// clear deletes all policies whose names begin so.
func (c *cluster) clear(ctx context.Context, prefix string) error {
	all, err := c.NetworkingV1().NetworkPolicies(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	return each(len(all.Items), func(i int) error {
		if name := all.Items[i].Name; strings.HasPrefix(name, prefix) {
			return c.delete(ctx, name)
		}
		return nil
	})
}

// from is a policy that lets pods with labels reach pods with labels, by TCP ports
// or, without any, by everything.
func from(name string, to, peer map[string]string, ports ...networkingv1.NetworkPolicyPort) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: to},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: peer}}},
				Ports: ports,
			}},
		},
	}
}

// each does n things, some at once.
func each(n int, do func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	return group.Wait()
}
