package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/engine/insights"
)

// started is a service whose files are in a directory, as it is after a start.
func started(t *testing.T, dir string, now func() time.Time) *Service {
	t.Helper()
	return New(Deps{Store: doortest.New(t).Store, Place: doortest.Place, Events: doortest.Events(t), Dir: dir, Now: now})
}

// TestQueriesOutliveARestart: results, their pages and statistics are there; what ran has
// failed; what is damaged is not there.
func TestQueriesOutliveARestart(t *testing.T) {
	dir, must := t.TempDir(), doortest.Must(t)
	s := started(t, dir, time.Now)
	ctx := api.WithCaller(t.Context(), &api.Caller{ARN: "arn:aws:iam::111122223333:user/u"})
	must(s.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g")}))
	must(s.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")}))
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")}
	for n := range 50 {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String(fmt.Sprintf(`{"n":%d,"text":"<é>\n"}`, n))})
	}
	must(s.PutLogEvents(ctx, in))
	ask := func(text string) *string {
		t.Helper()
		out, err := s.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: &text, StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Unix() + 1)})
		must(out, err)
		q, err := s.queries.find(out.QueryId)
		must(q, err)
		<-q.ended
		return out.QueryId
	}
	list, count, none, broken := ask("fields @message, text, n | sort n"), ask("stats count(*) as n"), ask("filter n > 100"), ask("fields n")
	stopped := &query{id: uuid.NewString(), text: "fields s", status: types.QueryStatusCancelled, began: time.Now(), cancel: func() {}, ended: make(chan struct{})}
	running := &query{id: uuid.NewString(), text: "fields x", groups: []string{"g"}, who: "w", status: types.QueryStatusRunning, began: time.Now(), cancel: func() {}, ended: make(chan struct{})}
	halfway := &query{id: uuid.NewString(), text: "fields h", status: types.QueryStatusCancelled, began: time.Now(), cancel: func() {}, ended: make(chan struct{})}
	halfway.results, halfway.rows = read{{{Name: "h", Value: "1"}}}, 1
	for _, q := range []*query{stopped, running} {
		must(nil, s.queries.add(q, time.Now()))
		must(nil, s.queries.write(q, nil))
	}
	must(nil, s.queries.add(halfway, time.Now()))
	must(nil, s.queries.end(halfway, types.QueryStatusFailed, nil))
	show := func(s *Service) (all []*cloudwatchlogs.GetQueryResultsOutput) {
		for _, id := range []*string{list, list, count, none, &stopped.id, &halfway.id} {
			in := &cloudwatchlogs.GetQueryResultsInput{QueryId: id, MaxItems: aws.Int32(20)}
			if len(all) == 1 {
				in.NextToken = all[0].NextToken
			}
			out, err := s.GetQueryResults(ctx, in)
			must(out, err)
			all = append(all, out)
		}
		return all
	}
	before := show(s)
	described, err := s.DescribeQueries(ctx, &cloudwatchlogs.DescribeQueriesInput{})
	must(described, err)
	file := s.queries.file(*broken)
	data, err := os.ReadFile(file)
	must(nil, err)
	must(nil, os.WriteFile(file, data[:len(data)-20], 0o600))
	must(nil, os.WriteFile(filepath.Join(dir, "queries", "new-1"), []byte("half"), 0o600))
	must(nil, os.WriteFile(filepath.Join(dir, "queries", "other.query"), []byte("{}\n"), 0o600))

	s = started(t, dir, time.Now)
	text := func(v any) string {
		data, err := json.MarshalIndent(v, "", " ")
		must(data, err)
		return string(data)
	}
	if d := cmp.Diff(text(before), text(show(s))); d != "" {
		t.Error(d)
	}
	if len(before[5].Results) != 1 || before[5].Status != types.QueryStatusCancelled || len(before[0].Results) != 20 || len(before[1].Results) != 20 || before[0].Statistics.RecordsScanned != 50 {
		t.Errorf("before: %d and %d rows, %+v", len(before[0].Results), len(before[1].Results), before[0].Statistics)
	}
	again, err := s.DescribeQueries(ctx, &cloudwatchlogs.DescribeQueriesInput{})
	must(again, err)
	for i := range described.Queries {
		if q := &described.Queries[i]; q.Status == types.QueryStatusRunning {
			q.Status, q.QueryDuration = types.QueryStatusFailed, aws.Int64(0)
		} else if *q.QueryId == stopped.id || *q.QueryId == halfway.id {
			q.QueryDuration = again.Queries[i].QueryDuration // it had not ended
		}
	}
	if d := cmp.Diff(text(described.Queries), text(again.Queries)); d != "" {
		t.Error(d)
	}
	_, err = s.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: broken})
	doortest.Refused(t, err, "ResourceNotFoundException", "query")
	names, err := os.ReadDir(filepath.Join(dir, "queries"))
	must(nil, err)
	for _, n := range names {
		if n.Name() == "new-1" || n.Name() == "other.query" {
			t.Errorf("%s is left", n.Name())
		}
	}
}

