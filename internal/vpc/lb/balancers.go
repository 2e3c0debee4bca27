package lb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Config joins the balancers to the rest of the network.
type Config struct {
	Store     *store.Store
	Network   *vpc.Network
	Addresses *ipam.Allocator
	Names     *dns.Server
	Region    string
	// Changed, if set, is told after the health of a balancer's targets changed.
	Changed func(id string)
	Log     *slog.Logger
}

// Balancers are all load balancers of the VPC. Safe for concurrent use.
type Balancers struct {
	store     *store.Store
	records   *store.Table[record]
	network   *vpc.Network
	addresses *ipam.Allocator
	names     *dns.Server
	region    string
	changed   func(string)
	log       *slog.Logger

	// The kernel, exchanged in tests.
	apply  func([]nft.Listener) error
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	forget func(flows) error

	// change serialises Ensure and Delete.
	change sync.Mutex

	mu       sync.Mutex
	live     map[string]*balancer
	resumed  bool
	applied  []nft.Listener
	wrote    bool            // applied is in the kernel
	ctx      context.Context // Run's; nil before
	checkers sync.WaitGroup
}

// balancer is a record at work.
type balancer struct {
	record
	known map[netip.Addr]health
	stop  context.CancelFunc // ends its checks
}

// New registers the balancers' table: call it before the store is loaded.
func New(c Config) *Balancers {
	world := c.Network.World()
	b := &Balancers{
		store: c.Store, records: store.NewTable[record](c.Store, "vpc/balancer"),
		network: c.Network, addresses: c.Addresses, names: c.Names, region: c.Region,
		changed: c.Changed, log: c.Log, live: map[string]*balancer{},
		apply:  func(all []nft.Listener) error { return nft.ApplyListeners(world, all) },
		dial:   netns.Dial(world),
		forget: func(f flows) error { return f.delete(world) },
	}
	if b.changed == nil {
		b.changed = func(string) {}
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	return b
}

// Run takes up the balancers of the store and checks their targets until ctx
// ends. Balancers that were at work go on as they are until the first checks are
// through.
func (b *Balancers) Run(ctx context.Context) error {
	b.resume()
	b.mu.Lock()
	b.ctx = ctx
	resumed := make([]*balancer, 0, len(b.live))
	for _, l := range b.live {
		resumed = append(resumed, l)
	}
	b.mu.Unlock()
	// The first look at every target comes before the first write: rules that
	// outlived the daemon are better than rules that know nothing.
	b.firstChecks(ctx, resumed)
	err := b.write()
	b.mu.Lock()
	for _, l := range resumed {
		if b.live[l.ID] == l && l.stop == nil {
			b.startChecks(l)
		}
	}
	b.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		b.log.Error("load balancers: writing the rules", "error", err)
	}
	<-ctx.Done()
	b.settle()
	b.checkers.Wait()
	return ctx.Err()
}

// settle waits for who is starting checks now, and so holds the lock. Who comes
// later sees that Run has ended and starts none.
func (b *Balancers) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
}

// resume makes the balancers of the store live, once: whatever is written to
// the kernel is about all of them.
func (b *Balancers) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.resumed {
		return
	}
	b.resumed = true
	for id, r := range b.records.List("") {
		b.live[id] = &balancer{record: r, known: map[netip.Addr]health{}}
		b.name(r)
	}
}

// Ensure makes or changes a load balancer and returns where it is reached. It
// answers as soon as a target does.
func (b *Balancers) Ensure(ctx context.Context, l LoadBalancer) (Result, error) {
	l, err := l.complete()
	if err != nil {
		return Result{}, err
	}
	b.change.Lock()
	defer b.change.Unlock()
	b.resume()
	old, existed := b.records.Get(l.ID)
	if existed && old.Scheme != l.Scheme {
		// Another kind of address: on AWS too a new load balancer.
		if err := b.remove(ctx, old); err != nil {
			return Result{}, err
		}
	}
	rangeName := vpc.RangeBalancers
	if l.Scheme == Internal {
		if rangeName, err = b.privateRange(); err != nil {
			return Result{}, err
		}
	}
	addr, err := b.addresses.Address(ctx, rangeName, owner(l.ID))
	if err != nil {
		return Result{}, fmt.Errorf("load balancer %s: %w", l.ID, err)
	}
	r := record{LoadBalancer: l, DNSName: l.dnsName(b.region), Addr: addr}
	if existed && reflect.DeepEqual(old, r) {
		return r.result(), b.write() // which also repeats a write that failed
	}
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		b.records.In(tx).Put(l.ID, r)
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	if existed && old.DNSName != r.DNSName {
		b.names.Delete(old.DNSName)
	}
	gone := b.install(r)
	if err := b.write(); err != nil {
		return Result{}, err
	}
	b.drop(r, gone)
	b.name(r)
	return r.result(), nil
}

