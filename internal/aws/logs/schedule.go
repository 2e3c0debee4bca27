package logs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/cron"
	"github.com/eksact/eksact/internal/store"
)

// UseDoor gives the service its way to others, before Run.
func (s *Service) UseDoor(d api.Door) { s.door = d }

// ScheduledRun is one run of a scheduled query.
type ScheduledRun struct {
	At        int64 // that it was due, ms since 1970
	Query     string
	Status    types.ExecutionStatus
	Message   string // why it failed
	URI       string // where its results go, "" for nowhere
	Object    string // that they were written to
	Delivered types.ActionStatus
	Undone    string // why they were not written
}

// runsKept is how many runs of a scheduled query are remembered; the oldest go first.
const runsKept = 500

func runKey(id string, at int64) string { return fmt.Sprintf("%s/%015d", id, at) }

// GetScheduledQueryHistory lists a scheduled query's runs of a time, the newest first.
func (s *Service) GetScheduledQueryHistory(_ context.Context, in *cloudwatchlogs.GetScheduledQueryHistoryInput) (*cloudwatchlogs.GetScheduledQueryHistoryOutput, error) {
	q, err := s.scheduledNamed(in.Identifier)
	if err != nil {
		return nil, err
	}
	from, to := milliseconds(aws.ToInt64(in.StartTime)), milliseconds(aws.ToInt64(in.EndTime))+999
	if to < from {
		return nil, unfit("endTime must not be before startTime.")
	}
	var all []ScheduledRun
	for _, r := range s.runs.List(q.ID + "/") {
		if r.At >= from && r.At <= to && (len(in.ExecutionStatuses) == 0 || slices.Contains(in.ExecutionStatuses, r.Status)) {
			all = append(all, r)
		}
	}
	slices.Reverse(all)
	page, next, err := pagedTo(1000, all, in.MaxResults, in.NextToken, func(r ScheduledRun) string { return runKey(q.ID, r.At) })
	if err != nil {
		return nil, unfit(err.Error())
	}
	out := &cloudwatchlogs.GetScheduledQueryHistoryOutput{Name: &q.Name, ScheduledQueryArn: aws.String(s.scheduledARN(q.ID)), TriggerHistory: []types.TriggerHistoryRecord{}, NextToken: next}
	for _, r := range page {
		view := types.TriggerHistoryRecord{TriggeredTimestamp: &r.At, QueryId: optional(r.Query), ExecutionStatus: r.Status, ErrorMessage: optional(r.Message)}
		if r.URI != "" && r.Delivered != "" {
			view.Destinations = []types.ScheduledQueryDestination{{
				DestinationType: destinationType(r.URI), DestinationIdentifier: &r.URI, Status: r.Delivered, ProcessedIdentifier: optional(r.Object), ErrorMessage: optional(r.Undone),
			}}
		}
		out.TriggerHistory = append(out.TriggerHistory, view)
	}
	return out, nil
}

// due tells which scheduled queries are due. What was due while nobody asked is not made
// up for, except the last time.
type due struct {
	next map[string]dueAt
}

type dueAt struct {
	modified int64
	at       time.Time // zero: never
}

// until takes those that are due by now, and when; queries that it does not know yet are
// due after since.
func (d *due) until(all func(func(string, ScheduledQuery) bool), since, now time.Time) map[string]time.Time {
	taken, next := map[string]time.Time{}, map[string]dueAt{}
	for id, q := range all {
		if q.State != types.ScheduledQueryStateEnabled {
			continue
		}
		known, ok := d.next[id]
		if !ok || known.modified != q.Modified {
			after := time.UnixMilli(q.Modified)
			if !ok && since.After(after) {
				after = since
			}
			known = dueAt{q.Modified, q.after(after)}
		}
		if !known.at.IsZero() && !known.at.After(now) {
			at := known.at
			for !known.at.IsZero() && !known.at.After(now) {
				at, known.at = known.at, q.after(known.at)
			}
			taken[id] = at
		}
		next[id] = known
	}
	d.next = next
	return taken
}

// after is the first time after another that the query is due, zero if it never is.
func (q *ScheduledQuery) after(t time.Time) time.Time {
	e, err := cron.Parse(q.Schedule)
	zone, failed := zoneOf(q.Zone)
	if err != nil || failed != nil {
		return time.Time{} // what was checked once is not known any more
	}
	if first := time.UnixMilli(milliseconds(q.From) - 1); q.From > 0 && first.After(t) {
		t = first
	}
	at, ok := e.Next(t, zone)
	if !ok || q.To > 0 && at.UnixMilli() > milliseconds(q.To) {
		return time.Time{}
	}
	return at
}

// runScheduled runs scheduled queries when they are due, until ctx ends. What an earlier
// run of the service began and did not end has failed.
func (s *Service) runScheduled(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for key, r := range maps.Collect(s.runs.List("")) {
		if r.Status == types.ExecutionStatusRunning || r.Delivered == types.ActionStatusInProgress {
			id, _, _ := strings.Cut(key, "/")
			s.noteRun(ctx, id, r.At, func(r *ScheduledRun) { r.interrupted() })
		}
	}
	d, since := due{}, s.Now()
	seconds := time.NewTicker(time.Second)
	defer seconds.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-seconds.C:
		}
		for id, at := range d.until(s.scheduled.List(""), since, s.Now()) {
			if q, ok := s.scheduled.Get(id); ok {
				all.Go(func() { s.runOne(ctx, q, at) })
			}
		}
	}
}

