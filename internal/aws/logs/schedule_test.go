package logs

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/store"
)

func TestDue(t *testing.T) {
	day := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	at := func(hour, minute int) time.Time {
		return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	q := ScheduledQuery{State: types.ScheduledQueryStateEnabled, Schedule: "cron(0 * * * ? *)", Modified: at(3, 30).UnixMilli()}
	all := map[string]ScheduledQuery{"q": q}
	d := due{}
	step := func(since, now, want time.Time) {
		t.Helper()
		if got := d.until(maps.All(all), since, now)["q"]; !got.Equal(want) {
			t.Errorf("at %s: due %s, not %s", now, got, want)
		}
	}
	never := time.Time{}
	step(at(3, 0), at(3, 31), never)
	step(at(3, 0), at(4, 0), at(4, 0))
	step(at(3, 0), at(4, 0), never) // once
	step(at(3, 0), at(7, 20), at(7, 0))
	step(at(3, 0), at(7, 59), never)
	d = due{} // the service starts anew: what was due meanwhile is not made up for
	step(at(9, 10), at(9, 10), never)
	step(at(9, 10), at(10, 5), at(10, 0))
	q.Modified, q.Schedule = at(10, 10).UnixMilli(), "cron(30 * * * ? *)"
	all["q"] = q
	step(at(9, 10), at(10, 29), never)
	step(at(9, 10), at(10, 31), at(10, 30))
	q.State = types.ScheduledQueryStateDisabled
	all["q"] = q
	step(at(9, 10), at(12, 0), never)
	q.State, q.Modified, q.To = types.ScheduledQueryStateEnabled, at(12, 10).UnixMilli(), at(13, 30).Unix()
	all["q"] = q
	step(at(9, 10), at(12, 45), at(12, 30))
	step(at(9, 10), at(13, 45), at(13, 30)) // its last minute counts
	step(at(9, 10), at(20, 0), never)
}

// TestInterrupted: runs that the service's end cut short have failed.
func TestInterrupted(t *testing.T) {
	a := doortest.New(t)
	s := New(Deps{Store: a.Store, Place: doortest.Place, Events: doortest.Events(t), Dir: t.TempDir(), Now: time.Now})
	doortest.Must(t)(nil, s.Store.Update(t.Context(), func(tx *store.Tx) error {
		s.scheduled.In(tx).Put("q", ScheduledQuery{ID: "q", Name: "q", State: types.ScheduledQueryStateDisabled, LastRun: 2000, LastStatus: types.ExecutionStatusRunning})
		s.runs.In(tx).Put(runKey("q", 1000), ScheduledRun{At: 1000, URI: "s3://b", Status: types.ExecutionStatusComplete, Delivered: types.ActionStatusInProgress})
		s.runs.In(tx).Put(runKey("q", 2000), ScheduledRun{At: 2000, URI: "s3://b", Status: types.ExecutionStatusRunning})
		return nil
	}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		first, _ := s.runs.Get(runKey("q", 1000))
		second, _ := s.runs.Get(runKey("q", 2000))
		q, _ := s.scheduled.Get("q")
		if first.Status == types.ExecutionStatusComplete && first.Delivered == types.ActionStatusFailed && second.Status == types.ExecutionStatusFailed && q.LastStatus == types.ExecutionStatusFailed {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%+v %+v %+v", first, second, q)
		}
	}
}

// TestRunsKept: of a query's runs the last are remembered.
func TestRunsKept(t *testing.T) {
	a := doortest.New(t)
	s := New(Deps{Store: a.Store, Place: doortest.Place, Events: doortest.Events(t), Dir: t.TempDir(), Now: time.Now})
	doortest.Must(t)(nil, s.Store.Update(t.Context(), func(tx *store.Tx) error {
		s.scheduled.In(tx).Put("q", ScheduledQuery{ID: "q"})
		for at := range int64(runsKept) {
			s.runs.In(tx).Put(runKey("q", at), ScheduledRun{At: at})
		}
		return nil
	}))
	s.noteRun(t.Context(), "q", 10_000, func(r *ScheduledRun) { r.Status = types.ExecutionStatusRunning })
	_, first := s.runs.Get(runKey("q", 0))
	_, second := s.runs.Get(runKey("q", 1))
	if _, last := s.runs.Get(runKey("q", 10_000)); s.runs.Len() != runsKept || first || !second || !last {
		t.Errorf("%d are kept", s.runs.Len())
	}
}