// install makes the record live and restarts its checks; it returns the targets
// that are no longer any.
func (b *Balancers) install(r record) (gone []netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := &balancer{record: r, known: map[netip.Addr]health{}}
	if old := b.live[r.ID]; old != nil {
		if old.stop != nil {
			old.stop()
		}
		for _, t := range old.Targets {
			if !slices.Contains(r.Targets, t) {
				gone = append(gone, t)
			} else if old.HealthCheck == r.HealthCheck {
				next.known[t] = old.known[t]
			}
		}
	}
	b.live[r.ID] = next
	if b.ctx != nil {
		b.startChecks(next)
	}
	return gone
}

// Delete removes a load balancer. One that is not there is no error.
func (b *Balancers) Delete(ctx context.Context, id string) error {
	b.change.Lock()
	defer b.change.Unlock()
	b.resume()
	r, ok := b.records.Get(id)
	if !ok {
		return b.addresses.Release(ctx, owner(id))
	}
	return b.remove(ctx, r)
}

// remove takes the rules away first and gives the address back last, so that
// nobody else's connections come here.
func (b *Balancers) remove(ctx context.Context, r record) error {
	b.names.Delete(r.DNSName)
	b.mu.Lock()
	if l := b.live[r.ID]; l != nil {
		if l.stop != nil {
			l.stop()
		}
		delete(b.live, r.ID)
	}
	b.mu.Unlock()
	if err := b.write(); err != nil {
		return err
	}
	if err := b.forget(flows{to: r.Addr}); err != nil {
		b.log.Warn("load balancers: ending connections", "balancer", r.ID, "error", err)
	}
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		b.records.In(tx).Delete(r.ID)
		return nil
	})
	if err != nil {
		return err
	}
	return b.addresses.Release(ctx, owner(r.ID))
}

// Get returns where a load balancer is reached.
func (b *Balancers) Get(id string) (Result, bool) {
	r, ok := b.records.Get(id)
	return r.result(), ok
}

// List lists all load balancers.
func (b *Balancers) List() []LoadBalancer {
	var all []LoadBalancer
	for _, r := range b.records.List("") {
		all = append(all, r.LoadBalancer)
	}
	return all
}

// Names lists the DNS names of all internet-facing load balancers.
func (b *Balancers) Names() map[string]netip.Addr {
	out := map[string]netip.Addr{}
	for _, r := range b.records.List("") {
		if r.Scheme == InternetFacing {
			out[r.DNSName] = r.Addr
		}
	}
	return out
}

// Health lists a load balancer's targets.
func (b *Balancers) Health(id string) []Target {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.live[id]
	if l == nil {
		return nil
	}
	out := make([]Target, 0, len(l.Targets))
	for _, t := range l.Targets {
		h := l.known[t]
		switch {
		case l.HealthCheck.Port == 0:
			h.state = Healthy
		case h.state == "":
			h.state = Initial
		}
		out = append(out, Target{Addr: t, State: h.state, Reason: h.reason})
	}
	return out
}

// name makes the DNS name known: an internal balancer's too resolves from
// anywhere, but to an address that only the VPC reaches.
func (b *Balancers) name(r record) {
	b.names.SetAddrs(r.DNSName, []netip.Addr{r.Addr}, dns.Inside, dns.Outside)
}

func owner(id string) string { return "lb/" + id }

func (b *Balancers) privateRange() (string, error) {
	for _, s := range b.network.Subnets {
		if !s.Public {
			return s.Name, nil
		}
	}
	return "", errors.New("an internal load balancer needs a private subnet, and the VPC has none")
}
