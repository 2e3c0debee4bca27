package matcher

import (
	"fmt"
	"net/netip"
	"testing"

	cyclonus "github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

var (
	namespaces = []string{"x", "y", "z"}
	podNames   = []string{"a", "b", "c"}
	outside    = []string{"192.0.2.1", "10.0.0.99", "2001:db8::1"}
	blocks     = []string{"0.0.0.0/0", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/8", "192.0.2.0/24", "192.0.2.1/32", "::/0", "fd00::/64", "2001:db8::/32"}
	excepts    = []string{"10.0.0.0/30", "10.0.1.1/32", "192.0.2.1/32", "10.0.0.0/16", "fd00::/126"}
	numbers    = []int32{79, 80, 81, 443, 8080}
	protocols  = []corev1.Protocol{"TCP", "UDP", "SCTP"}
	ipProtocol = map[corev1.Protocol]uint8{"TCP": ruleset.TCP, "UDP": ruleset.UDP, "SCTP": ruleset.SCTP}
)

func drawLabels(t *rapid.T) map[string]string {
	out := map[string]string{}
	for _, key := range []string{"pod", "ns"} {
		if v := rapid.SampledFrom([]string{"", "a", "b", "x", "y"}).Draw(t, key); v != "" {
			out[key] = v
		}
	}
	out["env"] = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "env")
	return out
}

func drawSelector(t *rapid.T) metav1.LabelSelector {
	var s metav1.LabelSelector
	if rapid.Bool().Draw(t, "labels") {
		s.MatchLabels = drawLabels(t)
	}
	for range rapid.IntRange(0, 2).Draw(t, "expressions") {
		e := metav1.LabelSelectorRequirement{
			Key:      rapid.SampledFrom([]string{"pod", "ns"}).Draw(t, "key"),
			Operator: rapid.SampledFrom([]metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist"}).Draw(t, "operator"),
		}
		if e.Operator == "In" || e.Operator == "NotIn" {
			if e.Operator == "NotIn" {
				e.Key = "env" // which all have: the first known difference
			}
			e.Values = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "x", "y"}), 1, 2, rapid.ID).Draw(t, "values")
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

// drawBlock keeps to excepts that are part of the block.
func drawBlock(t *rapid.T) *networkingv1.IPBlock {
	b := &networkingv1.IPBlock{CIDR: rapid.SampledFrom(blocks).Draw(t, "cidr")}
	whole := netip.MustParsePrefix(b.CIDR)
	for _, text := range excepts {
		e := netip.MustParsePrefix(text)
		if e.Bits() > whole.Bits() && whole.Contains(e.Addr()) && rapid.Bool().Draw(t, "except") {
			b.Except = append(b.Except, text)
		}
	}
	return b
}

func drawPeer(t *rapid.T) (p networkingv1.NetworkPolicyPeer) {
	kind := rapid.IntRange(0, 3).Draw(t, "peer")
	if kind == 0 {
		p.IPBlock = drawBlock(t)
	}
	if kind == 1 || kind == 3 {
		s := drawSelector(t)
		p.PodSelector = &s
	}
	if kind >= 2 {
		s := drawSelector(t)
		p.NamespaceSelector = &s
	}
	return p
}

func drawPort(t *rapid.T) (p networkingv1.NetworkPolicyPort) {
	if rapid.Bool().Draw(t, "protocol") {
		proto := rapid.SampledFrom(protocols).Draw(t, "of")
		p.Protocol = &proto
	}
	first := rapid.SampledFrom(numbers).Draw(t, "number")
	switch rapid.IntRange(0, 4).Draw(t, "port") {
	case 0:
	case 1:
		name := intstr.FromString(rapid.SampledFrom([]string{"web", "dns", "nobody"}).Draw(t, "name"))
		p.Port = &name
	case 2:
		last := first + rapid.SampledFrom([]int32{0, 1, 400}).Draw(t, "to")
		p.EndPort = &last
		fallthrough
	default:
		n := intstr.FromInt32(first)
		p.Port = &n
	}
	return p
}

func drawPolicy(t *rapid.T, name string) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: rapid.SampledFrom(namespaces).Draw(t, "namespace"), Name: name}}
	np.Spec.PodSelector = drawSelector(t)
	np.Spec.PolicyTypes = rapid.SliceOfNDistinct(rapid.SampledFrom([]networkingv1.PolicyType{"Ingress", "Egress"}), 1, 2, rapid.ID).Draw(t, "types")
	peers := rapid.SliceOfN(rapid.Custom(drawPeer), 0, 3)
	ports := rapid.SliceOfN(rapid.Custom(drawPort), 0, 3)
	for range rapid.IntRange(0, 2).Draw(t, "ingress") {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: peers.Draw(t, "from"), Ports: ports.Draw(t, "ports")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "egress") {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: peers.Draw(t, "to"), Ports: ports.Draw(t, "ports")})
	}
	return np
}

