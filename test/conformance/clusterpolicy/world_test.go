package clusterpolicy

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"sigs.k8s.io/controller-runtime/pkg/client"
	api "sigs.k8s.io/network-policy-api/apis/v1beta1"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// startPods is the controller of StatefulSets: two pods, ready at once.
func startPods(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
	if err := c.Create(ctx, o, opts...); err != nil {
		return err
	}
	u, isUnstructured := o.(*unstructured.Unstructured)
	if !isUnstructured || u.GetKind() != "StatefulSet" {
		return nil
	}
	var set appsv1.StatefulSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &set); err != nil {
		return err
	}
	for i := range 2 {
		p := &corev1.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
		p.Namespace, p.Name = set.Namespace, fmt.Sprintf("%s-%d", set.Name, i)
		p.Labels = maps.Clone(p.Labels)
		p.Labels[appsv1.StatefulSetPodNameLabel] = p.Name
		p.Spec.NodeName = fmt.Sprintf("node-%d", i)
		h := fnv.New32a()
		h.Write([]byte(p.Namespace + p.Name))
		sum := h.Sum32()
		address := netip.AddrFrom4([4]byte{10, byte(sum >> 16), byte(sum >> 8), byte(sum)})
		if p.Spec.HostNetwork {
			address = nodeAddress(i)
		}
		p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address.String()}
		if err := c.Create(ctx, p); err != nil {
			return err
		}
	}
	set.Status.ReadyReplicas = 2
	return c.Status().Update(ctx, &set)
}

func nodeAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 0, byte(10 + i)}) }

// world decides what connects, by the objects as they are when it is asked.
type world struct {
	t        *testing.T
	objects  client.Client
	mu       sync.Mutex
	compiler *netpol.Compiler
	nodes    map[string]*ruleset.Program
	told     map[netpol.PolicyName]bool
	asked    int
}

func newWorld(t *testing.T, objects client.Client) *world {
	w := &world{t: t, objects: objects, compiler: netpol.New(), nodes: map[string]*ruleset.Program{}, told: map[netpol.PolicyName]bool{}}
	for i := range 2 {
		w.compiler.SetNode(netpol.Node{Name: fmt.Sprintf("node-%d", i), Labels: map[string]string{corev1.LabelOSStable: "linux"}, Addresses: []netip.Addr{nodeAddress(i)}})
	}
	return w
}

// ServeHTTP serves exec in pods, as the API server does.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // api v1 namespaces NS pods NAME exec
	if len(parts) != 7 || parts[6] != "exec" {
		http.NotFound(rw, r)
		return
	}
	remotecommand.ServeExec(rw, r, agnhost{w, parts[3]}, parts[5], "", r.FormValue("container"), r.Form["command"],
		&remotecommand.Options{Stdout: true, Stderr: true}, time.Minute, time.Minute, remotecommand.SupportedStreamingProtocols)
}

// agnhost is the image of the suite's pods, in a namespace.
type agnhost struct {
	*world
	namespace string
}

// ExecInContainer answers agnhost connect --timeout=T --protocol=P ADDRESS:PORT.
func (a agnhost) ExecInContainer(_ context.Context, pod, _, _ string, cmd []string, _ io.Reader, _, errs io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if len(cmd) != 5 || cmd[1] != "connect" {
		return fmt.Errorf("%v is not expected", cmd)
	}
	to, err := netip.ParseAddrPort(cmd[4])
	if err != nil {
		return err
	}
	proto := map[string]uint8{"tcp": ruleset.TCP, "udp": ruleset.UDP, "sctp": ruleset.SCTP}[strings.TrimPrefix(cmd[3], "--protocol=")]
	passes, err := a.connects(netpol.PodName{Namespace: a.namespace, Name: pod}, to.Addr(), ruleset.Port{Proto: proto, Number: to.Port()})
	if err == nil && !passes {
		_, err = io.WriteString(errs, "TIMEOUT\n")
	}
	return err
}

// connects has nodes and Explain decide, which must agree.
func (w *world) connects(from netpol.PodName, to netip.Addr, port ruleset.Port) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if err := w.follow(); err != nil {
		return false, err
	}
	cluster := w.compiler.Cluster()
	pod, found := cluster.Pod(from)
	if !found {
		return false, fmt.Errorf("there is no pod %s", from)
	}
	passes := true
	for _, p := range w.nodes {
		one, _ := ruleset.Decide(p, ruleset.Packet{Source: pod.Addresses[0], Destination: to, Proto: port.Proto, Port: port.Number})
		passes = passes && one
	}
	e := cluster.Explain(cluster.At(pod.Addresses[0]), cluster.At(to), port)
	if (e.Outcome == netpol.Allowed) != passes {
		w.t.Errorf("the nodes say %v: %v", passes, e.Lines())
	}
	return passes, nil
}

// follow tells the compiler what there is, and the nodes what changes.
func (w *world) follow() error {
	for _, n := range list(w.t, w.objects, &corev1.NamespaceList{}).Items {
		n.Labels[corev1.LabelMetadataName] = n.Name // the API server sees to it, whatever is written
		w.compiler.SetNamespace(netpol.NamespaceOf(&n))
	}
	for _, p := range list(w.t, w.objects, &corev1.PodList{}).Items {
		w.compiler.SetPod(netpol.PodOf(&p))
	}
	there := map[netpol.PolicyName]bool{}
	set := func(p *netpol.Policy) {
		w.compiler.SetPolicy(p)
		there[p.PolicyName] = true
		for _, problem := range p.Problems {
			w.t.Errorf("%s: %s", p.PolicyName, problem)
		}
	}
	for _, p := range list(w.t, w.objects, &networkingv1.NetworkPolicyList{}).Items {
		set(netpol.FromNetworkPolicy(&p))
	}
	for _, p := range list(w.t, w.objects, &api.ClusterNetworkPolicyList{}).Items {
		p.TypeMeta = metav1.TypeMeta{APIVersion: api.SchemeGroupVersion.String(), Kind: "ClusterNetworkPolicy"}
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		policy, err := netpol.FromClusterNetworkPolicy(text)
		if err != nil {
			return err
		}
		set(policy)
	}
	for name := range w.told {
		if !there[name] {
			w.compiler.DeletePolicy(name)
		}
	}
	w.told = there
	for name, delta := range w.compiler.Flush().Nodes {
		if w.nodes[name] == nil {
			w.nodes[name] = (&ruleset.Program{}).Clone()
		}
		if err := w.nodes[name].Apply(delta); err != nil {
			return err
		}
	}
	return nil
}
