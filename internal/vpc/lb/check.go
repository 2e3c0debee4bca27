package lb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// startChecks begins to check each target of l, with mu held. The first check
// comes at once.
func (b *Balancers) startChecks(l *balancer) {
	if l.HealthCheck.Port == 0 || b.ctx.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(b.ctx)
	l.stop = stop
	for _, t := range l.Targets {
		b.checkers.Go(func() { b.watch(ctx, l, t) })
	}
}

// watch checks one target until ctx ends: at the interval, or every second while
// it has never been healthy and someone may be waiting for it.
func (b *Balancers) watch(ctx context.Context, l *balancer, target netip.Addr) {
	for {
		proven := b.look(ctx, l, target)
		pause := l.HealthCheck.Interval
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
func (b *Balancers) look(ctx context.Context, l *balancer, target netip.Addr) (proven bool) {
	failure := b.check(ctx, l.HealthCheck, target)
	if ctx.Err() != nil {
		return false
	}
	was, is := b.learn(l, target, failure)
	if err := b.write(); err != nil {
		b.log.Error("load balancers: writing the rules", "balancer", l.ID, "error", err)
	}
	if was.state != is.state {
		b.log.Info("load balancers: target", "balancer", l.ID, "target", target, "state", is.state, "reason", is.reason)
		if is.state == Unhealthy && was.state == Healthy {
			b.drop(l.record, []netip.Addr{target})
		}
		b.changed(l.ID)
	}
	return is.proven
}

func (b *Balancers) learn(l *balancer, target netip.Addr, failure string) (was, is health) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was = l.known[target]
	if was.state == "" {
		was.state = Initial
	}
	is = was.after(failure, l.HealthCheck)
	l.known[target] = is
	return was, is
}

// firstChecks looks at all targets once, together.
func (b *Balancers) firstChecks(ctx context.Context, all []*balancer) {
	var wg sync.WaitGroup
	for _, l := range all {
		if l.HealthCheck.Port == 0 {
			continue
		}
		for _, t := range l.Targets {
			wg.Go(func() {
				if failure := b.check(ctx, l.HealthCheck, t); ctx.Err() == nil {
					b.learn(l, t, failure)
				}
			})
		}
	}
	wg.Wait()
}

// check says what is wrong with a target; empty: nothing.
func (b *Balancers) check(ctx context.Context, c HealthCheck, target netip.Addr) (failure string) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	addr := net.JoinHostPort(target.String(), strconv.Itoa(int(c.Port)))
	var err error
	if c.Path == "" {
		err = b.connects(ctx, addr)
	} else {
		err = b.answers(ctx, "http://"+addr+c.Path)
	}
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer on port %d within %s", c.Port, c.Timeout)
	}
	return err.Error()
}

func (b *Balancers) connects(ctx context.Context, addr string) error {
	conn, err := b.dial(ctx, "tcp4", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (b *Balancers) answers(ctx context.Context, url string) error {
	client := &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return b.dial(ctx, "tcp4", addr)
		}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("status %d from %s", resp.StatusCode, url)
	}
	return nil
}