// TestQueriesForgotten: after seven days, or beyond what is kept, a query and its file go.
func TestQueriesForgotten(t *testing.T) {
	now := time.Now()
	s := started(t, t.TempDir(), func() time.Time { return now })
	add := func(age time.Duration, status types.QueryStatus) *query {
		q := &query{id: uuid.NewString(), began: now.Add(-age), status: status, cancel: func() {}, ended: make(chan struct{})}
		doortest.Must(t)(nil, s.queries.add(q, q.began))
		doortest.Must(t)(nil, s.queries.write(q, nil))
		if status == types.QueryStatusComplete {
			close(q.ended)
		}
		return q
	}
	known := func(q *query) bool {
		_, err := s.queries.find(&q.id)
		_, failed := os.Stat(s.queries.file(q.id))
		if (err == nil) != (failed == nil) {
			t.Errorf("query: %v, file: %v", err, failed)
		}
		return err == nil
	}
	old, runs, young := add(queryKept+time.Hour, types.QueryStatusComplete), add(queryKept+time.Hour, types.QueryStatusRunning), add(time.Hour, types.QueryStatusComplete)
	s.queries.forget(now)
	if known(old) || !known(runs) || !known(young) {
		t.Error("of old ones, one that has ended goes")
	}
	stopped := add(queryKept+time.Hour, types.QueryStatusCancelled) // and still runs
	s.queries.forget(now)
	doortest.Must(t)(nil, s.queries.end(stopped, types.QueryStatusCancelled, nil))
	if !known(stopped) {
		t.Error("one that was stopped goes before its end, and comes back")
	}
	close(stopped.ended)
	s.queries.forget(now)
	if known(stopped) {
		t.Error("one that was stopped stays")
	}
	young.size = filesKept
	younger := add(0, types.QueryStatusComplete)
	s.queries.forget(now)
	if known(young) || !known(younger) {
		t.Error("the oldest makes room")
	}
	for range queriesKept {
		add(0, types.QueryStatusComplete)
	}
	s.queries.forget(now)
	if known(younger) || len(s.queries.all) != queriesKept {
		t.Errorf("%d are kept", len(s.queries.all))
	}
}

// TestResultsReleased: memory keeps the latest results, those that files have.
func TestResultsReleased(t *testing.T) {
	var q queries
	rows := read{[]insights.Field{{Name: "a", Value: "b"}}}
	for i := range 4 {
		q.all = append(q.all, &query{id: fmt.Sprint(i), results: rows, heap: heapKept / 2, stored: i != 0, status: types.QueryStatusComplete, began: time.Now()})
	}
	q.trim(time.Now())
	var left []string
	for _, one := range q.all {
		left = append(left, fmt.Sprint(one.results != nil))
	}
	if got := strings.Join(left, " "); got != "true false true true" {
		t.Errorf("results in memory: %s", got)
	}
}

// TestResultsAreOwned: a short value does not keep what it was found in.
func TestResultsAreOwned(t *testing.T) {
	block := strings.Repeat("x", 1000)
	rows, size := owned(read{{{Name: "a", Value: block[10:20]}}, {}, {{Name: "a", Value: "y"}, {Name: "b", Value: "z"}}})
	if len(rows) != 3 || len(rows[1]) != 0 || rows[0][0].Value != block[10:20] || rows[2][1].Value != "z" || size != 3*perField+12 {
		t.Errorf("%v, %d bytes", rows, size)
	}
	if unsafe.StringData(rows[0][0].Value) == unsafe.StringData(block[10:20]) {
		t.Error("it is a part of the block")
	}
}

// TestQueriesWithoutRoom: what can't be written is kept in memory.
func TestQueriesWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	s := started(t, dir, time.Now)
	doortest.Must(t)(nil, os.WriteFile(filepath.Join(dir, "queries"), nil, 0o600)) // where the directory should be
	q := &query{id: uuid.NewString(), status: types.QueryStatusRunning, cancel: func() {}, ended: make(chan struct{})}
	if err := s.queries.end(q, types.QueryStatusComplete, read{nil, nil}); err == nil || errors.Is(err, context.Canceled) {
		t.Error("it was written")
	}
	if rows, err := s.queries.results(q); err != nil || rows.Len() != 2 || q.state() != types.QueryStatusComplete || q.stored {
		t.Errorf("%v %v %s", rows, err, q.state())
	}
}

