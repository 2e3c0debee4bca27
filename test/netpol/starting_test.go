package netpol

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// starts is how many pods are started in all; EKSACT_POD_STARTS is another number.
const starts = 20

// starting starts pods under a policy that lets nobody in, while a pod on each node
// tries every address that pods could get. Not one connection may come through.
func (y *yard) starting(t *testing.T) {
	n := starts
	if text := os.Getenv("EKSACT_POD_STARTS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	y.apply(t, denyAll)
	y.enforced(t)
	var tries, leaks atomic.Int64
	var running sync.WaitGroup
	stop := make(chan struct{})
	for i := range y.nodes {
		ns := y.netNS(t, y.pod(t, fmt.Sprintf("client-%d", i)))
		// The addresses of leases are tried from the moment that they are written: the
		// pod's network is made after that.
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, a := range y.leased() {
					running.Go(func() {
						conn, err := dial(ns, a, 30*time.Millisecond)
						tries.Add(1)
						if err == nil {
							conn.Close()
							leaks.Add(1)
						} else if errors.Is(err, fs.ErrNotExist) {
							t.Error(err)
						}
					})
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	const batch = 10
	for done := 0; done < n; done += batch {
		var list strings.Builder
		for i := range batch {
			fmt.Fprintf(&list, `
---
apiVersion: v1
kind: Pod
metadata: {name: start-%d, labels: {start: now}}
spec: {nodeName: %s, terminationGracePeriodSeconds: 0, containers: [{name: c, image: busybox, command: [nc, -lk, -p, "80", -e, cat]}]}
`, i, y.nodes[i%2].Name)
		}
		y.apply(t, list.String())
		y.host.Must(t, "kubectl wait --for=condition=Ready pod -l start=now --timeout=120s")
		y.host.Must(t, "kubectl delete pod -l start=now --wait=true")
	}
	close(stop)
	running.Wait()
	t.Logf("%d pods started, %d connections tried", n, tries.Load())
	if leaks.Load() > 0 || tries.Load() < int64(n) {
		t.Errorf("%d of %d connections came through", leaks.Load(), tries.Load())
	}
}

// leased are the addresses of pods in the folders of all nodes, but those of the yard's
// own that try.
func (y *yard) leased() (all []netip.Addr) {
	for _, n := range y.nodes {
		files, _ := filepath.Glob(filepath.Join(y.State, "nodes", n.ID, "cni-state", "*"))
		for _, file := range files {
			addr, err := netip.ParseAddr(filepath.Base(file))
			text, _ := os.ReadFile(file)
			if err == nil && strings.Contains(string(text), "default/start-") {
				all = append(all, addr)
			}
		}
	}
	return all
}
