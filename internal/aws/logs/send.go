package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/store"
)

// parcel is what a subscription sends, compressed by gzip.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
type parcel struct {
	MessageType string        `json:"messageType"`
	Owner       string        `json:"owner"`
	Group       string        `json:"logGroup"`
	Stream      string        `json:"logStream"`
	Filters     []string      `json:"subscriptionFilters"`
	Events      []parcelEvent `json:"logEvents"`
}

type parcelEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

func (p *parcel) bytes() []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_ = json.NewEncoder(zip).Encode(p) // to memory
	_ = zip.Close()
	return b.Bytes()
}

// try sends what AWS sends to see whether somebody is there: to a bucket nothing, it is
// asked whether its policy admits the delivery.
func (s *Service) try(ctx context.Context, f *Subscription, to target) error {
	if to.bucket != "" {
		return s.Buckets.AdmitsAs(s.principal(), s.groupARN(f.Group)+":*", to.bucket, to.key(f, "", s.Now(), 0))
	}
	p := parcel{MessageType: "CONTROL_MESSAGE", Owner: "CloudwatchLogs", Filters: []string{}, Events: []parcelEvent{
		{Timestamp: s.ms(), Message: "CWL CONTROL MESSAGE: Checking health of destination " + f.Destination},
	}}
	if to.topic != "" {
		return s.publish(ctx, f, to, &p)
	}
	return s.post(ctx, to.url, p.bytes())
}

// Limits of what goes to a topic, whose messages have 256 KiB at most.
const (
	topicEvents  = 100 << 10 // bytes of events in a message, but for its last
	topicMessage = 100 << 10 // bytes of an event's; the rest is cut off
)

