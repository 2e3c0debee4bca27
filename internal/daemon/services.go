package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/autoscaling"
	"github.com/eksact/eksact/internal/aws/cloudformation"
	"github.com/eksact/eksact/internal/aws/cloudtrail"
	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/eksauth"
	"github.com/eksact/eksact/internal/aws/elb"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/aws/front/wire"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/aws/iamtoolbox"
	"github.com/eksact/eksact/internal/aws/idp"
	"github.com/eksact/eksact/internal/aws/logs"
	"github.com/eksact/eksact/internal/aws/route53"
	"github.com/eksact/eksact/internal/aws/s3"
	"github.com/eksact/eksact/internal/aws/ssm"
	"github.com/eksact/eksact/internal/aws/sts"
	"github.com/eksact/eksact/internal/logstore"
	"github.com/eksact/eksact/internal/supervise"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/lb"
	"github.com/eksact/eksact/internal/vpc/lb/proxy"
)

// makeServices makes the AWS services over the store, and the front door.
func (d *Daemon) makeServices(ctx context.Context) error {
	place := d.config.Place()
	if err := d.makeIdentities(place); err != nil {
		return err
	}
	var zones []string
	for _, s := range d.network.Subnets {
		zones = append(zones, s.Zone)
	}
	d.makeNetworkServices(ctx, place, zones)
	d.makeClusterServices(place)
	if err := d.makeStorage(place); err != nil {
		return err
	}
	if err := d.makeObservers(place); err != nil {
		return err
	}
	d.stacks = cloudformation.New(cloudformation.Deps{
		Store: d.store, Place: place, Zones: slices.Compact(slices.Sorted(slices.Values(zones))), Roles: d.iam, Sessions: d.sts, Now: time.Now, Log: slog.Default(),
	})
	d.scaling = autoscaling.New(autoscaling.Deps{Store: d.store, Place: place, Machines: machines{d}, Sessions: d.sts, Roles: d.iam, Now: time.Now, Log: slog.Default()})
	return d.makeFront(place)
}

// makeIdentities makes what says who one is, and what one may.
func (d *Daemon) makeIdentities(place api.Place) (err error) {
	if d.iam, err = iam.New(d.store, place, time.Now); err != nil {
		return err
	}
	d.sts = sts.New(d.store, place, d.iam, time.Now)
	d.idp = idp.New(idp.Options{Here: d.issuerAt})
	d.sts.UseIssuers(d.idp)
	d.iam.ReadThumbprints(d.idp.Thumbprint)
	return nil
}

// makeNetworkServices makes the VPC's API, names and load balancers.
func (d *Daemon) makeNetworkServices(ctx context.Context, place api.Place, zones []string) {
	d.ec2 = ec2.New(d.store, place, zones...)
	d.ec2.Deliveries = deliveries{d}
	d.ground = &ground{d: d}
	d.ec2.UseGround(d.ground)
	d.ec2.UseProfiles(d.iam)
	d.elb = elb.New(d.store, place)
	d.addresses = ipam.New(d.store, d.network.Ranges())
	d.names = dns.New(dns.Config{Zones: dns.Zones(d.config.Region, d.config.VPC), Private: d.privateZone, Public: d.publicZone})
	d.ways = ways{
		network: d.network, names: d.names, vpcARN: d.config.vpcARN,
		serve:  func(ctx context.Context, l net.Listener) { d.answer(ctx, l, d.front) },
		listen: func(a netip.Addr) (net.Listener, error) { return d.keeper.Listen(d.doorOf(a)) },
		close:  func(a netip.Addr) error { return d.keeper.Close(d.doorOf(a).Name) },
	}
	d.route53 = route53.New(route53.Deps{Store: d.store, Place: place, Now: time.Now, VPC: d.isVPC, Balancer: d.balancerAt})
	d.balancers = lb.New(lb.Config{
		Store: d.store, Network: d.network, Addresses: d.addresses, Names: d.names, Region: d.config.Region,
		Proxy:   func(c proxy.Config) error { return d.applyProxy(ctx, c) },
		Admits:  d.admits,
		Changed: func(id string) { d.showHealth(ctx, id) }, Log: slog.Default(),
	})
	d.elb.UseNetwork(apiBalancers{d})
}

