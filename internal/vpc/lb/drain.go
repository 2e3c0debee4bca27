package lb

import (
	"context"
	"slices"
	"time"
)

// leaving is a target that was deregistered from a listener and keeps its
// connections for a while.
type leaving struct {
	Port     uint16
	Protocol string
	Target   Target
	Until    time.Time
	// End says that its connections end then; otherwise by themselves.
	End bool
}

// leaving lists the targets that drain once the record has replaced an older one.
func (r record) leaving(old record, now time.Time) []leaving {
	var all []leaving
	for _, x := range r.Listeners {
		var had []Target
		for _, o := range old.Listeners {
			if o.Port == x.Port && o.Protocol == x.Protocol {
				had = o.Targets
			}
		}
		for _, l := range old.Leaving {
			if l.Port == x.Port && l.Protocol == x.Protocol && !slices.Contains(x.Targets, l.Target) && l.Until.After(now) {
				all = append(all, l)
			}
		}
		for _, t := range had {
			if !slices.Contains(x.Targets, t) && x.Drain > 0 {
				all = append(all, leaving{x.Port, x.Protocol, t, now.Add(x.Drain), x.EndDrained || r.proxied(x)})
			}
		}
	}
	return all
}

// cut lists the connections that end at once when the record replaces an older
// one: those to listeners and addresses that are gone, and those to targets that
// are gone without draining.
func (r record) cut(old record) []flows {
	var all []flows
	for _, a := range old.Addrs {
		if !slices.ContainsFunc(r.Addrs, func(b Address) bool { return b.Called() == a.Called() }) {
			all = append(all, flows{to: a.Called()})
			continue
		}
		for _, o := range old.Listeners {
			i := slices.IndexFunc(r.Listeners, func(x Listener) bool { return x.Port == o.Port && x.Protocol == o.Protocol })
			for _, k := range o.keys() {
				if i < 0 {
					all = append(all, flows{to: a.Called(), key: k})
					continue
				}
				x := r.Listeners[i]
				for _, t := range o.Targets {
					if !slices.Contains(x.Targets, t) && x.Drain <= 0 && x.EndDrained {
						all = append(all, flows{to: a.Called(), key: k, target: t.Addr.Addr()})
					}
				}
			}
		}
	}
	return all
}

// split parts connections to certain targets from all of a listener or an address.
func split(all []flows) (targets, whole []flows) {
	for _, f := range all {
		if f.target.IsValid() {
			targets = append(targets, f)
		} else {
			whole = append(whole, f)
		}
	}
	return targets, whole
}

// flowsOf are a load balancer's connections to a target of a listener.
func (r *record) flowsOf(x Listener, t Target) []flows {
	var all []flows
	for _, a := range r.Addrs {
		for _, k := range x.keys() {
			all = append(all, flows{to: a.Called(), key: k, target: t.Addr.Addr()})
		}
	}
	return all
}

// sweep forgets targets that have drained, when they have, until ctx ends.
func (b *Balancers) sweep(ctx context.Context) {
	for {
		next := b.sweepOnce(ctx, time.Now().UTC())
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-due:
		}
	}
}

// sweepOnce forgets what has drained by now, and says when it is to be called
// again; zero: when something new begins to drain.
func (b *Balancers) sweepOnce(ctx context.Context, now time.Time) (next time.Time) {
	b.change.Lock()
	defer b.change.Unlock()
	for _, r := range b.records.List("") {
		drained := func(l leaving) bool { return !l.Until.After(now) }
		if slices.ContainsFunc(r.Leaving, drained) {
			if err := b.forgetDrained(ctx, r, drained); err != nil && ctx.Err() == nil {
				b.log.Error("load balancers: targets that have drained", "balancer", r.ID, "error", err)
				return now.Add(time.Second)
			}
		}
		for _, l := range r.Leaving {
			if !drained(l) && (next.IsZero() || l.Until.Before(next)) {
				next = l.Until
			}
		}
	}
	return next
}

func (b *Balancers) forgetDrained(ctx context.Context, r record, drained func(leaving) bool) error {
	for _, l := range r.Leaving {
		if drained(l) && l.End {
			b.cut(r.ID, r.flowsOf(Listener{Port: l.Port, Protocol: l.Protocol}, l.Target))
		}
	}
	r.Leaving = slices.DeleteFunc(slices.Clone(r.Leaving), drained)
	if err := b.put(ctx, r); err != nil {
		return err
	}
	b.mu.Lock()
	if l := b.live[r.ID]; l != nil {
		l.Leaving = r.Leaving
	}
	b.mu.Unlock()
	if err := b.write(); err != nil {
		return err
	}
	b.changed(r.ID)
	return nil
}
