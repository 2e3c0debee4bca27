package lb

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/store"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
	"github.com/eksact/eksact/internal/vpc/ipam"
	"github.com/eksact/eksact/internal/vpc/lb/proxy"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Config joins the balancers to the rest of the network.
type Config struct {
	Store     *store.Store
	Network   *vpc.Network
	Addresses *ipam.Allocator
	Names     *dns.Server
	Region    string
	// Proxy puts a configuration of the proxy in force. It listens at the network's
	// Proxy address.
	Proxy func(proxy.Config) error
	// Admits are who security groups admit to a port, as their rules say it.
	Admits func(groups []string, proto uint8, port uint16) []netip.Prefix
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
	admits    func(groups []string, proto uint8, port uint16) []netip.Prefix
	changed   func(string)
	log       *slog.Logger

	// The kernel and the proxy, exchanged in tests.
	proxy  func(proxy.Config) error
	apply  func([]nft.Listener) error
	dial   func(ctx context.Context, from netip.Addr, to netip.AddrPort) (net.Conn, error)
	forget func(flows) error
	hold   func(...netip.Addr) error
	letGo  func(...netip.Addr) error

	// change serialises Ensure and Delete.
	change sync.Mutex
	wake   chan struct{} // the sweeper

	mu       sync.Mutex
	live     map[string]*balancer
	cuts     []flows // being ended
	resumed  bool
	applied  []nft.Listener
	wrote    bool // applied is in the kernel
	proxied  proxy.Config
	sent     bool            // proxied is in force
	ctx      context.Context // Run's; nil before
	checkers sync.WaitGroup
}

// balancer is a record at work. What of the record changes meanwhile, Leaving, is read and
// written with mu held: the others' readers take no copy of it all.
type balancer struct {
	record
	known map[probe]health
	stop  context.CancelFunc // ends its checks
}

// New registers the balancers' table: call it before the store is loaded.
func New(c Config) *Balancers {
	world := c.Network.World()
	b := &Balancers{
		store: c.Store, records: store.NewTable[record](c.Store, "vpc/load-balancer"),
		network: c.Network, addresses: c.Addresses, names: c.Names, region: c.Region,
		admits: c.Admits, changed: c.Changed, log: c.Log, live: map[string]*balancer{}, wake: make(chan struct{}, 1),
		proxy:  c.Proxy,
		apply:  c.Network.Rules().ApplyListeners,
		dial:   dialer(world),
		forget: func(f flows) error { return f.delete(world) },
		hold:   c.Network.Hold,
		letGo:  c.Network.LetGo,
	}
	if b.changed == nil {
		b.changed = func(string) {}
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	return b
}

// Run takes up the balancers of the store, checks their targets and ends what
// has drained, until ctx ends. Balancers that were at work go on as they are
// until the first checks are through.
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
		b.name(l)
	}
	b.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		b.log.Error("load balancers: writing the rules", "error", err)
	}
	b.sweep(ctx)
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
		l := &balancer{record: r, known: map[probe]health{}}
		b.live[id] = l
		b.name(l)
		if err := b.hold(r.private()...); err != nil {
			b.log.Error("load balancers: addresses", "balancer", id, "error", err)
		}
	}
}

// Regroup has clients admitted as the security groups of load balancers are now.
func (b *Balancers) Regroup() error {
	b.mu.Lock()
	begun := b.wrote
	b.mu.Unlock()
	if !begun {
		return nil // the first write is Run's, which knows of targets' health
	}
	return b.write()
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
	if existed && (old.Scheme != l.Scheme || old.Type != l.Type) {
		// Another kind of address: on AWS too a new load balancer.
		if err := b.remove(ctx, old); err != nil {
			return Result{}, err
		}
		old, existed = record{}, false
	}
	r := record{LoadBalancer: l, DNSName: l.dnsName(b.region)}
	if r.Addrs, err = b.place(ctx, l); err != nil {
		return Result{}, err
	}
	r.Leaving = r.leaving(old, time.Now().UTC())
	if existed && reflect.DeepEqual(old, r) {
		return r.result(), b.write() // which also repeats a write that failed
	}
	if err := b.put(ctx, r); err != nil {
		return Result{}, err
	}
	if err := b.hold(r.private()...); err != nil {
		return Result{}, err
	}
	if err := b.install(r); err != nil {
		return Result{}, err
	}
	return r.result(), b.clear(ctx, old, r)
}

func (b *Balancers) put(ctx context.Context, r record) error {
	return b.store.Update(ctx, func(tx *store.Tx) error {
		b.records.In(tx).Put(r.ID, r)
		return nil
	})
}

