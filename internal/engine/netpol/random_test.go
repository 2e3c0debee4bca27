package netpol_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	. "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// The vocabulary is small, so that things meet.
var (
	someNamespaces = []string{"a", "b", "c"}
	someNodes      = []string{"", "n1", "n2"}
	someNames      = []string{"p", "q", "r", "s"}
	someAddresses  = addresses("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "10.0.1.2", "fd00::1", "fd00::2", "fd00:0:0:1::1")
	otherAddresses = addresses("192.0.2.1", "10.0.0.200", "2001:db8::1", "10.0.9.1", "10.0.9.2") // the last two are nodes'
	someBlocks     = []string{"0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/31", "10.0.1.1/32", "192.0.2.0/24", "::/0", "fd00::/64", "fd00::2/128"}
	somePorts      = []int32{80, 81, 443, 8080, 9000}
	protocols      = []uint8{ruleset.TCP, ruleset.UDP, ruleset.SCTP}
)

func addresses(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func drawLabels(t *rapid.T) map[string]string {
	out := map[string]string{}
	for _, key := range []string{"app", "tier"} {
		if v := rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, key); v != "" {
			out[key] = v
		}
	}
	return out
}

func drawSelector(t *rapid.T) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	switch rapid.IntRange(0, 7).Draw(t, "selector") {
	case 0:
	case 1, 2, 3:
		s.MatchLabels = drawLabels(t)
	default:
		e := metav1.LabelSelectorRequirement{
			Key:      rapid.SampledFrom([]string{"app", "tier"}).Draw(t, "key"),
			Operator: rapid.SampledFrom([]metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist", "In", "In"}).Draw(t, "operator"),
		}
		if e.Operator == "In" || e.Operator == "NotIn" {
			e.Values = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 1, 2, rapid.ID).Draw(t, "values")
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func drawPod(t *rapid.T) Pod {
	p := Pod{
		Namespace: rapid.SampledFrom(someNamespaces).Draw(t, "namespace"), Name: rapid.SampledFrom(someNames).Draw(t, "name"),
		UID: rapid.SampledFrom([]string{"1", "1", "1", "2"}).Draw(t, "uid"), Labels: drawLabels(t),
		Node:        rapid.SampledFrom(someNodes).Draw(t, "node"),
		HostNetwork: rapid.IntRange(0, 9).Draw(t, "host") == 0, Finished: rapid.IntRange(0, 9).Draw(t, "finished") == 0,
	}
	if i := rapid.IntRange(-1, 4).Draw(t, "IPv4"); i >= 0 {
		p.Addresses = append(p.Addresses, someAddresses[i])
	}
	if i := rapid.IntRange(-3, 2).Draw(t, "IPv6"); i >= 0 {
		p.Addresses = append(p.Addresses, someAddresses[5+i])
	}
	for _, name := range []string{"web", "dns"} {
		for range rapid.IntRange(0, 2).Draw(t, "ports") {
			p.Ports = append(p.Ports, NamedPort{name, rapid.SampledFrom(protocols).Draw(t, "protocol"), uint16(rapid.SampledFrom(somePorts).Draw(t, "port"))})
		}
	}
	return p
}

func drawPeer(t *rapid.T) networkingv1.NetworkPolicyPeer {
	var p networkingv1.NetworkPolicyPeer
	kind := rapid.IntRange(0, 15).Draw(t, "peer")
	if kind < 5 {
		b := &networkingv1.IPBlock{CIDR: rapid.SampledFrom(someBlocks).Draw(t, "cidr")}
		for range rapid.IntRange(0, 2).Draw(t, "excepts") {
			b.Except = append(b.Except, rapid.SampledFrom(someBlocks).Draw(t, "except")) // not always in it
		}
		p.IPBlock = b
		return p
	}
	if kind%2 == 0 || kind == 15 {
		p.NamespaceSelector = drawSelector(t)
	}
	if kind >= 10 || kind%2 == 1 {
		p.PodSelector = drawSelector(t)
	}
	return p
}

func drawPort(t *rapid.T) networkingv1.NetworkPolicyPort {
	var p networkingv1.NetworkPolicyPort
	if proto := rapid.SampledFrom([]string{"", "TCP", "UDP", "SCTP"}).Draw(t, "protocol"); proto != "" {
		p.Protocol = (*corev1.Protocol)(&proto)
	}
	number := rapid.SampledFrom(somePorts).Draw(t, "port")
	switch rapid.IntRange(0, 5).Draw(t, "port") {
	case 0:
	case 1:
		name := intstr.FromString(rapid.SampledFrom([]string{"web", "dns", "nobody"}).Draw(t, "name"))
		p.Port = &name
	case 2:
		end := number + rapid.SampledFrom([]int32{0, 1, 2, 3, 400, 7000, 9000, 50000, -1}).Draw(t, "end") // -1 is wrong
		p.EndPort = &end
		fallthrough
	default:
		n := intstr.FromInt32(number)
		p.Port = &n
	}
	return p
}

func drawNetworkPolicy(t *rapid.T) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{}
	np.Namespace, np.Name = rapid.SampledFrom(someNamespaces).Draw(t, "namespace"), rapid.SampledFrom(someNames).Draw(t, "name")
	np.Generation = rapid.Int64Range(1, 3).Draw(t, "generation")
	np.Spec.PodSelector = *drawSelector(t)
	np.Spec.PolicyTypes = rapid.SliceOfNDistinct(rapid.SampledFrom([]networkingv1.PolicyType{"Ingress", "Egress"}), 0, 2, rapid.ID).Draw(t, "types")
	for range rapid.IntRange(0, 3).Draw(t, "ingress") {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: drawPeers(t), Ports: drawPorts(t)})
	}
	for range rapid.IntRange(0, 3).Draw(t, "egress") {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: drawPeers(t), Ports: drawPorts(t)})
	}
	return np
}

