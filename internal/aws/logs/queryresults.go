package logs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/scan"
)

// rowsPerPage is how many rows an answer of GetQueryResults has, unless it is asked for
// fewer.
const rowsPerPage = 10_000

// What a query that runs has found is brought together when it is asked for, unless the
// query has only begun. That waits so long at most, and again only after several times as
// long as it took: those who ask often don't slow the query down.
const (
	partialAfter = 200 * time.Millisecond
	partialTakes = 100 * time.Millisecond
	partialRests = 30
)

// looks are what a query was seen to have found.
type looks struct {
	mu    sync.Mutex
	shown results
	most  int // rows that were asked for
	next  time.Time
}

// fewRows is how many rows are brought together for those who ask for fewer.
const fewRows = 100

// sofar are the first rows of what a query that runs has found, at least as many as asked
// for if there are; nil if there are none.
func (q *query) sofar(ctx context.Context, most int) results {
	began := time.Now()
	if most = max(most, fewRows); most > fewRows { // who asks for some more each time looks twice
		most = rowsPerPage
	}
	if began.Sub(q.running) < partialAfter {
		return nil
	}
	q.looks.mu.Lock()
	defer q.looks.mu.Unlock()
	most = max(most, q.looks.most)
	if began.Before(q.looks.next) && most <= q.looks.most {
		return q.looks.shown
	}
	ctx, cancel := context.WithTimeout(ctx, partialTakes)
	defer cancel()
	if r := q.partial.Result(ctx, most, insights.ShownAfter(began.Sub(q.running))); r != nil {
		q.looks.shown = found{r}
	}
	q.looks.most, q.looks.next = most, time.Now().Add(partialRests*time.Since(began))
	return q.looks.shown
}

// forget lets go of what was shown.
func (l *looks) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = nil
}

// GetQueryResults shows what a query found. While it runs these are the first rows of what
// it has found so far, as far as its commands let that be said; if it was stopped, those of
// then.
func (s *Service) GetQueryResults(ctx context.Context, in *cloudwatchlogs.GetQueryResultsInput) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	q, err := s.queries.find(in.QueryId)
	if err != nil {
		return nil, err
	}
	most := rowsPerPage
	if n := aws.ToInt32(in.MaxItems); n > 0 {
		most = int(n)
	}
	from := 0
	if in.NextToken != nil {
		data, err := base64.StdEncoding.DecodeString(*in.NextToken)
		if from, _ = strconv.Atoi(string(data)); err != nil || from <= 0 {
			return nil, errToken
		}
	}
	status := q.state()
	out := &cloudwatchlogs.GetQueryResultsOutput{QueryLanguage: types.QueryLanguageCwli, Status: status, Statistics: q.statistics(), Results: [][]types.ResultField{}}
	if status == types.QueryStatusRunning {
		if r := q.sofar(ctx, min(most, rowsPerPage)); r != nil {
			out.Results = fieldsOf(r, 0, min(most, rowsPerPage, r.Len()))
		}
	}
	if status != types.QueryStatusComplete && status != types.QueryStatusCancelled {
		return out, nil
	}
	result, err := s.queries.results(q)
	if err != nil {
		s.Log.Error("a query's results can't be read", "query", q.id, "error", err)
		return nil, noQuery
	}
	if from > result.Len() {
		return nil, errToken
	}
	to := min(from+most, result.Len())
	out.Results = fieldsOf(result, from, to)
	out.Statistics.ResultCount = float64(result.Len())
	if to < result.Len() {
		out.NextToken = aws.String(base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to))))
	}
	return out, nil
}

// fieldsOf are rows as the API has them.
func fieldsOf(r results, from, to int) [][]types.ResultField {
	all := [][]types.ResultField{}
	for row := from; row < to; row++ {
		var fields []types.ResultField
		for _, f := range r.Fields(row) {
			fields = append(fields, types.ResultField{Field: aws.String(f.Name), Value: aws.String(shown(f.Value))})
		}
		all = append(all, fields)
	}
	return all
}

// note keeps what went wrong with a query, for which AWS's API has no place.
func (q *query) note(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.problem = err.Error()
}

