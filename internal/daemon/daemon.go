package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/cloudformation"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/ecr"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/eksauth"
	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/aws/route53"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/aws/sns"
	"github.com/eksact/eksact/internal/aws/ssm"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/drain"
	"github.com/eksact/eksact/internal/images"
	"github.com/eksact/eksact/internal/images/registry"
	"github.com/eksact/eksact/internal/logstore"
	"github.com/eksact/eksact/internal/programs"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/lb"
)

// Daemon is all the parts. The exported world sees it as Serve.
type Daemon struct {
	config   Config
	programs programs.Set
	keeper   supervise.Client
	timeline *control.Timeline
	started  time.Time

	etcd      *clientv3.Client
	store     *store.Store
	network   *vpc.Network
	addresses *ipam.Allocator
	balancers *lb.Balancers
	showing   sync.Mutex // of load balancers in the ELB API: the last shown is the newest
	names     *dns.Server
	groups    groups
	images    *images.Store
	registry  *registry.Registry
	authority *authority
	ground    *ground

	iam        *iam.IAM
	sts        *sts.STS
	idp        *idp.Issuers
	eks        *eks.Service
	eksauth    *eksauth.Service
	ec2        *ec2.Service
	elb        *elb.Service
	s3         *s3.S3
	logs       *logs.Service
	logStore   *logstore.Store
	forwarded  *storage.Forwarded // nil without a ClickHouse
	trail      *cloudtrail.Trail
	route53    *route53.Service
	stacks     *cloudformation.Service
	ssm        *ssm.Service
	sns        *sns.Service
	scaling    *autoscaling.Service
	front      *front.Front
	cloudwatch *cloudwatch.Service
	ecr        *ecr.Service

	mu       sync.Mutex
	clusters map[string]*cluster      // that were started, by name
	nodes    map[string]*node         // that were started, by instance id
	enforced map[string]chan struct{} // by instance id: closed when its policies are let go of
	hosts    hostsBlock

	ways           ways
	policySwitches policySwitches
	endpoints      publicEndpoints
	issuers        issuers
	agents         podAgents

	open    chan struct{} // closed when the front door is open
	failed  chan struct{} // closed when it will not open, for the reason failure
	failure error
	running sync.WaitGroup
}

// Serve runs the daemon until ctx ends. What it started goes on running.
func Serve(ctx context.Context, c Config) error {
	set, err := programs.Locate(c.StateDir)
	if err != nil {
		return err
	}
	d := &Daemon{
		config:   c,
		programs: set,
		keeper:   c.keeper(),
		timeline: control.NewTimeline(),
		started:  time.Now(),
		clusters: map[string]*cluster{},
		nodes:    map[string]*node{},
		enforced: map[string]chan struct{}{},
		open:     make(chan struct{}),
		failed:   make(chan struct{}),
	}
	d.hosts.on = c.Hosts
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		d.running.Wait()
		d.close()
	}()
	if err := d.serveControl(ctx); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		d.failure = err
		close(d.failed)
		return err
	}
	close(d.open)
	slog.Info("the front door is open", "address", c.Listen, "after", time.Since(d.started))
	<-ctx.Done()
	return nil
}

// start brings everything up, in parallel where nothing depends on another.
func (d *Daemon) start(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return d.timeline.Do("Store", func() error { return d.openStore(ctx) }) })
	g.Go(func() error { return d.timeline.Do("Network", func() error { return d.openNetwork(ctx) }) })
	g.Go(func() error { return d.openImages() })
	if err := g.Wait(); err != nil {
		return err
	}
	return d.timeline.Do("AWS API", func() error { return d.openDoor(ctx) })
}

func (d *Daemon) openStore(ctx context.Context) error {
	client, err := d.startEtcd(ctx)
	if err != nil {
		return err
	}
	d.etcd = client
	d.store = store.NewEtcd(client, "/eksact/aws")
	return nil
}

func (d *Daemon) openNetwork(ctx context.Context) (err error) {
	d.network, err = vpc.Open(ctx, d.config.Network())
	return err
}

func (d *Daemon) openImages() (err error) {
	if d.images, err = images.Open(d.config.state("images")); err != nil {
		return err
	}
	if err := d.loadSystemImages(); err != nil {
		return err
	}
	unfinished, err := filepath.Glob(d.config.state("image-*.tar")) // of loads that a crash cut short
	if err != nil {
		return err
	}
	for _, path := range unfinished {
		_ = os.Remove(path)
	}
	d.registry = registry.New(d.images, registry.Options{Offline: d.config.Offline, Log: slog.Default()})
	d.authority, err = openAuthority(d.config)
	return err
}

