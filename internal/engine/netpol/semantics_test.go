package netpol_test

import (
	"net/netip"
	"slices"
	"testing"

	. "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// town is three namespaces with pods, a node's own among them.
func town() *Cluster {
	c := &Cluster{Namespaces: map[string]Namespace{
		"a": {"a", map[string]string{"team": "red"}}, "b": {"b", map[string]string{"team": "blue"}}, "c": {"c", nil},
	}}
	pod := func(ns, name, address string, ports ...NamedPort) {
		c.Pods = append(c.Pods, Pod{
			Namespace: ns, Name: name, UID: ns + name, Labels: map[string]string{"app": name}, Node: "n", Ports: ports,
			Addresses: addresses(address), HostNetwork: name == "host", Finished: name == "done",
		})
	}
	pod("a", "web", "10.0.0.1", NamedPort{"http", ruleset.TCP, 80}, NamedPort{"dns", ruleset.UDP, 53})
	pod("a", "web2", "10.0.0.2", NamedPort{"http", ruleset.TCP, 8080})
	pod("a", "db", "10.0.0.3")
	pod("b", "web", "10.0.1.1", NamedPort{"http", ruleset.TCP, 80})
	pod("c", "web", "10.0.2.1")
	pod("b", "host", "10.0.9.9", NamedPort{"http", ruleset.TCP, 80})
	pod("b", "done", "10.0.1.7")
	return c
}

// flows are written as FROM TO PROTOCOL PORT.
type flow struct {
	from, to string
	proto    uint8
	port     uint16
}

func TestSemantics(t *testing.T) {
	const tcp, udp, sctp = ruleset.TCP, ruleset.UDP, ruleset.SCTP
	const web, web2, db, other, third, host, outside = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "10.0.2.1", "10.0.9.9", "192.0.2.1"
	for _, tc := range []struct {
		name            string
		policies        []string // specs of NetworkPolicies in a
		cluster         []string // specs of ClusterNetworkPolicies, of AWS
		allowed, denied []flow
	}{
		{name: "no policy", allowed: []flow{{other, web, tcp, 80}, {web, outside, udp, 53}}},
		{
			name: "types absent: ingress alone", policies: []string{"{podSelector: {}}"},
			allowed: []flow{{web, other, tcp, 80}, {web, outside, tcp, 80}, {web, web, tcp, 80}}, denied: []flow{{other, web, tcp, 80}, {db, web, tcp, 80}, {outside, db, sctp, 1}},
		},
		{
			name: "types absent, a rule for egress: both", policies: []string{"{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}"},
			denied: []flow{{web, other, tcp, 80}, {other, web, tcp, 80}, {web, db, tcp, 80}},
		},
		{
			name: "egress alone, rules for ingress not asked", policies: []string{"{podSelector: {}, policyTypes: [Egress], ingress: [{from: [{podSelector: {}}]}]}"},
			allowed: []flow{{other, web, tcp, 80}}, denied: []flow{{web, other, tcp, 80}},
		},
		{
			name: "an empty rule allows all", policies: []string{"{podSelector: {}, ingress: [{}]}", "{podSelector: {}}"},
			allowed: []flow{{other, web, tcp, 80}, {outside, web, sctp, 9}, {host, db, udp, 1}},
		},
		{
			name: "empty lists mean all", policies: []string{"{podSelector: {}, ingress: [{from: [], ports: []}]}"},
			allowed: []flow{{outside, web, tcp, 80}},
		},
		{
			name: "podSelector alone is of the policy's namespace", policies: []string{"{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}"},
			allowed: []flow{{web, db, tcp, 1}}, denied: []flow{{other, db, tcp, 1}, {web2, db, tcp, 1}, {outside, db, tcp, 1}},
		},
		{
			name: "namespaceSelector {} is all pods, no other address", policies: []string{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}"},
			allowed: []flow{{web, db, tcp, 1}, {other, db, tcp, 1}, {third, db, tcp, 1}}, denied: []flow{{outside, db, tcp, 1}, {host, db, tcp, 1}, {"10.0.1.7", db, tcp, 1}},
		},
		{
			name: "both selectors in a peer", policies: []string{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: web}}}]}]}"},
			allowed: []flow{{other, db, tcp, 1}}, denied: []flow{{web, db, tcp, 1}, {third, db, tcp, 1}},
		},
		{
			name: "selectors in two peers", policies: []string{"{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: web}}}]}]}"},
			allowed: []flow{{other, db, tcp, 1}, {web, db, tcp, 1}}, denied: []flow{{third, db, tcp, 1}},
		},
		{
			name: "except limits its own rule alone", policies: []string{"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.1.0/24]}}]}]}", "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 10.0.1.0/24}}]}]}"},
			allowed: []flow{{web, web2, tcp, 1}, {third, web, tcp, 1}, {other, db, tcp, 1}}, denied: []flow{{other, web, tcp, 1}, {outside, web, tcp, 1}},
		},
		{
			name: "a name is each destination's own port", policies: []string{"{podSelector: {}, ingress: [{ports: [{port: http}]}]}"},
			allowed: []flow{{other, web, tcp, 80}, {other, web2, tcp, 8080}}, denied: []flow{{other, web, tcp, 8080}, {other, web2, tcp, 80}, {other, db, tcp, 80}, {other, web, udp, 80}},
		},
		{
			name: "a name of another protocol", policies: []string{"{podSelector: {}, ingress: [{ports: [{port: dns}]}]}"},
			denied: []flow{{other, web, udp, 53}, {other, web, tcp, 53}},
		},
		{
			name: "a name that nobody has opens nothing", policies: []string{"{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: nobody}]}], egress: [{ports: [{port: nobody}]}]}"},
			denied: []flow{{other, web, tcp, 80}, {web, other, tcp, 80}},
		},
		{
			name: "egress by name", policies: []string{"{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: http}]}]}"},
			allowed: []flow{{db, web, tcp, 80}, {db, web2, tcp, 8080}, {db, other, tcp, 80}}, denied: []flow{{db, web, tcp, 8080}, {db, third, tcp, 80}, {db, host, tcp, 80}, {db, outside, tcp, 80}},
		},
		{
			name: "egress by name in a block", policies: []string{"{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.1.0/24}}], ports: [{port: http}]}]}"},
			allowed: []flow{{db, other, tcp, 80}}, denied: []flow{{db, web, tcp, 80}, {db, "10.0.1.9", tcp, 80}},
		},
		{
			name: "endPort", policies: []string{"{podSelector: {}, ingress: [{ports: [{port: 80, endPort: 90}]}]}"},
			allowed: []flow{{other, web, tcp, 80}, {other, web, tcp, 90}}, denied: []flow{{other, web, tcp, 79}, {other, web, tcp, 91}, {other, web, udp, 80}},
		},
		{
			name: "a protocol without port", policies: []string{"{podSelector: {}, ingress: [{ports: [{protocol: SCTP}]}]}"},
			allowed: []flow{{other, web, sctp, 7}}, denied: []flow{{other, web, tcp, 7}},
		},
		{
			name: "a rule with a problem closes, others stay", policies: []string{"{podSelector: {}, ingress: [{ports: [{port: http, endPort: 90}]}, {ports: [{port: 443}]}]}"},
			allowed: []flow{{other, web, tcp, 443}}, denied: []flow{{other, web, tcp, 80}},
		},
		{
			name: "many ports", policies: []string{"{podSelector: {}, ingress: [{ports: [{port: 1}, {port: 2}, {port: 3}, {port: 4}, {port: 5}]}, {from: [{podSelector: {}}], ports: [{port: 6}, {port: 8, endPort: 9}]}]}"},
			allowed: []flow{{other, web, tcp, 1}, {other, web, tcp, 5}, {web, db, tcp, 6}, {web, db, tcp, 9}}, denied: []flow{{other, web, tcp, 6}, {other, web, tcp, 9}, {other, web, udp, 1}},
		},
		{
			name: "a node's pod is nobody's", policies: []string{"{podSelector: {}}"},
			allowed: []flow{{host, other, tcp, 80}, {web, host, tcp, 80}}, denied: []flow{{host, web, tcp, 80}},
		},
		{
			name: "Admin comes first", policies: []string{"{podSelector: {}}"},
			cluster: []string{
				"{tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}",
				"{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: blue}}}], ports: [{portNumber: {port: 80, protocol: TCP}}]}]}",
			},
			allowed: []flow{{other, web, tcp, 80}, {outside, other, tcp, 80}}, denied: []flow{{other, web, tcp, 81}, {outside, web, tcp, 80}, {third, other, tcp, 80}},
		},
		{
			name: "Pass leaves it to NetworkPolicies", policies: []string{"{podSelector: {}, ingress: [{ports: [{port: 80}]}]}"},
			cluster: []string{"{tier: Admin, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {matchLabels: {team: blue}}}]}, {action: Deny, from: [{namespaces: {}}]}]}"},
			allowed: []flow{{other, web, tcp, 80}, {outside, web, tcp, 80}, {other, third, tcp, 81}}, denied: []flow{{other, web, tcp, 81}, {third, web, tcp, 80}},
		},
		{
			name: "Baseline is for pods that no NetworkPolicy selects", policies: []string{"{podSelector: {matchLabels: {app: web}}, ingress: [{}]}"},
			cluster: []string{"{tier: Baseline, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {matchLabels: {team: blue}}}]}, {action: Deny, from: [{namespaces: {}}]}]}"},
			allowed: []flow{{third, web, tcp, 1}, {other, db, tcp, 1}, {outside, db, tcp, 1}}, denied: []flow{{third, db, tcp, 1}},
		},
		{
			name:    "a Deny rule with a problem denies all",
			cluster: []string{"{tier: Admin, subject: {namespaces: {matchLabels: {team: red}}}, egress: [{action: Deny, to: [{networks: [10.0.0.0/99]}]}]}"},
			allowed: []flow{{other, web, tcp, 1}}, denied: []flow{{web, outside, tcp, 1}, {web, other, tcp, 1}},
		},
		{
			name:    "networks",
			cluster: []string{"{tier: Admin, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [10.0.0.0/24]}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]}"},
			allowed: []flow{{other, web, tcp, 1}, {outside, other, tcp, 1}}, denied: []flow{{web, other, tcp, 1}, {web, outside, tcp, 1}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := town()
			for i, spec := range tc.policies {
				c.Policies = append(c.Policies, np(t, string(rune('p'+i)), spec))
			}
			for i, spec := range tc.cluster {
				c.Policies = append(c.Policies, cnp(t, AWSGroup, string(rune('p'+i)), spec))
			}
			program := fresh(c).Program("n")
			for _, f := range slices.Concat(tc.allowed, tc.denied) {
				want := Denied
				if slices.Contains(tc.allowed, f) {
					want = Allowed
				}
				from, to := netip.MustParseAddr(f.from), netip.MustParseAddr(f.to)
				if e := c.Explain(c.At(from), c.At(to), ruleset.Port{Proto: f.proto, Number: f.port}); e.Outcome != want {
					t.Errorf("%v: want %s\n%s", f, want, lines(e))
				}
				if pass, steps := ruleset.Decide(program, ruleset.Packet{Source: from, Destination: to, Proto: f.proto, Port: f.port}); pass != (want == Allowed) {
					t.Errorf("%v: the program says %v, %v", f, pass, steps)
				}
			}
		})
	}
}
