package cni

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/node/gate"
)

// keeper answers a node's plugin: held requests wait until they are let go.
type keeper struct {
	socket string
	asked  chan gate.Request
	answer chan error
}

func newKeeper(t *testing.T) *keeper {
	k := &keeper{filepath.Join(t.TempDir(), "gate"), make(chan gate.Request, 10), make(chan error)}
	l, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = gate.Serve(ctx, l, func(ctx context.Context, r gate.Request) error {
			k.asked <- r
			if r.Gone {
				return nil
			}
			select {
			case err := <-k.answer:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return k
}

// Until it is answered a pod has no network at all, and an address in the leases; an
// answer is what makes it.
func TestAPodWaitsForItsPolicies(t *testing.T) {
	ns, _ := nodes(t, 1)
	n, k := ns[0], newKeeper(t)
	added := make(chan error, 1)
	p := n.newNS(t)
	go func() {
		_, err := n.call(t, "ADD", p, map[string]any{"gate": k.socket})
		added <- err
	}()
	asked := <-k.asked
	if asked.Name != p.id || asked.Namespace != "default" || asked.Container != p.id || asked.UID != "uid-of-"+p.id || !asked.Address.IsValid() || asked.Gone {
		t.Errorf("asked for %+v", asked)
	}
	if left := n.links(t); len(left) != 0 {
		t.Errorf("links before the answer: %v", left)
	}
	if leases, err := Leases(n.state); err != nil || len(leases) != 1 || leases[0] != asked {
		t.Errorf("leases %v, %v", leases, err)
	}
	select {
	case err := <-added:
		t.Fatalf("ADD ended before the answer: %v", err)
	default:
	}
	k.answer <- nil
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	if len(n.links(t)) != 1 {
		t.Error("no link after the answer")
	}
	if _, err := n.call(t, "DEL", p, map[string]any{"gate": k.socket}); err != nil {
		t.Fatal(err)
	}
	asked.Gone = true
	if got := <-k.asked; got != asked {
		t.Errorf("told of %+v, want %+v", got, asked)
	}
	if leases, err := Leases(n.state); err != nil || len(leases) != 0 {
		t.Errorf("leases %v, %v", leases, err)
	}
}

// A refusal, silence or nobody there: ADD fails, says why, and leaves nothing.
func TestNoPolicyNoNetwork(t *testing.T) {
	ns, _ := nodes(t, 1)
	n, k := ns[0], newKeeper(t)
	add := func(extra map[string]any) error {
		_, err := n.call(t, "ADD", n.newNS(t), extra)
		return err
	}
	go func() { k.answer <- errors.New("node b does not enforce") }()
	for name, tc := range map[string]struct {
		extra map[string]any
		want  string
	}{
		"refused": {map[string]any{"gate": k.socket}, "node b does not enforce"},
		"nobody":  {map[string]any{"gate": k.socket + "-not"}, "network policies can't be asked for"},
	} {
		if err := add(tc.extra); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	began := time.Now()
	if err := add(map[string]any{"gate": k.socket, "patience": "200ms"}); err == nil || !strings.Contains(err.Error(), "no word in 200ms") {
		t.Errorf("silence: %v", err)
	} else if time.Since(began) > 5*time.Second {
		t.Errorf("silence was borne for %s", time.Since(began))
	}
	if left := n.links(t); len(left) != 0 {
		t.Errorf("links left: %v", left)
	}
	if leases, err := Leases(n.state); err != nil || len(leases) != 0 {
		t.Errorf("leases left: %v, %v", leases, err)
	}
}