func drawPeers(t *rapid.T) []networkingv1.NetworkPolicyPeer {
	return rapid.SliceOfN(rapid.Custom(drawPeer), 0, 5).Draw(t, "peers")
}

func drawPorts(t *rapid.T) []networkingv1.NetworkPolicyPort {
	return rapid.SliceOfN(rapid.Custom(drawPort), 0, 8).Draw(t, "ports")
}

// drawClusterPolicy makes a NetworkPolicy's rules those of another tier.
func drawClusterPolicy(t *rapid.T) *Policy {
	p := FromNetworkPolicy(drawNetworkPolicy(t))
	p.PolicyName = PolicyName{rapid.SampledFrom([]string{UpstreamGroup, AWSGroup}).Draw(t, "group"), "", p.Name}
	p.Tier = rapid.SampledFrom([]Tier{Admin, Baseline}).Draw(t, "tier")
	p.Priority = rapid.Int32Range(0, 3).Draw(t, "priority")
	p.Isolates = [2]bool{}
	s, err := NewSelector(drawSelector(t))
	if err != nil {
		t.Fatal(err)
	}
	p.Subject.Namespace, p.Subject.Namespaces = "", &s
	for d := range p.Rules {
		for i := range p.Rules[d] {
			p.Rules[d][i].Action = rapid.SampledFrom([]Action{Accept, Deny, Pass}).Draw(t, "action")
			if Direction(d) == Egress && rapid.IntRange(0, 3).Draw(t, "nodes") == 0 {
				if s, err = NewSelector(drawSelector(t)); err != nil {
					t.Fatal(err)
				}
				p.Rules[d][i].Peers = append(p.Rules[d][i].Peers, Peer{Pods: NodeSelection(s)})
			}
		}
	}
	return p
}

// anyHistory: whatever happens, the nodes' programs are those of a compiler that was
// told only how it ended, and decide as the policies do.
func anyHistory(t *rapid.T) {
	c, nodes := New(), map[string]*ruleset.Program{}
	for range rapid.IntRange(1, 6).Draw(t, "flushes") {
		for range rapid.IntRange(0, 8).Draw(t, "events") {
			event(t, c)
		}
		for name, delta := range c.Flush().Nodes {
			if nodes[name] == nil {
				nodes[name] = (&ruleset.Program{}).Clone()
			}
			if delta.Empty() {
				t.Fatalf("%s: an empty delta", name)
			}
			if err := nodes[name].Apply(delta); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		checkNodes(t, c, nodes)
	}
	checkVerdicts(t, c.Cluster(), nodes)
}

func event(t *rapid.T, c *Compiler) {
	switch rapid.IntRange(0, 14).Draw(t, "event") {
	case 13:
		i := rapid.IntRange(1, 2).Draw(t, "node")
		c.SetNode(Node{fmt.Sprint(i), drawLabels(t), otherAddresses[2+i : 3+i]})
	case 14:
		c.DeleteNode(fmt.Sprint(rapid.IntRange(1, 2).Draw(t, "node")))
	case 0, 1:
		c.SetNamespace(Namespace{rapid.SampledFrom(someNamespaces).Draw(t, "namespace"), drawLabels(t)})
	case 2:
		c.DeleteNamespace(rapid.SampledFrom(someNamespaces).Draw(t, "namespace"))
	case 3:
		p := drawPod(t)
		c.DeletePod(p.Key(), rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "of"))
	case 4, 5, 6, 7:
		c.SetPod(drawPod(t))
	case 8, 9:
		c.SetPolicy(FromNetworkPolicy(drawNetworkPolicy(t)))
	case 10:
		c.SetPolicy(drawClusterPolicy(t))
	case 11:
		c.DeletePolicy(FromNetworkPolicy(drawNetworkPolicy(t)).PolicyName)
	case 12:
		c.DeletePolicy(drawClusterPolicy(t).PolicyName)
	}
}

