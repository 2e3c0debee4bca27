package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/aws/front"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/vpc"
	"github.com/eksact/eksact/internal/vpc/dns"
)

// ways are the ways to the front door beside its public address: VPC endpoints, and
// S3's own address.
type ways struct {
	network *vpc.Network
	names   *dns.Server
	vpcARN  func(id string) string
	// listen opens the socket at an endpoint's address, close gives it up, and serve
	// answers there until its context ends.
	listen func(netip.Addr) (net.Listener, error)
	close  func(netip.Addr) error
	serve  func(context.Context, net.Listener)

	known atomic.Pointer[knownWays]

	mu       sync.Mutex
	live     context.Context // the daemon's; nil until doors may open
	doors    map[netip.Addr]door
	named    map[dns.View]map[string]bool
	policies map[string]*policy.Program // compiled, by their texts
}

// knownWays are the endpoints in force: interface endpoints by their addresses, gateway
// endpoints by their numbers.
type knownWays struct {
	addresses map[netip.Addr]front.Way
	numbers   map[uint32]front.Way
}

// door is an endpoint's address that is answered at.
type door struct {
	end  context.CancelFunc
	done chan struct{}
}

// of says by which way a connection came, from the address that it was made to and,
// of S3's, from the mark that its packets were given by the routes. At an address that
// is none of these nobody answers.
func (w *ways) of(to net.Addr) (front.Way, bool) {
	var mark uint32
	if a, ok := to.(vpc.Arrival); ok {
		to, mark = a.Addr, a.Mark
	}
	if to == nil {
		return front.Way{}, false
	}
	at, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return front.Way{}, false
	}
	known := w.known.Load()
	switch a := at.Addr().Unmap(); {
	case a == w.network.Front() || a.IsLoopback():
		return front.Way{}, true
	case a == w.network.S3() && mark == 0:
		return front.Way{Only: "s3"}, true
	case known == nil:
		return front.Way{}, false
	case a == w.network.S3():
		way, open := known.numbers[mark]
		return way, open
	default:
		way, open := known.addresses[a]
		return way, open
	}
}

// know makes these the endpoints that calls come through: their policies hold for the
// next call, and those that are no more have no answer.
func (w *ways) know(list []ec2.EndpointLayout) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := &knownWays{map[netip.Addr]front.Way{}, map[uint32]front.Way{}}
	compiled := map[string]*policy.Program{}
	for _, e := range list {
		text := e.PolicyText()
		program := w.policies[text]
		if program == nil {
			doc, err := policy.Parse(policy.Resource, text)
			if err != nil {
				return fmt.Errorf("the policy of VPC endpoint %s: %w", e.ID, err)
			}
			program = policy.NewProgram(policy.Source{Policy: policy.Compile(doc)})
		}
		compiled[text] = program
		way := front.Way{Only: e.Signing, Endpoint: &api.Endpoint{ID: e.ID, VPC: e.VPC, VPCARN: w.vpcARN(e.VPC), Policy: program}}
		if e.Number != 0 {
			known.numbers[e.Number] = way
		}
		for _, i := range e.Interfaces {
			known.addresses[i.IP] = way
		}
	}
	w.policies = compiled
	w.known.Store(known)
	return nil
}

// settle opens the doors of these endpoints, makes their names lead there, and shuts
// all others.
func (w *ways) settle(list []ec2.EndpointLayout) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.live == nil {
		return nil // as soon as there is somebody who answers
	}
	want := map[netip.Addr]bool{}
	names := map[dns.View]map[string][]netip.Addr{dns.Inside: {}, dns.Outside: {}}
	for _, e := range list {
		for _, i := range e.Interfaces {
			want[i.IP] = true
		}
		maps.Copy(names[dns.Inside], e.Private)
		maps.Copy(names[dns.Inside], e.Names)
		maps.Copy(names[dns.Outside], e.Names)
	}
	var failed error
	for a := range want {
		if _, open := w.doors[a]; !open {
			failed = errors.Join(failed, w.open(a))
		}
	}
	w.name(names)
	for a := range w.doors {
		if !want[a] {
			failed = errors.Join(failed, w.shut(a))
		}
	}
	return failed
}

// name makes names lead to addresses, and those of before that are not among them
// nowhere of ours.
func (w *ways) name(names map[dns.View]map[string][]netip.Addr) {
	for view, all := range names {
		for name := range w.named[view] {
			if _, still := all[name]; !still {
				w.names.Delete(name, view)
			}
		}
		w.named[view] = map[string]bool{}
		for name, addrs := range all {
			w.names.SetAddrs(name, addrs, view)
			w.named[view][name] = true
		}
	}
}

func (w *ways) open(a netip.Addr) error {
	if err := w.network.Hold(a); err != nil {
		return err
	}
	l, err := w.listen(a)
	if err != nil {
		return fmt.Errorf("listening for a VPC endpoint at %s: %w", a, err)
	}
	ctx, end := context.WithCancel(w.live)
	d := door{end, make(chan struct{})}
	w.doors[a] = d
	go func() {
		defer close(d.done)
		w.serve(ctx, l)
	}()
	return nil
}

// shut ends what is open at an address, and the address itself. Calls at hand have a
// moment to finish.
func (w *ways) shut(a netip.Addr) error {
	err := w.close(a)
	if d, open := w.doors[a]; open {
		d.end()
		<-d.done
		delete(w.doors, a)
	}
	return errors.Join(err, w.network.LetGo(a))
}

// start lets doors open from now on, and shuts those that a crash has left.
func (w *ways) start(ctx context.Context, left []netip.Addr) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live, w.doors, w.named = ctx, map[netip.Addr]door{}, map[dns.View]map[string]bool{}
	var failed error
	for _, a := range left {
		failed = errors.Join(failed, w.shut(a))
	}
	return failed
}

// wait returns when nobody answers at any door, after the daemon's context has ended.
func (w *ways) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.doors {
		<-d.done
	}
}

// endpointOwner is what the owners of endpoints' addresses are called, before the id of
// the interface.
const endpointOwner = "vpce/"

// openWays opens the doors of VPC endpoints, and finishes what a crash has left undone.
func (d *Daemon) openWays(ctx context.Context) error {
	kept := map[string]bool{}
	for _, v := range d.ec2.Running() {
		for _, e := range d.ec2.Layout(v.ID).Endpoints {
			for _, i := range e.Interfaces {
				kept[i.ID] = true
			}
		}
	}
	var left []netip.Addr
	for _, n := range d.interfaces() {
		if n.Endpoint != "" && !kept[n.ID] {
			left = append(left, n.IP)
		}
	}
	if err := d.ways.start(ctx, left); err != nil {
		return err
	}
	d.running.Go(func() {
		<-ctx.Done()
		d.ways.wait()
	})
	if err := errors.Join(d.ground.Settle(ctx), d.ec2.TidyEndpoints(ctx)); err != nil {
		return err
	}
	all := d.interfaces()
	for _, owner := range d.addresses.Owners(endpointOwner) {
		if !slices.ContainsFunc(all, func(n ec2.NetworkInterface) bool { return endpointOwner+n.ID == owner }) {
			if err := d.addresses.Release(ctx, owner); err != nil {
				return err
			}
		}
	}
	return nil
}

// interfaces are those of VPCs that run: what others have is records only.
func (d *Daemon) interfaces() []ec2.NetworkInterface {
	running := map[string]bool{}
	for _, v := range d.ec2.Running() {
		running[v.ID] = true
	}
	return slices.DeleteFunc(d.ec2.NetworkInterfaces(), func(n ec2.NetworkInterface) bool { return !running[n.VPC] })
}
