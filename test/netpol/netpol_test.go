package netpol

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/test/lab"
	"github.com/eksact/eksact/test/recipes"
)

var everyone = []string{"client-0>server-0", "client-0>server-1", "client-1>server-0", "client-1>server-1"}

func TestNetworkPolicies(t *testing.T) {
	y := newYard(t)
	// part leaves no policies.
	part := func(name string, test func(*testing.T)) lab.Part {
		return lab.Part{Name: name, Test: func(t *testing.T) {
			test(t)
			y.clear(t)
		}}
	}
	lab.Together(t, // in namespaces of their own
		lab.Part{Name: "recipes", Test: func(t *testing.T) { recipes.Run(t, y.Lab) }},
		lab.Sequence("changes",
			part("closed and open", y.closedAndOpen),
			part("cases are tried by packets", y.packets),
			part("open connections are cut, others kept", y.cut),
			part("labels change", y.relabel),
			part("contradicting rules", y.contradiction),
			part("ten thousand ranges", y.manyRanges),
		),
	)
	lab.InTurn(t,
		part("rules flushed by hand", y.flushed),
		part("the daemon is killed", y.daemonKilled),
		part("pods start while others try them", y.starting),
		part("a node dies", y.nodeDies),
	)
}

func (y *yard) closedAndOpen(t *testing.T) {
	y.expect(t, "without policies", true, everyone...)
	y.apply(t, denyAll)
	lab.Has(t, "netpol wait", y.Eksact(t, "netpol", "wait", "deny-all"), "networkpolicy/default/deny-all", y.nodes[0].Name, y.nodes[1].Name)
	y.expect(t, "denied", false, everyone...)
	lab.Has(t, "netpol explain", y.Eksact(t, "netpol", "explain", "--from", "client-0", "--to", "server-1", "--port", "80"), "deny-all")
	y.apply(t, policy("allow", "server", "[{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]"))
	y.enforced(t)
	y.expect(t, "allowed", true, everyone...)
	y.expect(t, "allowed", false, "server-0>client-1", "server-1>server-0")
	if out, err := y.Command("netpol", "wait", "nothing").CombinedOutput(); err == nil || !strings.Contains(string(out), "no network policy nothing") {
		t.Errorf("waiting for a policy that isn't there: %v %s", err, out)
	}
}

func (y *yard) cut(t *testing.T) {
	y.apply(t, policy("some", "server", "[{from: [{podSelector: {matchLabels: {app: client}}}]}]"))
	y.enforced(t)
	lost, err := y.dial(t, "client-0", "server-1", patience)
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Close()
	kept, err := y.dial(t, "client-1", "server-1", patience)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if !echoes(lost, patience) || !echoes(kept, patience) {
		t.Fatal("connections carry nothing")
	}
	y.host.Must(t, "kubectl label pod client-0 app=stranger --overwrite")
	defer y.host.Must(t, "kubectl label pod client-0 app=client --overwrite")
	y.enforced(t)
	if echoes(lost, silence) {
		t.Error("a connection lives on that is forbidden now")
	}
	if !echoes(kept, patience) {
		t.Error("a connection was cut that is allowed")
	}
}

func (y *yard) relabel(t *testing.T) {
	y.apply(t, policy("some", "server", "[{from: [{podSelector: {matchLabels: {app: client}}}]}]"))
	defer y.host.Must(t, "kubectl label pod client-0 app=client --overwrite")
	for i := range 10 {
		label := []string{"stranger", "client"}[i%2]
		y.host.Must(t, "kubectl label pod client-0 --overwrite app="+label)
		y.enforced(t)
		y.expect(t, "as "+label, label == "client", "client-0>server-0", "client-0>server-1")
	}
}

// Of policies that say otherwise each adds what it lets in; an exception limits its own
// rule alone.
func (y *yard) contradiction(t *testing.T) {
	client := y.pod(t, "client-0").addr
	y.apply(t, denyAll+policy("except", "server", fmt.Sprintf("[{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [%s/32]}}]}]", client)))
	y.enforced(t)
	y.expect(t, "excepted", false, "client-0>server-0", "client-0>server-1")
	y.expect(t, "not excepted", true, "client-1>server-0", "client-1>server-1")
	y.apply(t, policy("all-the-same", "server", fmt.Sprintf("[{from: [{ipBlock: {cidr: %s/32}}]}]", client)))
	y.enforced(t)
	y.expect(t, "excepted by one, let in by another", true, everyone...)
}