// fresh is a compiler that is told of a cluster at once.
func fresh(cluster *Cluster) *Compiler {
	c := New()
	for _, p := range cluster.Policies {
		c.SetPolicy(p)
	}
	for _, p := range cluster.Pods {
		c.SetPod(p)
	}
	for _, n := range cluster.Nodes {
		c.SetNode(n)
	}
	for _, n := range cluster.Namespaces {
		c.SetNamespace(n)
	}
	c.Flush()
	return c
}

var asValues = []cmp.Option{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

func checkNodes(t *rapid.T, c *Compiler, nodes map[string]*ruleset.Program) {
	scratch := fresh(c.Cluster())
	if a, b := c.Nodes(), scratch.Nodes(); !slices.Equal(a, b) {
		t.Fatalf("nodes %v, from scratch %v", a, b)
	}
	for name, program := range nodes {
		if err := program.Validate(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.Program(name), program, asValues...); d != "" {
			t.Fatalf("%s: the deltas do not add up: %s", name, d)
		}
		if d := cmp.Diff(scratch.Program(name), program, asValues...); d != "" {
			t.Fatalf("%s: from scratch it is another: %s", name, d)
		}
	}
	if left := scratch.Flush(); len(left.Nodes) > 0 {
		t.Fatalf("flushed twice: %v", left)
	}
}

// checkVerdicts has all nodes decide every flow, as the cluster's policies do.
func checkVerdicts(t *rapid.T, cluster *Cluster, nodes map[string]*ruleset.Program) {
	all := slices.Concat(someAddresses, otherAddresses)
	for _, from := range all {
		for _, to := range all {
			if from.Is4() != to.Is4() {
				continue
			}
			for _, port := range flowPorts() {
				checkVerdict(t, cluster, nodes, from, to, port)
			}
		}
	}
}

func flowPorts() (list []ruleset.Port) {
	for _, proto := range protocols {
		for _, n := range somePorts {
			list = append(list, ruleset.Port{Proto: proto, Number: uint16(n)})
		}
	}
	return append(list, ruleset.Port{Proto: ruleset.TCP, Number: 82}, ruleset.Port{Proto: ruleset.TCP, Number: 83}, ruleset.Port{Proto: ruleset.TCP, Number: 84}, ruleset.Port{Proto: ruleset.TCP, Number: 65535})
}

func checkVerdict(t *rapid.T, cluster *Cluster, nodes map[string]*ruleset.Program, from, to netip.Addr, port ruleset.Port) {
	e := cluster.Explain(cluster.At(from), cluster.At(to), port)
	if e.Outcome == Unsure {
		t.Fatalf("unsure, and all addresses are known: %v", e.Lines())
	}
	packet := ruleset.Packet{Source: from, Destination: to, Proto: port.Proto, Port: port.Number}
	pass, trace := true, []ruleset.Step(nil)
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		p, steps := ruleset.Decide(nodes[name], packet)
		pass, trace = pass && p, append(trace, steps...)
	}
	// A pod without a node is enforced nowhere.
	for _, end := range []struct {
		pod  *Pod
		side *Side
	}{{cluster.At(from).Pod, &e.Egress}, {cluster.At(to).Pod, &e.Ingress}} {
		if end.pod != nil && end.pod.Node == "" {
			end.side.Outcome = Allowed
		}
	}
	if want := e.Egress.Outcome == Allowed && e.Ingress.Outcome == Allowed; pass != want {
		t.Fatalf("%v → %v %v: nodes say %v, %v\n%s\n%v", from, to, port, pass, trace, lines(e), program(nodes))
	}
}

func lines(e *Explanation) (text string) {
	for _, l := range e.Lines() {
		text += l + "\n"
	}
	return text
}

func program(nodes map[string]*ruleset.Program) (text string) {
	for name, p := range nodes {
		text += fmt.Sprintf("%s: %+v\n", name, *p)
	}
	return text
}

func TestAnyHistory(t *testing.T) { rapid.Check(t, anyHistory) }

func FuzzHistory(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyHistory)) }
