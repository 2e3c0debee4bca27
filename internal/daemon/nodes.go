package daemon

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/cgroup"
	"github.com/eksact/eksact/internal/engine/nodeconfig"
	"github.com/eksact/eksact/internal/images/build"
	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/node/cni"
	"github.com/eksact/eksact/internal/supervise"
)

// node is an instance that was started in this process.
type node struct {
	config kubenode.Config
	record ec2.Instance
	stop   context.CancelFunc // ends what serves it here; the node goes on
}

const (
	clusterTag = "kubernetes.io/cluster/" // + the cluster's name: "owned"
	// mirrorAddress is where the image registry listens on every node.
	mirrorAddress = "127.0.0.1:5005"
)

// privateName is EC2's private DNS name by address.
func privateName(a netip.Addr, region string) string {
	return "ip-" + strings.ReplaceAll(a.String(), ".", "-") + "." + region + ".compute.internal"
}

// instancesOf lists a cluster's instances that are to run.
func (d *Daemon) instancesOf(cluster string) []ec2.Instance {
	return slices.DeleteFunc(d.allInstancesOf(cluster), func(i ec2.Instance) bool { return i.State != ec2.Running && i.State != ec2.Pending })
}

// allInstancesOf lists those too that are stopped, or whose end has begun.
func (d *Daemon) allInstancesOf(cluster string) []ec2.Instance {
	return slices.DeleteFunc(d.ec2.Instances(), func(i ec2.Instance) bool { return i.State == ec2.Terminated || clusterOf(i) != cluster })
}

// startNodesOf starts a cluster's nodes, those too whose start was cut short.
func (d *Daemon) startNodesOf(ctx context.Context, k *cluster) {
	for _, record := range d.instancesOf(k.record.Name) {
		d.running.Go(func() {
			defer d.ground.machines.lock(record.ID)()
			if err := d.bringUp(ctx, k, record.ID); err != nil {
				slog.Error("a node can't be started", "node", record.ID, "error", err)
			}
		})
	}
}

// bringUp starts the machine of an instance that is to run, with its lock held. One
// that was pending runs from then on.
func (d *Daemon) bringUp(ctx context.Context, k *cluster, id string) error {
	i, _ := d.ec2.Instance(id)
	switch i.State {
	case ec2.Running:
	case ec2.Pending:
		if err := d.ec2.SetState(ctx, id, ec2.Running, ""); err != nil {
			return err
		}
		if i.State = ec2.Running; i.AutoPublic {
			if err := d.ground.Settle(ctx); err != nil {
				return err
			}
		}
	default: // an order has come before
		return nil
	}
	return d.startNode(ctx, k, i)
}

// startNode makes the instance's machine, or adopts the one that runs.
func (d *Daemon) startNode(ctx context.Context, k *cluster, record ec2.Instance) (err error) {
	end := d.timeline.Begin("Node " + record.PrivateDNS)
	defer func() { end(err) }()
	pods := record.Interfaces[0].Prefixes[0]
	ns, err := d.network.AttachNode(ctx, record.ID, record.PrivateIP, pods)
	if err != nil {
		return err
	}
	c, err := d.nodeConfig(k, record, ns, pods)
	if err != nil {
		return err
	}
	if err := c.Write(); err != nil {
		return err
	}
	if err := makeFolders(d.config, kubenode.Mountpoints); err != nil {
		return err
	}
	d.nameNode(record)
	live := d.beginNode(ctx, c, record)
	if err := d.serveMirror(live, record.ID, ns); err != nil {
		return err
	}
	if err := d.enforcePolicies(live, k, c); err != nil {
		return err
	}
	runs, err := d.keeps(c.Spec().Name)
	if err == nil && !runs {
		err = c.Unplug()
	}
	if err != nil {
		return err
	}
	if err := d.keeper.Ensure(c.Spec()); err != nil {
		return err
	}
	d.running.Go(func() { d.plugNode(live, k, c, record) })
	d.running.Go(func() { d.tendProxy(live, k, c) })
	d.running.Go(func() { d.tendRules(live, c, pods) })
	d.running.Go(func() { d.tendAgent(live, c) })
	return nil
}

