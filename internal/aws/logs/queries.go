package logs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
	"github.com/eksact/eksact/internal/engine/insights"
	"github.com/eksact/eksact/internal/engine/insights/syntax"
	"github.com/eksact/eksact/internal/engine/scan"
)

// Limits of queries.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const (
	queryGroups  = 50
	queryRunning = 100 // at once
	queryLasts   = 60 * time.Minute
	queryKept    = 7 * 24 * time.Hour
)

// query is a query that was started.
type query struct {
	id       string
	text     string
	groups   []string // by name
	who      string   // ARN of the caller
	began    time.Time
	running  time.Time // since when, by a clock that tests don't turn
	progress insights.Progress
	partial  insights.Partial // what it has found while it runs
	looks    looks            // at that
	cancel   context.CancelFunc
	ended    chan struct{} // closed when the rest is set

	mu       sync.Mutex
	status   types.QueryStatus
	results  results // nil: none, or in the file alone
	rows     int     // of the results
	finished time.Time
	problem  string // why it failed, until a restart
	heap     int64  // bytes that results take, roughly
	size     int64  // of its file, 0 without
	stored   bool   // the results are in the file
}

// results are the rows that a query found.
type results interface {
	Len() int
	Fields(row int) []insights.Field
}

// found is a result as results.
type found struct{ *insights.Result }

func (f found) Len() int { return len(f.Rows) }

// queries are those that run and those whose results are kept.
type queries struct {
	dir string // of their files, "" for none
	mu  sync.Mutex
	all []*query // the oldest first
}

func (q *queries) find(id *string) (*query, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.all {
		if one.id == aws.ToString(id) {
			return one, nil
		}
	}
	return nil, noQuery
}

var noQuery = &types.ResourceNotFoundException{Message: aws.String("The specified query does not exist.")}

// add keeps a query, unless too many run, and forgets old ones.
func (q *queries) add(one *query, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	running := 0
	for _, other := range q.all {
		if other.state() == types.QueryStatusRunning {
			running++
		}
	}
	if running >= queryRunning {
		return &types.LimitExceededException{Message: aws.String("Account maximum query concurrency limit of [100] reached.")}
	}
	q.all = append(q.all, one)
	q.trim(now)
	return nil
}

func (q *query) state() types.QueryStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.status
}

// malformed is AWS's answer to a query that can't be read.
func malformed(err error) error {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return invalid(err.Error())
	}
	return &types.MalformedQueryException{Message: aws.String(e.Message), QueryCompileError: &types.QueryCompileError{
		Message: aws.String(e.Message), Location: &types.QueryCompileErrorLocation{StartCharOffset: aws.Int32(int32(e.Start)), EndCharOffset: aws.Int32(int32(e.End))},
	}}
}