// drawCluster has a pod of each name in each namespace, with addresses of both families.
func drawCluster(t *rapid.T) *netpol.Cluster {
	c := &netpol.Cluster{Namespaces: map[string]netpol.Namespace{}}
	for i, ns := range namespaces {
		c.Namespaces[ns] = netpol.Namespace{Name: ns, Labels: drawLabels(t)}
		for j, name := range podNames {
			p := netpol.Pod{Namespace: ns, Name: name, UID: ns + name, Labels: drawLabels(t), Node: rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "node")}
			p.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j + 1)}), netip.MustParseAddr(fmt.Sprintf("fd00::%d%d", i, j+1))}
			if rapid.Bool().Draw(t, "named") {
				p.Ports = []netpol.NamedPort{
					{Name: "web", Proto: ipProtocol[rapid.SampledFrom(protocols).Draw(t, "of")], Number: uint16(rapid.SampledFrom(numbers).Draw(t, "web"))},
				}
				dns := netpol.NamedPort{Name: "dns", Proto: ipProtocol[rapid.SampledFrom(protocols).Draw(t, "of")], Number: uint16(rapid.SampledFrom(numbers).Draw(t, "dns"))}
				if dns.Proto != p.Ports[0].Proto || dns.Number != p.Ports[0].Number {
					p.Ports = append(p.Ports, dns)
				}
			}
			c.Pods = append(c.Pods, p)
		}
	}
	return c
}

func TestMatcher(t *testing.T) { rapid.Check(t, agree) }

func FuzzMatcher(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agree)) }

// agree asks all three about every flow.
func agree(t *rapid.T) {
	cluster := drawCluster(t)
	var list []*networkingv1.NetworkPolicy
	for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
		np := drawPolicy(t, fmt.Sprint("p", i))
		list = append(list, np)
		p := netpol.FromNetworkPolicy(np)
		if p.Problems != nil {
			t.Fatalf("%+v: %v", np.Spec, p.Problems)
		}
		cluster.Policies = append(cluster.Policies, p)
	}
	q := asked{cluster: cluster, nodes: programs(cluster), theirs: cyclonus.BuildNetworkPolicies(false, list), simple: cyclonus.BuildNetworkPolicies(true, list)}
	ends := ends(cluster)
	for _, from := range ends {
		for _, to := range ends {
			if from.Range.Addr().Is4() != to.Range.Addr().Is4() || from.Pod != nil && from.Pod == to.Pod {
				continue
			}
			for _, proto := range protocols {
				for _, n := range append(numbers, 82) {
					q.ask(t, from, to, proto, uint16(n))
				}
			}
		}
	}
}

func ends(c *netpol.Cluster) (list []netpol.End) {
	for i := range c.Pods {
		for _, a := range c.Pods[i].Addresses {
			list = append(list, c.At(a))
		}
	}
	for _, text := range outside {
		list = append(list, c.At(netip.MustParseAddr(text)))
	}
	return list
}

func programs(cluster *netpol.Cluster) (list []*ruleset.Program) {
	c := netpol.New()
	for _, n := range cluster.Namespaces {
		c.SetNamespace(n)
	}
	for _, p := range cluster.Pods {
		c.SetPod(p)
	}
	for _, p := range cluster.Policies {
		c.SetPolicy(p)
	}
	c.Flush()
	for _, name := range c.Nodes() {
		list = append(list, c.Program(name))
	}
	return list
}

// asked is a cluster in all forms.
type asked struct {
	cluster        *netpol.Cluster
	nodes          []*ruleset.Program
	theirs, simple *cyclonus.Policy
}

func (q *asked) ask(t *rapid.T, from, to netpol.End, proto corev1.Protocol, n uint16) {
	port := ruleset.Port{Proto: ipProtocol[proto], Number: n}
	explained := q.cluster.Explain(from, to, port)
	decided := true
	for _, p := range q.nodes {
		pass, _ := ruleset.Decide(p, ruleset.Packet{Source: from.Range.Addr(), Destination: to.Range.Addr(), Proto: port.Proto, Port: n})
		decided = decided && pass
	}
	traffic := &cyclonus.Traffic{Source: q.peer(from), Destination: q.peer(to), ResolvedPort: int(n), ResolvedPortName: nameOf(to.Pod, port), Protocol: proto}
	theirs := q.theirs.IsTrafficAllowed(traffic).IsAllowed()
	if simple := q.simple.IsTrafficAllowed(traffic).IsAllowed(); simple != theirs {
		t.Fatalf("cyclonus says %v, simplified %v of %+v", theirs, simple, traffic)
	}
	if ours := explained.Outcome == netpol.Allowed; ours != theirs || decided != theirs {
		t.Fatalf("cyclonus says %v, Explain %v, the nodes %v:\n%v", theirs, ours, decided, explained.Lines())
	}
}

func (q *asked) peer(e netpol.End) *cyclonus.TrafficPeer {
	p := &cyclonus.TrafficPeer{IP: e.Range.Addr().String()}
	if e.Pod != nil {
		p.Internal = &cyclonus.InternalPeer{PodLabels: e.Pod.Labels, Namespace: e.Pod.Namespace, NamespaceLabels: q.cluster.Namespaces[e.Pod.Namespace].Labels}
	}
	return p
}

// nameOf is the name of a pod's port.
func nameOf(p *netpol.Pod, port ruleset.Port) string {
	if p != nil {
		for _, n := range p.Ports {
			if n.Proto == port.Proto && n.Number == port.Number {
				return n.Name
			}
		}
	}
	return ""
}
