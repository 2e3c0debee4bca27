package cloudwatch

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/engine/metric"
	"github.com/eksact/eksact/internal/store"
)

// watch knows which alarms depend on what.
type watch struct {
	mu      sync.Mutex
	metrics map[string]map[string]bool // names of alarms by the key of a metric
	over    map[string]map[string]bool // names of composite alarms by that of a child, as it is written
}

// follow keeps the index beside the table.
func (w *watch) follow(alarms *store.Table[Alarm]) {
	w.metrics, w.over = map[string]map[string]bool{}, map[string]map[string]bool{}
	alarms.Watch(func(name string, old, new *Alarm) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if old != nil && new != nil && old.Configured.Equal(new.Configured) {
			return
		}
		if old != nil {
			w.mark(name, old, false)
		}
		if new != nil {
			w.mark(name, new, true)
		}
	})
}

func (w *watch) mark(name string, a *Alarm, there bool) {
	set := func(in map[string]map[string]bool, key string) {
		switch {
		case there && in[key] == nil:
			in[key] = map[string]bool{name: true}
		case there:
			in[key][name] = true
		default:
			if delete(in[key], name); len(in[key]) == 0 {
				delete(in, key)
			}
		}
	}
	if a.Rule != "" {
		if rule, err := alarm.ParseComposite(a.Rule); err == nil {
			for _, child := range rule.Children() {
				set(w.over, child)
			}
		}
		return
	}
	if a.Metric != nil {
		set(w.metrics, a.Metric.key())
	}
	for i := range a.Queries {
		if m := a.Queries[i].Metric; m != nil {
			set(w.metrics, m.key())
		}
	}
}

// on are the alarms on metrics.
func (w *watch) on(metrics map[string]bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[string]bool{}
	for key := range metrics {
		maps.Copy(found, w.metrics[key])
	}
	return slices.Sorted(maps.Keys(found))
}

// parents are the composite alarms over one, which they call by its name or by its ARN.
func (w *watch) parents(names ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[string]bool{}
	for _, n := range names {
		maps.Copy(found, w.over[n])
	}
	return slices.Sorted(maps.Keys(found))
}

// rouse wakes Run.
func (s *Service) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// ask has an alarm evaluated as soon as possible.
func (s *Service) ask(name string) {
	s.mu.Lock()
	s.asked[name] = true
	s.mu.Unlock()
	s.rouse()
}

// step is how often alarms with short periods are evaluated, in seconds; minute the others.
const (
	step   = 10
	minute = 60
)

// Run evaluates alarms until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.settle(ctx)
	sync := time.NewTicker(time.Second)
	defer sync.Stop()
	last := s.Now().Unix() / step
	s.tick(ctx, s.Now(), true)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			s.look(ctx)
		case <-sync.C:
			if err := s.shelf.sync(); err != nil {
				s.Log.Error("metrics can't be brought to the disk", "error", err)
			}
			now := s.Now()
			if at := now.Unix() / step; at != last {
				s.tick(ctx, now, at/(minute/step) != last/(minute/step))
				last = at
			}
		}
	}
}

// settle carries out what was owed when the process ended: actions, and states of
// composite alarms.
func (s *Service) settle(ctx context.Context) {
	for name, a := range s.alarms.List("") {
		if a.Owed != nil {
			s.report(name, s.act(ctx, name))
		}
	}
	for name := range s.alarms.List("") {
		if _, rule := s.composite(name); rule != nil {
			s.report(name, s.evaluateComposite(ctx, name, transitioned{s.latest(rule)}))
		}
	}
}

// latest is the last change of a composite alarm's children.
func (s *Service) latest(rule *alarm.Composite) (c StateChange) {
	for _, child := range rule.Children() {
		if a, ok := s.alarms.Get(s.alarmName(child)); ok && a.Transitioned.After(c.At) {
			c = StateChange{ARN: s.arn(a.Name), At: a.Transitioned, To: a.State}
		}
	}
	return c
}