// publish sends a parcel to a topic as JSON, in as many messages as it takes.
func (s *Service) publish(ctx context.Context, f *Subscription, to target, p *parcel) error {
	for rest := p.Events; len(rest) > 0; {
		part, size, n := *p, 0, 0
		part.Events = nil
		for ; n < len(rest) && size < topicEvents; n++ {
			e := rest[n]
			e.Message = strings.ToValidUTF8(e.Message[:min(len(e.Message), topicMessage)], "")
			part.Events = append(part.Events, e)
			size += len(e.Message) + eventOverhead
		}
		rest = rest[n:]
		text, err := json.Marshal(&part)
		if err != nil {
			return err
		}
		if err := s.Topics.PublishAs(ctx, s.principal(), s.groupARN(f.Group)+":*", to.topic, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// key is an object's.
func (t target) key(f *Subscription, stream string, at time.Time, serial int64) string {
	path := []string{strings.Trim(f.Group, "/"), f.Name, at.UTC().Format("2006/01/02/15"), fmt.Sprintf("%s-%019d.gz", strings.ReplaceAll(stream, "/", "-"), serial)}
	if t.prefix != "" {
		path = append([]string{t.prefix}, path...)
	}
	return strings.Join(path, "/")
}

// postTime is how long an endpoint has to answer.
const postTime = 30 * time.Second

func (s *Service) post(ctx context.Context, url string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	r.Header.Set("User-Agent", "Amazon CloudWatch Logs")
	client := http.DefaultClient
	if s.Client != nil {
		client = s.Client
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// senders are the subscriptions at work, each by itself: an endpoint that hangs keeps
// nobody else waiting.
type senders struct {
	mu      sync.Mutex
	waiting map[string][]chan struct{} // by group: told when events come
}

// tell wakes a group's subscriptions.
func (w *senders) tell(group string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.waiting[group] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// runSenders keeps a sender for each subscription, until ctx ends.
func (s *Service) runSenders(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	changed := make(chan struct{}, 1)
	defer s.subscriptions.Watch(func(string, *Subscription, *Subscription) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	running := map[string]func(){}
	versions := map[string]Subscription{}
	for ctx.Err() == nil {
		there := map[string]Subscription{}
		for key, f := range s.subscriptions.List("") {
			there[key] = f
		}
		for key, stop := range running {
			if there[key] != versions[key] {
				stop()
				delete(running, key)
			}
		}
		for key, f := range there {
			if running[key] == nil {
				own, stop := context.WithCancel(ctx)
				running[key], versions[key] = stop, f
				all.Go(func() { s.send(own, key, f) })
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	for _, stop := range running {
		stop()
	}
}

const (
	// betweenSends is the least time from one send of a subscription to the next.
	betweenSends = 200 * time.Millisecond
	// longestWait is the longest time between tries of what can't be delivered, and
	// givenUp is when it is given up, as on AWS.
	longestWait = time.Minute
	givenUp     = 24 * time.Hour
)

// send carries a subscription's events to its destination, in the order they came,
// until ctx ends.
func (s *Service) send(ctx context.Context, key string, f Subscription) {
	wake := make(chan struct{}, 1)
	s.senders.mu.Lock()
	if s.senders.waiting == nil {
		s.senders.waiting = map[string][]chan struct{}{}
	}
	s.senders.waiting[f.Group] = append(s.senders.waiting[f.Group], wake)
	s.senders.mu.Unlock()
	defer func() {
		s.senders.mu.Lock()
		defer s.senders.mu.Unlock()
		var rest []chan struct{}
		for _, c := range s.senders.waiting[f.Group] {
			if c != wake {
				rest = append(rest, c)
			}
		}
		s.senders.waiting[f.Group] = rest
	}()
	var wait time.Duration
	var failing time.Time // since when
	for ctx.Err() == nil {
		more, err := s.sendSome(ctx, key, &f, !failing.IsZero() && time.Since(failing) > givenUp)
		switch {
		case err != nil && ctx.Err() == nil:
			if failing.IsZero() {
				failing = time.Now()
				s.Log.Warn("a subscription's events can't be delivered: they are kept and tried again", "group", f.Group, "filter", f.Name, "destination", f.Destination, "error", err)
			}
			wait = min(max(2*wait, time.Second), longestWait)
		case err == nil:
			failing, wait = time.Time{}, betweenSends
		}
		sleep(ctx, wait)
		if err == nil && !more {
			select {
			case <-ctx.Done():
			case <-wake:
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sendSome sends what came since the cursor. It reports whether there may be more.
// Giving up, it leaves out what is there.
func (s *Service) sendSome(ctx context.Context, key string, f *Subscription, giveUp bool) (more bool, err error) {
	cursor, ok := s.cursors.Get(key)
	to, err := s.targetOf(f.Destination)
	if err != nil || !ok {
		return false, err
	}
	pattern := f.pattern()
	streams, err := s.chosen(f.Group, nil, nil)
	if err != nil {
		return false, err
	}
	for _, name := range streams {
		after, known := cursor.Streams[name]
		if !known {
			after = cursor.From
		}
		events, err := s.Events.Arrived(storage.Stream{Group: f.Group, Name: name}, after)
		if err != nil {
			return more, err
		}
		if len(events) == 0 {
			continue
		}
		p := parcel{MessageType: "DATA_MESSAGE", Owner: s.Place.AccountID, Group: f.Group, Stream: name, Filters: []string{f.Name}}
		for _, e := range events {
			if pattern != nil && pattern.Match(e.Message) {
				p.Events = append(p.Events, parcelEvent{e.ID(), e.At, shown(e.Message)})
			}
		}
		if len(p.Events) > 0 && !giveUp {
			if err := s.deliver(ctx, f, to, &p, events[0].Serial); err != nil {
				return more, err
			}
		}
		more = true
		if err := s.advance(ctx, key, name, events[len(events)-1].Serial); err != nil {
			return more, err
		}
	}
	return more, nil
}

func (s *Service) deliver(ctx context.Context, f *Subscription, to target, p *parcel, serial int64) error {
	if to.bucket != "" {
		return s.Buckets.WriteAs(ctx, s.principal(), s.groupARN(f.Group)+":*", to.bucket, to.key(f, p.Stream, s.Now(), serial), "application/gzip", p.bytes())
	}
	if to.topic != "" {
		return s.publish(ctx, f, to, p)
	}
	return s.post(ctx, to.url, p.bytes())
}

// advance notes that a stream's events were sent, unless the subscription is gone.
func (s *Service) advance(ctx context.Context, key, stream string, serial int64) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.cursors.In(tx).Get(key)
		if !ok {
			return nil
		}
		if c.Streams = maps.Clone(c.Streams); c.Streams == nil {
			c.Streams = map[string]int64{}
		}
		c.Streams[stream] = serial
		s.cursors.In(tx).Put(key, c)
		return nil
	})
}
