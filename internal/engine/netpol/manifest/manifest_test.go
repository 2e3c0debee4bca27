package manifest_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/netpol/manifest"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: red}}
---
# nothing but a comment
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  initContainers: [{name: once, ports: [{name: once, containerPort: 1}]}, {name: proxy, restartPolicy: Always, ports: [{name: proxy, containerPort: 15000}]}]
  containers: [{name: web, ports: [{name: http, containerPort: 80}, {name: dns, containerPort: 53, protocol: UDP}, {containerPort: 9}]}]
status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec: {template: {metadata: {labels: {app: agent}}, spec: {containers: []}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: front, port: 8080, targetPort: http}, {port: 53, protocol: UDP}, {port: 99, targetPort: nobody}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: example.org}
`

func read(t *testing.T, text string) *manifest.Set {
	t.Helper()
	s := &manifest.Set{PodCIDR: netip.MustParsePrefix("10.0.0.0/16")}
	if err := s.Add("shop.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSet(t *testing.T) {
	s := read(t, shop)
	if n := s.Cluster.Namespaces["shop"]; n.Labels["team"] != "red" || n.Labels["kubernetes.io/metadata.name"] != "shop" {
		t.Errorf("%+v", n)
	}
	if n := s.Cluster.Namespaces["kube-system"]; len(n.Labels) != 1 {
		t.Errorf("an implied namespace: %+v", n)
	}
	p, found := s.Cluster.Pod(netpol.PodName{Namespace: "shop", Name: "web"})
	if !found || len(p.Addresses) != 2 || len(p.Ports) != 3 || p.Ports[1] != (netpol.NamedPort{Name: "dns", Proto: ruleset.UDP, Number: 53}) || p.Ports[2].Name != "proxy" {
		t.Errorf("%+v", p)
	}
}

func TestFlows(t *testing.T) {
	s := read(t, shop)
	for _, tc := range []struct {
		from, to, port string
		want           []uint16 // the ports reached
		fault          string
	}{
		{"shop/web", "ds/agent", "1", nil, "there is no pod default/daemonset/agent; is it kube-system/daemonset/agent"},
		{"shop/web", "kube-system/ds/agent", "1", []uint16{1}, ""},
		{"kube-system/agent", "shop/pod/web", "http", []uint16{80}, ""},
		{"kube-system/agent", "shop/svc/web", "front", []uint16{80}, ""},
		{"kube-system/agent", "shop/svc/web", "8080", []uint16{80}, ""},
		{"kube-system/agent", "shop/svc/web", "53/UDP", []uint16{53}, ""},
		{"fd00::9", "shop/svc/web", "8080", []uint16{80}, ""},
		{"kube-system/agent", "shop/svc/web", "99", nil, "shop/web has no TCP port named nobody"},
		{"kube-system/agent", "shop/svc/web", "53", nil, "it has no port 53/TCP, but 8080/TCP, 53/UDP, 99/TCP"},
		{"kube-system/agent", "shop/svc/outside", "53", nil, "has no selector"},
		{"kube-system/agent", "shop/svc/none", "53", nil, "there is no service shop/none"},
		{"shop/svc/web", "shop/web", "53", nil, "service shop/web sends nothing"},
		{"kube-system/agent", "192.0.2.1", "http", nil, "192.0.2.1 has no TCP port named http"},
		{"kube-system/agent", "shop/ds/x/y", "1", nil, "names no end"},
		{"kube-system/agent", "shop/thing/x", "1", nil, "names no end"},
		{"kube-system/agent", "none/x", "1", nil, "there is no pod none/x, and namespace none has none"},
	} {
		t.Run(tc.from+" "+tc.to+" "+tc.port, func(t *testing.T) {
			port, err := manifest.ParsePort(tc.port)
			if err != nil {
				t.Fatal(err)
			}
			list, err := explain(s, tc.from, tc.to, port)
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Errorf("%v, want %s", err, tc.fault)
				}
				return
			}
			if err != nil || len(list) != len(tc.want) {
				t.Fatalf("%d flows, %v", len(list), err)
			}
			for i, e := range list {
				if e.Port != tc.want[i] || e.Outcome != netpol.Allowed {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

func explain(s *manifest.Set, fromName, toName string, port manifest.Port) ([]*netpol.Explanation, error) {
	from, err := s.Find(fromName, "")
	if err != nil {
		return nil, err
	}
	to, err := s.Find(toName, "")
	if err != nil {
		return nil, err
	}
	return s.Explain(from, to, port)
}

func TestRefused(t *testing.T) {
	const policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\n"
	for _, tc := range []struct{ text, want string }{
		{"{", "f: document 1: yaml:"},
		{"- a", "f: document 1: json:"},
		{"a: 1\na: 2", "already set in map"},
		{"a: 1", "it has no kind or no apiVersion"},
		{policy + "spec: {podSelector: {matchlabels: {}}}", `NetworkPolicy x: unknown field "spec.podSelector.matchlabels"`},
		{policy + "spec: {podSelector: {}, ingress: [{from: [{}]}]}", "NetworkPolicy x: ingress[0].from[0]: it is empty"},
		{policy + "spec: {podSelector: {}}\n---\n" + policy, "f: document 2: NetworkPolicy x: it is in f too"},
		{"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: 1}]}", "items[0]: Pod p: json:"},
		{"{apiVersion: policy.networking.k8s.io/v9, kind: ClusterNetworkPolicy, metadata: {name: c}}", "is no ClusterNetworkPolicy of a known version"},
		{"{apiVersion: networking.k8s.aws/v1alpha1, kind: ClusterNetworkPolicy, metadata: {name: c}, spec: {tier: Admin, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [a.b]}]}]}}", "domainNames are not supported"},
	} {
		var s manifest.Set
		if err := s.Add("f", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.text, err, tc.want)
		}
	}
	// What a server has is in force.
	served := manifest.Set{Served: true}
	if err := served.Add("f", []byte(policy+"spec: {podSelector: {}, ingress: [{from: [{}]}]}")); err != nil || len(served.Notes) != 1 || len(served.Cluster.Policies) != 1 {
		t.Errorf("%v, %+v", err, served)
	}
}

// TestRunning has a workload stand for its pods, and a service lead to these, whether a
// server shows them or files do.
func TestRunning(t *testing.T) {
	const workload = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {metadata: {labels: {app: web}}}}\n" +
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
	const pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-%d, labels: {app: web, x: z}}\nstatus: {phase: Running, podIPs: [{ip: 10.0.0.%[1]d}]}\n"
	for _, tc := range []struct {
		from, to string
		pods     int
		want     string // flows
	}{
		{"deployment/web", "web", 0, "default/deployment/web>default/deployment/web"},
		{"deployment/web", "web", 1, "of default/deployment/web one pod runs alone: it has no other to send to"},
		{"deployment/web", "web", 2, "default/web-1 (10.0.0.1)>default/web-2 (10.0.0.2) default/web-2 (10.0.0.2)>default/web-1 (10.0.0.1)"},
		{"192.0.2.1", "svc/web", 0, "192.0.2.1>default/deployment/web"},
		{"192.0.2.1", "svc/web", 2, "192.0.2.1>default/web-1 (10.0.0.1) 192.0.2.1>default/web-2 (10.0.0.2)"},
	} {
		s := manifest.Set{Served: tc.pods != 1, PodCIDR: netip.MustParsePrefix("10.0.0.0/16")}
		text := workload
		for i := range tc.pods {
			text += fmt.Sprintf(pod, i+1)
		}
		if err := s.Add("f", []byte(text)); err != nil {
			t.Fatal(err)
		}
		var got []string
		list, err := explain(&s, tc.from, tc.to, manifest.Port{Proto: ruleset.TCP, Number: 80})
		if err != nil {
			got = append(got, err.Error())
		}
		for _, e := range list {
			got = append(got, e.From.String()+">"+e.To.String())
		}
		if all := strings.Join(got, " "); all != tc.want {
			t.Errorf("%d pods, %s to %s: %s, want %s", tc.pods, tc.from, tc.to, all, tc.want)
		}
	}
}

// FuzzAdd wants of every file: no panic, and what was read can be asked.
func FuzzAdd(f *testing.F) {
	f.Add(shop, "shop/web", "svc/web", "front")
	f.Add(`{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}},{"kind":"Pod"}]}`, "a", "10.0.0.1", "80/UDP")
	f.Add("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {ingress: [{ports: [{port: x}], from: [{ipBlock: {cidr: ::/0}}]}]}", "::1", "::2", "1")
	f.Fuzz(func(t *testing.T, text, from, to, number string) {
		if len(text) > 4096 {
			return
		}
		s := manifest.Set{PodCIDR: netip.MustParsePrefix("10.0.0.0/16")}
		port, err := manifest.ParsePort(number)
		if err != nil || s.Add("f", []byte(text)) != nil {
			return
		}
		list, err := explain(&s, from, to, port)
		if err == nil && len(list) == 0 {
			t.Error("neither an answer nor an error")
		}
		for _, e := range list {
			e.Lines()
		}
	})
}