// tick evaluates alarms by the periods that are complete: all of them each minute.
func (s *Service) tick(ctx context.Context, now time.Time, wholeMinute bool) {
	for name, a := range s.alarms.List("") {
		if a.Rule == "" && (wholeMinute || a.period(s.shelf) < minute) {
			s.report(name, s.evaluate(ctx, &a, now))
		}
	}
	if wholeMinute {
		s.shelf.age(now)
		if err := s.trim(ctx, now); err != nil && ctx.Err() == nil {
			s.Log.Error("the alarms' history can't be trimmed", "error", err)
		}
	}
}

// look evaluates the alarms that were asked for, and those with new data: these only
// become alarms by it.
func (s *Service) look(ctx context.Context) {
	s.mu.Lock()
	fresh, asked := s.fresh, s.asked
	s.fresh, s.asked = map[string]bool{}, map[string]bool{}
	s.mu.Unlock()
	now := s.Now()
	for name := range asked {
		if a, ok := s.alarms.Get(name); ok && a.Rule == "" {
			s.report(name, s.evaluate(ctx, &a, now))
		}
	}
	for _, name := range append(s.watch.on(fresh), slices.Sorted(maps.Keys(asked))...) {
		if a, ok := s.alarms.Get(name); ok && a.Rule == "" && a.State != alarm.Alarm {
			s.report(name, s.evaluateEarly(ctx, &a, now))
		}
	}
}

func (s *Service) report(name string, err error) {
	if err != nil {
		s.Log.Error("an alarm can't be evaluated", "alarm", name, "error", err)
	}
}

// evaluate decides by complete periods.
func (s *Service) evaluate(ctx context.Context, a *Alarm, now time.Time) error {
	v, decided, err := s.decide(a, now, false)
	if err != nil || !decided {
		return err
	}
	return s.change(ctx, a.Name, verdict{Verdict: v, configured: a.Configured})
}

// evaluateEarly decides by complete periods and by the one that is on, which counts only
// if nothing that comes can undo that it breaches. It makes alarms, and nothing else.
func (s *Service) evaluateEarly(ctx context.Context, a *Alarm, now time.Time) error {
	for _, early := range []bool{true, false} {
		v, decided, err := s.decide(a, now, early)
		if err != nil {
			return err
		}
		if decided && v.State == alarm.Alarm {
			return s.change(ctx, a.Name, verdict{Verdict: v, configured: a.Configured})
		}
	}
	return nil
}

func (s *Service) decide(a *Alarm, now time.Time, early bool) (alarm.Verdict, bool, error) {
	q, i, err := a.queries(s.shelf)
	if err != nil {
		return alarm.Verdict{}, false, err
	}
	period := q.period(i)
	rule := a.rule(period)
	every := int64(minute)
	if period < minute {
		every = step
	}
	to := metric.Floor(now.Unix(), every)
	if early {
		to += every
	}
	n := int64(rule.Range())
	w := window{from: to - n*period, to: to, period: period}
	points, newest, err := q.points(i, w)
	if err != nil {
		return alarm.Verdict{}, false, err
	}
	if early && !(points[0].Present && q.exprs[i] == nil && q.stats[i].Growth(newest) == rule.Comparison.Growth()) {
		return alarm.Verdict{}, false, nil
	}
	v, decided := rule.Evaluate(points, now)
	return v, decided, nil
}

// points are what a query was in each period, the newest first, and what was measured in
// that.
func (q *queries) points(i int, w window) ([]alarm.Point, metric.Set, error) {
	out := make([]alarm.Point, w.periods())
	put := func(n int, v float64, ok bool, samples float64) {
		out[len(out)-1-n] = alarm.Point{Start: time.Unix(w.from+int64(n)*w.period, 0).UTC(), Present: ok, Value: v, Samples: samples}
	}
	if q.exprs[i] == nil {
		sets := q.sets(i, w)
		for n, set := range sets {
			v, ok := q.stats[i].Of(set)
			put(n, v, ok, set.Count)
		}
		return out, sets[len(sets)-1], nil
	}
	all, err := q.series(i, w)
	if err != nil {
		return nil, metric.Set{}, err
	}
	for n := range out {
		v := math.NaN()
		if len(all) == 1 { // an alarm watches one time series
			v = all[0][n]
		}
		put(n, v, !math.IsNaN(v), 0)
	}
	return out, metric.Set{}, nil
}
