package netpol_test

import (
	"fmt"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	. "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// drawRange is a range among few ports, so that many overlap and touch.
func drawRange(t *rapid.T) networkingv1.NetworkPolicyPort {
	first := rapid.Int32Range(1, 60).Draw(t, "first")
	last := first + rapid.SampledFrom([]int32{0, 1, 2, 10, 40}).Draw(t, "more")
	number := intstr.FromInt32(first)
	return networkingv1.NetworkPolicyPort{Port: &number, EndPort: &last}
}

// anyRanges: a pod with many ranges of ports, of NetworkPolicies and of others.
func anyRanges(t *rapid.T) {
	c := New()
	c.SetNamespace(Namespace{"a", nil})
	for i, a := range someAddresses[:4] {
		c.SetPod(Pod{Namespace: "a", Name: fmt.Sprint(i), UID: fmt.Sprint(i), Labels: drawLabels(t), Node: "n", Addresses: addresses(a.String())})
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "policies") {
		np := drawNetworkPolicy(t)
		np.Namespace, np.Name, np.Spec.PolicyTypes = "a", fmt.Sprint(i), nil
		for r := range np.Spec.Ingress {
			np.Spec.Ingress[r].Ports = rapid.SliceOfN(rapid.Custom(drawRange), 1, 12).Draw(t, "ranges")
		}
		p := FromNetworkPolicy(np)
		if rapid.Bool().Draw(t, "cluster") {
			all := Selector{}
			p.PolicyName.Group, p.Tier, p.Isolates = UpstreamGroup, Admin, [2]bool{}
			p.Subject = Selection{Namespaces: &all}
			for r := range p.Rules[Ingress] {
				p.Rules[Ingress][r].Action = rapid.SampledFrom([]Action{Accept, Deny, Pass}).Draw(t, "action")
			}
		}
		c.SetPolicy(p)
	}
	c.Flush()
	nodes := map[string]*ruleset.Program{"n": c.Program("n")}
	if err := nodes["n"].Validate(); err != nil {
		t.Fatal(err)
	}
	for port := range 110 {
		for _, from := range append(someAddresses[:4:4], otherAddresses[0]) {
			checkVerdict(t, c.Cluster(), nodes, from, someAddresses[0], ruleset.Port{Proto: ruleset.TCP, Number: uint16(port)})
		}
	}
}

func TestAnyRanges(t *testing.T) { rapid.Check(t, anyRanges) }

func FuzzRanges(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyRanges)) }

// TestManyRanges: what a packet meets grows with the logarithm of the ranges.
func TestManyRanges(t *testing.T) {
	c := New()
	c.SetPod(Pod{Namespace: "a", Name: "p", UID: "p", Node: "n", Addresses: addresses("10.0.0.1")})
	const ranges = 2000
	for i := range ranges {
		c.SetPolicy(np(t, fmt.Sprint(i), fmt.Sprintf("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.%d/32}}], ports: [{port: %d, endPort: %d}]}]}", i%250, 10+i*20, 20+i*20)))
	}
	c.Flush()
	p := c.Program("n")
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, port := range []uint16{1, 10, 20, 21, 29, 30, 20000, 39990, 40001, 65535} {
		i := int(port-10) / 20
		from := addresses(fmt.Sprintf("192.0.2.%d", i%250))[0]
		pass, steps := ruleset.Decide(p, ruleset.Packet{Source: from, Destination: addresses("10.0.0.1")[0], Proto: ruleset.TCP, Port: port})
		if want := port >= 10 && int(port-10)%20 <= 10 && i < ranges; pass != want {
			t.Errorf("port %d: %v", port, pass)
		}
		met := 0
		for _, s := range steps {
			if met += s.Rule + 1; s.Rule < 0 {
				met += 1 + len(p.Chains[s.Chain].Rules)
			}
		}
		if met > 45 { // 4 levels of 8, and what else there is
			t.Errorf("port %d meets %d rules", port, met)
		}
	}
}

// TestNestedRanges: a tree of these would be large; they are tried in a row.
func TestNestedRanges(t *testing.T) {
	c := New()
	c.SetPod(Pod{Namespace: "a", Name: "p", UID: "p", Node: "n", Addresses: addresses("10.0.0.1")})
	for i := range 100 {
		c.SetPolicy(np(t, fmt.Sprint(i), fmt.Sprintf("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.%d/32}}], ports: [{port: %d, endPort: %d}]}]}", i, 100+i, 1000-i)))
	}
	c.Flush()
	p := c.Program("n")
	if rules := len(p.Chains[p.Ingress[addresses("10.0.0.1")[0]]].Rules); rules != 100 {
		t.Errorf("%d rules", rules)
	}
	for port, want := range map[uint16]bool{149: false, 150: true, 950: true, 951: false} {
		if pass, _ := ruleset.Decide(p, ruleset.Packet{Source: addresses("192.0.2.50")[0], Destination: addresses("10.0.0.1")[0], Proto: ruleset.TCP, Port: port}); pass != want {
			t.Errorf("port %d: %v", port, pass)
		}
	}
}
