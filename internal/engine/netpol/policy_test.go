package netpol_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	. "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// np reads the spec of a NetworkPolicy of namespace a.
func np(t testing.TB, name, spec string) *Policy {
	t.Helper()
	o := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, Generation: 1}}
	if err := yaml.UnmarshalStrict([]byte(spec), &o.Spec); err != nil {
		t.Fatal(err)
	}
	return FromNetworkPolicy(o)
}

// cnp reads a ClusterNetworkPolicy of a group from its spec.
func cnp(t testing.TB, group, name, spec string) *Policy {
	t.Helper()
	version := map[string]string{UpstreamGroup: "v1alpha2", AWSGroup: "v1alpha1"}[group]
	text, err := yaml.YAMLToJSON([]byte("{apiVersion: " + group + "/" + version + ", kind: ClusterNetworkPolicy, metadata: {name: " + name + ", generation: 1}, spec: " + spec + "}"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := FromClusterNetworkPolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProblems(t *testing.T) {
	for _, tc := range []struct{ name, spec, want string }{
		{"types", "{podSelector: {}, policyTypes: [Sideways]}", `policyTypes[0]: "Sideways" is neither Ingress nor Egress`},
		{"subject", "{podSelector: {matchExpressions: [{key: a, operator: In}]}}", "podSelector: values: Invalid value: null: for 'in', 'notin' operators"},
		{"empty peer", "{podSelector: {}, ingress: [{from: [{}]}]}", "ingress[0].from[0]: it is empty"},
		{"two kinds of peer", "{podSelector: {}, ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", "ingress[0].from[0]: it has an ipBlock and selectors"},
		{"selector", "{podSelector: {}, egress: [{to: [{namespaceSelector: {matchExpressions: [{key: a, operator: Is}]}}]}]}", `egress[0].to[0].namespaceSelector: "Is" is not a valid label selector operator`},
		{"CIDR", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", `ingress[0].from[0].ipBlock.cidr: "10.0.0.0" is no CIDR`},
		{"mapped CIDR", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}]}", "is no CIDR"},
		{"except outside", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", "ingress[0].from[0].ipBlock.except[0]: 11.0.0.0/16 is no part of 10.0.0.0/8"},
		{"except all", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", "is no part of"},
		{"protocol", "{podSelector: {}, ingress: [{ports: [{protocol: ICMP}]}]}", `ingress[0].ports[0]: protocol "ICMP" is none of TCP, UDP and SCTP`},
		{"port", "{podSelector: {}, ingress: [{ports: [{port: 65536}]}]}", "ingress[0].ports[0].port: 65536 is none of 1 to 65535"},
		{"port's name", "{podSelector: {}, ingress: [{ports: [{port: not a name}]}]}", `ingress[0].ports[0]: port "not a name" is no name`},
		{"endPort of a name", "{podSelector: {}, ingress: [{ports: [{port: web, endPort: 90}]}]}", "ingress[0].ports[0]: it has endPort 90 and no number to begin with"},
		{"endPort of nothing", "{podSelector: {}, ingress: [{ports: [{endPort: 90}]}]}", "no number to begin with"},
		{"endPort before port", "{podSelector: {}, ingress: [{ports: [{port: 90, endPort: 80}]}]}", "ingress[0].ports[0]: endPort 80 is before port 90"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := np(t, "x", tc.spec)
			if len(p.Problems) == 0 || !strings.Contains(p.Problems[0], tc.want) {
				t.Fatalf("problems %q, want %s", p.Problems, tc.want)
			}
			if !p.Isolates[Ingress] {
				t.Error("it isolates nobody")
			}
			for _, r := range append(p.Rules[Ingress], p.Rules[Egress]...) {
				if r.AnyPeer || r.AnyPort || r.Peers != nil || r.Ports != nil {
					t.Errorf("a rule with a problem matches: %+v", r)
				}
			}
		})
	}
}

func TestClusterProblems(t *testing.T) {
	const s = "subject: {namespaces: {}}, "
	for _, tc := range []struct{ name, group, spec, want string }{
		{"tier", UpstreamGroup, "{tier: High, " + s + "}", `tier: "High" is neither Admin nor Baseline`},
		{"no subject", UpstreamGroup, "{tier: Admin}", "subject: it has neither namespaces nor pods"},
		{"two subjects", UpstreamGroup, "{tier: Admin, subject: {namespaces: {}, pods: {}}}", "subject: it has namespaces and pods"},
		{"subject's selector", UpstreamGroup, "{tier: Admin, subject: {namespaces: {matchExpressions: [{key: a, operator: In}]}}}", "subject.namespaces: values: Invalid value: null: for 'in'"},
		{"action", AWSGroup, "{tier: Admin, " + s + "ingress: [{action: Allow, from: [{namespaces: {}}]}]}", `ingress[0]: action "Allow" is none of Accept, Deny and Pass`},
		{"no peers", AWSGroup, "{tier: Admin, " + s + "ingress: [{action: Deny}]}", "ingress[0]: it has no from"},
		{"empty peer", UpstreamGroup, "{tier: Admin, " + s + "egress: [{action: Accept, to: [{}]}]}", "egress[0].to[0]: it picks nothing"},
		{"nodes", UpstreamGroup, "{tier: Admin, " + s + "ingress: [{action: Deny, from: [{nodes: {}}]}]}", "ingress[0].from[0]: nodes are peers of egress rules alone"},
		{"nodes and pods", UpstreamGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{nodes: {}, namespaces: {}}]}]}", "egress[0].to[0]: it has nodes and others"},
		{"domains", AWSGroup, "{tier: Admin, " + s + "egress: [{action: Accept, to: [{domainNames: [example.org]}]}]}", "egress[0].to[0]: domainNames are not supported"},
		{"networks of ingress", AWSGroup, "{tier: Admin, " + s + "ingress: [{action: Deny, from: [{networks: [10.0.0.0/8]}]}]}", "networks are peers of egress rules alone"},
		{"networks and pods", AWSGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{networks: [10.0.0.0/8], namespaces: {}}]}]}", "it has networks and selectors"},
		{"network", AWSGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{networks: [10.0.0.0/33]}]}]}", `egress[0].to[0].networks[0]: "10.0.0.0/33" is no CIDR`},
		{"no protocol", UpstreamGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{}]}]}", "it is 0 of tcp, udp, sctp and destinationNamedPort, not one"},
		{"two protocols", UpstreamGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{tcp: {}, udp: {}}]}]}", "it is 2 of"},
		{"number", UpstreamGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 0}}}]}]}", "0 is none of 1 to 65535"},
		{"range", UpstreamGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 9, end: 8}}}}]}]}", "the range ends at 8, before it begins at 9"},
		{"no port", AWSGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{namespaces: {}}], ports: [{}]}]}", "egress[0].ports[0]: it names no port"},
		{"field", AWSGroup, "{tier: Admin, " + s + "Egress: []}", `unknown field "spec.Egress"`},
		{"protocol", AWSGroup, "{tier: Admin, " + s + "egress: [{action: Deny, to: [{namespaces: {}}], ports: [{portNumber: {protocol: ICMP, port: 1}}]}]}", `protocol "ICMP" is none of`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := cnp(t, tc.group, "x", tc.spec)
			if len(p.Problems) == 0 || !strings.Contains(p.Problems[0], tc.want) {
				t.Fatalf("problems %q, want %s", p.Problems, tc.want)
			}
			for _, r := range append(p.Rules[Ingress], p.Rules[Egress]...) {
				all, nothing := r.AnyPeer && r.AnyPort, !r.AnyPeer && r.Peers == nil
				if closed := r.Action == Deny && all || r.Action == Accept && nothing; !closed {
					t.Errorf("it fails open: %+v", r)
				}
			}
		})
	}
	for _, text := range []string{"", "{}", `{"apiVersion":"networking.k8s.io/v1","kind":"ClusterNetworkPolicy"}`, `{"apiVersion":"networking.k8s.aws/v1alpha1","kind":"PolicyEndpoint"}`, `{"apiVersion":"networking.k8s.aws/v1alpha1","kind":"ClusterNetworkPolicy","spec":{"priority":"x"}}`} {
		if p, err := FromClusterNetworkPolicy([]byte(text)); err == nil {
			t.Errorf("%s is taken for %+v", text, p)
		}
	}
}