// makeClusterServices makes clusters' API, and their pods'.
func (d *Daemon) makeClusterServices(place api.Place) {
	d.eks = eks.New(eks.Deps{
		Store: d.store, Place: place, Runtime: runtime{d}, Roles: d.iam, Network: d.ec2, PodRoles: d.iam, Now: time.Now, Log: slog.Default(),
		PatchVersions: patchVersions, Fleet: fleet{d}, Images: fleet{d}, Nodes: kubeNodes{d}, Sessions: d.sts,
	})
	d.eksauth = eksauth.New(eksauth.Deps{Clusters: d.eks, Sessions: d.sts, Keys: d.issuerKeys, Live: d.podLives, Now: time.Now, Log: slog.Default()})
}

// makeStorage makes what keeps objects, parameters, topics, images and log events.
func (d *Daemon) makeStorage(place api.Place) (err error) {
	if d.s3, err = s3.New(s3.Config{Store: d.store, Place: place, Dir: d.config.state("s3"), IAM: d.iam, Log: slog.Default()}); err != nil {
		return err
	}
	d.ssm = ssm.New(ssm.Deps{Store: d.store, Place: place, Now: time.Now, Images: d.nodeImages, Exists: d.isImage})
	d.sns = d.newTopics(place)
	if d.ecr, err = d.newRepositories(place); err != nil {
		return err
	}
	d.logStore, err = logstore.Open(d.config.state("log-groups"), logstore.Options{Log: slog.Default()})
	return err
}

// makeObservers makes what is told of all: logs, the trail, metrics and their alarms.
func (d *Daemon) makeObservers(place api.Place) error {
	events, err := d.logEvents()
	if err != nil {
		return err
	}
	d.logs = logs.New(logs.Deps{
		Store: d.store, Place: place, Events: events, Dir: d.config.state("logs-service"),
		Roles: d.iam, Buckets: d.s3, Topics: logTopics{d}, Client: d.outside(), Reaches: Reaches, Sessions: d.sts, Metrics: d.measure, Now: time.Now, Log: slog.Default(),
	})
	if d.trail, err = cloudtrail.Open(d.config.state("trail"), cloudtrail.Options{Log: slog.Default()}); err != nil {
		return err
	}
	if d.cloudwatch, err = cloudwatch.New(cloudwatch.Deps{
		Store: d.store, Place: place, Dir: d.config.state("metrics"), Now: time.Now, Log: slog.Default(), Changed: newAlertLog(d.config.state("alerts")).add,
	}); err != nil {
		return err
	}
	d.cloudwatch.UseTopics(alarmTopics{d.sns})
	return nil
}

// makeFront makes the front door to all of them, and shows it to those who call others.
func (d *Daemon) makeFront(place api.Place) error {
	codec, err := wire.New()
	if err != nil {
		return err
	}
	services := []*api.Service{
		d.iam.Service(), iamtoolbox.New(d.iam).Service(), d.sts.Service(),
		d.eks.Service(), d.eksauth.Service(), d.ec2.Service(),
		d.elb.Service(), d.elb.ClassicService(),
		d.s3.Service(), d.logs.Service(),
		d.route53.Service(), d.stacks.Service(), d.ssm.Service(), d.sns.Service(), d.ecr.Service(), d.scaling.Service(),
		d.cloudwatch.Service(),
		cloudtrail.NewHistory(d.trail, d.config.state("trail"), time.Now).Service(),
	}
	d.ec2.Serves = func(signing string) bool {
		return slices.ContainsFunc(services, func(s *api.Service) bool { return s.Action == signing })
	}
	d.front, err = front.New(front.Config{
		Place: place, Codec: front.Wire(codec), Credentials: doorKeys{d.sts}, Authorizer: d.iam, Recorder: d.trail, Messages: d.sts,
		Services: services, Ways: d.ways.of, Log: slog.Default(),
	})
	for _, caller := range []interface{ UseDoor(api.Door) }{d.stacks, d.scaling, d.ecr, d.eks, d.logs} {
		caller.UseDoor(d.front)
	}
	return err
}

