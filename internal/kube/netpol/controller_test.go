package netpol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/node/gate"
)

// kernel is an Enforcer that holds a program, slowly or not at all if told so.
type kernel struct {
	mu      sync.Mutex
	program *ruleset.Program
	loads   int
	fail    error
	hold    chan struct{} // taken before each change, if not nil
}

func (k *kernel) Load(p *ruleset.Program) error {
	return k.do(func() error { k.program = p.Clone(); k.loads++; return nil })
}

func (k *kernel) Apply(changes ...*ruleset.Delta) error {
	return k.do(func() error {
		for _, d := range changes {
			if err := k.program.Apply(*d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k *kernel) do(f func() error) error {
	if k.hold != nil {
		<-k.hold
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	return f()
}

func (k *kernel) failing(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = err
}

// lets is whether the kernel lets a packet through.
func (k *kernel) lets(from, to string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.program == nil {
		return true
	}
	pass, _ := ruleset.Decide(k.program, ruleset.Packet{Source: addr(from), Destination: addr(to), Proto: ruleset.TCP, Port: 80})
	return pass
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// house is a controller of two nodes over an API server that isn't one.
type house struct {
	*Controller
	api    *fake.Clientset
	a, b   *kernel
	leases func() ([]gate.Request, error)
	ctx    context.Context
}

func newHouse(t *testing.T) *house {
	h := &house{api: fake.NewClientset(), a: &kernel{}, b: &kernel{}, leases: func() ([]gate.Request, error) { return nil, nil }}
	h.Controller = New(h.api, nil, slog.New(slog.DiscardHandler))
	h.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	return h
}

func (h *house) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h.ctx = ctx
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx, h.leases)
	}()
	t.Cleanup(func() { cancel(); <-done })
	h.AddNode(ctx, "a", h.a)
	h.AddNode(ctx, "b", h.b)
}

func (h *house) create(t *testing.T, object any) {
	t.Helper()
	var err error
	switch o := object.(type) {
	case *corev1.Namespace:
		_, err = h.api.CoreV1().Namespaces().Create(context.Background(), o, metav1.CreateOptions{})
	case *corev1.Pod:
		_, err = h.api.CoreV1().Pods(o.Namespace).Create(context.Background(), o, metav1.CreateOptions{})
	case *networkingv1.NetworkPolicy:
		_, err = h.api.NetworkingV1().NetworkPolicies(o.Namespace).Create(context.Background(), o, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func podOn(node, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: node},
	}
}

// only lets pods of one label reach all pods of the namespace.
func only(app string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "only", UID: "1", Generation: 1},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
				{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
			}}},
		},
	}
}

func request(name, address string) gate.Request {
	return gate.Request{Namespace: "default", Name: name, UID: "uid-" + name, Container: "c-" + name, Address: addr(address)}
}

func (h *house) admit(t *testing.T, r gate.Request) {
	t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, 60*time.Second)
	defer cancel()
	if err := h.Admit(ctx, r); err != nil {
		t.Fatal(err)
	}
}

func (h *house) wait(t *testing.T, generation int64) []Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, 60*time.Second)
	defer cancel()
	got, err := h.Wait(ctx, onlyVersion(generation))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func onlyVersion(generation int64) map[netpol.PolicyName]netpol.Version {
	return map[netpol.PolicyName]netpol.Version{
		{Group: netpol.NetworkingGroup, Namespace: "default", Name: "only"}: {UID: "1", Generation: generation},
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it didn't happen", what)
		}
	}
}

