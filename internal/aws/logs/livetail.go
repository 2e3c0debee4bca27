package logs

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/filter"
)

// Limits of Live Tail.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
const (
	tailGroups   = 10
	tailEvents   = 500 // an update
	tailInterval = time.Second
	tailLasts    = 3 * time.Hour
	tailSessions = 15 // at once, in the account
)

// tails are the sessions of Live Tail.
type tails struct {
	mu  sync.Mutex
	all map[*tailing]bool
}

// tailing is a session.
type tailing struct {
	groups   []string
	names    []string
	prefixes []string
	pattern  *filter.Pattern

	mu      sync.Mutex
	events  []types.LiveTailSessionLogEvent
	seen    int // since the last update
	groupID func(string) string
}

// take shows a session the events that have come to a stream.
func (t *tails) take(id storage.Stream, events []storage.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for session := range t.all {
		if session.wants(id) {
			session.take(id, events)
		}
	}
}

func (t *tailing) wants(id storage.Stream) bool {
	if !slices.Contains(t.groups, id.Group) {
		return false
	}
	if len(t.names)+len(t.prefixes) == 0 || slices.Contains(t.names, id.Name) {
		return true
	}
	return slices.ContainsFunc(t.prefixes, func(p string) bool { return strings.HasPrefix(id.Name, p) })
}

// take keeps what matches. Of more than an update holds, later ones replace earlier
// ones at even distances.
func (t *tailing) take(id storage.Stream, events []storage.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if !t.pattern.Match(e.Message) {
			continue
		}
		view := types.LiveTailSessionLogEvent{
			LogGroupIdentifier: aws.String(t.groupID(id.Group)), LogStreamName: aws.String(id.Name), Message: aws.String(shown(e.Message)),
			Timestamp: aws.Int64(e.At), IngestionTime: aws.Int64(e.Taken),
		}
		if t.seen < tailEvents {
			t.events = append(t.events, view)
		} else {
			t.events[t.seen*7919%tailEvents] = view
		}
		t.seen++
	}
}

// update takes what has come since the last one.
func (t *tailing) update() *types.LiveTailSessionUpdate {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := &types.LiveTailSessionUpdate{
		SessionMetadata: &types.LiveTailSessionMetadata{Sampled: t.seen > tailEvents},
		SessionResults:  append([]types.LiveTailSessionLogEvent{}, t.events...),
	}
	slices.SortStableFunc(u.SessionResults, func(a, b types.LiveTailSessionLogEvent) int { return int(*a.Timestamp - *b.Timestamp) })
	t.events, t.seen = nil, 0
	return u
}

// StartLiveTail shows events as they come: one event that tells of the session, then
// one each second.
func (s *Service) StartLiveTail(ctx context.Context, in *cloudwatchlogs.StartLiveTailInput) (*api.Events, error) {
	session := &tailing{names: in.LogStreamNames, prefixes: in.LogStreamNamePrefixes, groupID: func(g string) string { return s.Place.AccountID + ":" + g }}
	switch n := len(in.LogGroupIdentifiers); {
	case n < 1 || n > tailGroups:
		return nil, invalid("1 validation error detected: Value at 'logGroupIdentifiers' failed to satisfy constraint: Member must have length between 1 and 10")
	case len(session.names) > 0 && len(session.prefixes) > 0:
		return nil, invalid("Only one of logStreamNames and logStreamNamePrefixes can be specified.")
	case len(session.names)+len(session.prefixes) > 0 && n > 1:
		return nil, invalid("Log streams can be specified with one log group only.")
	}
	for i, id := range in.LogGroupIdentifiers {
		if !strings.HasPrefix(id, "arn:") {
			return nil, invalid("Live Tail takes log groups by ARN: " + id)
		}
		name := s.named(nil, &in.LogGroupIdentifiers[i])
		if _, ok := s.groups.Get(name); !ok {
			return nil, notFound("group")
		}
		session.groups = append(session.groups, name)
	}
	var err error
	if session.pattern, err = readPattern(aws.ToString(in.LogEventFilterPattern)); err != nil {
		return nil, err
	}
	s.tails.mu.Lock()
	defer s.tails.mu.Unlock()
	if len(s.tails.all) >= tailSessions {
		return nil, limitExceeded
	}
	start := &types.LiveTailSessionStart{
		RequestId: aws.String(api.CallerFrom(ctx).RequestID), SessionId: aws.String(uuid.NewString()), LogGroupIdentifiers: in.LogGroupIdentifiers,
		LogStreamNames: in.LogStreamNames, LogStreamNamePrefixes: in.LogStreamNamePrefixes, LogEventFilterPattern: in.LogEventFilterPattern,
	}
	return &api.Events{Run: func(ctx context.Context, send func(any) error) error { return s.runTail(ctx, session, start, send) }}, nil
}

func (s *Service) runTail(ctx context.Context, session *tailing, start *types.LiveTailSessionStart, send func(any) error) error {
	s.tails.mu.Lock()
	if s.tails.all == nil {
		s.tails.all = map[*tailing]bool{}
	}
	s.tails.all[session] = true
	s.tails.mu.Unlock()
	defer func() {
		s.tails.mu.Lock()
		defer s.tails.mu.Unlock()
		delete(s.tails.all, session)
	}()
	if err := send(start); err != nil {
		return err
	}
	ticks := time.NewTicker(tailInterval)
	defer ticks.Stop()
	end := time.NewTimer(tailLasts)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closing:
			return &types.SessionStreamingException{Message: aws.String("The session ended. Start another.")}
		case <-end.C:
			return &types.SessionTimeoutException{Message: aws.String("The session has expired.")}
		case <-ticks.C:
			if err := send(session.update()); err != nil {
				return err
			}
		}
	}
}
