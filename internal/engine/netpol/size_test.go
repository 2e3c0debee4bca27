package netpol

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestNothingStays: what is gone leaves nothing behind in the compiler.
func TestNothingStays(t *testing.T) {
	c := New()
	everything := Selection{Namespaces: &Selector{}}
	for i := range 3 {
		name := string(rune('a' + i))
		c.SetNamespace(Namespace{Name: name})
		c.SetPod(Pod{Namespace: name, Name: name, UID: name, Labels: map[string]string{"app": name}, Node: "n"})
		p := &Policy{PolicyName: PolicyName{NetworkingGroup, name, name}, Tier: Networks, Isolates: [2]bool{true, true}, Subject: Selection{Namespace: name}}
		p.Rules[Egress] = []Rule{{Peers: []Peer{{Pods: &everything}}, Ports: []PortMatch{{Name: "web"}}}}
		c.SetPolicy(p)
	}
	c.SetNode(Node{Name: "n", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}})
	c.Flush()
	c.DeleteNode("n")
	for i := range 3 {
		name := string(rune('a' + i))
		c.DeletePod(PodName{name, name}, "")
		c.DeleteNamespace(name)
		c.DeletePolicy(PolicyName{NetworkingGroup, name, name})
		c.Flush()
	}
	if n := c.size(); n != 0 {
		t.Errorf("%d things stay: %+v", n, c)
	}
}

// size counts all that the compiler holds.
func (c *Compiler) size() int {
	return len(c.newNamespaces) + len(c.newPods) + len(c.newPolicies) + len(c.namespaces) + len(c.pods) + len(c.policies) +
		len(c.scopes) + len(c.selecting) + len(c.groups) + len(c.sets) + len(c.chains) + len(c.profiles) + len(c.pieces) + len(c.nodes) +
		len(c.claimants) + len(c.owners) + len(c.dirty) + len(c.changed) + len(c.idle) + len(c.spare) + len(c.unused)
}

// TestTally: it tells what came and went, whatever happened in between.
func TestTally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tally tally[int]
		counts := map[int]int{}
		for range 3 {
			before := map[int]int{}
			for k, v := range counts {
				before[k] = v
			}
			for range rapid.IntRange(0, 9).Draw(t, "changes") {
				key := rapid.IntRange(0, 2).Draw(t, "key")
				by := +1
				if counts[key] > 0 && rapid.Bool().Draw(t, "less") {
					by = -1
				}
				counts[key] += by
				tally.add(key, by)
			}
			came, went := tally.change()
			tally.settle()
			seen := map[int]int{}
			for _, k := range came {
				seen[k]++
			}
			for _, k := range went {
				seen[k]--
			}
			for key := range 3 {
				want := 0
				switch {
				case before[key] == 0 && counts[key] > 0:
					want = 1
				case before[key] > 0 && counts[key] == 0:
					want = -1
				}
				if seen[key] != want {
					t.Fatalf("%d went from %d to %d: %d", key, before[key], counts[key], seen[key])
				}
			}
		}
	})
}
