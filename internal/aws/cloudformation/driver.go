package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/engine/template/stack"
	"github.com/eksact/eksact/internal/store"
)

// driver drives one stack's machine: it stores what the machine says, then has its
// orders carried out, and tells it what became of them. There is one for each stack
// that was touched in this process.
type driver struct {
	s   *Service
	key string

	mu sync.Mutex
	// m and r are the stack while an operation is in progress; m is nil at rest.
	m       *stack.Machine
	r       Stack
	cancels map[string]context.CancelFunc // of orders, by token
	idle    chan struct{}                 // closed when the operation is over
	timer   *time.Timer                   // of a creation that has a limit
}

func (s *Service) driver(key string) *driver {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.drivers[key]
	if d == nil {
		d = &driver{s: s, key: key}
		s.drivers[key] = d
	}
	return d
}

// begin changes the stack: fn has the record and the machine, and says what the machine
// answered. An error of fn changes nothing. made is the record of a new stack; nil of one
// that is there.
func (d *driver) begin(ctx context.Context, made *Stack, fn func(*stack.Machine, *Stack) (stack.Effects, error)) (<-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.s.life.Err(); err != nil {
		return nil, err
	}
	running := d.m != nil
	if !running {
		if err := d.load(made); err != nil {
			return nil, err
		}
	}
	before := d.r
	effects, err := fn(d.m, &d.r)
	if err != nil {
		d.r = before
		if !running {
			d.m = nil
		}
		return nil, refusal(err)
	}
	if err := d.commit(ctx, effects); err != nil {
		if !running {
			d.m = nil
			return nil, err
		}
		// The machine is ahead of the store, which has to follow.
		if err := d.insist(effects); err != nil {
			return nil, err
		}
	}
	if !running {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.after(effects)
	return idle, nil
}

// load reads the stack from the store.
func (d *driver) load(made *Stack) (err error) {
	state := &stack.State{}
	if made != nil {
		d.r = *made
		state = &stack.State{Name: made.Name, ID: made.ID}
	} else {
		var ok bool
		if d.r, ok = d.s.stacks.Get(d.key); !ok {
			return errors.New("there is no stack " + d.key)
		}
		if state, err = d.r.State.open(); err != nil {
			return err
		}
	}
	d.m, err = stack.Load(state)
	d.cancels = map[string]context.CancelFunc{}
	return err
}

// resting is closed when no operation is in progress.
func (d *driver) resting() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m != nil {
		return d.idle
	}
	at := make(chan struct{})
	close(at)
	return at
}

// resume goes on with an operation after a restart.
func (d *driver) resume() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(nil); err != nil {
		return err
	}
	if d.m.State().Run == nil {
		d.m = nil
		return nil
	}
	d.idle = make(chan struct{})
	d.limit()
	for _, o := range d.m.Resume() {
		d.start(o, true)
	}
	return nil
}

// commit stores the state, the record and the events together.
func (d *driver) commit(ctx context.Context, e stack.Effects) error {
	state := d.m.State()
	body, err := pack(state)
	if err != nil {
		return err
	}
	r, now := d.r, d.s.Now().UTC()
	r.State, r.Status, r.Reason = body, state.Status, state.Reason
	r.Exports = map[string]string{}
	for _, o := range state.Outputs {
		if o.Export != "" {
			r.Exports[o.Export] = o.Value
		}
	}
	if state.Deployed != nil {
		r.Tags, r.Imports = state.Deployed.Tags, nil
		for name := range state.Deployed.Environment.Exports {
			r.Imports = append(r.Imports, name)
		}
		slices.Sort(r.Imports)
	}
	switch state.Status {
	case stack.RollbackComplete:
		r.Imports = nil
	case stack.DeleteComplete:
		r.Deleted, r.Exports, r.Imports = now, nil, nil
	}
	events, err := d.record(ctx, e.Records, &r, now)
	if err != nil {
		return err
	}
	err = d.s.Store.Update(ctx, func(tx *store.Tx) error {
		d.s.stacks.In(tx).Put(d.key, r)
		d.put(tx, events)
		d.executed(tx, state.Status)
		if state.Status == stack.DeleteComplete {
			for key := range d.s.changes.In(tx).List(d.key + "/") {
				d.s.changes.In(tx).Delete(key)
			}
		}
		return nil
	})
	if err == nil {
		d.r = r
	}
	return err
}

// numbered is an event and its key.
type numbered struct {
	key   string
	event Event
}

// What one transaction takes of events: etcd has limits, of operations and of bytes.
const (
	mostEvents = 100
	mostBytes  = 256 << 10
)

