package vpc

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/test/lab"
)

// byHand deletes what there is in the router of packet rules, as nft does it by hand, while
// an instance that has no route out tries to get out: to the AWS API, and to what listens
// on the host, which is nobody's to reach. Nothing comes through, and the rules are there.
// Then it deletes routes.
func (h *house) byHand(t *testing.T, instance string) {
	t.Helper()
	router := filepath.Join(lab.RunDir, "netns", "world")
	before, err := nft.Tables(router)
	if err != nil {
		t.Fatal(err)
	}
	delete(before, "eksact-flags") // comes and goes with flow logs
	onHost, err := net.Listen("tcp4", "198.18.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer onHost.Close()
	var tries, leaks atomic.Int64
	var running sync.WaitGroup
	stop := make(chan struct{})
	for _, to := range []string{"198.18.0.2:443", onHost.Addr().String()} {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				conn, err := netns.Dial(filepath.Join(lab.RunDir, "netns", instance))(ctx, "tcp4", to)
				cancel()
				tries.Add(1)
				if err == nil {
					conn.Close()
					leaks.Add(1)
				}
			}
		})
	}
	ways := []string{"flush ruleset"}
	for _, table := range []string{"ip eksact", "ip eksact-routes", "ip eksact-api", "inet eksact-sg"} {
		if _, name, _ := strings.Cut(table, " "); !before[name] {
			t.Errorf("the router has no table %s, but %v", name, before)
		}
		ways = append(ways, "delete table "+table, "flush table "+table)
	}
	for _, by := range append(ways, ways[0]) {
		out, err := []byte(nil), error(nil)
		_ = netns.Do(router, func() error {
			out, err = exec.Command("nft", strings.Fields(by)...).CombinedOutput()
			return nil
		})
		t.Logf("nft %s: %v %s", by, err, strings.TrimSpace(string(out)))
	}
	time.Sleep(300 * time.Millisecond) // more are tried
	close(stop)
	running.Wait()
	t.Logf("%d connections tried", tries.Load())
	if leaks.Load() > 0 || tries.Load() < 20 {
		t.Errorf("%d of %d connections came through", leaks.Load(), tries.Load())
	}
	// A route that is gone is one way closed, until it is back.
	h.host.Must(t, "nsenter --net="+router+" ip route flush scope link && ip route del 198.18.0.0/16")
	h.host.Soon(t, time.Second, "nsenter --net="+router+" ip route show "+h.nodes[0].Address+" && ip route show 198.18.0.0/16", h.nodes[0].Address, "198.18.0.0/16")
	for end := time.Now().Add(lab.Busy * time.Second); ; time.Sleep(20 * time.Millisecond) {
		after, err := nft.Tables(router)
		if err != nil {
			t.Fatal(err)
		}
		gone := ""
		for table := range before {
			if !after[table] {
				gone += " " + table
			}
		}
		if gone == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the router's tables are gone:%s", gone)
		}
	}
}
