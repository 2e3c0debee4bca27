package netpol_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

const openToPods = "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}"

// TestReceipts: a flush tells the versions that its deltas enforce.
func TestReceipts(t *testing.T) {
	c := New()
	p := np(t, "x", openToPods)
	c.SetPolicy(p)
	change := c.Flush()
	if change.Policies[p.PolicyName].Generation != 1 || len(change.Nodes) != 0 {
		t.Errorf("%+v", change)
	}
	// The same words again, in another version: nothing to do, and enforced.
	again := *p
	again.Generation = 2
	c.SetPolicy(&again)
	if change := c.Flush(); change.Policies[p.PolicyName].Generation != 2 || len(change.Nodes) != 0 || c.Policies()[p.PolicyName].Generation != 2 {
		t.Errorf("%+v", change)
	}
	c.DeletePolicy(p.PolicyName)
	c.DeletePolicy(PolicyName{NetworkingGroup, "a", "never"})
	if change := c.Flush(); len(change.Policies) != 0 || len(change.Gone) != 1 || change.Gone[0] != p.PolicyName {
		t.Errorf("%+v", change)
	}
}

// TestSharing: pods with the same policies share a chain, selectors a set, and a pod
// that comes is one element.
func TestSharing(t *testing.T) {
	c := New()
	c.SetNamespace(Namespace{"a", nil})
	c.SetPolicy(np(t, "x", openToPods))
	web := func(name, node, address string) Pod {
		return Pod{Namespace: "a", Name: name, UID: name, Labels: map[string]string{"app": "web"}, Node: node, Addresses: addresses(address)}
	}
	c.SetPod(web("w1", "n1", "10.0.0.1"))
	c.SetPod(web("w2", "n1", "10.0.0.2"))
	c.SetPod(web("w3", "n2", "10.0.0.3"))
	c.Flush()
	if p := c.Program("n1"); len(p.Ingress) != 2 || len(p.Chains) != 1 || len(p.Sets) != 1 || len(p.Egress) != 0 {
		t.Errorf("%+v", p)
	}
	// Known from the CNI before it runs anywhere that its status tells.
	c.SetPod(Pod{Namespace: "a", Name: "client", UID: "c", Addresses: addresses("10.0.0.9")})
	change := c.Flush()
	if len(change.Nodes) != 2 {
		t.Fatalf("%+v", change)
	}
	for _, d := range change.Nodes {
		if len(d.NewChains)+len(d.NewSets)+len(d.Ingress)+len(d.Remove) != 0 || len(d.Add) != 1 {
			t.Errorf("%+v", d)
		}
	}
	// A pod of the same name is another one; late news of the old one changes nothing.
	c.SetPod(Pod{Namespace: "a", Name: "client", UID: "d", Addresses: addresses("10.0.0.8")})
	c.DeletePod(PodName{"a", "client"}, "c")
	if d := c.Flush().Nodes["n1"]; len(d.Add) != 1 || len(d.Remove) != 1 {
		t.Errorf("%+v", d)
	}
}

// TestAddressAgain: an address goes to the pod that comes to it last, also before the
// last one is gone, and its elements and chains with it.
func TestAddressAgain(t *testing.T) {
	c := New()
	c.SetPolicy(np(t, "x", openToPods))
	old := Pod{Namespace: "a", Name: "old", UID: "1", Labels: map[string]string{"app": "web"}, Node: "n", Addresses: addresses("10.0.0.1")}
	c.SetPod(old)
	c.Flush()
	c.SetPod(Pod{Namespace: "b", Name: "new", UID: "2", Node: "n", Addresses: addresses("10.0.0.1")})
	old.Labels = map[string]string{"app": "web", "more": "labels"}
	c.SetPod(old) // its status still has the address
	d := c.Flush().Nodes["n"]
	if want := addresses("10.0.0.1")[0]; len(d.Ingress) != 1 || d.Ingress[want] != "" || len(d.OldSets) != 1 || len(d.OldChains) != 1 {
		t.Errorf("%+v", d)
	}
	old.Finished = true
	c.SetPod(old)
	if change := c.Flush(); len(change.Nodes) != 0 {
		t.Errorf("%+v", change)
	}
	c.DeletePod(PodName{"b", "new"}, "2")
	old.Finished = false
	c.SetPod(old)
	if d := c.Flush().Nodes["n"]; len(d.Ingress) != 1 || len(d.NewSets) != 1 {
		t.Errorf("%+v", d)
	}
}

// TestNodeOfPods: rules go where the pods go.
func TestNodeOfPods(t *testing.T) {
	c := New()
	c.SetPolicy(np(t, "x", openToPods))
	p := Pod{Namespace: "a", Name: "w", UID: "1", Labels: map[string]string{"app": "web"}, Node: "n1", Addresses: addresses("10.0.0.1", "fd00::1")}
	c.SetPod(p)
	c.Flush()
	before := c.Program("n1")
	p.UID, p.Node = "2", "n2"
	c.SetPod(p)
	change := c.Flush()
	if d := cmp.Diff(before, c.Program("n2"), asValues...); d != "" {
		t.Error(d)
	}
	left := before.Clone()
	if err := left.Apply(change.Nodes["n1"]); err != nil {
		t.Fatal(err)
	}
	if d := ruleset.Diff(left, &ruleset.Program{}); !d.Empty() {
		t.Errorf("left behind: %+v", d)
	}
	if nodes := c.Nodes(); len(nodes) != 1 || nodes[0] != "n2" {
		t.Errorf("%v", nodes)
	}
}
