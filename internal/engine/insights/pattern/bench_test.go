package pattern

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// auditEvents makes messages of the shapes that an EKS audit log has: about 1.4 kB each,
// by seed.
func auditEvents(n int, seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	hex := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0123456789abcdef"[r.IntN(16)])
		}
		return b.String()
	}
	id := func() string { return hex(8) + "-" + hex(4) + "-" + hex(4) + "-" + hex(4) + "-" + hex(12) }
	events := make([]string, n)
	start := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	for i := range events {
		at := start.Add(time.Duration(i) * 3 * time.Millisecond).Format("2006-01-02T15:04:05.000000Z")
		verb := pick("get", "get", "get", "list", "watch", "update", "update", "patch", "create")
		resource := pick("leases", "pods", "configmaps", "secrets", "endpointslices", "nodes", "events")
		user := pick("system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", "eks:addon-manager", "kubernetes-admin", "user1", "system:node:ip-10-0-"+fmt.Sprint(r.IntN(200))+"-7.us-west-2.compute.internal")
		name := resource + "-" + hex(5)
		namespace := pick("kube-system", "default", "kube-node-lease", "app-"+fmt.Sprint(r.IntN(40)))
		var b strings.Builder
		fmt.Fprintf(&b, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"%s","auditID":"%s","stage":"%s","requestURI":"/api/v1/namespaces/%s/%s/%s?timeout=%ds","verb":"%s"`,
			pick("Metadata", "Request", "RequestResponse"), id(), pick("ResponseComplete", "ResponseComplete", "ResponseStarted"), namespace, resource, name, r.IntN(30), verb)
		fmt.Fprintf(&b, `,"user":{"username":"%s","uid":"%s","groups":["system:authenticated"%s],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=%s"]}}`,
			user, id(), pick("", `,"system:nodes"`, `,"system:masters","eks:admins"`), hex(64))
		fmt.Fprintf(&b, `,"sourceIPs":["10.0.%d.%d"],"userAgent":"%s","objectRef":{"resource":"%s","namespace":"%s","name":"%s","apiVersion":"v1"%s}`,
			r.IntN(4), r.IntN(256), pick("kubectl/v1.37.2 (linux/amd64) kubernetes/"+hex(7), "kube-controller-manager/v1.37.2 (linux/amd64) kubernetes/abcdef0/leader-election", "Go-http-client/2.0"), resource, namespace, name, pick("", `,"resourceVersion":"`+fmt.Sprint(r.IntN(1e6))+`"`))
		code := pick("200", "200", "200", "200", "201", "403", "404")
		switch code {
		case "403", "404":
			fmt.Fprintf(&b, `,"responseStatus":{"metadata":{},"status":"Failure","message":"%s \"%s\" not found","reason":"NotFound","details":{"name":"%s","kind":"%s"},"code":%s}`, resource, name, name, resource, code)
		default:
			fmt.Fprintf(&b, `,"responseStatus":{"metadata":{},"code":%s}`, code)
		}
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, `,"requestObject":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"%s","namespace":"%s","uid":"%s","creationTimestamp":"%s","labels":{"app":"%s","pod-template-hash":"%s"}},"spec":{"containers":[{"name":"main","image":"registry.example/%s:%d.%d","resources":{"limits":{"cpu":"%dm","memory":"%dMi"}},"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","nodeName":"ip-10-0-%d-7"}}`,
				name, namespace, id(), at, pick("nginx", "coredns", "api", "web"), hex(10), pick("nginx", "api"), r.IntN(3), r.IntN(40), r.IntN(2000), r.IntN(4096), r.IntN(200))
		}
		fmt.Fprintf(&b, `,"requestReceivedTimestamp":"%s","stageTimestamp":"%s","annotations":{"authorization.k8s.io/decision":"%s","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"%s\" of ClusterRole \"%s\" to %s \"%s\""}}`,
			at, at, pick("allow", "allow", "forbid"), user, user, pick("User", "Group"), user)
		events[i] = b.String()
	}
	return events
}

// mine counts messages on all cores, in parts as a scan would hand them out.
func mine(events []string, times int) []Pattern {
	workers := runtime.GOMAXPROCS(0)
	miners := make([]*Miner, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			m := New(Options{From: 0, To: int64(len(events)), Bins: 60})
			for range times {
				for i := w; i < len(events); i += workers {
					m.Add(events[i], int64(i), 1)
				}
			}
			miners[w] = m
		})
	}
	wait.Wait()
	for _, m := range miners[1:] {
		miners[0].Merge(m)
	}
	return miners[0].Patterns()
}

// One million audit events per operation.
func BenchmarkMillionAuditEvents(b *testing.B) {
	events := auditEvents(100_000, 1)
	size := 0
	for _, e := range events {
		size += len(e)
	}
	b.SetBytes(int64(10 * size))
	before := processorTime(b)
	for b.Loop() {
		if n := len(mine(events, 10)); n == 0 {
			b.Fatal("no patterns")
		} else {
			b.ReportMetric(float64(n), "patterns")
		}
	}
	b.ReportMetric(float64(size)/float64(len(events)), "bytes/event")
	b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
}

// processorTime is what the process has used so far: it says the same on a busy machine.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
