package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/netns"
)

// startChecks begins to check each target of l, with mu held. The first check
// comes at once.
func (b *Balancers) startChecks(l *balancer) {
	if b.ctx.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(b.ctx)
	l.stop = stop
	for _, p := range l.probes() {
		b.checkers.Go(func() { b.watch(ctx, l, p) })
	}
}

// watch checks one target until ctx ends: at the interval, or every second while
// it has never been healthy and someone may be waiting for it.
func (b *Balancers) watch(ctx context.Context, l *balancer, p probe) {
	for {
		proven := b.look(ctx, l, p)
		pause := p.check.Interval
		if !proven {
			pause = min(pause, time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look checks a target once and brings what follows about.
func (b *Balancers) look(ctx context.Context, l *balancer, p probe) (proven bool) {
	failure := b.check(ctx, l, p)
	if ctx.Err() != nil {
		return false
	}
	was, is, err := b.learn(l, p, failure)
	if err != nil {
		b.log.Error("load balancers: writing the rules", "balancer", l.ID, "error", err)
	}
	if was.state != is.state {
		b.log.Info("load balancers: target", "balancer", l.ID, "target", p.addr, "state", is.state, "reason", is.reason)
		if is.state == Unhealthy && was.state == Healthy {
			b.drop(l, p)
		}
		b.changed(l.ID)
	}
	return is.proven
}

// learn takes note of a check. Whoever sees a target healthy finds that the load balancer
// leads to it.
func (b *Balancers) learn(l *balancer, p probe, failure string) (was, is health, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, is = l.learn(p, failure)
	err = b.writeHeld()
	if was.state != is.state {
		b.name(l)
	}
	return was, is, err
}

func (l *balancer) learn(p probe, failure string) (was, is health) {
	was = l.known[p]
	if was.state == "" {
		was.state = Initial
	}
	is = was.after(failure, p.check)
	l.known[p] = is
	return was, is
}

// drop ends the connections to a target that has become unhealthy, where the
// listener says so.
func (b *Balancers) drop(l *balancer, p probe) {
	for _, x := range l.Listeners {
		for _, t := range x.Targets {
			if x.EndUnhealthy && x.probeOf(t) == p {
				b.cut(l.ID, l.flowsOf(x, t))
			}
		}
	}
}

// firstChecks looks at all targets once, together.
func (b *Balancers) firstChecks(ctx context.Context, all []*balancer) {
	var wg sync.WaitGroup
	for _, l := range all {
		for _, p := range l.probes() {
			wg.Go(func() {
				failure := b.check(ctx, l, p)
				b.mu.Lock()
				defer b.mu.Unlock()
				if ctx.Err() == nil {
					l.learn(p, failure)
				}
			})
		}
	}
	wg.Wait()
}

// check says what is wrong with a target; empty: nothing.
func (b *Balancers) check(ctx context.Context, l *balancer, p probe) (failure string) {
	at, ok := l.in(p.from)
	if !ok {
		return "the load balancer is in no zone"
	}
	ctx, cancel := context.WithTimeout(ctx, p.check.Timeout)
	defer cancel()
	connect := func(ctx context.Context) (net.Conn, error) { return b.dial(ctx, at.Private, p.addr) }
	var err error
	switch p.check.Protocol {
	case "HTTP", "HTTPS":
		err = answers(ctx, p, connect)
	default:
		err = connects(ctx, p, connect)
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer on port %d within %s", p.addr.Port(), p.check.Timeout)
	}
	return err.Error()
}

// unverified is how load balancers speak TLS with targets: any certificate will do.
var unverified = &tls.Config{InsecureSkipVerify: true}

func connects(ctx context.Context, p probe, connect func(context.Context) (net.Conn, error)) error {
	conn, err := connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if p.check.Protocol == "SSL" {
		return tls.Client(conn, unverified).HandshakeContext(ctx)
	}
	return nil
}

func answers(ctx context.Context, p probe, connect func(context.Context) (net.Conn, error)) error {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) },
			TLSClientConfig: unverified, DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	scheme := "http"
	if p.check.Protocol == "HTTPS" {
		scheme = "https"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+p.addr.String()+p.check.Path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<10)
	if resp.StatusCode < 200 || resp.StatusCode > max(p.check.OK, 200) {
		return fmt.Errorf("status %d from %s", resp.StatusCode, r.URL)
	}
	return nil
}

// dialer connects inside the router, from an address that it holds.
func dialer(world string) func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return func(ctx context.Context, from netip.Addr, to netip.AddrPort) (conn net.Conn, err error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, FallbackDelay: -1}
		err = netns.Do(world, func() (err error) {
			conn, err = d.DialContext(ctx, "tcp4", to.String())
			return err
		})
		return conn, err
	}
}