func (r *ScheduledRun) interrupted() {
	const text = "The service ended while the query ran."
	if r.Status == types.ExecutionStatusRunning {
		r.Status, r.Message = types.ExecutionStatusFailed, text
		return
	}
	r.Delivered, r.Undone = types.ActionStatusFailed, text
}

// noteRun changes the record of a run and shows it in its query's. A query that was deleted
// has none.
func (s *Service) noteRun(ctx context.Context, id string, at int64, change func(*ScheduledRun)) {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		q, ok := s.scheduled.In(tx).Get(id)
		if !ok {
			return nil
		}
		r, ok := s.runs.In(tx).Get(runKey(id, at))
		if !ok {
			r = ScheduledRun{At: at}
			var keys []string
			for key := range s.runs.In(tx).List(id + "/") {
				keys = append(keys, key)
			}
			slices.Sort(keys)
			for _, key := range keys[:max(0, len(keys)+1-runsKept)] {
				s.runs.In(tx).Delete(key)
			}
		}
		change(&r)
		s.runs.In(tx).Put(runKey(id, at), r)
		if at >= q.LastRun {
			q.LastRun, q.LastStatus = at, r.Status
			s.scheduled.In(tx).Put(id, q)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Error("a run of a scheduled query can't be recorded", "query", id, "error", err)
	}
}

// runOne runs a scheduled query, as its role, and delivers what it found, as its
// destination's.
func (s *Service) runOne(ctx context.Context, q ScheduledQuery, due time.Time) {
	at := due.UnixMilli()
	s.noteRun(ctx, q.ID, at, func(r *ScheduledRun) {
		r.Status = types.ExecutionStatusRunning
		if q.Bucket != nil {
			r.URI = q.Bucket.URI
		}
	})
	who, id, err := s.startScheduled(ctx, &q, due)
	var status types.ExecutionStatus
	if err == nil {
		s.noteRun(ctx, q.ID, at, func(r *ScheduledRun) { r.Query = id })
		status, err = s.ended(ctx, id)
	}
	if ctx.Err() != nil {
		return // the next run of the service says so
	}
	if err != nil {
		s.Log.Warn("a scheduled query failed", "name", q.Name, "error", err)
		s.noteRun(ctx, q.ID, at, func(r *ScheduledRun) { r.Status, r.Message = failure(err), err.Error() })
		return
	}
	delivers := q.Bucket != nil && status == types.ExecutionStatusComplete
	s.noteRun(ctx, q.ID, at, func(r *ScheduledRun) {
		if r.Status = status; delivers {
			r.Delivered = types.ActionStatusInProgress
		}
	})
	if !delivers {
		return
	}
	object, err := s.deliverResults(ctx, &q, who, id, due)
	if ctx.Err() != nil {
		return
	}
	s.noteRun(ctx, q.ID, at, func(r *ScheduledRun) {
		if r.Delivered, r.Object = types.ActionStatusComplete, object; err != nil {
			r.Delivered, r.Object, r.Undone = refusal(err), "", err.Error()
		}
	})
}

func failure(err error) types.ExecutionStatus {
	var malformed *types.MalformedQueryException
	if errors.As(err, &malformed) {
		return types.ExecutionStatusInvalidQuery
	}
	return types.ExecutionStatusFailed
}

// refusal is what became of a delivery: whether those who ask for it can mend it.
func refusal(err error) types.ActionStatus {
	if code := api.Code(err); code != "" && code != "InternalError" {
		return types.ActionStatusClientError
	}
	return types.ActionStatusFailed
}

// acting is a session of a role, for calls within the process.
func (s *Service) acting(ctx context.Context, role string) (api.Caller, error) {
	who, err := s.Sessions.Act(ctx, role, scheduler, "CloudWatchLogs-ScheduledQuery")
	who.Service, who.UserAgent, who.Referer = scheduler, scheduler, ""
	// Between services there is no wire, which is as good as TLS.
	who.SourceIP, who.Endpoint, who.TLS = netip.Addr{}, nil, true
	return who, err
}

func (s *Service) startScheduled(ctx context.Context, q *ScheduledQuery, due time.Time) (api.Caller, string, error) {
	who, err := s.acting(ctx, q.Role)
	if err != nil {
		return who, "", err
	}
	start, end := q.lookback()
	in := &cloudwatchlogs.StartQueryInput{
		QueryString: &q.Query, QueryLanguage: types.QueryLanguageCwli, StartTime: aws.Int64(due.Unix() - start), EndTime: aws.Int64(due.Unix() - end),
		LogGroupIdentifiers: q.Groups,
	}
	out, err := s.door.Do(ctx, who, "cloudwatchlogs", "StartQuery", in)
	if err != nil {
		return who, "", err
	}
	return who, *out.(*cloudwatchlogs.StartQueryOutput).QueryId, nil
}

// ended waits for a query's end.
func (s *Service) ended(ctx context.Context, id string) (types.ExecutionStatus, error) {
	q, err := s.queries.find(&id)
	if err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-q.ended:
	}
	switch q.state() {
	case types.QueryStatusComplete:
		return types.ExecutionStatusComplete, nil
	case types.QueryStatusTimeout:
		return types.ExecutionStatusTimeout, nil
	case types.QueryStatusCancelled:
		return "", errors.New("the query was stopped")
	}
	return "", errors.New("the query failed")
}