// groupsOf are the names of the groups that a query is asked of: those of the input, and
// those that it names itself.
func (s *Service) groupsOf(in *cloudwatchlogs.StartQueryInput, q *insights.Query) []string {
	var names []string
	if in.LogGroupName != nil {
		names = append(names, *in.LogGroupName)
	}
	names = append(names, in.LogGroupNames...)
	for i := range in.LogGroupIdentifiers {
		names = append(names, s.named(nil, &in.LogGroupIdentifiers[i]))
	}
	if q != nil {
		for _, sel := range q.Selections() {
			if !sel.IsDefault() {
				names = append(names, s.selected(sel)...)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// selected are the groups that SOURCE chooses.
func (s *Service) selected(sel insights.Selection) (names []string) {
	for i := range sel.Groups {
		names = append(names, s.named(nil, &sel.Groups[i]))
	}
	if len(sel.Accounts) > 0 && !slices.Contains(sel.Accounts, s.Place.AccountID) {
		return names
	}
	if len(sel.Classes) > 0 && !slices.Contains(sel.Classes, string(types.LogGroupClassStandard)) {
		return names
	}
	for _, g := range s.groups.List("") {
		if sel.All || slices.ContainsFunc(sel.Prefixes, func(p string) bool { return strings.HasPrefix(g.Name, p) }) {
			names = append(names, g.Name)
		}
	}
	return names
}

// queried are the ARNs of the groups that a query is asked of.
func (s *Service) queried(in *cloudwatchlogs.StartQueryInput) (all []string) {
	q, _ := insights.Parse(aws.ToString(in.QueryString)) // what is wrong with it is said when it is allowed
	for _, name := range s.groupsOf(in, q) {
		all = append(all, s.ofGroup(&name, nil)...)
	}
	return all
}

// StartQuery starts a query. Its results are asked for with GetQueryResults.
func (s *Service) StartQuery(ctx context.Context, in *cloudwatchlogs.StartQueryInput) (*cloudwatchlogs.StartQueryOutput, error) {
	if err := notInsights(in.QueryLanguage); err != nil {
		return nil, err
	}
	if in.Limit != nil && (*in.Limit < 1 || *in.Limit > insights.MaxLimit) {
		return nil, invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and 100000")
	}
	from, to := milliseconds(aws.ToInt64(in.StartTime)), milliseconds(aws.ToInt64(in.EndTime))
	if to < from {
		return nil, invalid("Query's end date and time must be after its start date and time.")
	}
	parsed, err := insights.Parse(aws.ToString(in.QueryString))
	if err != nil {
		return nil, malformed(err)
	}
	own := s.groupsOf(in, nil)
	ways := 0
	for _, given := range []bool{in.LogGroupName != nil, len(in.LogGroupNames) > 0, len(in.LogGroupIdentifiers) > 0} {
		if given {
			ways++
		}
	}
	switch needs := parsed.Selections()[0].IsDefault(); {
	case ways > 1:
		return nil, invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified.")
	case needs && len(own) == 0:
		return nil, invalid("The query must name log groups: by logGroupName, logGroupNames, logGroupIdentifiers or the SOURCE command.")
	case len(own) > queryGroups:
		return nil, invalid("A query can have up to 50 log groups.")
	}
	groups := s.groupsOf(in, parsed)
	for _, name := range groups {
		if _, ok := s.groups.Get(name); !ok {
			return nil, notFound("group")
		}
	}
	tables := s.tablesOnce()
	if err := checkTables(ctx, parsed, tables); err != nil {
		return nil, err
	}
	q := &query{
		id: uuid.NewString(), text: *in.QueryString, groups: groups, who: api.CallerFrom(ctx).ARN,
		began: s.Now(), status: types.QueryStatusRunning, ended: make(chan struct{}), running: time.Now(),
	}
	running, cancel := context.WithTimeout(context.Background(), queryLasts)
	q.cancel = cancel
	if err := s.queries.add(q, q.began); err != nil {
		cancel()
		return nil, err
	}
	if err := s.queries.write(q, nil); err != nil {
		s.Log.Warn("a query will not be known after a restart", "query", q.id, "error", err)
	}
	env := s.environment(own, q.groups)
	env.Table = tables
	env.Start, env.End, env.Now, env.Limit, env.Progress, env.Partial = from, to+999, q.began.UnixMilli(), int(aws.ToInt32(in.Limit)), &q.progress, &q.partial
	env.Damaged = func(err error) {
		s.Log.Error("a query goes on without what can't be read", "query", q.id, "error", err)
		q.note(fmt.Errorf("events can't be read, the result is without them: %w", err))
	}
	go s.run(running, q, parsed, env)
	return &cloudwatchlogs.StartQueryOutput{QueryId: aws.String(q.id)}, nil
}

// milliseconds are of a time in seconds, or in milliseconds: AWS takes both.
func milliseconds(at int64) int64 {
	if at > 100_000_000_000 {
		return min(at, latest) / 1000 * 1000
	}
	return at * 1000
}

// latest is a time behind all others with which one can still reckon.
const latest = int64(1) << 60

// environment is what a query of groups is run against. It reads no others than those
// that its caller was found to be allowed to, also if more have come since.
func (s *Service) environment(groups, allowed []string) insights.Env {
	return insights.Env{
		Open: func(_ context.Context, sel insights.Selection) (scan.Source, error) {
			names := groups
			if !sel.IsDefault() {
				names = slices.DeleteFunc(s.selected(sel), func(name string) bool { return !slices.Contains(allowed, name) })
			}
			var scopes []storage.Scope
			for _, name := range names {
				g, ok := s.groups.Get(name)
				if !ok {
					return nil, notFound("group")
				}
				scopes = append(scopes, storage.Scope{Group: name, Log: s.Place.AccountID + ":" + name, Oldest: s.oldest(&g)})
			}
			return s.Events.Source(scopes)
		},
		Zone: time.LoadLocation, Workers: runtime.GOMAXPROCS(0),
	}
}

// stopAll ends all queries.
func (q *queries) stopAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.all {
		one.cancel()
	}
}

// run runs a query to its end. Whoever sees that it is complete finds its results after a
// restart, too.
func (s *Service) run(ctx context.Context, q *query, parsed *insights.Query, env insights.Env) {
	defer q.cancel()
	defer close(q.ended)
	defer func() { q.partial.Forget(); q.looks.forget() }()
	result, err := parsed.Run(ctx, env)
	q.mu.Lock()
	q.finished = s.Now()
	q.mu.Unlock()
	status := types.QueryStatusComplete
	var rows results
	switch {
	case err == nil:
		rows = found{result}
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		status = types.QueryStatusTimeout
	default:
		status = types.QueryStatusFailed
	}
	if q.state() == types.QueryStatusCancelled {
		status, rows = types.QueryStatusCancelled, nil
	} else if err != nil {
		s.Log.Warn("a query failed", "query", q.id, "text", q.text, "error", err)
		q.note(err)
	}
	if err := s.queries.end(q, status, rows); err != nil {
		s.Log.Warn("a query's results will not be known after a restart", "query", q.id, "error", err)
	}
	s.queries.forget(s.Now())
}

// StopQuery ends a query that runs. What it had found stays to be asked for.
func (s *Service) StopQuery(ctx context.Context, in *cloudwatchlogs.StopQueryInput) (*cloudwatchlogs.StopQueryOutput, error) {
	q, err := s.queries.find(in.QueryId)
	if err != nil {
		return nil, err
	}
	found := q.sofar(ctx, rowsPerPage)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.status != types.QueryStatusRunning {
		return nil, invalid("Query is not in Running status, cannot be stopped.")
	}
	q.status = types.QueryStatusCancelled
	if found != nil {
		q.results, q.rows = found, found.Len()
	}
	q.cancel()
	return &cloudwatchlogs.StopQueryOutput{Success: true}, nil
}
