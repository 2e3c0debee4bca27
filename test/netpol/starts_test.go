package netpol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/eksact/eksact/internal/engine/netpol"
	kubepol "github.com/eksact/eksact/internal/kube/netpol"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/node/cni"
	"github.com/eksact/eksact/internal/node/gate"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
	"github.com/eksact/eksact/test/lab"
)

// The test program is the CNI plugin when it is called as one.
func TestMain(m *testing.M) {
	if os.Getenv("CNI_COMMAND") != "" {
		cni.Main()
		return
	}
	os.Exit(m.Run())
}

// mill starts pods on two nodes without kubelets: network, plugin, controller and
// kernel are the real ones, and the API server is not.
type mill struct {
	t          testing.TB
	api        *fake.Clientset
	controller *kubepol.Controller
	nodes      []*millNode
	ctx        context.Context
	count      atomic.Int64
}

type millNode struct {
	name, ns, state, conf string
}

// millPod is a pod's network and what comes to it.
type millPod struct {
	name, ns string
	node     *millNode
	addr     netip.Addr
	caught   atomic.Int64 // packets that came by its interface
	done     atomic.Bool
}

func newMill(t testing.TB, gated bool) *mill {
	world := vpctest.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	m := &mill{t: t, api: fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}), ctx: ctx}
	m.controller = kubepol.New(m.api, nil, slog.Default())
	var running sync.WaitGroup
	running.Go(func() {
		_ = m.controller.Run(ctx, func() (all []gate.Request, err error) { return nil, nil })
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	for i := range 2 {
		addr, pods := vpctest.Private(world.Config, i)
		ns, err := world.AttachNode(ctx, fmt.Sprint("i-", i), addr, pods)
		if err != nil {
			t.Fatal(err)
		}
		e, err := nft.Open(ns, "eksact-policy", nft.Options{IPv4: true, Cut: true})
		if err != nil {
			t.Fatal(err)
		}
		n := &millNode{name: fmt.Sprint("node-", i), ns: ns, state: t.TempDir()}
		m.controller.AddNode(ctx, n.name, e)
		t.Cleanup(func() { m.controller.RemoveNode(n.name, e); e.Close() })
		conf := cni.Node{Pods: []netip.Prefix{pods}}
		if gated {
			conf.Gate = filepath.Join(n.state, "gate.sock")
			l, err := net.Listen("unix", conf.Gate)
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() { _ = gate.Serve(ctx, l, m.controller.Admit) })
		}
		n.conf = cni.Config(conf)
		m.nodes = append(m.nodes, n)
	}
	return m
}

// call runs the plugin as containerd does.
func (m *mill) call(command string, p *millPod) (string, error) {
	var list struct {
		CNIVersion, Name string
		Plugins          []map[string]any
	}
	if err := json.Unmarshal([]byte(p.node.conf), &list); err != nil {
		return "", err
	}
	conf := list.Plugins[0]
	conf["cniVersion"], conf["name"], conf["stateDir"], conf["cooldown"] = list.CNIVersion, list.Name, p.node.state, "1ms"
	text, err := json.Marshal(conf)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Args[0] = cni.Name
	cmd.Stdin = bytes.NewReader(text)
	cmd.Env = []string{"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + p.name, "CNI_NETNS=" + p.ns, "CNI_IFNAME=eth0", "CNI_PATH=/",
		"CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + p.name + ";K8S_POD_UID=uid-" + p.name}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := netns.Do(p.node.ns, cmd.Run); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", command, p.name, err, &out)
	}
	return out.String(), nil
}

// start makes a pod whose port 80 is open before it has a network, and counts the
// packets that come to it from the first on.
func (m *mill) start(i int, label string) (*millPod, error) {
	n := m.nodes[i%len(m.nodes)]
	p := &millPod{name: fmt.Sprintf("%s-%d", label, m.count.Add(1)), node: n}
	p.ns = filepath.Join(n.state, p.name)
	if err := netns.Create(p.ns); err != nil {
		return nil, err
	}
	if err := p.catch(); err != nil {
		return nil, err
	}
	_, err := m.api.CoreV1().Pods("default").Create(m.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: p.name, UID: types.UID("uid-" + p.name), Labels: map[string]string{"app": label}},
		Spec:       corev1.PodSpec{NodeName: n.name},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	out, err := m.call("ADD", p)
	if err != nil {
		return nil, err
	}
	var result struct {
		IPs []struct{ Address netip.Prefix }
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		return nil, err
	}
	p.addr = result.IPs[0].Address.Addr()
	return p, nil
}