// record makes the events of records, and counts them in r. It stores what is too much for
// one transaction beforehand, and returns the rest: events beyond a stack's count are not
// shown, and are overwritten when the same thing happens again.
func (d *driver) record(ctx context.Context, records []stack.Record, r *Stack, now time.Time) (rest []numbered, err error) {
	bytes := 0
	for _, rec := range records {
		// Each event has a time of its own: clients sort by it.
		at := now.Truncate(time.Millisecond)
		if !at.After(r.LastEvent) {
			at = r.LastEvent.Add(time.Millisecond)
		}
		r.LastEvent = at
		e := numbered{eventKey(d.key, r.Events), newEvent(rec, r, at)}
		r.Events++
		if bytes += len(e.event.Shown); len(rest) == mostEvents || len(rest) > 0 && bytes > mostBytes {
			some := rest
			if err := d.s.Store.Update(ctx, func(tx *store.Tx) error { d.put(tx, some); return nil }); err != nil {
				return nil, err
			}
			rest, bytes = nil, len(e.event.Shown)
		}
		rest = append(rest, e)
	}
	return rest, nil
}

func (d *driver) put(tx *store.Tx, events []numbered) {
	for _, e := range events {
		d.s.events.In(tx).Put(e.key, e.event)
	}
}

// insist commits until it succeeds or the service ends.
func (d *driver) insist(e stack.Effects) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := d.commit(d.s.life, e)
		if err == nil {
			return nil
		}
		if d.s.life.Err() != nil {
			return d.s.life.Err()
		}
		d.s.Log.Error("a stack's state cannot be stored", "stack", d.r.ID, "error", err)
		select {
		case <-d.s.life.Done():
			return d.s.life.Err()
		case <-time.After(pause):
		}
	}
}

// after does what the machine asked for, once it is stored.
func (d *driver) after(e stack.Effects) {
	for _, token := range e.Cancel {
		if cancel := d.cancels[token]; cancel != nil {
			cancel()
		}
	}
	for _, o := range e.Orders {
		d.start(o, false)
	}
	d.limit()
	if d.m.State().Run == nil {
		d.m, d.cancels = nil, nil
		close(d.idle)
	}
}

// start has an order carried out.
func (d *driver) start(o stack.Order, again bool) {
	ctx, cancel := context.WithCancel(d.s.life)
	if o.Cancelled {
		cancel()
	}
	d.cancels[o.Token] = cancel
	r := d.r
	d.s.work.Go(func() {
		defer cancel()
		report := d.s.perform(ctx, &r, o, again, d.report)
		if d.s.life.Err() == nil {
			d.report(report)
		}
	})
}

// report tells the machine what became of an order.
func (d *driver) report(r stack.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m == nil || d.s.life.Err() != nil {
		return
	}
	effects, err := d.m.Handle(r)
	if err != nil { // attributes that are no JSON, which handlers don't make
		d.s.Log.Error("a report is not understood", "stack", d.r.ID, "token", r.Token, "error", err)
		effects, _ = d.m.Handle(stack.Report{Token: r.Token, What: stack.Failed, PhysicalID: r.PhysicalID, Reason: err.Error()})
	}
	if r.What != stack.Initiated {
		delete(d.cancels, r.Token)
	}
	if d.insist(effects) == nil {
		d.after(effects)
	}
}

// limit gives up a creation that takes longer than its caller allowed.
func (d *driver) limit() {
	creating := d.m.State().Status == stack.CreateInProgress && d.r.TimeoutMinutes > 0
	if !creating {
		if d.timer != nil {
			d.timer.Stop()
			d.timer = nil
		}
		return
	}
	if d.timer != nil {
		return
	}
	left := d.r.Operation.Began.Add(time.Duration(d.r.TimeoutMinutes) * time.Minute).Sub(d.s.Now())
	d.timer = time.AfterFunc(left, func() {
		if d.s.life.Err() != nil {
			return
		}
		_, err := d.begin(d.s.life, nil, func(m *stack.Machine, _ *Stack) (stack.Effects, error) { return m.Expire() })
		if err != nil {
			d.s.Log.Error("a stack's creation cannot be given up", "stack", d.key, "error", err)
		}
	})
}

// wait waits for an operation for a while.
func (s *Service) wait(ctx context.Context, idle <-chan struct{}) {
	timer := time.NewTimer(s.Wait)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.life.Done():
	}
}

// newEvent gives a record its id and time.
func newEvent(rec stack.Record, r *Stack, now time.Time) Event {
	e := Event{Time: now, Token: r.Operation.Token, Record: rec}
	switch {
	case rec.PhysicalID == r.ID:
		e.ID = newID()
	case rec.Properties == nil:
		e.ID = rec.Logical + "-" + newID()
	default:
		e.ID = strings.Join([]string{rec.Logical, string(rec.Status), now.Format("2006-01-02T15:04:05.000Z")}, "-")
	}
	if rec.Properties != nil {
		if text, err := json.Marshal(rec.Properties); err == nil {
			e.Shown = string(text)
		}
	}
	e.Record.Properties = nil
	return e
}
