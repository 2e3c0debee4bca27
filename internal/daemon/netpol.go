package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/eksact/eksact/internal/kube/netpol"
	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/node/cni"
	"github.com/eksact/eksact/internal/node/gate"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// policyTable is the table of a node that holds its network policies.
const policyTable = "eksact-policy"

func newPolicies(k *cluster) *netpol.Controller {
	return netpol.New(k.client, k.plane.Objects(), slog.With("cluster", k.record.Name))
}

// runNetworkPolicies follows a cluster's network policies until ctx ends.
func (d *Daemon) runNetworkPolicies(ctx context.Context, k *cluster) {
	k.policies.Enforce(d.NetworkPolicyEnabled(k.record.Name))
	context.AfterFunc(ctx, d.WatchNetworkPolicy(k.record.Name, k.policies.Switch))
	leases := func() ([]gate.Request, error) { return d.leasesOf(k.record.Name) }
	d.running.Go(func() {
		if err := k.policies.Run(ctx, leases); err != nil && ctx.Err() == nil {
			slog.Error("network policies are not followed", "cluster", k.record.Name, "error", err)
		}
	})
}

// leasesOf are the addresses that pods have on a cluster's nodes.
func (d *Daemon) leasesOf(cluster string) (all []gate.Request, err error) {
	for _, i := range d.allInstancesOf(cluster) {
		of, err := cni.Leases(filepath.Join(d.nodeDir(i.ID), kubenode.CNIState))
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", i.ID, err)
		}
		for _, l := range of {
			l.Node = i.PrivateDNS
			all = append(all, l)
		}
	}
	return all, nil
}

func (d *Daemon) nodeDir(id string) string { return d.config.state("nodes/" + id) }

func gateSocket(id string) string { return "gate-" + id }

// enforcePolicies holds a node to its cluster's network policies until ctx ends. The
// kernel goes on after that. What the node's CNI asks waits until all is in place.
func (d *Daemon) enforcePolicies(ctx context.Context, k *cluster, c kubenode.Config) error {
	letGo := d.enforcing(c.ID)
	e, err := nft.Open(c.NetNS, policyTable, nft.Options{Cut: true})
	if err != nil {
		letGo()
		return fmt.Errorf("network policies of node %s: %w", c.ID, err)
	}
	policies := secondAddresses{e}
	k.policies.AddNode(ctx, c.Name, policies)
	d.running.Go(func() {
		defer letGo()
		<-ctx.Done()
		k.policies.RemoveNode(c.Name, policies)
		if err := e.Close(); err != nil {
			slog.Error("letting go of packet rules", "node", c.ID, "error", err)
		}
	})
	l, err := d.keeper.Listen(supervise.Socket{Name: gateSocket(c.ID), Network: "unix", Address: c.Gate(), Mode: 0o600})
	if err != nil {
		return err
	}
	d.running.Go(func() {
		admit := func(ctx context.Context, r gate.Request) error {
			r.Node = c.Name
			return k.admit(ctx, r)
		}
		if err := gate.Serve(ctx, l, admit); err != nil && !errors.Is(err, context.Canceled) {
			slog.Error("pods of a node get no network", "node", c.ID, "error", err)
		}
	})
	return nil
}

// enforcing waits until nobody holds a node to policies any more: its table has one
// owner at a time. The caller is the next, until it lets go.
func (d *Daemon) enforcing(id string) (letGo func()) {
	done := make(chan struct{})
	d.mu.Lock()
	before := d.enforced[id]
	d.enforced[id] = done
	d.mu.Unlock()
	if before != nil {
		<-before
	}
	return func() { close(done) }
}
