package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/hint"
	"github.com/eksact/eksact/internal/images/build"
	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/kube/gc"
	"github.com/eksact/eksact/internal/kube/netpol"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/kube/podgroups"
	"github.com/eksact/eksact/internal/kube/podidentity"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc"
)

// platformVersion is EKS's name for what a control plane runs on.
const platformVersion = "eks.1"

// webhookAddress is where a cluster's webhooks listen in its control plane's
// namespace; the port is aws-iam-authenticator's.
const webhookAddress = "127.0.0.1:21362"

// cluster is one control plane that was started in this process.
type cluster struct {
	record   eks.Cluster
	config   controlplane.Config
	bundle   *pki.Bundle
	plane    *controlplane.Plane
	client   kubernetes.Interface
	policies *netpol.Controller
	// identities follows the pods and service accounts.
	identities *podidentity.Objects
	private    []netip.Addr
	public     []netip.Addr
	outside    []netip.Addr // what the endpoint's name is outside the VPC
	// podGroups gives pods security groups of their own.
	podGroups *podgroups.Controller
	logs      *logExports
	// live ends with the cluster; what serves it runs as long, whoever asked.
	live context.Context
	stop context.CancelFunc
}

// clusterNamed is a cluster that runs; of no name, the one that up made.
func (d *Daemon) clusterNamed(name string) (*cluster, error) {
	if name == "" {
		name = d.config.Cluster
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.clusters[name]; k != nil {
		return k, nil
	}
	return nil, hint.New(fmt.Sprintf("no cluster %q runs here", name), "eksact status shows those that do")
}

// clusterServing is clusterNamed once the cluster has started in this process: after a
// restart of the daemon one that exists comes back a moment later.
func (d *Daemon) clusterServing(ctx context.Context, name string) (*cluster, error) {
	if name == "" {
		name = d.config.Cluster
	}
	if _, exists := d.eks.Cluster(name); exists {
		if err := d.eks.WaitServing(ctx, name); err != nil {
			return nil, err
		}
	}
	return d.clusterNamed(name)
}

// runtime is what runs behind the clusters of the EKS API.
type runtime struct{ d *Daemon }

// owner names a cluster's addresses to the allocator. It is the id that is
// unique, a cluster of the same name made later is another.
func owner(c eks.Cluster) string { return "cluster/" + c.ID }

func (d *Daemon) clusterDir(c eks.Cluster) string { return d.config.state("clusters/" + c.Name) }

// Start implements eks.Runtime.
func (r runtime) Start(ctx context.Context, c eks.Cluster) (eks.Facts, error) {
	d := r.d
	end := d.timeline.Begin("Control plane of " + c.Name)
	k, err := d.startCluster(ctx, c)
	end(err)
	if err != nil {
		return eks.Facts{}, err
	}
	return eks.Facts{CertificateAuthority: k.bundle.CAPEM, PlatformVersion: platformVersion}, nil
}

func (d *Daemon) startCluster(ctx context.Context, c eks.Cluster) (*cluster, error) {
	k, err := d.prepareCluster(ctx, c)
	if err != nil {
		return nil, err
	}
	// The API server is on its way and its socket open: what calls it waits, so
	// nodes and controllers start beside it.
	live, stop := context.WithCancel(ctx)
	k.live, k.stop = live, stop
	k.logs = newLogExports(d, k)
	k.logs.resume(c.Logging)
	d.mu.Lock()
	d.clusters[c.Name] = k
	d.mu.Unlock()
	d.refreshHosts()
	if err := d.serveCluster(ctx, k); err != nil {
		stop() // it is started once more, and must not be served twice then
		return nil, err
	}
	return k, nil
}

func (d *Daemon) serveCluster(ctx context.Context, k *cluster) error {
	if err := d.runControllers(k.live, k); err != nil {
		return err
	}
	d.running.Go(func() { d.startNodesOf(k.live, k) })
	d.running.Go(func() { d.tendKeys(k.live, k) })
	if err := k.plane.WaitReady(ctx, nil); err != nil {
		return err
	}
	if err := d.deleteGoneNodes(ctx, k.client); err != nil {
		slog.Error("nodes that are no more are not forgotten", "cluster", k.record.Name, "error", err)
	}
	var dns *controlplane.CoreDNS
	if k.record.Facts == nil && !k.record.Bare { // it is new; later its DNS is the user's, or an add-on
		dns = &controlplane.CoreDNS{Image: build.CoreDNS}
	}
	return d.timeline.Do("Objects of "+k.record.Name, func() error { return k.plane.Bootstrap(ctx, dns) })
}

// prepareCluster gives the control plane its place, its files and its processes.
func (d *Daemon) prepareCluster(ctx context.Context, c eks.Cluster) (*cluster, error) {
	k := &cluster{record: c}
	if err := d.address(ctx, k); err != nil {
		return nil, err
	}
	if err := d.openEndpoint(ctx, k, c.Access().Sources()); err != nil {
		return nil, err
	}
	if err := d.putPlane(ctx, k); err != nil {
		return nil, err
	}
	ns, err := d.network.AttachControlPlane(ctx, c.Name, k.private, k.public)
	if err != nil {
		return nil, err
	}
	k.config = controlplane.Config{
		Name: c.Name, EndpointHost: c.Host, Issuer: c.Issuer, Version: c.Version,
		Private: k.private, Public: k.public, ServiceCIDR: c.ServiceCIDR,
		NetNS: ns, Etcd: "unix://" + d.config.etcdSocket(), EtcdPrefix: "/eksact/kube/" + c.ID,
		Webhooks: webhookAddress, IdentityWebhook: identityWebhookAddress, Dir: d.clusterDir(c), Program: d.programs.Path,
		Socket: apiSocket(c.Name), GC: gc.Default,
	}
	if k.bundle, err = k.config.Prepare(time.Now()); err != nil {
		return nil, err
	}
	if err := d.publishKeys(c); err != nil {
		return nil, err
	}
	sockets := []supervise.Socket{
		k.config.ListenSocket(),
		{Name: webhookSocket(c.Name), NetNS: ns, Network: "tcp", Address: webhookAddress},
		identitySocket(k),
	}
	for _, s := range sockets {
		if err := d.keeper.Keep(s); err != nil {
			return nil, err
		}
	}
	for _, spec := range k.config.Specs(k.bundle) {
		if err := d.keeper.Ensure(spec); err != nil {
			return nil, err
		}
	}
	if k.plane, err = k.config.Open(k.bundle); err != nil {
		return nil, err
	}
	k.client = k.plane.Client()
	// Here, for others find the cluster before its controllers run.
	k.policies, k.podGroups = newPolicies(k), newPodGroups(d, k)
	if k.identities, err = podidentity.NewObjects(k.plane.Metadata(), time.Now); err != nil {
		return nil, err
	}
	d.nameEndpoint(k, c.Access())
	return k, nil
}

func apiSocket(name string) string     { return "api-" + name }
func webhookSocket(name string) string { return "webhook-" + name }

// address draws the cluster's addresses: an interface in each private subnet of the
// first VPC, or in a subnet of each zone of another, and two public ones for the endpoint.
func (d *Daemon) address(ctx context.Context, k *cluster) error {
	subnets := d.privateSubnets()
	if k.record.VPC != d.config.vpcID() {
		subnets = d.subnetsFor(k.record)
	}
	for _, s := range subnets {
		a, err := d.addresses.Address(ctx, s.Name, owner(k.record)+"/"+s.Name)
		if err != nil {
			return err
		}
		k.private = append(k.private, a)
	}
	for i := range publicAddresses {
		a, err := d.publicAddress(ctx, k.record, i)
		if err != nil {
			return err
		}
		k.public = append(k.public, a)
	}
	return nil
}

// publicAddresses is how many an endpoint has.
const publicAddresses = 2

// publicAddress is the cluster's i-th public address, its own for as long as it
// is there.
func (d *Daemon) publicAddress(ctx context.Context, c eks.Cluster, i int) (netip.Addr, error) {
	return d.addresses.Address(ctx, vpc.RangeAPI, fmt.Sprintf("%s/public-%d", owner(c), i))
}

// Stop implements eks.Runtime.
func (r runtime) Stop(ctx context.Context, c eks.Cluster) error {
	d := r.d
	d.mu.Lock()
	k := d.clusters[c.Name]
	delete(d.clusters, c.Name)
	d.mu.Unlock()
	if k != nil && k.stop != nil {
		k.stop()
	}
	var failed error
	note := func(err error) { failed = errors.Join(failed, err) }
	note(d.deleteBalancersOf(ctx, c.ID))
	note(d.terminateNodesOf(ctx, c.Name))
	for _, component := range []string{controlplane.Scheduler, controlplane.ControllerManager, controlplane.APIServer} {
		note(d.keeper.Stop(controlplane.Config{Name: c.Name}.SpecName(component)))
	}
	note(d.keeper.Close(apiSocket(c.Name)))
	note(d.keeper.Close(webhookSocket(c.Name)))
	note(d.keeper.Close(identitySocket(&cluster{record: c}).Name))
	note(d.network.DetachControlPlane(ctx, c.Name))
	note(d.closeEndpoint(ctx, c))
	note(d.removePlane(ctx, c))
	note(d.releaseAddresses(ctx, owner(c)))
	note(d.deleteKeys(ctx, "/eksact/kube/"+c.ID+"/"))
	note(os.RemoveAll(d.clusterDir(c)))
	d.forgetCluster(c)
	d.forgetKeys(c)
	d.forgetAgents(c.Name)
	d.refreshHosts()
	if failed == nil {
		slog.Info("cluster removed", "cluster", c.Name)
	}
	return failed
}

func (d *Daemon) releaseAddresses(ctx context.Context, prefix string) error {
	for _, o := range d.addresses.Owners(prefix) {
		if err := d.addresses.Release(ctx, o); err != nil {
			return err
		}
	}
	return nil
}
