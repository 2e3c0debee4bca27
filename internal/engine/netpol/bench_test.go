package netpol_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	. "github.com/eksact/eksact/internal/engine/netpol"
	"github.com/eksact/eksact/internal/engine/ruleset"
)

// city is a cluster of many pods, 100 to a namespace, each of ten apps, on nodes of 100
// pods, and policies dealt out to namespaces: each is of an app and lets another app in
// on some ports, half of them from the namespace beside too.
func city(b testing.TB, pods, policies int) *Compiler {
	c := New()
	namespaces := pods / 100
	for n := range namespaces {
		c.SetNamespace(Namespace{fmt.Sprint("ns", n), map[string]string{"kubernetes.io/metadata.name": fmt.Sprint("ns", n), "team": fmt.Sprint(n % 10)}})
	}
	for i := range pods {
		c.SetPod(citizen(i, namespaces))
	}
	for i := range policies {
		c.SetPolicy(cityPolicy(b, i, namespaces))
	}
	c.Flush()
	return c
}

func citizen(i, namespaces int) Pod {
	return Pod{
		Namespace: fmt.Sprint("ns", i%namespaces), Name: fmt.Sprint("pod", i), UID: fmt.Sprint(i), Node: fmt.Sprint("node", i/100),
		Labels:    map[string]string{"app": fmt.Sprint("app", i/namespaces%10), "pod-template-hash": fmt.Sprint(i % 1000), "role": "x"},
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})},
	}
}

func cityPolicy(b testing.TB, i, namespaces int) *Policy {
	// The numbers of a namespace's policies go through its apps.
	of := i / namespaces
	peers := fmt.Sprintf("{podSelector: {matchLabels: {app: app%d}}}", (of+1)%10)
	if i%2 == 0 {
		peers += fmt.Sprintf(", {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ns%d}}, podSelector: {matchLabels: {app: app%d}}}", (i+1)%namespaces, of%10)
	}
	p := np(b, fmt.Sprint("policy", i), fmt.Sprintf("{podSelector: {matchLabels: {app: app%d}}, ingress: [{from: [%s], ports: [{port: %d}, {port: 443}]}]}", of%10, peers, 8000+i%10))
	p.Namespace = fmt.Sprint("ns", i%namespaces)
	p.Subject.Namespace = p.Namespace
	for r := range p.Rules[Ingress] {
		p.Rules[Ingress][r].Peers[0].Pods.Namespace = p.Namespace
	}
	return p
}

var sizes = []struct{ pods, policies int }{{1000, 100}, {10000, 1000}, {10000, 10000}}

func each(b *testing.B, f func(b *testing.B, c *Compiler, pods, policies int)) {
	for _, s := range sizes {
		b.Run(fmt.Sprintf("pods=%d,policies=%d", s.pods, s.policies), func(b *testing.B) {
			c := city(b, s.pods, s.policies)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, c, s.pods, s.policies)
		})
	}
}

// BenchmarkPod is a pod that comes and goes, a flush each.
func BenchmarkPod(b *testing.B) {
	each(b, func(b *testing.B, c *Compiler, pods, _ int) {
		p := citizen(pods/2, pods/100)
		p.Name, p.UID, p.Addresses = "new", "new", addresses("10.255.0.1")
		for b.Loop() {
			c.SetPod(p)
			c.Flush()
			c.DeletePod(p.Key(), "")
			c.Flush()
		}
	})
}

// BenchmarkPolicy is a policy that comes and goes, a flush each.
func BenchmarkPolicy(b *testing.B) {
	each(b, func(b *testing.B, c *Compiler, pods, policies int) {
		p := cityPolicy(b, policies+1, pods/100)
		for b.Loop() {
			c.SetPolicy(p)
			c.Flush()
			c.DeletePolicy(p.PolicyName)
			c.Flush()
		}
	})
}

