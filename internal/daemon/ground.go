package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/bits"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// ground is the network and the nodes as EC2 asks for them.
type ground struct {
	d        *Daemon
	settling sync.Mutex // the newest records are the last that are applied
	machines keyedLocks
}

// VPC implements ec2.Ground.
func (g *ground) VPC() string { return g.d.config.vpcID() }

// Free implements ec2.Ground.
func (g *ground) Free(block netip.Prefix) bool { return g.d.network.Free(block) }

// PublicPool implements ec2.Ground.
func (g *ground) PublicPool() netip.Prefix { return g.d.network.Elastic() }

// Settle implements ec2.Ground.
func (g *ground) Settle(ctx context.Context) error {
	g.settling.Lock()
	defer g.settling.Unlock()
	d := g.d
	l := vpc.Layout{Addresses: map[netip.Addr]netip.Addr{}, Pods: map[netip.Prefix]netip.Addr{}}
	var endpoints []ec2.EndpointLayout
	for _, v := range d.ec2.Running() {
		want := d.ec2.Layout(v.ID)
		subnets, nats := d.subnetRoutes(want.Subnets)
		l.VPCs = append(l.VPCs, vpc.Inside{Range: v.CIDRs[0], Open: want.Open, NATs: nats})
		l.Subnets = append(l.Subnets, subnets...)
		maps.Copy(l.Addresses, want.Public)
		maps.Copy(l.Pods, want.Pods)
		endpoints = append(endpoints, want.Endpoints...)
	}
	// The terminal has a public address of its own, as a Cloud9 instance has.
	for _, lease := range d.addresses.Leases(terminal) {
		l.Addresses[lease.Prefix.Addr()] = d.network.Shell()
	}
	// The first ones before those made later.
	slices.SortFunc(l.Subnets, func(a, b vpc.SubnetRoutes) int { return strings.Compare(a.Name, b.Name) })
	// Known first: what comes by an endpoint that nobody knows has no answer.
	if err := d.ways.know(endpoints); err != nil {
		return err
	}
	if err := d.network.Settle(ctx, l); err != nil {
		return err
	}
	return d.ways.settle(endpoints)
}

// subnetRoutes are subnets with their exits, and the NAT gateways' addresses among these.
func (d *Daemon) subnetRoutes(all []ec2.SubnetLayout) (subnets []vpc.SubnetRoutes, nats []netip.Addr) {
	for _, n := range all {
		s := vpc.SubnetRoutes{Subnet: vpc.Subnet{Name: d.config.subnetName(n.ID), Zone: n.Zone, Prefix: n.CIDR}}
		for _, e := range n.Routes {
			s.Public = s.Public || e.Direct
			s.Exits = append(s.Exits, nft.Exit{To: e.To, Direct: e.Direct, Source: e.Source, Mark: e.Endpoint})
			if e.Source.IsValid() && !slices.Contains(nats, e.Source) {
				nats = append(nats, e.Source)
			}
		}
		d.addresses.Put(s.Range())
		subnets = append(subnets, s)
	}
	return subnets, nats
}

// Used implements ec2.Ground.
func (g *ground) Used(subnet string) int { return g.d.addresses.Used(g.d.config.subnetName(subnet)) }

// Take implements ec2.Ground.
func (g *ground) Take(ctx context.Context, subnet, owner string) (netip.Addr, error) {
	return g.d.addresses.Address(ctx, g.d.config.subnetName(subnet), owner)
}

// Release implements ec2.Ground.
func (g *ground) Release(ctx context.Context, owner string) error {
	return g.d.addresses.Release(ctx, owner)
}

// Reserve implements ec2.Ground.
func (g *ground) Reserve(ctx context.Context, subnet, instance string, pods int) (ec2.Spot, error) {
	name, owner := g.d.config.subnetName(subnet), "instance/"+instance
	address, err := g.d.addresses.Address(ctx, name, owner)
	if err != nil {
		return ec2.Spot{}, full(err)
	}
	block, err := g.d.addresses.Block(ctx, name, owner+"/pods", podBlock(pods))
	if err != nil {
		return ec2.Spot{}, errors.Join(full(err), g.Unreserve(ctx, instance))
	}
	return ec2.Spot{Address: address, Pods: block, MAC: vpc.MAC(instance).String()}, nil
}

func full(err error) error {
	if errors.Is(err, ipam.ErrFull) {
		return fmt.Errorf("%w: %w", ec2.ErrFull, err)
	}
	return err
}

// notForPods are the addresses of a node's block that no pod has.
const notForPods = 3

// podBlock is the size, in bits of its prefix, of the block of a node's pods.
func podBlock(pods int) int { return min(32-bits.Len(uint(pods+notForPods-1)), 28) }

// podsIn is how many pods a block has addresses for.
func podsIn(block netip.Prefix) int { return 1<<(32-block.Bits()) - notForPods }

// Unreserve implements ec2.Ground.
func (g *ground) Unreserve(ctx context.Context, instance string) error {
	return g.d.releaseAddresses(ctx, "instance/"+instance)
}

// Joinable implements ec2.Ground.
func (g *ground) Joinable(cluster string) error {
	if cluster == "" {
		return errors.New("the user data names no cluster")
	}
	c, ok := g.d.eks.Cluster(cluster)
	switch {
	case !ok:
		return fmt.Errorf("there is no cluster %q", cluster)
	case c.Status == eks.Failed, c.Status == eks.Deleting:
		return fmt.Errorf("cluster %q is %s", cluster, c.Status)
	}
	return nil
}

// Arch implements ec2.Ground.
func (g *ground) Arch() string { return arch() }