// A pod is admitted when its own rules stand and the others know it.
func TestAdmittedPodsAreEnforcedEverywhere(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("client"))
	h.create(t, podOn("a", "server"))
	h.create(t, podOn("b", "client"))
	h.create(t, podOn("b", "other"))
	h.run(t)
	h.admit(t, request("server", "10.0.0.1"))
	if h.a.lets("10.0.0.2", "10.0.0.1") {
		t.Error("open to an address that no pod has")
	}
	h.admit(t, request("client", "10.0.0.2"))
	h.admit(t, request("other", "10.0.0.3"))
	if !h.a.lets("10.0.0.2", "10.0.0.1") || h.a.lets("10.0.0.3", "10.0.0.1") || h.b.lets("10.0.0.1", "10.0.0.2") {
		t.Error("not as the policy says")
	}
	gone := request("client", "10.0.0.2")
	gone.Gone = true
	h.admit(t, gone)
	eventually(t, "the address of a pod that is gone is let through no more", func() bool { return !h.a.lets("10.0.0.2", "10.0.0.1") })
}

// Nothing is written before all is known, and pods wait for it.
func TestNothingIsWrittenBeforeAllIsKnown(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("client"))
	h.create(t, podOn("a", "server"))
	h.create(t, podOn("b", "client"))
	known := make(chan struct{})
	h.leases = func() ([]gate.Request, error) {
		<-known
		return []gate.Request{request("server", "10.0.0.1")}, nil
	}
	h.run(t)
	ctx, cancel := context.WithTimeout(h.ctx, 50*time.Millisecond)
	defer cancel()
	if err := h.Admit(ctx, request("client", "10.0.0.2")); err == nil || !strings.Contains(err.Error(), "default/client") {
		t.Errorf("admitted before all is known: %v", err)
	}
	h.a.mu.Lock()
	if h.a.loads != 0 {
		t.Error("something was written before all is known")
	}
	h.a.mu.Unlock()
	close(known)
	h.admit(t, request("client", "10.0.0.2"))
	if h.a.loads != 1 || !h.a.lets("10.0.0.2", "10.0.0.1") || h.a.lets("10.0.0.9", "10.0.0.1") {
		t.Error("not as leases and policy say")
	}
}

// Nodes that come late, one after the other, keep nobody waiting for ever.
func TestNodesThatComeLate(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("client"))
	h.create(t, podOn("c", "server"))
	h.run(t)
	eventually(t, "all is known", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.synced })
	c, d := &kernel{}, &kernel{}
	h.AddNode(h.ctx, "c", c)
	h.AddNode(h.ctx, "d", d)
	h.admit(t, request("server", "10.0.0.1"))
	if c.lets("10.0.0.9", "10.0.0.1") {
		t.Error("open")
	}
	if got := h.wait(t, 1); len(got) != 4 {
		t.Errorf("receipts: %+v", got)
	}
}

// A node that can't be written to keeps pods waiting, and is written anew.
func TestANodeThatFailsIsWrittenAnew(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("client"))
	h.create(t, podOn("a", "server"))
	h.create(t, podOn("b", "client"))
	h.run(t)
	h.admit(t, request("server", "10.0.0.1"))
	h.a.failing(errors.New("the kernel refuses"))
	ctx, cancel := context.WithTimeout(h.ctx, 100*time.Millisecond)
	defer cancel()
	err := h.Admit(ctx, request("client", "10.0.0.2"))
	if err == nil || !strings.Contains(err.Error(), "node a") || !strings.Contains(err.Error(), "the kernel refuses") {
		t.Errorf("admitted, or not told why not: %v", err)
	}
	h.a.failing(nil)
	h.admit(t, request("client", "10.0.0.2"))
	if !h.a.lets("10.0.0.2", "10.0.0.1") {
		t.Error("not written anew")
	}
	h.mu.Lock()
	want := h.compiler.Program("a")
	h.mu.Unlock()
	if diff := cmp.Diff(want, h.a.program, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("the kernel holds another program than was compiled: %s", diff)
	}
}