// patchVersions are the releases of Kubernetes, by minor version.
var patchVersions = map[string]string{"1.37": "1.37.2"}

// doorKeys shows STS's keys to the front door, in its terms.
type doorKeys struct{ sts *sts.STS }

// Resolve implements front.Credentials.
func (k doorKeys) Resolve(ctx context.Context, id, token string, now time.Time) (string, api.Caller, error) {
	secret, who, err := k.sts.Resolve(ctx, id, token, now)
	for _, same := range []struct{ theirs, ours error }{
		{sts.ErrUnknownKey, front.ErrUnknownKey}, {sts.ErrBadToken, front.ErrBadToken}, {sts.ErrExpiredToken, front.ErrExpiredToken},
	} {
		if errors.Is(err, same.theirs) {
			return "", who, same.ours
		}
	}
	return secret, who, err
}

// serveNames answers DNS queries of the VPC and of the outside.
func (d *Daemon) serveNames(ctx context.Context) error {
	d.names.SetAddrs("*.amazonaws.com", []netip.Addr{d.network.Front()}, dns.Inside, dns.Outside)
	for _, name := range s3Names(d.config.Region) {
		d.names.SetAddrs(name, []netip.Addr{d.network.S3()}, dns.Inside, dns.Outside)
		d.names.SetAddrs("*."+name, []netip.Addr{d.network.S3()}, dns.Inside, dns.Outside)
	}
	for _, at := range []struct {
		view    dns.View
		address netip.Addr
		name    string
	}{{dns.Inside, d.network.Resolver(), "inside"}, {dns.Inside, vpc.LinkResolver, "link"}, {dns.Outside, d.network.PublicDNS(), "outside"}} {
		address := netip.AddrPortFrom(at.address, 53).String()
		packets, err := d.keeper.ListenPacket(supervise.Socket{Name: "dns-udp-" + at.name, NetNS: d.network.World(), Network: "udp4", Address: address})
		if err != nil {
			return err
		}
		streams, err := d.keeper.Listen(supervise.Socket{Name: "dns-tcp-" + at.name, NetNS: d.network.World(), Network: "tcp4", Address: address})
		if err != nil {
			return err
		}
		d.running.Go(func() { note(d.names.ServePacket(ctx, at.view, packets), ctx, "DNS") })
		d.running.Go(func() { note(d.names.ServeStream(ctx, at.view, streams), ctx, "DNS") })
	}
	return nil
}

// s3Names are S3's, each with those of buckets below it.
// https://docs.aws.amazon.com/general/latest/gr/s3.html
func s3Names(region string) []string {
	return []string{"s3.amazonaws.com", "s3." + region + ".amazonaws.com", "s3-" + region + ".amazonaws.com", "s3.dualstack." + region + ".amazonaws.com"}
}

// note logs an error that ended a server before its time.
func note(err error, ctx context.Context, what string) {
	if err != nil && ctx.Err() == nil {
		slog.Error("a server ended", "server", what, "error", err)
	}
}

func (d *Daemon) forgetCluster(c eks.Cluster) { d.names.Delete(c.Host) }

func (d *Daemon) nameNode(i ec2.Instance) { d.names.SetHost(i.PrivateDNS, i.PrivateIP) }

func (d *Daemon) forgetNode(i ec2.Instance) { d.names.DeleteHost(i.PrivateDNS, i.PrivateIP) }

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// deleteKeys removes a removed cluster's objects from etcd.
func (d *Daemon) deleteKeys(ctx context.Context, prefix string) error {
	if _, err := d.etcd.Delete(ctx, prefix, clientv3.WithPrefix()); err != nil {
		return fmt.Errorf("deleting %s from etcd: %w", prefix, err)
	}
	return nil
}
