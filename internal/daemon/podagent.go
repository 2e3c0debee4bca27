package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/engine/oidc"
	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/node/podagent"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc/ipv6"
)

// podAgents says which clusters' nodes run the Pod Identity agent.
type podAgents struct {
	mu  sync.Mutex
	all map[string]bool // by the cluster's name, once it was told here

	nodes keyedLocks // one change of a node's at a time
}

// agentWanted is what the add-on was last told, or what was recorded of it.
func (d *Daemon) agentWanted(cluster string) bool {
	d.agents.mu.Lock()
	defer d.agents.mu.Unlock()
	if told, ok := d.agents.all[cluster]; ok {
		return told
	}
	c, ok := d.eks.Cluster(cluster)
	return ok && c.PodIdentityAgent
}

// switchAgents starts or stops the agent on all nodes of a cluster that run, and on
// those that come. It returns when it is so.
func (d *Daemon) switchAgents(cluster string, on bool) error {
	d.agents.mu.Lock()
	if d.agents.all == nil {
		d.agents.all = map[string]bool{}
	}
	d.agents.all[cluster] = on
	d.agents.mu.Unlock()
	d.mu.Lock()
	var nodes []kubenode.Config
	for _, n := range d.nodes {
		if n.config.Cluster == cluster {
			nodes = append(nodes, n.config)
		}
	}
	d.mu.Unlock()
	var failed error
	for _, c := range nodes {
		failed = errors.Join(failed, d.setAgent(c))
	}
	return failed
}

// forgetAgents is for a cluster that is gone: another of its name is told anew.
func (d *Daemon) forgetAgents(cluster string) {
	d.agents.mu.Lock()
	defer d.agents.mu.Unlock()
	delete(d.agents.all, cluster)
}

// tendAgent keeps a node's agent as it is to be, also after the node's init was started
// anew.
func (d *Daemon) tendAgent(ctx context.Context, c kubenode.Config) {
	for pause := 100 * time.Millisecond; ctx.Err() == nil; {
		if d.setAgent(c) == nil {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// setAgent makes one node's agent run or not.
func (d *Daemon) setAgent(c kubenode.Config) error {
	defer d.agents.nodes.lock(c.ID)()
	init := supervise.Client{Path: c.ControlSocket()}
	addresses := agentAddresses()
	spec := c.PodAgent(d.config.state("trust.pem"), addresses)
	if !d.agentWanted(c.Cluster) {
		states, err := init.List()
		if err != nil {
			return err
		}
		for _, s := range states {
			if s.Name == spec.Name {
				failed := init.Stop(spec.Name)
				for _, a := range addresses {
					failed = errors.Join(failed, init.Close(kubenode.PodAgentSocket(a).Name), linkLocal(c.NetNS, a, netlink.AddrDel))
				}
				return failed
			}
		}
		return nil
	}
	for _, a := range addresses {
		if err := linkLocal(c.NetNS, a, netlink.AddrReplace); err != nil {
			return fmt.Errorf("node %s: the address %s of the Pod Identity agent: %w", c.ID, a, err)
		}
		if err := init.Keep(kubenode.PodAgentSocket(a)); err != nil {
			return err
		}
	}
	return init.Ensure(spec)
}

// agentAddresses are those of the agents that the kernel can have.
func agentAddresses() []netip.Addr {
	return slices.DeleteFunc(slices.Clone(podagent.Addresses), func(a netip.Addr) bool { return a.Is6() && !ipv6.Known() })
}

// linkLocal adds an address of the agent's to a node, on its loopback device, or takes it
// away.
func linkLocal(ns string, a netip.Addr, do func(netlink.Link, *netlink.Addr) error) error {
	return netns.Do(ns, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		address := &netlink.Addr{IPNet: netlink.NewIPNet(a.AsSlice())}
		if a.Is6() {
			address.Flags = unix.IFA_F_NODAD
		}
		err = do(lo, address)
		if errors.Is(err, unix.EADDRNOTAVAIL) { // it was gone already
			return nil
		}
		return err
	})
}

// comebackTime is how long a pod's token waits for a cluster that comes back. A node's
// agent waits for ten seconds, of which asking the cluster may take four.
const comebackTime = 5 * time.Second

// podLives implements eksauth.Deps.Live.
func (d *Daemon) podLives(ctx context.Context, cluster string, b oidc.Bound) (bool, error) {
	// After a restart of the daemon a cluster that is there comes back a moment later. What
	// keeps it from that is no refusal yet: as long as it runs it can be asked.
	if c, ok := d.eks.Cluster(cluster); ok && c.Status != eks.Creating {
		wait, cancel := context.WithTimeoutCause(ctx, comebackTime, fmt.Errorf("it did not start within %s", comebackTime))
		defer cancel()
		if err := d.eks.WaitServing(wait, cluster); err != nil {
			slog.Warn("a pod's token is checked with a cluster that has not come back", "cluster", cluster, "error", err)
		}
	}
	k, err := d.clusterNamed(cluster)
	if err != nil {
		return false, err
	}
	return k.identities.Live(ctx, b)
}