// beginNode notes a node as started. What serves it runs as long as the context
// returned, which ends with the node or when it is started once more.
func (d *Daemon) beginNode(ctx context.Context, c kubenode.Config, record ec2.Instance) context.Context {
	live, stop := context.WithCancel(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.nodes[record.ID]; old != nil {
		old.stop()
	}
	d.nodes[record.ID] = &node{config: c, record: record, stop: stop}
	return live
}

func (d *Daemon) endNode(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.nodes[id]; n != nil {
		n.stop()
		delete(d.nodes, id)
	}
}

// nodeConfig is what an instance's user data says, and for the rest what its cluster
// is.
func (d *Daemon) nodeConfig(k *cluster, record ec2.Instance, ns string, pods netip.Prefix) (kubenode.Config, error) {
	tree, err := cgroup.Open()
	if err != nil {
		return kubenode.Config{}, err
	}
	said, err := userData(record)
	if err != nil {
		return kubenode.Config{}, err
	}
	c := kubenode.Config{
		ID: record.ID, Name: record.PrivateDNS, Address: record.PrivateIP, Zone: record.Zone, Region: d.config.Region,
		InstanceType: record.Type, MaxPods: podsOf(record, said, pods), Labels: said.Labels,
		Cluster: k.record.Name, Endpoint: cmp.Or(said.Endpoint, "https://"+k.record.Host), CA: said.CA,
		ClusterDNS: said.ClusterDNS, ResolverIP: d.network.ResolverOf(record.PrivateIP), ServiceCIDR: k.record.ServiceCIDR,
		SandboxImage: build.Pause, Mirror: "http://" + mirrorAddress,
		NetNS: ns, Dir: d.nodeDir(record.ID), Programs: d.programs.Dir(), CgroupV2: tree.V2(),
	}
	for _, t := range said.Taints {
		c.Taints = append(c.Taints, t.String())
	}
	if len(c.CA) == 0 {
		c.CA = k.bundle.CAPEM
	}
	if !c.ClusterDNS.IsValid() {
		c.ClusterDNS = k.config.DNSAddress()
	}
	c.CNI = cni.Config(cni.Node{Pods: []netip.Prefix{pods}, Gate: c.Gate()})
	return c, nil
}

// userData is what an instance was launched with, checked then.
func userData(record ec2.Instance) (nodeconfig.Config, error) {
	data, err := base64.StdEncoding.DecodeString(record.UserData)
	if err != nil || len(data) == 0 {
		return nodeconfig.Config{}, err
	}
	return nodeconfig.Parse(data)
}

// podsOf is how many pods a node takes: as many as it is told to, or as its type does,
// if it has addresses for them.
func podsOf(record ec2.Instance, said nodeconfig.Config, block netip.Prefix) int {
	pods, _ := ec2.MaxPods(record.Type)
	return min(cmp.Or(said.MaxPods, pods), podsIn(block))
}

// serveMirror gives the node its image registry.
func (d *Daemon) serveMirror(ctx context.Context, id, ns string) error {
	l, err := d.keeper.Listen(supervise.Socket{Name: "mirror-" + id, NetNS: ns, Network: "tcp4", Address: mirrorAddress})
	if err != nil {
		return err
	}
	d.serveHTTP(ctx, &http.Server{Handler: d.mirror(id), ReadHeaderTimeout: 10 * time.Second}, l)
	return nil
}

// tendProxy starts kube-proxy once the node is known to the API server (before,
// it would wait half a minute between two looks), and again on a node whose init
// was started anew.
func (d *Daemon) tendProxy(ctx context.Context, k *cluster, c kubenode.Config) {
	init := supervise.Client{Path: c.ControlSocket()}
	for known := false; ctx.Err() == nil; {
		pause := 100 * time.Millisecond
		if !known {
			_, err := k.client.CoreV1().Nodes().Get(ctx, c.Name, metav1.GetOptions{})
			known = err == nil
		}
		if known && init.Ensure(c.Proxy()) == nil {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// terminateNodesOf ends a cluster's instances and forgets them.
func (d *Daemon) terminateNodesOf(ctx context.Context, cluster string) error {
	var failed error
	for _, i := range d.allInstancesOf(cluster) {
		failed = errors.Join(failed, d.terminate(ctx, i))
	}
	return failed
}

// terminate ends an instance; its record says so last. That it is to end is
// recorded first: cut short, it is done again at the next start.
func (d *Daemon) terminate(ctx context.Context, i ec2.Instance) error {
	if err := d.ec2.SetState(ctx, i.ID, ec2.ShuttingDown, i.Reason); err != nil {
		return err
	}
	d.endNode(i.ID)
	var failed error
	note := func(err error) { failed = errors.Join(failed, err) }
	note(d.keeper.Stop("node-" + i.ID))
	note(d.keeper.Close("mirror-" + i.ID))
	note(d.keeper.Close(gateSocket(i.ID)))
	note(d.network.Detach(ctx, i.ID))
	note(d.removeBranches(ctx, i))
	note(d.releaseAddresses(ctx, "instance/"+i.ID))
	if tree, err := cgroup.Open(); err == nil {
		note(tree.Remove("/eksact/"+i.ID, 5*time.Second))
	}
	note(os.RemoveAll(d.nodeDir(i.ID)))
	d.forgetNode(i)
	if failed != nil {
		return failed
	}
	if err := d.ec2.SetState(ctx, i.ID, ec2.Terminated, i.Reason); err != nil {
		return err
	}
	return d.ground.Settle(ctx) // its public address is nobody's now
}

// finishTerminations does the rest of what a crash of the daemon cut short:
// instances half gone, and addresses drawn for one that was never recorded.
func (d *Daemon) finishTerminations(ctx context.Context) error {
	known := map[string]bool{}
	for _, i := range d.ec2.Instances() {
		known["instance/"+i.ID] = true
		end := map[ec2.State]func(context.Context, ec2.Instance) error{ec2.ShuttingDown: d.terminate, ec2.Stopping: d.stopNode}[i.State]
		if end == nil {
			continue
		}
		if err := end(ctx, i); err != nil {
			return fmt.Errorf("ending instance %s: %w", i.ID, err)
		}
	}
	for _, o := range d.addresses.Owners("instance/") {
		if !known[strings.TrimSuffix(o, "/pods")] {
			if err := d.addresses.Release(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// instances answers the certificate signer's question: whose name is this?
type instances struct {
	d       *Daemon
	cluster eks.Cluster
}

// Lookup returns the names and addresses of the instance behind a node's name.
func (i instances) Lookup(name string) (dns []string, ips []netip.Addr, ok bool) {
	for _, record := range i.d.instancesOf(i.cluster.Name) {
		if record.PrivateDNS == name {
			return []string{record.PrivateDNS}, []netip.Addr{record.PrivateIP}, true
		}
	}
	return nil, nil, false
}