// TestClusterPolicies: both kinds say the same in their own words.
func TestClusterPolicies(t *testing.T) {
	up := cnp(t, UpstreamGroup, "x", `{tier: Baseline, priority: 7, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}},
		egress: [{name: out, action: Pass, to: [{networks: [10.0.0.0/8, '::/0']}, {namespaces: {matchLabels: {a: b}}}],
			protocols: [{tcp: {destinationPort: {number: 80}}}, {udp: {destinationPort: {range: {start: 8, end: 9}}}}]}]}`)
	aws := cnp(t, AWSGroup, "x", `{tier: Baseline, priority: 7, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}},
		egress: [{name: out, action: Pass, to: [{networks: [10.0.0.0/8, '::/0']}, {namespaces: {matchLabels: {a: b}}}],
			ports: [{portNumber: {port: 80, protocol: TCP}, portRange: {protocol: UDP, start: 8, end: 9}}]}]}`)
	want := Rule{
		Name: "out", Action: Pass,
		Peers: []Peer{
			{Blocks: []Block{{CIDR: netip.MustParsePrefix("10.0.0.0/8")}, {CIDR: netip.MustParsePrefix("::/0")}}},
			{Pods: &Selection{Namespaces: up.Rules[Egress][0].Peers[1].Pods.Namespaces}},
		},
		Ports: []PortMatch{{Proto: ruleset.TCP, First: 80, Last: 80}, {Proto: ruleset.UDP, First: 8, Last: 9}},
	}
	for _, p := range []*Policy{up, aws} {
		if p.Problems != nil || p.Tier != Baseline || p.Priority != 7 || p.Version.Generation != 1 || p.Subject.String() != "pods app=x in all namespaces" {
			t.Errorf("%+v", p)
		}
		got := p.Rules[Egress][0]
		if got.Name != want.Name || got.Action != want.Action || !slices.Equal(got.Ports, want.Ports) || got.Peers[0].String() != want.Peers[0].String() || got.Peers[1].String() != "all pods in namespaces a=b" {
			t.Errorf("%+v", got)
		}
	}
	// Names: of any protocol upstream, of TCP for AWS.
	up = cnp(t, UpstreamGroup, "x", "{tier: Admin, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: web}, {sctp: {}}]}]}")
	aws = cnp(t, AWSGroup, "x", "{tier: Admin, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{namedPort: web}]}]}")
	if got := up.Rules[Ingress][0].Ports; !slices.Equal(got, []PortMatch{{Name: "web"}, {Proto: ruleset.SCTP}}) {
		t.Errorf("upstream: %+v", got)
	}
	if got := aws.Rules[Ingress][0].Ports; !slices.Equal(got, []PortMatch{{Proto: ruleset.TCP, Name: "web"}}) {
		t.Errorf("AWS: %+v", got)
	}
}