// openDoor makes the services, loads what they know, and serves.
func (d *Daemon) openDoor(ctx context.Context) error {
	if err := d.makeServices(ctx); err != nil {
		return err
	}
	if err := d.store.Load(ctx); err != nil {
		return err
	}
	if err := d.recordNetwork(ctx); err != nil {
		return err
	}
	if err := d.openGroups(ctx); err != nil {
		return err
	}
	if err := d.iam.Bootstrap(ctx); err != nil {
		return err
	}
	if err := d.sts.Open(ctx); err != nil {
		return err
	}
	if err := d.s3.Open(ctx); err != nil {
		return fmt.Errorf("S3: %w", err)
	}
	if err := d.openEndpoints(ctx); err != nil {
		return err
	}
	d.openIssuers()
	if err := d.serveNames(ctx); err != nil {
		return err
	}
	if err := d.finishTerminations(ctx); err != nil {
		slog.Error("what was left of instances is not removed", "error", err) // no reason to serve nobody
	}
	if err := d.serveMetadata(ctx); err != nil {
		return err
	}
	if err := d.serveDoor(ctx); err != nil {
		return err
	}
	d.running.Go(func() { note(d.balancers.Run(ctx), ctx, "load balancers") })
	d.running.Go(func() { d.eks.Run(ctx) })
	d.running.Go(func() { note(d.stacks.Run(ctx), ctx, "stacks") })
	d.running.Go(func() { d.sns.Run(ctx) })
	d.running.Go(func() { d.scaling.Run(ctx) })
	d.running.Go(func() { d.cloudwatch.Run(ctx) })
	d.running.Go(func() { d.logs.Run(ctx) })
	if d.forwarded != nil {
		d.running.Go(func() { d.forwarded.Run(ctx) })
	}
	d.running.Go(func() { d.ecr.Run(ctx) })
	d.running.Go(func() { d.s3.Run(ctx) })
	d.running.Go(func() { note(newFlowLogs(d).run(ctx), ctx, "flow logs") })
	return nil
}

// doors are where the front door listens, all kept by the keeper.
func (d *Daemon) doors() []supervise.Socket {
	front, s3 := d.network.Front().String(), d.network.S3().String()
	return []supervise.Socket{
		{Name: "front", Network: "tcp", Address: d.config.Listen},
		{Name: "front-http", NetNS: d.network.World(), Network: "tcp", Address: net.JoinHostPort(front, "80")},
		{Name: "front-https", NetNS: d.network.World(), Network: "tcp", Address: net.JoinHostPort(front, "443")},
		{Name: "s3-http", NetNS: d.network.World(), Network: "tcp", Address: net.JoinHostPort(s3, "80")},
		{Name: "s3-https", NetNS: d.network.World(), Network: "tcp", Address: net.JoinHostPort(s3, "443")},
	}
}

// doorOf is the socket of a VPC endpoint's address.
func (d *Daemon) doorOf(a netip.Addr) supervise.Socket {
	return supervise.Socket{Name: "endpoint-" + a.String(), NetNS: d.network.World(), Network: "tcp", Address: net.JoinHostPort(a.String(), "443")}
}

func (d *Daemon) serveDoor(ctx context.Context) error {
	for _, socket := range d.doors() {
		l, err := d.keeper.Listen(socket)
		if err != nil {
			return fmt.Errorf("the AWS front door at %s: %w", socket.Address, err)
		}
		answers := d.door()
		if strings.HasPrefix(socket.Name, "s3-") {
			l, answers = vpc.Marked(l), d.front
		}
		d.running.Go(func() { d.answer(ctx, l, answers) })
	}
	return d.openWays(ctx)
}

// answer serves a door on a listener until ctx ends.
func (d *Daemon) answer(ctx context.Context, l net.Listener, door http.Handler) {
	if err := front.Serve(ctx, l, d.authority.tlsConfig(), door, slog.Default(), time.Second); err != nil && ctx.Err() == nil {
		slog.Error("the AWS front door closed", "address", l.Addr(), "error", err)
	}
}

// serveHTTP runs a server until ctx ends. The listener is a copy of the
// keeper's: closing it refuses nobody.
func (d *Daemon) serveHTTP(ctx context.Context, s *http.Server, l net.Listener) {
	d.running.Go(func() {
		if err := drain.Serve(ctx, s, l, time.Second); err != nil {
			slog.Error("serving", "address", l.Addr(), "error", err)
		}
	})
}

// close lets go of what Serve opened, after everything that uses it has ended.
func (d *Daemon) close() {
	d.closeGroups()
	if d.store != nil {
		d.store.Close()
	}
	if d.etcd != nil {
		_ = d.etcd.Close()
	}
	if d.trail != nil {
		_ = d.trail.Close()
	}
	if d.logStore != nil {
		note(d.logStore.Close(), context.Background(), "the log store")
	}
	if d.cloudwatch != nil {
		_ = d.cloudwatch.Close()
	}
}