// BenchmarkEveryPod is a policy of all pods that comes and goes, a flush each.
func BenchmarkEveryPod(b *testing.B) {
	each(b, func(b *testing.B, c *Compiler, _, _ int) {
		p := cnp(b, AWSGroup, "all", "{tier: Admin, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [169.254.169.254/32]}]}]}")
		for b.Loop() {
			c.SetPolicy(p)
			c.Flush()
			c.DeletePolicy(p.PolicyName)
			c.Flush()
		}
	})
}

// BenchmarkBlocks is a policy of 10,000 blocks that comes and goes.
func BenchmarkBlocks(b *testing.B) {
	peers := ""
	for i := range 10000 {
		peers += fmt.Sprintf("{ipBlock: {cidr: %d.%d.%d.0/24, except: [%d.%d.%d.128/25]}},", 1+i/5000, i/250%250, i%250, 1+i/5000, i/250%250, i%250)
	}
	p := np(b, "x", "{podSelector: {}, ingress: [{from: ["+peers+"]}]}")
	c := New()
	c.SetPod(Pod{Namespace: "a", Name: "p", UID: "p", Node: "n", Addresses: addresses("10.0.0.1")})
	for b.Loop() {
		c.SetPolicy(p)
		c.Flush()
		c.DeletePolicy(p.PolicyName)
		c.Flush()
	}
}

// BenchmarkNamespace is a namespace of 100 pods that changes its labels and back.
func BenchmarkNamespace(b *testing.B) {
	each(b, func(b *testing.B, c *Compiler, _, _ int) {
		for b.Loop() {
			c.SetNamespace(Namespace{"ns1", map[string]string{"other": "labels"}})
			c.Flush()
			c.SetNamespace(Namespace{"ns1", map[string]string{"kubernetes.io/metadata.name": "ns1", "team": "1"}})
			c.Flush()
		}
	})
}

// BenchmarkStart is a compiler that is told of everything at once; it reports what the
// compiler then holds in memory.
func BenchmarkStart(b *testing.B) {
	for _, s := range sizes {
		b.Run(fmt.Sprintf("pods=%d,policies=%d", s.pods, s.policies), func(b *testing.B) {
			var before, after runtime.MemStats
			var c *Compiler
			for b.Loop() {
				c = nil
				runtime.GC()
				runtime.ReadMemStats(&before)
				c = city(b, s.pods, s.policies)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
			runtime.KeepAlive(c)
		})
	}
}

// BenchmarkOnePod has many policies select one pod, each with peers and a port of its
// own; it reports how many rules a packet meets that none of them lets in.
func BenchmarkOnePod(b *testing.B) {
	for _, policies := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("policies=%d", policies), func(b *testing.B) {
			c := New()
			c.SetNamespace(Namespace{"a", nil})
			c.SetPod(Pod{Namespace: "a", Name: "p", UID: "p", Node: "n", Addresses: addresses("10.0.0.1")})
			for i := range policies {
				c.SetPod(Pod{Namespace: "a", Name: fmt.Sprint("peer", i), UID: fmt.Sprint(i), Labels: map[string]string{"app": fmt.Sprint("app", i)}, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})}})
				c.SetPolicy(np(b, fmt.Sprint("policy", i), fmt.Sprintf("{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}, ingress: [{from: [{podSelector: {matchLabels: {app: app%d}}}], ports: [{port: %d}]}, {from: [{podSelector: {matchLabels: {app: app%d}}}, {ipBlock: {cidr: 192.0.2.%d/32}}], ports: [{port: 443}]}]}", i, 1000+i%5000, i, i%256)))
			}
			c.Flush()
			one := np(b, "one", "{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 22}]}]}")
			for b.Loop() {
				c.SetPolicy(one)
				c.Flush()
				c.DeletePolicy(one.PolicyName)
				c.Flush()
			}
			p := c.Program("n")
			met := 0
			_, steps := ruleset.Decide(p, ruleset.Packet{Source: addresses("203.0.113.1")[0], Destination: addresses("10.0.0.1")[0], Proto: ruleset.TCP, Port: 443})
			for _, s := range steps {
				if met += s.Rule + 1; s.Rule < 0 {
					met += 1 + len(p.Chains[s.Chain].Rules)
				}
			}
			b.ReportMetric(float64(met), "rules-met")
		})
	}
}