func (y *yard) manyRanges(t *testing.T) {
	client := y.pod(t, "client-1").addr
	var blocks strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&blocks, "{ipBlock: {cidr: 100.%d.%d.0/25}}, ", 64+i/256, i%256)
	}
	began := time.Now()
	y.apply(t, policy("many", "server", fmt.Sprintf("[{from: [%s{ipBlock: {cidr: %s/32}}]}]", &blocks, client)))
	applied := time.Now()
	y.enforced(t)
	t.Logf("10,000 ranges: applied in %s, enforced %s later", applied.Sub(began).Round(time.Millisecond), time.Since(applied).Round(time.Millisecond))
	y.expect(t, "in a range", true, "client-1>server-0", "client-1>server-1")
	y.expect(t, "in no range", false, "client-0>server-0", "client-0>server-1")
}

func (y *yard) flushed(t *testing.T) {
	y.apply(t, denyAll)
	y.enforced(t)
	y.watched(t, func() {
		for _, n := range y.nodes {
			for _, by := range []string{"flush ruleset", "delete table inet eksact-policy", "flush table inet eksact-policy"} {
				err := netns.Do("/run/eksact/netns/"+n.ID, exec.Command("nft", strings.Fields(by)...).Run)
				t.Logf("nft %s: %v", by, err)
			}
		}
	})
	for _, n := range y.nodes { // Services too
		y.host.Soon(t, 20*time.Second, "nsenter --net=/run/eksact/netns/"+n.ID+" curl -sk -m 2 https://172.20.0.1/livez", "ok")
		y.host.Soon(t, 5*time.Second, "nsenter --net=/run/eksact/netns/"+n.ID+" nft list tables", "ip eksact-node", "ip6 eksact-metadata6")
	}
}

func (y *yard) daemonKilled(t *testing.T) {
	y.apply(t, denyAll)
	y.enforced(t)
	y.watched(t, func() {
		if err := syscall.Kill(y.pid(t, "eksact"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// The API server serves on: what is said meanwhile holds afterwards.
		y.apply(t, policy("allow", "server", "[{from: [{podSelector: {matchLabels: {app: nobody}}}]}]"))
		y.enforced(t)
	})
	y.apply(t, policy("allow", "server", "[{from: [{podSelector: {matchLabels: {app: client}}}]}]"))
	y.enforced(t)
	y.expect(t, "allowed after the restart", true, everyone...)
}

func (y *yard) nodeDies(t *testing.T) {
	y.apply(t, denyAll)
	y.enforced(t)
	was := y.pod(t, "server-1")
	if err := syscall.Kill(y.pid(t, "node-"+was.node.ID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Its pods come back with other addresses; nobody ever reaches them.
	leaks := 0
	ns := y.netNS(t, y.pod(t, "client-0"))
	back := func() bool {
		out, err := y.host.Run(`kubectl get pod server-1 -o jsonpath='{.status.podIP}/{.status.conditions[?(@.type=="Ready")].status}'`)
		return err == nil && strings.HasSuffix(out, "/True") && !strings.HasPrefix(out, was.addr.String()+"/")
	}
	for end := time.Now().Add(lab.Busy * 90 * time.Second); !back(); {
		if time.Now().After(end) {
			t.Fatal("the node's pods did not come back")
		}
		for a := was.addr; a.Compare(was.addr.Next().Next().Next()) < 0; a = a.Next() {
			conn, err := dial(ns, a, 50*time.Millisecond)
			if err == nil {
				conn.Close()
				leaks++
			} else if errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
	if leaks > 0 {
		t.Errorf("%d connections reached pods of a node that started again", leaks)
	}
	y.enforced(t)
	y.expect(t, "after the node's restart", false, "client-0>server-1", "client-1>server-0", "client-1>server-1")
	y.apply(t, policy("allow", "server", "[{from: [{podSelector: {matchLabels: {app: client}}}]}]"))
	y.enforced(t)
	y.expect(t, "allowed after the node's restart", true, everyone...)
}

// watched does something while connections between pods are tried all the time, none
// of which may come through.
func (y *yard) watched(t *testing.T, do func()) {
	t.Helper()
	var tries, leaks atomic.Int64
	var running sync.WaitGroup
	stop := make(chan struct{})
	for _, f := range everyone {
		from, to, _ := strings.Cut(f, ">")
		ns, target := y.netNS(t, y.pod(t, from)), y.pod(t, to).addr
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				conn, err := dial(ns, target, 20*time.Millisecond)
				tries.Add(1)
				if err == nil {
					conn.Close()
				}
				if arrived(t, err) {
					leaks.Add(1)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
	do()
	close(stop)
	running.Wait()
	t.Logf("%d connections tried", tries.Load())
	if leaks.Load() > 0 || tries.Load() < 20 {
		t.Errorf("%d of %d connections came through", leaks.Load(), tries.Load())
	}
}