// catch counts IPv4 packets that others send to the pod.
func (p *millPod) catch() error {
	var tap int
	err := netns.Do(p.ns, func() (err error) {
		const ip4 = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8
		if tap, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, ip4); err != nil {
			return err
		}
		return unix.SetsockoptTimeval(tap, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20_000})
	})
	if err != nil {
		return err
	}
	go func() {
		defer unix.Close(tap)
		buf := make([]byte, 64)
		for !p.done.Load() {
			_, from, err := unix.Recvfrom(tap, buf, 0)
			if err != nil {
				continue // nothing came for a while
			}
			if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_HOST {
				p.caught.Add(1)
			}
		}
	}()
	return nil
}

func (m *mill) stop(p *millPod) error {
	_, err := m.call("DEL", p)
	_ = m.api.CoreV1().Pods("default").Delete(m.ctx, p.name, metav1.DeleteOptions{})
	p.done.Store(true)
	return errors.Join(err, netns.Delete(p.ns))
}

// apply makes a policy that lets in pods of one label, or nobody, and waits for it.
func (m *mill) apply(t testing.TB, name, from string) {
	t.Helper()
	p := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Generation: 1},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
	}
	if from != "" {
		p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": from}}}}}}
	}
	if _, err := m.api.NetworkingV1().NetworkPolicies("default").Create(m.ctx, p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(m.ctx, lab.Busy*10*time.Second)
	defer cancel()
	key := netpol.PolicyName{Group: netpol.NetworkingGroup, Namespace: "default", Name: name}
	if _, err := m.controller.Wait(ctx, map[netpol.PolicyName]netpol.Version{key: {UID: name, Generation: 1}}); err != nil {
		t.Fatal(err)
	}
}

// pods starts of TestNoPacketReachesAStartingPod; EKSACT_POD_STARTS is another number.
const millStarts = 100

// While pods start under a policy that lets nobody in, a pod on each node sends to
// every address that they can get, all the time. Not one packet may reach them. Under
// one that lets these in, packets do.
func TestNoPacketReachesAStartingPod(t *testing.T) {
	n := millStarts
	if text := os.Getenv("EKSACT_POD_STARTS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	m := newMill(t, true)
	m.apply(t, "deny-all", "")
	stop, sent := m.pester(t)
	var leaks int64
	var took []time.Duration
	for i := range n {
		began := time.Now()
		p, err := m.start(i, "web")
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		time.Sleep(2 * time.Millisecond) // some of what is sent finds it
		if c := p.caught.Load(); c > 0 {
			t.Errorf("%d packets reached %s", c, p.name)
			leaks += c
		}
		if err := m.stop(p); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(took)
	t.Logf("%d pods started, %d packets sent to their addresses, %d came; a start took %s (p50), %s (p99)", n, sent.Load(), leaks, took[n/2], took[n*99/100])
	m.apply(t, "allow", "pest")
	p, err := m.start(0, "web")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); p.caught.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no packet comes where all are let in: the test shows nothing")
		}
	}
	stop()
	if err := m.stop(p); err != nil {
		t.Fatal(err)
	}
}

// pester has a pod on each node send to all addresses that pods can have.
func (m *mill) pester(t testing.TB) (stop func(), sent *atomic.Int64) {
	t.Helper()
	sent = &atomic.Int64{}
	done := make(chan struct{})
	var running sync.WaitGroup
	var pests []*millPod
	for i := range m.nodes {
		p, err := m.start(i, "pest")
		if err != nil {
			t.Fatal(err)
		}
		pests = append(pests, p)
		var c net.PacketConn
		if err := netns.Do(p.ns, func() (err error) { c, err = net.ListenPacket("udp4", ":0"); return err }); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer c.Close()
			for {
				for _, n := range m.nodes {
					var conf struct {
						Plugins []struct{ Pods []netip.Prefix }
					}
					_ = json.Unmarshal([]byte(n.conf), &conf)
					block := conf.Plugins[0].Pods[0]
					for a := block.Addr(); block.Contains(a); a = a.Next() {
						if a == p.addr {
							continue
						}
						if _, err := c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 80))); err == nil {
							sent.Add(1)
						}
						select {
						case <-done:
							return
						default:
						}
					}
				}
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	return func() {
		close(done)
		running.Wait()
		for _, p := range pests {
			if err := m.stop(p); err != nil {
				t.Error(err)
			}
		}
	}, sent
}

// What a pod's start costs, with and without the wait for its policies.
func BenchmarkPodStart(b *testing.B) {
	for _, tc := range []struct {
		name     string
		gated    bool
		policies int
	}{{"no gate", false, 0}, {"no policies", true, 0}, {"100 policies", true, 100}} {
		b.Run(strings.ReplaceAll(tc.name, " ", "-"), func(b *testing.B) {
			m := newMill(b, tc.gated)
			for i := range tc.policies {
				m.apply(b, fmt.Sprint("p-", i), fmt.Sprint("client-", i))
			}
			for i := 0; b.Loop(); i++ {
				p, err := m.start(i, "web")
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := m.stop(p); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