// TestSelectors: they pick what Kubernetes' own library picks.
func TestSelectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, set := drawSelector(t), drawLabels(t)
		mine, err := NewSelector(in)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := metav1.LabelSelectorAsSelector(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := mine.Matches(set), theirs.Matches(labels.Set(set)); got != want {
			t.Errorf("%s of %v: %v", mine, set, got)
		}
		again, err := labels.Parse(mine.String())
		if err != nil || again.Matches(labels.Set(set)) != theirs.Matches(labels.Set(set)) {
			t.Errorf("%s reads as %s, %v", mine, again, err)
		}
	})
}

// TestCRDs: what is installed is what is read.
func TestCRDs(t *testing.T) {
	for i, group := range []string{UpstreamGroup, AWSGroup} {
		var crd struct {
			Metadata struct{ Name string }
			Spec     struct {
				Group    string
				Versions []struct{ Name string }
			}
		}
		if err := yaml.Unmarshal(CRDs()[i], &crd); err != nil {
			t.Fatal(err)
		}
		if crd.Metadata.Name != "clusternetworkpolicies."+group || crd.Spec.Group != group || len(crd.Spec.Versions) == 0 {
			t.Errorf("%+v", crd)
		}
		for _, v := range crd.Spec.Versions {
			if _, err := FromClusterNetworkPolicy([]byte(`{"apiVersion":"` + group + "/" + v.Name + `","kind":"ClusterNetworkPolicy"}`)); err != nil {
				t.Error(err)
			}
		}
	}
}
