package daemon

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
)

// publicEndpoints are the clusters' public endpoints, as the router has them.
type publicEndpoints struct {
	mu  sync.Mutex
	all map[string]vpc.Endpoint // by the cluster's name
}

// openEndpoints gives the router all clusters' endpoints at once, after a start: it
// shuts those it is not told of.
func (d *Daemon) openEndpoints(ctx context.Context) error {
	d.endpoints.mu.Lock()
	defer d.endpoints.mu.Unlock()
	d.endpoints.all = map[string]vpc.Endpoint{}
	for name, c := range d.eks.Clusters() {
		if c.Status == eks.Deleting {
			continue
		}
		e := vpc.Endpoint{ControlPlane: name, Sources: c.Access().Sources()}
		for i := range publicAddresses {
			a, err := d.publicAddress(ctx, c, i)
			if err != nil {
				return err
			}
			e.Public = append(e.Public, a)
		}
		d.endpoints.all[name] = e
	}
	return d.writeEndpoints(ctx)
}

// openEndpoint makes the sources those that reach a cluster's public endpoint.
func (d *Daemon) openEndpoint(ctx context.Context, k *cluster, sources []netip.Prefix) error {
	d.endpoints.mu.Lock()
	defer d.endpoints.mu.Unlock()
	d.endpoints.all[k.record.Name] = vpc.Endpoint{ControlPlane: k.record.Name, Public: k.public, Sources: sources}
	return d.writeEndpoints(ctx)
}

func (d *Daemon) closeEndpoint(ctx context.Context, c eks.Cluster) error {
	d.endpoints.mu.Lock()
	defer d.endpoints.mu.Unlock()
	delete(d.endpoints.all, c.Name)
	return d.writeEndpoints(ctx)
}

func (d *Daemon) writeEndpoints(ctx context.Context) error {
	var all []vpc.Endpoint
	for _, name := range slices.Sorted(maps.Keys(d.endpoints.all)) {
		all = append(all, d.endpoints.all[name])
	}
	return d.network.SetEndpoints(ctx, all)
}

// SetAccess implements eks.Runtime. A failure leaves things as they were.
func (r runtime) SetAccess(ctx context.Context, c eks.Cluster, a eks.Access) error {
	r.d.mu.Lock()
	k := r.d.clusters[c.Name]
	r.d.mu.Unlock()
	if k == nil {
		return errors.New("cluster " + c.Name + " does not run")
	}
	err := r.d.moveEndpoint(ctx, k, c.Access(), a)
	if err != nil {
		return errors.Join(err, r.d.moveEndpoint(ctx, k, a, c.Access()))
	}
	return nil
}

// moveEndpoint opens what is to be open, leads the name there, and then shuts what is
// to be shut: whoever is sent away from one door finds the other open.
func (d *Daemon) moveEndpoint(ctx context.Context, k *cluster, from, to eks.Access) error {
	if err := d.openEndpoint(ctx, k, append(from.Sources(), to.Sources()...)); err != nil {
		return err
	}
	d.nameEndpoint(k, to)
	d.refreshHosts()
	if err := d.openEndpoint(ctx, k, to.Sources()); err != nil || to.Private || !from.Private {
		return err
	}
	// Those who came by the name find it leading elsewhere now; the private addresses
	// themselves go on answering (see eks.Access).
	return d.network.EndConnections(k.record.Name, k.private)
}

// nameEndpoint leads the endpoint's name where it is to lead: inside the VPC to the
// private addresses while there is private access; outside to them while there is no
// public one, as EKS's public DNS does since 13 December 2019, or nowhere, as before
// (https://github.com/aws/containers-roadmap/issues/221).
func (d *Daemon) nameEndpoint(k *cluster, a eks.Access) {
	inside, outside := k.public, k.public
	if a.Private {
		inside = k.private
	}
	if !a.Public {
		outside = k.private
		if d.config.HiddenEndpoints {
			outside = nil
		}
	}
	d.names.SetAddrs(k.record.Host, inside, dns.Inside)
	if outside == nil {
		d.names.Delete(k.record.Host, dns.Outside)
	} else {
		d.names.SetAddrs(k.record.Host, outside, dns.Outside)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k.outside = outside
}