// A receipt comes when the last node has the policy's generation.
func TestAReceiptOfEveryNode(t *testing.T) {
	h := newHouse(t)
	h.create(t, podOn("a", "server"))
	h.create(t, podOn("b", "client"))
	h.run(t)
	h.admit(t, request("server", "10.0.0.1"))
	h.admit(t, request("client", "10.0.0.2"))
	h.b.hold = make(chan struct{})
	h.create(t, only("client"))
	ctx, cancel := context.WithTimeout(h.ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := h.Wait(ctx, onlyVersion(1)); err == nil || !strings.Contains(err.Error(), "node b") {
		t.Errorf("a receipt before node b has it: %v", err)
	}
	close(h.b.hold)
	got := h.wait(t, 1)
	if len(got) != 2 || got[0].Node != "a" || got[1].Node != "b" || got[0].Generation != 1 || got[1].Enforced.Before(got[0].Enforced) {
		t.Errorf("%+v", got)
	}
	p := only("other")
	p.Generation = 2
	if _, err := h.api.NetworkingV1().NetworkPolicies("default").Update(context.Background(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := h.wait(t, 2); len(got) != 2 || got[0].Generation != 2 {
		t.Errorf("%+v", got)
	}
	if h.a.lets("10.0.0.2", "10.0.0.1") {
		t.Error("a receipt before it is enforced")
	}
}

// Switched off nothing is restricted; switched on it is as if it never was.
func TestTheSwitch(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("nobody"))
	h.create(t, podOn("a", "server"))
	h.run(t)
	h.admit(t, request("server", "10.0.0.1"))
	if err := h.Switch(h.ctx, false); err != nil {
		t.Fatal(err)
	}
	if !h.a.lets("10.0.0.9", "10.0.0.1") {
		t.Error("switched off, and closed")
	}
	if _, err := h.Wait(h.ctx, onlyVersion(1)); !errors.Is(err, ErrOff) {
		t.Errorf("%v", err)
	}
	h.create(t, podOn("a", "late"))
	h.admit(t, request("late", "10.0.0.3"))
	if !h.a.lets("10.0.0.9", "10.0.0.3") {
		t.Error("restricted")
	}
	if err := h.Switch(h.ctx, true); err != nil {
		t.Fatal(err)
	}
	h.wait(t, 1)
	if h.a.lets("10.0.0.9", "10.0.0.1") || h.a.lets("10.0.0.9", "10.0.0.3") {
		t.Error("open")
	}
}

// A pod that is deleted by force is held to its policies while it runs on, also when
// another of its name has come.
func TestAGhostIsNotSetFree(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("nobody"))
	h.create(t, podOn("a", "server"))
	h.run(t)
	h.admit(t, request("server", "10.0.0.1"))
	if err := h.api.CoreV1().Pods("default").Delete(context.Background(), "server", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	again := podOn("a", "server")
	again.UID = "uid-again"
	h.create(t, again)
	second := request("server", "10.0.0.2")
	second.UID, second.Container = "uid-again", "c-again"
	h.admit(t, second)
	for _, a := range []string{"10.0.0.1", "10.0.0.2"} {
		if h.a.lets("10.0.0.9", a) {
			t.Errorf("%s is open", a)
		}
	}
	h.firstLeaves(t)
}

// firstLeaves takes the interface of the first of two pods away.
func (h *house) firstLeaves(t *testing.T) {
	t.Helper()
	gone := request("server", "10.0.0.1")
	gone.Gone = true
	h.admit(t, gone)
	eventually(t, "the address is nobody's", func() bool { return h.a.lets("10.0.0.9", "10.0.0.1") })
	if h.a.lets("10.0.0.9", "10.0.0.2") {
		t.Error("the second pod was set free with the first")
	}
}

// By the socket, as the plugin asks.
func TestTheGate(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("client"))
	h.create(t, podOn("a", "server"))
	h.run(t)
	socket := filepath.Join(t.TempDir(), "gate")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(h.ctx)
	go func() { done <- gate.Serve(ctx, l, h.Admit) }()
	if err := gate.Ask(socket, request("server", "10.0.0.1"), 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if h.a.lets("10.0.0.9", "10.0.0.1") {
		t.Error("open")
	}
	if err := gate.Ask(socket, request("nobody", "10.0.0.2"), 5*time.Second); err == nil || !strings.Contains(err.Error(), "default/nobody") {
		t.Errorf("a pod that isn't there: %v", err)
	}
	gone := request("server", "10.0.0.1")
	gone.Gone = true
	if err := gate.Tell(socket, gone); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the address is nobody's", func() bool { return h.a.lets("10.0.0.9", "10.0.0.1") })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := gate.Ask(socket, request("server", "10.0.0.1"), 50*time.Millisecond); err == nil {
		t.Error("answered by nobody")
	}
}

func TestStripKeepsWhatPoliciesSee(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	p := podOn("a", "web")
	p.Spec.Containers = []corev1.Container{{Name: "c", Image: "i", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}}}}
	p.Spec.InitContainers = []corev1.Container{{Name: "s", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "side", ContainerPort: 81}}}}
	p.Status = corev1.PodStatus{Phase: corev1.PodSucceeded, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}}
	stripped, err := strip(p)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(netpol.PodOf(stripped.(*corev1.Pod))), fmt.Sprint(netpol.PodOf(p)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The informer may tell of a pod that was deleted when its successor has been looked up, and
// may not tell of its end at all: neither is open meanwhile.
func TestASuccessorThatIsKnownFirst(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("nobody"))
	first := podOn("a", "server")
	first.ResourceVersion = "5"
	h.create(t, first)
	h.run(t)
	h.admit(t, request("server", "10.0.0.1"))
	tell := func(f func()) {
		h.mu.Lock()
		defer h.mu.Unlock()
		f()
		h.flush()
	}
	closed := func(when string) {
		t.Helper()
		if err := h.until(h.ctx, func() bool { _, behind := h.behind(h.generation); return !behind }); err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"10.0.0.1", "10.0.0.2"} {
			if h.a.lets("10.0.0.9", a) {
				t.Errorf("%s: %s is open", when, a)
			}
		}
	}
	again := podOn("a", "server")
	again.UID, again.ResourceVersion = "uid-again", "7"
	second := request("server", "10.0.0.2")
	second.UID, second.Container = "uid-again", "c-again"
	tell(func() { h.setPod(again); h.attach(second) })
	closed("the successor is known")
	late := first.DeepCopy()
	late.ResourceVersion = "6"
	tell(func() { h.setPod(late) })
	closed("the first is told of once more")
	tell(func() { h.deletePod(late) })
	closed("the first is gone")
	h.firstLeaves(t)
}