// install makes the record live: its checks begin anew, what was known of its
// targets stays.
func (b *Balancers) install(r record) error {
	b.mu.Lock()
	next := &balancer{record: r, known: map[probe]health{}}
	if old := b.live[r.ID]; old != nil {
		if old.stop != nil {
			old.stop()
		}
		for _, p := range r.probes() {
			if h, ok := old.known[p]; ok {
				next.known[p] = h
			}
		}
	}
	b.live[r.ID] = next
	if b.ctx != nil {
		b.startChecks(next)
	}
	b.mu.Unlock()
	if err := b.write(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.name(next)
	return nil
}

// clear ends what the new record has no place for any more.
func (b *Balancers) clear(ctx context.Context, old, r record) error {
	if old.DNSName != "" && old.DNSName != r.DNSName {
		b.names.Delete(old.DNSName)
	}
	targets, whole := split(r.cut(old))
	b.end(r.ID, whole)
	b.cut(r.ID, targets)
	for _, a := range old.Addrs {
		if !slices.Contains(r.Addrs, a) {
			if err := b.abandon(ctx, r, a); err != nil {
				return err
			}
		}
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// Delete removes a load balancer. One that is not there is no error.
func (b *Balancers) Delete(ctx context.Context, id string) error {
	b.change.Lock()
	defer b.change.Unlock()
	b.resume()
	r, ok := b.records.Get(id)
	if !ok {
		return b.release(ctx, id)
	}
	return b.remove(ctx, r)
}

// remove takes the rules away first and gives the addresses back last, so that
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
	for _, a := range r.Addrs {
		b.end(r.ID, []flows{{to: a.Called()}})
	}
	if err := b.letGo(r.private()...); err != nil {
		return err
	}
	err := b.store.Update(ctx, func(tx *store.Tx) error {
		b.records.In(tx).Delete(r.ID)
		return nil
	})
	if err != nil {
		return err
	}
	return b.release(ctx, r.ID)
}

// cutting is how long clients of connections that end are answered by resets.
const cutting = 2 * time.Second

// cut ends connections to targets: clients are reset as soon as they send anything,
// and after a while the connections are forgotten. Those to a target that receives
// new ones all the same are forgotten at once, for old and new look alike.
func (b *Balancers) cut(id string, all []flows) {
	idle, used := b.unused(all)
	b.end(id, used)
	if len(idle) == 0 {
		return
	}
	b.mu.Lock()
	b.cuts = append(b.cuts, idle...)
	b.mu.Unlock()
	rewrite := func() {
		if err := b.write(); err != nil {
			b.log.Warn("load balancers: ending connections", "balancer", id, "error", err)
		}
	}
	rewrite()
	time.AfterFunc(cutting, func() {
		still, _ := b.unused(idle)
		b.end(id, still)
		b.mu.Lock()
		b.cuts = slices.DeleteFunc(b.cuts, func(f flows) bool { return slices.Contains(idle, f) })
		b.mu.Unlock()
		rewrite()
	})
}

// unused parts connections to targets that receive no new ones now from the others.
func (b *Balancers) unused(all []flows) (idle, used []flows) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range all {
		if slices.ContainsFunc(b.listeners(), func(l nft.Listener) bool {
			return l.Addr == f.to && (key{l.Proto, l.Port}) == f.key &&
				slices.ContainsFunc(l.Targets, func(t netip.AddrPort) bool { return t.Addr() == f.target })
		}) {
			used = append(used, f)
		} else {
			idle = append(idle, f)
		}
	}
	return idle, used
}

// end forgets connections at once; that it could not is no reason to stop.
func (b *Balancers) end(id string, all []flows) {
	for _, f := range all {
		if err := b.forget(f); err != nil {
			b.log.Warn("load balancers: ending connections", "balancer", id, "to", f.to, "error", err)
		}
	}
}

// Get returns where a load balancer is reached.
func (b *Balancers) Get(id string) (Result, bool) {
	r, ok := b.records.Get(id)
	return r.result(), ok
}

// Find returns what a load balancer was made as.
func (b *Balancers) Find(id string) (LoadBalancer, bool) {
	r, ok := b.records.Get(id)
	return r.LoadBalancer, ok
}

// List lists all load balancers.
func (b *Balancers) List() []LoadBalancer {
	var all []LoadBalancer
	for _, r := range b.records.List("") {
		all = append(all, r.LoadBalancer)
	}
	return all
}

// Names lists what the names of all internet-facing load balancers resolve to.
func (b *Balancers) Names() map[string][]netip.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string][]netip.Addr{}
	for _, l := range b.live {
		if l.Scheme == InternetFacing {
			out[l.DNSName] = l.resolved(l.known)
		}
	}
	return out
}

// Health lists the targets of a load balancer's listener.
func (b *Balancers) Health(id string, port uint16, protocol string) []TargetHealth {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.live[id]
	if l == nil {
		return nil
	}
	var out []TargetHealth
	for _, x := range l.Listeners {
		if x.Port != port || x.Protocol != protocol {
			continue
		}
		for _, t := range x.Targets {
			h := l.known[x.probeOf(t)]
			switch {
			case !l.used(t):
				h = health{state: Unused, reason: fmt.Sprintf("zone %s is not one of the load balancer's", t.Zone)}
			case h.state == "":
				h.state = Initial
			}
			out = append(out, TargetHealth{Target: t, State: h.state, Reason: h.reason})
		}
	}
	for _, gone := range l.Leaving {
		if gone.Port == port && gone.Protocol == protocol {
			out = append(out, TargetHealth{Target: gone.Target, State: Draining})
		}
	}
	return out
}

// name makes the DNS name known, with mu held: an internal balancer's too resolves
// from anywhere, but to addresses that only the VPC reaches.
func (b *Balancers) name(l *balancer) {
	if b.live[l.ID] == l {
		b.names.SetAddrs(l.DNSName, l.resolved(l.known), dns.Inside, dns.Outside)
	}
}
