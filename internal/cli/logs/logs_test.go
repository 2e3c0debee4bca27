package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/cli/global"
	"github.com/eksact/eksact/internal/hint"
)

// account is a log group that events are added to while it is read.
type account struct {
	events []types.FilteredLogEvent
	asked  []cloudwatchlogs.FilterLogEventsInput
	polls  int
	stop   func()
	status types.QueryStatus // that queries end with, if not Complete
}

func event(id string, at int64) types.FilteredLogEvent {
	return types.FilteredLogEvent{EventId: &id, Timestamp: &at, IngestionTime: &at, LogStreamName: aws.String("s"), Message: aws.String("m-" + id)}
}

func (a *account) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	a.asked = append(a.asked, *in)
	if in.NextToken == nil {
		if a.polls++; a.polls == 2 {
			a.events = append(a.events, event("late", 101_000), event("new", 200_000))
		}
		if a.polls == 4 {
			a.stop()
		}
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	for i, e := range a.events {
		if *e.Timestamp < *in.StartTime || in.NextToken != nil && fmt.Sprint(i) < *in.NextToken {
			continue
		}
		if len(out.Events) == 2 {
			out.NextToken = aws.String(fmt.Sprint(i))
			break
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

func (a *account) StartQuery(_ context.Context, in *cloudwatchlogs.StartQueryInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StartQueryOutput, error) {
	return &cloudwatchlogs.StartQueryOutput{QueryId: in.QueryString}, nil
}

func (a *account) DescribeQueryDefinitions(_ context.Context, in *cloudwatchlogs.DescribeQueryDefinitionsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeQueryDefinitionsOutput, error) {
	if in.NextToken == nil {
		return &cloudwatchlogs.DescribeQueryDefinitionsOutput{QueryDefinitions: []types.QueryDefinition{{Name: aws.String("by user and verb"), QueryString: aws.String("limit 1")}}, NextToken: aws.String("t")}, nil
	}
	return &cloudwatchlogs.DescribeQueryDefinitionsOutput{QueryDefinitions: []types.QueryDefinition{{
		Name: aws.String("by user"), QueryString: aws.String(`filter user.username = "{{user}}" and verb = '{{ verb }}' and @message like "{{other}}" | limit {{n}}`), LogGroupNames: []string{"g"},
		Parameters: []types.QueryParameter{{Name: aws.String("user")}, {Name: aws.String("verb"), DefaultValue: aws.String("get")}, {Name: aws.String("n"), DefaultValue: aws.String("5")}},
	}}}, nil
}

func TestSavedQueries(t *testing.T) {
	d := &definition{name: "by user", parameters: []string{"user=a=b", "n=7"}}
	found, err := d.find(t.Context(), &account{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.filled(found)
	if want := `filter user.username = "a=b" and verb = 'get' and @message like "{{other}}" | limit 7`; err != nil || text != want {
		t.Errorf("%v: %s, want %s", err, text, want)
	}
	for want, d := range map[string]*definition{"lacks values for user": {name: "by user"}, `"who=x" is none of the query's`: {name: "by user", parameters: []string{"who=x"}}, `"user" is none`: {name: "by user", parameters: []string{"user"}}} {
		if _, err := d.filled(found); err == nil || !strings.Contains(err.Error(), want) || len(hint.Lines(err)) == 0 {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := (&definition{name: "by"}).find(t.Context(), &account{}); err == nil || !strings.Contains(err.Error(), `no query is saved as "by"`) {
		t.Error(err)
	}
}

func (a *account) StopQuery(context.Context, *cloudwatchlogs.StopQueryInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.StopQueryOutput, error) {
	return nil, nil
}

func (a *account) GetQueryResults(_ context.Context, in *cloudwatchlogs.GetQueryResultsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	if a.polls++; a.polls < 3 {
		return &cloudwatchlogs.GetQueryResultsOutput{Status: types.QueryStatusRunning}, nil
	}
	if a.status != "" {
		return &cloudwatchlogs.GetQueryResultsOutput{Status: a.status}, nil
	}
	field := func(name, value string) types.ResultField {
		return types.ResultField{Field: &name, Value: &value}
	}
	out := &cloudwatchlogs.GetQueryResultsOutput{Status: types.QueryStatusComplete, Statistics: &types.QueryStatistics{RecordsScanned: 7, BytesScanned: 2e6}}
	if in.NextToken == nil {
		out.Results, out.NextToken = [][]types.ResultField{{field("a", "1"), field("@ptr", "p")}}, aws.String("t")
	} else {
		out.Results = [][]types.ResultField{{field("a", "two"), field("b", "x,\"y\""), field("@ptr", "q")}}
	}
	return out, nil
}

// Following prints each event once, also those that come late, until it is interrupted.
func TestFollowing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	a := &account{events: []types.FilteredLogEvent{event("old", 99_000), event("a", 100_000), event("b", 100_500), event("c", 102_000)}, stop: stop}
	var out bytes.Buffer
	tail := &tail{logs: a, follow: true, since: time.UnixMilli(100_000), show: lines(&out), in: cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g")}}
	if err := tail.run(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Fields(line)[2])
	}
	if s := strings.Join(got, " "); s != "m-a m-b m-c m-late m-new" {
		t.Errorf("printed %s", s)
	}
	if want := "1970-01-01T00:01:40.000Z s m-a\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("printed %q", out.String())
	}
}

func TestAskingGroups(t *testing.T) {
	q := &question{text: "fields a, b"}
	a, err := q.ask(t.Context(), &account{}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		print func() (string, error)
		want  string
	}{
		"table": {func() (string, error) { var b bytes.Buffer; err := a.table(&b); return b.String(), err }, "a    b\n1\ntwo  x,\"y\"\n"},
		"csv":   {func() (string, error) { var b bytes.Buffer; err := a.csv(&b); return b.String(), err }, "a,b\n1,\ntwo,\"x,\"\"y\"\"\"\n"},
		"json":  {func() (string, error) { var b bytes.Buffer; err := a.json(&b); return b.String(), err }, "[\n  {\n    \"a\": \"1\"\n  },\n  {\n    \"a\": \"two\",\n    \"b\": \"x,\\\"y\\\"\"\n  }\n]\n"},
	} {
		if got, err := test.print(); err != nil || got != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, test.want)
		}
	}
}

func TestWhyAQueryFailed(t *testing.T) {
	q := &question{text: "fields a"}
	_, err := q.ask(t.Context(), &account{status: types.QueryStatusFailed}, func(id string) string { return id + " is too much" })
	if err == nil || err.Error() != "the query ended with the status Failed: fields a is too much" {
		t.Errorf("known: %v", err)
	}
	_, err = q.ask(t.Context(), &account{status: types.QueryStatusFailed}, func(string) string { return "" })
	if err == nil || err.Error() != "the query ended with the status Failed" || len(hint.Lines(err)) == 0 {
		t.Errorf("not known: %v", err)
	}
	err = explained(&types.ResourceNotFoundException{Message: aws.String("lookup table nope: there is no such table")}, "g")
	if err.Error() != "lookup table nope: there is no such table" {
		t.Errorf("a table that is not there: %v", err)
	}
}

func TestAskingFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	text := `{"user":{"username":"user1"},"stageTimestamp":"2026-11-27T09:00:00.5Z","code":403}` + "\n" +
		`{"user":{"username":"admin"},"ts":1795770000,"code":200}` + "\n" + "E1127 09:30:00.000001 1 x.go:1] bad\n  more of it\n" + `2026-11-27T09:40:00Z plain`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) (string, error) {
		g := &global.Options{}
		cmd := New(g)
		g.AddTo(cmd.PersistentFlags())
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetIn(strings.NewReader(`{"code":1}` + "\n" + `{"code":2}`))
		cmd.SetArgs(append([]string{"query"}, args...))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.Execute()
		return out.String(), err
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	if err := os.WriteFile(path+".gz", zipped.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"code\n403\n":                     {"--file", path + ".gz", `fields code | filter user.username = "user1"`},
		"code,user.username\n403,user1\n": {"--file", path, "--csv", "--limit", "1", `fields code, user.username | filter code > 300`},
		"@timestamp               code\n2026-11-27 09:00:00.500  403\n": {"--file", path, `fields @timestamp, code | filter user.username = "user1"`},
		"n,@logStream\n5,audit.log\n2,-\n":                              {"--file", path, "--file", "-", "--csv", "stats count(*) as n by @logStream | sort n desc"},
		"n\n1\n":                                                        {"--file", path, `filter @message like /more/ | stats count(*) as n`},
		"":                                                              {"--file", path, "--since", "2030-01-01", "fields code"},
	} {
		got, err := ask(args...)
		if err == nil && strings.HasPrefix(want, "n,") {
			got = strings.Replace(got, "@logStream,n\naudit.log,5\n-,2", "n,@logStream\n5,audit.log\n2,-", 1)
		}
		if err != nil || got != want {
			t.Errorf("%q: %v\n%q\nwant %q", args, err, got, want)
		}
	}
	for _, test := range []struct {
		want string
		args []string
	}{
		{"the query is wrong", []string{"--file", path, "filter code = "}},
		{"there is no file", []string{"--file", path + "x", "limit 1"}},
		{"has no log group", []string{"limit 1"}},
		{"can't be asked together", []string{"--file", path, "--group", "g", "limit 1"}},
		{"two forms of output", []string{"--file", path, "--csv", "-o", "json", "limit 1"}},
		{"--limit 0 is no number of rows", []string{"--file", path, "--limit", "0", "fields code"}},
		{"--limit -3 is no number of rows", []string{"--file", path, "--limit", "-3", "fields code"}},
		{"has no SOURCE", []string{"--file", path, "SOURCE 'g' | limit 1"}},
	} {
		_, err := ask(test.args...)
		if err == nil || !strings.Contains(err.Error(), test.want) || len(hint.Lines(err)) == 0 {
			t.Errorf("%q: %v, hints %q", test.args, err, hint.Lines(err))
		}
	}
}

// TestColumnsKeepTheirOrder: also in JSON, and of rows that lack some; @ptr is shown to who
// asks for it.
func TestColumnsKeepTheirOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(`{"a":1,"z":"<2>"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(args ...string) (string, string) {
		g := &global.Options{}
		cmd := New(g)
		g.AddTo(cmd.PersistentFlags())
		var out, summary bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&summary)
		cmd.SetArgs(append([]string{"query", "--file", path}, args...))
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		return out.String(), summary.String()
	}
	if got, _ := ask("-o", "json", "fields z, nothing, a"); got != "[\n  {\n    \"z\": \"\\u003c2\\u003e\",\n    \"a\": \"1\"\n  }\n]\n" {
		t.Errorf("JSON is %s", got)
	}
	got, _ := ask("--csv", "fields a, @ptr")
	if head, row, _ := strings.Cut(got, "\n"); head != "a,@ptr" || !strings.HasPrefix(row, "1,") || len(row) < 10 {
		t.Errorf("with @ptr it is %s", got)
	}
	if _, summary := ask("fields a"); !strings.HasPrefix(summary, "1 row of 1 event, ") {
		t.Errorf("the summary is %s", summary)
	}
	a, err := (&question{}).ask(t.Context(), &lacking{}, func(string) string { return "a part is damaged" })
	if err != nil || strings.Join(a.columns, " ") != "a b c d" || a.problem != "a part is damaged" {
		t.Errorf("columns of rows that lack some are %v, %v", a.columns, err)
	}
}

// lacking is an account whose rows lack columns.
type lacking struct{ account }

func (*lacking) GetQueryResults(context.Context, *cloudwatchlogs.GetQueryResultsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	out := &cloudwatchlogs.GetQueryResultsOutput{Status: types.QueryStatusComplete, Statistics: &types.QueryStatistics{}}
	for _, names := range []string{"b d", "a b", "b c d"} {
		var row []types.ResultField
		for _, name := range strings.Fields(names) {
			row = append(row, types.ResultField{Field: aws.String(name), Value: aws.String("v")})
		}
		out.Results = append(out.Results, row)
	}
	return out, nil
}

// TestMembersOfALine: the time is the line's own, wherever it stands, and not that of
// something in it.
func TestMembersOfALine(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	const want = 1_795_356_000_123
	for _, line := range []string{
		`{"stageTimestamp":"2026-11-22T14:00:00.123Z"}`,
		`{ "a" : {"stageTimestamp":"2020-01-01T00:00:00Z"} , "stageTimestamp" : "2026-11-22T14:00:00.123Z" , "z":[1,{"time":2}]}`,
		`{"time":"2020-01-01T00:00:00Z","stageTimestamp":"2026-11-22T14:00:00.123Z"}`,
		`{"a":"\"stageTimestamp\":1,}{","b":["x","time",":"],"ts":1795356000.123}`,
		`{"a\\":"}","@timestamp":1795356000123}`,
		`{"time":null,"timestamp":"yesterday","eventTime":"2026-11-22T14:00:00.123Z"}`,
		`2026-11-22T14:00:00.123Z {"time":1}`,
	} {
		if at, ok := timeOf([]byte(line), now); !ok || at != want {
			t.Errorf("%s is of %d, %v", line, at, ok)
		}
	}
	for _, line := range []string{`{`, `{"`, `{"time`, `{"time":`, `{"a":{"time":1795356000}}`, `{"x":"time","y":1795356000}`, `{"time\`, `}`, `no time`} {
		if at, ok := timeOf([]byte(line), now); ok {
			t.Errorf("%s is of %d", line, at)
		}
	}
}