// Console implements ec2.Ground: the log of the node's init.
func (g *ground) Console(instance string) ([]byte, error) {
	f, err := os.Open(g.d.nodeDir(instance) + "/log/init.log")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 64<<10 {
		if _, err := f.Seek(-64<<10, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(f)
}

// Reboot implements ec2.Ground: the node's init ends, with all that runs on the
// node, and is started again. Pods start anew.
func (g *ground) Reboot(ctx context.Context, instance string) error {
	return g.do(ctx, instance, ec2.Running, func(ctx context.Context, k *cluster, i ec2.Instance) error {
		if i.State != ec2.Running {
			return nil
		}
		if err := g.d.keeper.Stop("node-" + i.ID); err != nil {
			return err
		}
		return g.d.startNode(k.live, k, i)
	})
}

// Stop implements ec2.Ground: the node ends and keeps its files and addresses.
func (g *ground) Stop(ctx context.Context, instance string) error {
	return g.do(ctx, instance, ec2.Stopping, func(ctx context.Context, _ *cluster, i ec2.Instance) error {
		if i.State != ec2.Stopping {
			return nil
		}
		return g.d.stopNode(ctx, i)
	})
}

// Start implements ec2.Ground.
func (g *ground) Start(ctx context.Context, instance string) error {
	return g.do(ctx, instance, ec2.Pending, func(_ context.Context, k *cluster, i ec2.Instance) error {
		if i.State != ec2.Pending {
			return nil
		}
		return g.d.bringUp(k.live, k, instance)
	})
}

// Terminate implements ec2.Ground: the node ends, and Kubernetes forgets it, as the
// cloud controller has it forget a node whose instance is no more.
func (g *ground) Terminate(ctx context.Context, instance string) error {
	return g.do(ctx, instance, ec2.ShuttingDown, func(ctx context.Context, k *cluster, i ec2.Instance) error {
		if i.State != ec2.ShuttingDown {
			return nil
		}
		if err := g.d.terminate(ctx, i); err != nil {
			return err
		}
		return deleteNode(ctx, k.client, i.PrivateDNS)
	})
}

func deleteNode(ctx context.Context, client kubernetes.Interface, name string) error {
	err := client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// deleteGoneNodes has Kubernetes forget nodes whose instances are no more: of those that
// were terminated while nobody could tell it.
func (d *Daemon) deleteGoneNodes(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, n := range nodes.Items {
		path := strings.Split(n.Spec.ProviderID, "/") // aws:///us-west-2a/i-0123456789abcdef0
		id := path[len(path)-1]
		if i, ok := d.ec2.Instance(id); !strings.HasPrefix(id, "i-") || ok && i.State != ec2.Terminated {
			continue
		}
		if err := deleteNode(ctx, client, n.Name); err != nil {
			return err
		}
	}
	return nil
}

// orderWait is how long an order to a machine waits for its cluster.
const orderWait = 20 * time.Second

// do records an instance's next state and runs what an order asks for: one after
// another for one machine, with the instance as it is by then. It goes on after the
// call that gave the order.
func (g *ground) do(ctx context.Context, instance string, next ec2.State, fn func(context.Context, *cluster, ec2.Instance) error) error {
	d := g.d
	i, ok := d.ec2.Instance(instance)
	if !ok {
		return fmt.Errorf("no instance %s", instance)
	}
	k, err := d.clusterNamed(clusterOf(i))
	if err != nil { // the daemon may have started just now
		ctx, cancel := context.WithTimeout(ctx, orderWait)
		defer cancel()
		if k, err = d.clusterServing(ctx, clusterOf(i)); err != nil {
			return err
		}
	}
	if next != i.State {
		if err := d.ec2.SetState(ctx, instance, next, d.reason()); err != nil {
			return err
		}
	}
	d.running.Go(func() {
		unlock := g.machines.lock(instance)
		defer unlock()
		i, ok := d.ec2.Instance(instance)
		if !ok || k.live.Err() != nil {
			return
		}
		if err := fn(k.live, k, i); err != nil && k.live.Err() == nil {
			slog.Error("an order to a machine failed", "instance", instance, "error", err)
		}
	})
	return nil
}

// stopNode ends a node that is to be started again, and records it.
func (d *Daemon) stopNode(ctx context.Context, i ec2.Instance) error {
	d.endNode(i.ID)
	if err := errors.Join(d.keeper.Stop("node-"+i.ID), d.keeper.Close("mirror-"+i.ID), d.network.Detach(ctx, i.ID)); err != nil {
		return err
	}
	d.forgetNode(i)
	if err := d.ec2.SetState(ctx, i.ID, ec2.Stopped, i.Reason); err != nil {
		return err
	}
	return d.ground.Settle(ctx) // it may have had a public address
}

// reason is why an instance's state changes, as EC2 tells it.
func (d *Daemon) reason() string {
	return "User initiated (" + d.ec2.Now().UTC().Format("2006-01-02 15:04:05 GMT") + ")"
}

// clusterOf names the cluster whose node an instance is; "" of none.
func clusterOf(i ec2.Instance) string {
	if i.Cluster != "" {
		return i.Cluster
	}
	for key, value := range i.Tags {
		if name, ok := strings.CutPrefix(key, clusterTag); ok && value == "owned" {
			return name
		}
	}
	return ""
}

// keyedLocks are locks by name.
type keyedLocks struct {
	mu   sync.Mutex
	held map[string]*sync.Mutex
}

func (l *keyedLocks) lock(name string) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*sync.Mutex{}
	}
	one := l.held[name]
	if one == nil {
		one = &sync.Mutex{}
		l.held[name] = one
	}
	l.mu.Unlock()
	one.Lock()
	return one.Unlock
}
