package daemon

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/eks"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/kube/controlplane"
	"github.com/eksact/eksact/internal/tail"
)

// logExports carries a cluster's logs to its log group, each type in a stream of its
// own. The components write files at all times; what is exported is read from there.
// The position in a file is kept with the events that were read, so that whatever is
// killed no line is lost and none is there twice.
type logExports struct {
	d     *Daemon
	group string
	types []controlplane.LogType
	live  context.Context // the cluster's

	mu      sync.Mutex
	running map[string]func() // by type: ends it, and returns when it has ended
}

func newLogExports(d *Daemon, k *cluster) *logExports {
	return &logExports{
		d: d, group: "/aws/eks/" + k.record.Name + "/cluster", types: k.config.LogTypes(k.record.ID), live: k.live, running: map[string]func(){},
	}
}

// resume goes on with the types that are switched on.
func (x *logExports) resume(enabled []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.types {
		if slices.Contains(enabled, t.Name) {
			x.start(t)
		}
	}
}

// change makes the types given, and no others, those that are exported: newly switched
// on from here on, switched off up to here.
func (x *logExports) change(ctx context.Context, enabled []string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.types {
		on, running := slices.Contains(enabled, t.Name), x.running[t.Name]
		switch {
		case on && running == nil:
			here, err := tail.End(t.Path)
			if err != nil {
				return err
			}
			if err := x.d.logs.Vend(ctx, x.stream(t), nil, here.String()); err != nil {
				return err
			}
			x.start(t)
		case !on && running != nil:
			running()
			delete(x.running, t.Name)
		}
	}
	return nil
}

func (x *logExports) stream(t controlplane.LogType) storage.Stream {
	return storage.Stream{Group: x.group, Name: t.Stream}
}

// start follows a type's file from where its stream's mark says.
func (x *logExports) start(t controlplane.LogType) {
	ctx, cancel := context.WithCancel(x.live)
	ended := make(chan struct{})
	x.running[t.Name] = func() { cancel(); <-ended }
	log := slog.With("log group", x.group, "log type", t.Name)
	x.d.running.Go(func() {
		defer close(ended)
		var from tail.Position
		mark, err := x.d.logs.Vended(x.stream(t))
		if err == nil && mark != "" {
			from, err = tail.Parse(mark)
		}
		if err != nil {
			log.Error("where the export of a log stood is not known: it begins anew", "error", err)
		}
		follower := &tail.Follower{Path: t.Path, Log: log, Deliver: func(ctx context.Context, b tail.Batch) error { return x.deliver(ctx, t, b) }}
		_ = follower.Run(ctx, from)
	})
}

// deliver keeps a batch of lines as log events.
func (x *logExports) deliver(ctx context.Context, t controlplane.LogType, b tail.Batch) error {
	now := time.Now()
	var events []storage.Event
	for _, line := range b.Lines {
		for _, e := range t.Events(line, now) {
			events = append(events, storage.Event{Place: storage.Place{At: e.Time.UnixMilli()}, Message: e.Message})
		}
	}
	if b.Uncertain && t.Name == "audit" {
		known, err := x.knownAudit(t, events)
		if err != nil {
			return err
		}
		events = slices.DeleteFunc(events, func(e storage.Event) bool { return known[controlplane.AuditKey(e.Message)] })
	}
	return x.d.logs.Vend(ctx, x.stream(t), events, b.After.String())
}

// knownAudit are the keys of the audit events that the stream has of the time that
// events are of.
func (x *logExports) knownAudit(t controlplane.LogType, events []storage.Event) (map[string]bool, error) {
	known := map[string]bool{}
	if len(events) == 0 {
		return known, nil
	}
	byTime := func(a, b storage.Event) int { return a.Compare(b.Place) }
	first, last := slices.MinFunc(events, byTime), slices.MaxFunc(events, byTime)
	q := storage.Query{Group: x.group, Streams: []string{t.Stream}, From: storage.From(first.At), To: storage.From(last.At + 1)}
	for e, err := range x.d.logs.Events.Read(q) {
		if err != nil {
			return nil, err
		}
		if key := controlplane.AuditKey(e.Message); key != "" {
			known[key] = true
		}
	}
	return known, nil
}

// SetLogging implements eks.Runtime.
func (r runtime) SetLogging(ctx context.Context, c eks.Cluster, types []string) error {
	k, err := r.d.clusterNamed(c.Name)
	if err != nil {
		return err
	}
	return k.logs.change(ctx, types)
}
