package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/eksact/eksact/internal/engine/netpol/cases"
	"github.com/eksact/eksact/internal/hint"
	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/node/cni"
	"github.com/eksact/eksact/internal/vpc/probe"
)

// PolicyFlows are flows of a cluster to be tried by packets.
type PolicyFlows struct {
	Cluster string       `json:"cluster"`
	Flows   []PolicyFlow `json:"flows"`
}

// PolicyFlow goes from an address that a pod or a node has to any other.
type PolicyFlow struct {
	From     netip.Addr     `json:"from"`
	To       netip.AddrPort `json:"to"`
	Protocol string         `json:"protocol"` // TCP or UDP
}

// place is where an address is: files of network namespaces, as the host sees them.
type place struct{ own, node string }

// tryFlows sends the flows' packets, and says of each what became of them.
func (d *Daemon) tryFlows(ctx context.Context, want PolicyFlows) ([]cases.Packets, error) {
	k, err := d.clusterServing(ctx, want.Cluster)
	if err != nil {
		return nil, err
	}
	places, err := d.placesOf(k.record.Name)
	if err != nil {
		return nil, err
	}
	flows := make([]probe.Flow, len(want.Flows))
	for i, f := range want.Flows {
		from, found := places[f.From]
		if !found {
			return nil, hint.New(fmt.Sprintf("no pod on a node of cluster %s has the address %s", k.record.Name, f.From),
				"eksact kubectl get pods --all-namespaces -o wide shows those that run")
		}
		to, here := places[f.To.Addr()]
		if !here {
			to.node = from.node // no policy applies to what a node sends
		}
		flows[i] = probe.Flow{From: from.own, To: f.To, Network: strings.ToLower(f.Protocol), End: to.own, Control: to.node}
	}
	return tryAll(ctx, flows)
}

func tryAll(ctx context.Context, flows []probe.Flow) ([]cases.Packets, error) {
	out := make([]cases.Packets, len(flows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(64) // most of their time they wait for what doesn't come
	for i, f := range flows {
		g.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if out[i], err = probe.Try(ctx, f); err != nil {
				return fmt.Errorf("packets to %s: %w", f.To, err)
			}
			return nil
		})
	}
	return out, g.Wait()
}

// placesOf finds the addresses that a cluster's nodes and their pods have.
func (d *Daemon) placesOf(cluster string) (map[netip.Addr]place, error) {
	pids, err := d.inits()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	nodes := map[string]kubenode.Config{}
	for id, n := range d.nodes {
		nodes[id] = n.config
	}
	d.mu.Unlock()
	all := map[netip.Addr]place{}
	for _, i := range d.instancesOf(cluster) {
		c, runs := nodes[i.ID]
		pid := pids["node-"+i.ID]
		if !runs || pid == 0 {
			continue
		}
		all[i.PrivateIP] = place{c.NetNS, c.NetNS}
		pods, err := cni.Sandboxes(filepath.Join(d.nodeDir(i.ID), kubenode.CNIState))
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", i.ID, err)
		}
		for addr, file := range pods {
			// Seen from the host, a node's /var/run would lead to the host's /run.
			inside := strings.TrimPrefix(file, "/var")
			all[addr] = place{fmt.Sprintf("/proc/%d/root%s", pid, inside), c.NetNS}
		}
	}
	return all, nil
}

// inits are the pids of what the keeper runs, by name: those of nodes among them.
func (d *Daemon) inits() (map[string]int, error) {
	states, err := d.keeper.List()
	if err != nil {
		return nil, err
	}
	pids := map[string]int{}
	for _, s := range states {
		pids[s.Name] = s.Pid
	}
	return pids, nil
}
