package cloudtrail

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a trail. Zero values choose the defaults.
type Options struct {
	SegmentBytes int64         // a segment is closed at this size; 16 MiB
	TotalBytes   int64         // the oldest segments go beyond it; 1 GiB
	Queue        int           // events waiting for the writer; 4096
	FlushEvery   time.Duration // how long a line may wait in memory; 200 ms, at most 1 s
	Log          *slog.Logger  // where a failing disk is reported; discarded
}

func (o Options) orDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 16 << 20
	}
	if o.TotalBytes <= 0 {
		o.TotalBytes = 1 << 30
	}
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.FlushEvery <= 0 {
		o.FlushEvery = 200 * time.Millisecond
	}
	o.FlushEvery = min(o.FlushEvery, time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// batch is how many bytes of lines are written at once.
const batch = 64 << 10

// crowd is how many events may wait before the writer is woken for them. Waking
// it for each would cost a busy front door more than encoding them does.
const crowd = 256

// Trail records events. Make one with Open.
type Trail struct {
	options Options
	queue   chan Event
	wake    chan struct{}
	flush   chan chan error
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	failed  atomic.Pointer[error]
}

// Open begins a new segment in dir, which it makes if need be, and starts the
// writer. Close it to keep the last events.
func Open(dir string, options Options) (*Trail, error) {
	options = options.orDefaults()
	files, err := openSegments(dir, options.SegmentBytes, options.TotalBytes)
	if err != nil {
		return nil, fmt.Errorf("trail: %w", err)
	}
	t := &Trail{
		options: options,
		queue:   make(chan Event, options.Queue),
		wake:    make(chan struct{}, 1),
		flush:   make(chan chan error),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	go t.write(files)
	return t, nil
}

// Record takes an event. It returns at once unless the writer lags by a whole
// queue. After Close it does nothing.
func (t *Trail) Record(e Event) {
	if !shown(&e) {
		e.Output = nil // let it go now, not when the writer gets here
	}
	select {
	case t.queue <- e:
	default:
		select {
		case t.queue <- e:
		case <-t.closing:
		}
	}
	if len(t.queue) >= min(crowd, cap(t.queue)) {
		select {
		case t.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

// Err says why events cannot be written at the moment; nil when they can.
func (t *Trail) Err() error {
	if p := t.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// Flush returns when all events recorded before it are in their file.
func (t *Trail) Flush() error {
	answer := make(chan error, 1)
	select {
	case t.flush <- answer:
		return <-answer
	case <-t.done:
		return errors.New("trail: closed")
	}
}

// Close writes what waits and ends the writer.
func (t *Trail) Close() error {
	t.once.Do(func() { close(t.closing) })
	<-t.done
	return t.Err()
}

// write is the writer. It looks for events at each tick and when they are many.
// Their lines gather in buf, which goes to the file when it is large or old
// enough. A failed write keeps buf and is tried again; until it succeeds no more
// than a queue of events is taken.
func (t *Trail) write(files *segments) {
	defer close(t.done)
	enc := newEncoder()
	buf := make([]byte, 0, 2*batch)
	tick := time.NewTicker(t.options.FlushEvery)
	defer tick.Stop()

	put := func() error {
		if len(buf) == 0 {
			return nil
		}
		n, err := files.write(buf)
		buf = append(buf[:0], buf[n:]...)
		t.report(err)
		return err
	}
	// drain encodes what waits, as long as there is somewhere to put it.
	drain := func() {
		for len(buf) < batch || put() == nil {
			select {
			case e := <-t.queue:
				buf = enc.event(buf, &e)
			default:
				return
			}
		}
	}
	for {
		select {
		case <-t.wake:
			drain()
		case <-tick.C:
			drain()
			put()
		case answer := <-t.flush:
			drain()
			answer <- put()
		case <-t.closing:
			drain()
			put()
			t.report(files.close())
			return
		}
	}
}

// report remembers the state of the disk, and logs when it changes.
func (t *Trail) report(err error) {
	before := t.Err()
	switch {
	case err != nil:
		err = fmt.Errorf("trail: %w", err)
		t.failed.Store(&err)
		if before == nil {
			t.options.Log.Error("calls cannot be recorded; they are refused until they can", "error", err)
		}
	case before != nil:
		t.failed.Store(nil)
		t.options.Log.Info("calls are recorded again")
	}
}