// WentWrong is why a query failed or ran out of time, or what it could not read; "" if
// nothing is wrong, and of a query from before a restart.
func (s *Service) WentWrong(id string) string {
	q, err := s.queries.find(&id)
	if err != nil {
		return ""
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.problem
}

// statistics grow while a query runs.
func (q *query) statistics() *types.QueryStatistics {
	p := &q.progress
	return &types.QueryStatistics{
		RecordsScanned: float64(p.Records.Load()), BytesScanned: float64(p.Bytes.Load()), RecordsMatched: float64(p.Matched.Load()),
		EstimatedRecordsSkipped: float64(p.Skipped.Load()), EstimatedBytesSkipped: q.bytesSkipped(), LogGroupsScanned: float64(len(q.groups)),
	}
}

// bytesSkipped are those of the events that were passed by, if they are as long as others.
func (q *query) bytesSkipped() float64 {
	records := q.progress.Records.Load()
	if records == 0 {
		return 0
	}
	return math.Round(float64(q.progress.Bytes.Load()) * float64(q.progress.Skipped.Load()) / float64(records))
}

// DescribeQueries lists queries, the newest first.
func (s *Service) DescribeQueries(_ context.Context, in *cloudwatchlogs.DescribeQueriesInput) (*cloudwatchlogs.DescribeQueriesOutput, error) {
	if err := notInsights(in.QueryLanguage); err != nil {
		return nil, err
	}
	s.queries.mu.Lock()
	all := slices.Clone(s.queries.all)
	s.queries.mu.Unlock()
	slices.Reverse(all)
	all = slices.DeleteFunc(all, func(q *query) bool {
		status := q.state()
		return in.LogGroupName != nil && !slices.Contains(q.groups, *in.LogGroupName) || in.Status != "" && in.Status != status
	})
	page, next, err := pagedTo(1000, all, in.MaxResults, in.NextToken, func(q *query) string { return fmt.Sprintf("%020d %s", q.began.UnixNano(), q.id) })
	out := &cloudwatchlogs.DescribeQueriesOutput{Queries: []types.QueryInfo{}, NextToken: next}
	for _, q := range page {
		out.Queries = append(out.Queries, q.info(s.ms()))
	}
	return out, err
}

func (q *query) info(now int64) types.QueryInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	info := types.QueryInfo{
		QueryId: aws.String(q.id), QueryString: aws.String(q.text), QueryLanguage: types.QueryLanguageCwli, Status: q.status, CreateTime: aws.Int64(q.began.UnixMilli()),
		BytesScanned: aws.Float64(float64(q.progress.Bytes.Load())), UserIdentity: aws.String(q.who),
	}
	if len(q.groups) > 0 {
		info.LogGroupName = aws.String(q.groups[0])
	}
	if !q.finished.IsZero() {
		now = q.finished.UnixMilli()
	}
	info.QueryDuration = aws.Int64(now - q.began.UnixMilli())
	return info
}

// ListLogGroupsForQuery lists the groups that a query reads.
func (s *Service) ListLogGroupsForQuery(_ context.Context, in *cloudwatchlogs.ListLogGroupsForQueryInput) (*cloudwatchlogs.ListLogGroupsForQueryOutput, error) {
	q, err := s.queries.find(in.QueryId)
	if err != nil {
		return nil, err
	}
	page, next, err := pagedTo(500, q.groups, in.MaxResults, in.NextToken, func(g string) string { return g })
	out := &cloudwatchlogs.ListLogGroupsForQueryOutput{LogGroupIdentifiers: []string{}, NextToken: next}
	for _, g := range page {
		out.LogGroupIdentifiers = append(out.LogGroupIdentifiers, s.groupARN(g))
	}
	return out, err
}

// ofQuery are the groups of a query, as policies match them. Of a query that is not
// there it is no group.
func (s *Service) ofQuery(id *string) (all []string) {
	q, err := s.queries.find(id)
	if err != nil {
		return []string{s.groupARN(":log-stream:")}
	}
	for _, g := range q.groups {
		all = append(all, s.ofGroup(&g, nil)...)
	}
	return all
}

// sampled is how many events GetLogGroupFields looks at.
const sampled = 5000

// GetLogGroupFields tells which fields the events of a quarter of an hour have, and in
// how many of a hundred: those around a time, or the last.
func (s *Service) GetLogGroupFields(_ context.Context, in *cloudwatchlogs.GetLogGroupFieldsInput) (*cloudwatchlogs.GetLogGroupFieldsOutput, error) {
	name := s.named(in.LogGroupName, in.LogGroupIdentifier)
	g, ok := s.groups.Get(name)
	if !ok {
		return nil, notFound("group")
	}
	from, to := s.ms()-15*60_000, int64(math.MaxInt64-1)
	if in.Time != nil {
		at := milliseconds(*in.Time)
		from, to = at-8*60_000, at+8*60_000
	}
	streams, err := s.chosen(name, nil, nil)
	if err != nil {
		return nil, err
	}
	events, count := 0, map[string]int{}
	q := storage.Query{Group: name, Streams: streams, From: storage.From(max(from, s.oldest(&g))), To: storage.From(to + 1), Backward: true}
	for e, err := range s.Events.Read(q) {
		if err != nil {
			return nil, err
		}
		if events++; events > sampled {
			events = sampled
			break
		}
		for _, f := range []string{"@timestamp", "@message", "@ingestionTime", "@logStream", "@log"} {
			count[f]++
		}
		if !json.Valid([]byte(e.Message)) {
			continue
		}
		for _, f := range scan.Discover(e.Message) {
			count[f.Name]++
		}
	}
	out := &cloudwatchlogs.GetLogGroupFieldsOutput{LogGroupFields: []types.LogGroupField{}}
	for f, n := range count {
		out.LogGroupFields = append(out.LogGroupFields, types.LogGroupField{Name: aws.String(f), Percent: int32(max(1, 100*n/events))})
	}
	slices.SortFunc(out.LogGroupFields, func(a, b types.LogGroupField) int {
		if a.Percent != b.Percent {
			return int(b.Percent - a.Percent)
		}
		if *a.Name < *b.Name {
			return -1
		}
		return 1
	})
	return out, nil
}