// An interface whose pod was deleted by force before the daemon came back is held to what
// holds for all pods of its namespace.
func TestAGhostOfAnEarlierDaemon(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("nobody"))
	lease := request("server", "10.0.0.1")
	lease.Node = "a"
	h.leases = func() ([]gate.Request, error) { return []gate.Request{lease}, nil }
	h.run(t)
	h.wait(t, 1)
	if h.a.lets("10.0.0.9", "10.0.0.1") {
		t.Error("it is open")
	}
	gone := lease
	gone.Gone = true
	h.admit(t, gone)
	eventually(t, "the address is nobody's", func() bool { return h.a.lets("10.0.0.9", "10.0.0.1") })
}

// An interface that is noted when its pod has been replaced is not open either.
func TestAnInterfaceThatComesTooLate(t *testing.T) {
	h := newHouse(t)
	h.create(t, only("nobody"))
	again := podOn("a", "server")
	again.UID = "uid-again"
	h.create(t, again)
	h.run(t)
	h.wait(t, 1)
	late := request("server", "10.0.0.1")
	late.Node = "a"
	h.mu.Lock()
	h.attach(late)
	h.flush()
	h.mu.Unlock()
	if err := h.until(h.ctx, func() bool { _, behind := h.behind(h.generation); return !behind }); err != nil {
		t.Fatal(err)
	}
	if h.a.lets("10.0.0.9", "10.0.0.1") {
		t.Error("it is open")
	}
}