// TestQueriesAtOnce: a hundred run, one more is refused, and each ends in time.
func TestQueriesAtOnce(t *testing.T) {
	s, must := started(t, t.TempDir(), time.Now), doortest.Must(t)
	must(s.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g")}))
	running := func() *query {
		return &query{id: uuid.NewString(), began: time.Now(), status: types.QueryStatusRunning, cancel: func() {}, ended: make(chan struct{})}
	}
	first := running()
	must(nil, s.queries.add(first, time.Now()))
	for range queryRunning - 1 {
		must(nil, s.queries.add(running(), time.Now()))
	}
	doortest.Refused(t, s.queries.add(running(), time.Now()), "LimitExceededException", "concurrency limit of [100]")
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	parsed, err := insights.Parse("stats count(*)")
	must(parsed, err)
	s.run(late, first, parsed, s.environment([]string{"g"}, []string{"g"}))
	if first.state() != types.QueryStatusTimeout || s.WentWrong(first.id) == "" {
		t.Errorf("out of time it is %s: %q", first.state(), s.WentWrong(first.id))
	}
	must(nil, s.queries.add(running(), time.Now()))
	_, err = s.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &first.id})
	doortest.Refused(t, err, "InvalidParameterException", "not in Running status")
}

func TestStatistics(t *testing.T) {
	q := &query{groups: []string{"a", "b"}}
	if s := q.statistics(); s.EstimatedBytesSkipped != 0 || s.LogGroupsScanned != 2 {
		t.Errorf("at the beginning: %+v", s)
	}
	p := &q.progress
	p.Records.Store(10)
	p.Bytes.Store(1000)
	p.Matched.Store(3)
	p.Skipped.Store(4)
	want := &types.QueryStatistics{RecordsScanned: 10, BytesScanned: 1000, RecordsMatched: 3, EstimatedRecordsSkipped: 4, EstimatedBytesSkipped: 400, LogGroupsScanned: 2}
	if d := cmp.Diff(want, q.statistics(), cmp.AllowUnexported(types.QueryStatistics{})); d != "" {
		t.Error(d)
	}
}

// TestLookupTablesAreReadOnce: a query goes on with the table that it was checked with.
func TestLookupTablesAreReadOnce(t *testing.T) {
	s, must := started(t, t.TempDir(), time.Now), doortest.Must(t)
	must(s.CreateLookupTable(t.Context(), &cloudwatchlogs.CreateLookupTableInput{LookupTableName: aws.String("users"), TableBody: aws.String("id,name\n1,ann\n")}))
	q, err := insights.Parse("lookup users id OUTPUT name")
	must(q, err)
	read := s.tablesOnce()
	must(nil, checkTables(t.Context(), q, read))
	arn := s.lookupTableARN(aws.String("users"))
	must(s.UpdateLookupTable(t.Context(), &cloudwatchlogs.UpdateLookupTableInput{LookupTableArn: &arn, TableBody: aws.String("id\n7\n")}))
	if table, err := read(t.Context(), "users"); err != nil || len(table.Columns) != 2 {
		t.Errorf("%+v, %v", table, err)
	}
	if table, err := s.tablesOnce()(t.Context(), "users"); err != nil || len(table.Columns) != 1 {
		t.Errorf("of the next query: %+v, %v", table, err)
	}
}

// TestTablesAreReadWhileTheyChange: who reads a table that gets another text has one of the
// two.
func TestTablesAreReadWhileTheyChange(t *testing.T) {
	s, must := started(t, t.TempDir(), time.Now), doortest.Must(t)
	must(s.CreateLookupTable(t.Context(), &cloudwatchlogs.CreateLookupTableInput{LookupTableName: aws.String("t"), TableBody: aws.String("id\n0\n")}))
	arn := s.lookupTableARN(aws.String("t"))
	changed := make(chan bool)
	go func() {
		defer close(changed)
		for i := range 100 {
			if _, err := s.UpdateLookupTable(t.Context(), &cloudwatchlogs.UpdateLookupTableInput{LookupTableArn: &arn, TableBody: aws.String(fmt.Sprintf("id\n%d\n", i+1))}); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		if text, err := s.TableText("t"); err != nil || !strings.HasPrefix(text, "id\n") {
			t.Errorf("%q, %v", text, err)
			<-changed
			return
		}
		select {
		case <-changed:
			return
		default:
		}
	}
}
