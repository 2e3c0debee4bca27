package logs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/logs/storage"
	"github.com/eksact/eksact/internal/engine/scan"
)

// ask starts a query of group g and waits for its results.
func ask(t *testing.T, c *cloudwatchlogs.Client, in cloudwatchlogs.StartQueryInput) (*cloudwatchlogs.GetQueryResultsOutput, string) {
	t.Helper()
	if in.StartTime == nil {
		in.StartTime, in.EndTime = aws.Int64(time.Now().Add(-time.Hour).Unix()), aws.Int64(time.Now().Add(time.Hour).Unix())
	}
	started, err := c.StartQuery(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	for {
		out, err := c.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId, MaxItems: aws.Int32(3)})
		if err != nil {
			t.Fatal(err)
		}
		if out.Status != types.QueryStatusRunning {
			return out, *started.QueryId
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func rows(out *cloudwatchlogs.GetQueryResultsOutput) string {
	var all []string
	for _, r := range out.Results {
		var row []string
		for _, f := range r {
			if *f.Field != "@ptr" {
				row = append(row, *f.Field+"="+*f.Value)
			}
		}
		all = append(all, strings.Join(row, " "))
	}
	return strings.Join(all, "; ")
}

func TestQueries(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s", "t")
	a.group(t, "other", "s")
	must := doortest.Must(t)
	must(a.put("g", "s", `-9 {"user":{"username":"user1"},"code":403}`, `-8 {"user":{"username":"kubernetes-admin"},"code":200}`))
	must(a.put("g", "t", `-7 {"user":{"username":"user\u0031"},"code":201}`, "-6 plain text"))
	must(a.put("other", "s", `-5 {"user":{"username":"user1"},"code":500}`))

	out, id := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String(`fields code, @logStream | filter user.username = "user1"`)})
	if got := rows(out); out.Status != types.QueryStatusComplete || got != "code=201 @logStream=t; code=403 @logStream=s" {
		t.Errorf("%s: %s", out.Status, got)
	}
	if s := out.Statistics; s.RecordsScanned != 4 || s.RecordsMatched != 2 || s.LogGroupsScanned != 1 || s.ResultCount != 2 || s.BytesScanned < 100 {
		t.Errorf("%+v", s)
	}
	last := out.Results[0][len(out.Results[0])-1]
	record, err := a.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: last.Value})
	if must(record, err); *last.Field != "@ptr" || record.LogRecord["code"] != "201" {
		t.Errorf("%s: %v", *last.Field, record.LogRecord)
	}
	// Groups by all ways to name them.
	arn := arns + "log-group:other"
	for want, in := range map[string]cloudwatchlogs.StartQueryInput{
		"n=4 @log=" + doortest.Number + ":g; n=1 @log=" + doortest.Number + ":other": {LogGroupNames: []string{"g", "other"}, QueryString: aws.String("stats count(*) as n by @log | sort n desc")},
		"code=500": {LogGroupIdentifiers: []string{arn}, QueryString: aws.String("fields code")},
		"max=500":  {QueryString: aws.String("SOURCE logGroups(namePrefix: ['o']) | stats max(code) as max")},
		"min=200":  {QueryString: aws.String("SOURCE 'g' | stats min(code) as min")},
	} {
		out, _ := ask(t, a.Client, in)
		got := rows(out)
		if strings.HasPrefix(want, "n=4") {
			got = strings.NewReplacer("@log="+doortest.Number+":g n=4", "n=4 @log="+doortest.Number+":g", "@log="+doortest.Number+":other n=1", "n=1 @log="+doortest.Number+":other").Replace(got)
		}
		if got != want {
			t.Errorf("%+v: %s, want %s", *in.QueryString, got, want)
		}
	}
	groups, err := a.ListLogGroupsForQuery(t.Context(), &cloudwatchlogs.ListLogGroupsForQueryInput{QueryId: &id})
	if must(groups, err); strings.Join(groups.LogGroupIdentifiers, " ") != arns+"log-group:g" {
		t.Errorf("%v", groups.LogGroupIdentifiers)
	}
	list, err := a.DescribeQueries(t.Context(), &cloudwatchlogs.DescribeQueriesInput{LogGroupName: aws.String("g"), Status: types.QueryStatusComplete})
	if must(list, err); len(list.Queries) != 3 || *list.Queries[2].QueryId != id {
		t.Errorf("%+v", list.Queries)
	}
	for want, in := range map[int]cloudwatchlogs.DescribeQueriesInput{
		5: {}, 0: {Status: types.QueryStatusRunning}, 3: {LogGroupName: aws.String("other")}, 4: {MaxResults: aws.Int32(4)}, 2: {LogGroupName: aws.String("other"), Status: types.QueryStatusComplete, MaxResults: aws.Int32(2), QueryLanguage: types.QueryLanguageCwli},
	} {
		out, err := a.DescribeQueries(t.Context(), &in)
		if must(out, err); len(out.Queries) != want || (out.NextToken != nil) != (in.MaxResults != nil) {
			t.Errorf("%+v: %d queries, want %d", in, len(out.Queries), want)
		}
		if in.MaxResults != nil {
			in.NextToken = out.NextToken
			rest, err := a.DescribeQueries(t.Context(), &in)
			if must(rest, err); len(rest.Queries) != 1 || rest.NextToken != nil {
				t.Errorf("%+v: the second page has %d", in, len(rest.Queries))
			}
		}
	}
	if q := list.Queries[2]; *q.QueryString == "" || *q.LogGroupName != "g" || *q.BytesScanned < 100 || !strings.HasPrefix(*q.UserIdentity, "arn:aws:iam::"+doortest.Number) || q.QueryDuration == nil || q.CreateTime == nil {
		t.Errorf("%+v", q)
	}
	_, err = a.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &id})
	doortest.Refused(t, err, "InvalidParameterException", "not in Running status")
	fields, err := a.GetLogGroupFields(t.Context(), &cloudwatchlogs.GetLogGroupFieldsInput{LogGroupName: aws.String("g")})
	must(fields, err)
	percent := map[string]int32{}
	for _, f := range fields.LogGroupFields {
		percent[*f.Name] = f.Percent
	}
	if percent["@message"] != 100 || percent["code"] != 75 || percent["user.username"] != 75 {
		t.Errorf("%v", percent)
	}
}

func TestQueryResultsInPages(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	var all []string
	for n := range 8 {
		all = append(all, fmt.Sprintf("%d m%d", n-9, n))
	}
	doortest.Must(t)(a.put("g", "s", all...))
	out, id := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("fields @message"), Limit: aws.Int32(7)})
	got := rows(out)
	for out.NextToken != nil {
		var err error
		out, err = a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id, NextToken: out.NextToken, MaxItems: aws.Int32(3)})
		if err != nil {
			t.Fatal(err)
		}
		got += " | " + rows(out)
	}
	if want := "@message=m7; @message=m6; @message=m5 | @message=m4; @message=m3; @message=m2 | @message=m1"; got != want {
		t.Errorf("%s", got)
	}
	_, err := a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("x")})
	doortest.Refused(t, err, "ResourceNotFoundException", "query")
}

func TestQueriesRefused(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	start := func(in cloudwatchlogs.StartQueryInput) error {
		if in.StartTime == nil {
			in.StartTime, in.EndTime = aws.Int64(0), aws.Int64(10)
		}
		if in.QueryString == nil {
			in.QueryString = aws.String("limit 1")
		}
		_, err := a.StartQuery(t.Context(), &in)
		return err
	}
	g := aws.String("g")
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("none")}), "ResourceNotFoundException", "log group")
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{}), "InvalidParameterException", "must name log groups")
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupName: g, LogGroupNames: []string{"g"}}), "InvalidParameterException", "Exactly one")
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupName: g, StartTime: aws.Int64(9), EndTime: aws.Int64(8)}), "InvalidParameterException", "must be after")
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupNames: many}), "InvalidParameterException", "50")
	for _, limit := range []int32{0, 100_001} {
		doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupName: g, Limit: &limit}), "InvalidParameterException", "limit")
	}
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupName: g, QueryString: aws.String(strings.Repeat("x", 10_001))}), "InvalidParameterException", "10000")
	doortest.Refused(t, start(cloudwatchlogs.StartQueryInput{LogGroupName: g, QueryLanguage: types.QueryLanguageSql}), "InvalidParameterException", "SQL")
	err := start(cloudwatchlogs.StartQueryInput{LogGroupName: g, QueryString: aws.String("fields @message\n| filter @message like /x/i")})
	var bad *types.MalformedQueryException
	if !errors.As(err, &bad) || bad.QueryCompileError == nil || *bad.QueryCompileError.Location.StartCharOffset != 42 || !strings.HasPrefix(*bad.Message, "unexpected symbol found i at line 2") {
		t.Errorf("%v, %+v", err, bad)
	}
	// A query reads only what its caller may, whatever way it names it.
	a.group(t, "secret", "s")
	user := cloudwatchlogs.NewFromConfig(a.door.User(t, "u", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:StartQuery","logs:GetQueryResults"],"Resource":"`+arns+`log-group:g:*"}]}`))
	out, id := ask(t, user, cloudwatchlogs.StartQueryInput{LogGroupName: g, QueryString: aws.String("stats count(*)")})
	if rows(out) != "count(*)=0" || id == "" {
		t.Errorf("%s", rows(out))
	}
	for _, text := range []string{"SOURCE 'secret' | limit 1", "SOURCE logGroups(namePrefix: ['se']) | limit 1", "SOURCE logGroups() | limit 1", "filter @message in (SOURCE 'secret' | fields @message)", "join type=inner left=a right=b where a.x=b.x (SOURCE 'secret')"} {
		in := cloudwatchlogs.StartQueryInput{StartTime: aws.Int64(0), EndTime: aws.Int64(10), QueryString: &text}
		if !strings.HasPrefix(text, "SOURCE") {
			in.LogGroupName = g
		}
		_, err := user.StartQuery(t.Context(), &in)
		doortest.Refused(t, err, "AccessDeniedException", "logs:StartQuery")
	}
}

func TestQueriesWithLookupTables(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	doortest.Must(t)(a.put("g", "s", `-9 {"id":1}`, `-8 {"id":3}`))
	doortest.Must(t)(a.CreateLookupTable(t.Context(), &cloudwatchlogs.CreateLookupTableInput{LookupTableName: aws.String("users"), TableBody: aws.String("id,name\n1,ann\n2,bob\n")}))
	out, _ := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("lookup users id OUTPUT name | fields id, name | sort id")})
	if got := rows(out); got != "id=1 name=ann; id=3" {
		t.Errorf("%s: %s", out.Status, got)
	}
	for query, want := range map[string][2]string{
		"lookup nope id OUTPUT name":                        {"ResourceNotFoundException", "lookup table nope: there is no such table"},
		"lookup users id OUTPUT age":                        {"InvalidParameterException", "lookup table users has no column age: its columns are id, name"},
		"filter id in (lookup nope id OUTPUT b | fields b)": {"ResourceNotFoundException", "lookup table nope"},
	} {
		_, err := a.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), StartTime: aws.Int64(0), EndTime: aws.Int64(10), QueryString: &query})
		doortest.Refused(t, err, want[0], want[1])
	}
}

func TestWhyAQueryFailed(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	doortest.Must(t)(a.put("g", "s", `-600 a`, `0 b`))
	out, id := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("stats count(*) by bin(1ms) | fillmissing")})
	if why := a.service.WentWrong(id); out.Status != types.QueryStatusFailed || !strings.Contains(why, "100000 rows") {
		t.Errorf("%s: %q", out.Status, why)
	}
	out, id = ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("limit 1")})
	if why := a.service.WentWrong(id); out.Status != types.QueryStatusComplete || why != "" {
		t.Errorf("%s: %q", out.Status, why)
	}
}

// damaged are events of which a part can't be read, if the account says so.
type damaged struct {
	storage.Storage
	account *account
}

func (d damaged) Source(groups []storage.Scope) (scan.Source, error) {
	if d.account.gate != nil {
		var each []scan.Source
		for _, g := range groups {
			events, err := d.Storage.Source([]storage.Scope{g})
			if err != nil {
				return nil, err
			}
			each = append(each, gated{events, d.account.gate})
		}
		return scan.All(each...), nil
	}
	events, err := d.Storage.Source(groups)
	if d.account.damage == nil || err != nil {
		return events, err
	}
	return scan.All(unreadable{d.account.damage}, events), nil
}

func (d damaged) DeleteStream(s storage.Stream) error {
	if d.account.deletes != nil {
		d.account.deletes()
	}
	return d.Storage.DeleteStream(s)
}

// unreadable is a source that can't be read.
type unreadable struct{ error }

func (u unreadable) Scan(_ context.Context, r *scan.Request, _ func(int, *scan.Batch) bool) error {
	if r.Damaged == nil {
		return u
	}
	r.Damaged(u)
	return nil
}

// TestDamageIsToldOf: what can be read is the result, and that it is not all can be asked.
func TestDamageIsToldOf(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	doortest.Must(t)(a.put("g", "s", `0 a`, `0 b`))
	a.damage = errors.New("segment 7: checksum")
	out, id := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("stats count(*) as n")})
	if out.Status != types.QueryStatusComplete || len(out.Results) != 1 || *out.Results[0][0].Value != "2" {
		t.Errorf("%s, %v", out.Status, out.Results)
	}
	if said := a.service.WentWrong(id); !strings.Contains(said, "segment 7: checksum") {
		t.Errorf("it says %q", said)
	}
}

// TestStoppingAQuery asks each row's own text a question that takes long.
func TestStoppingAQuery(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	for range 40 {
		var all []string
		for n := range 1000 {
			all = append(all, fmt.Sprintf(`0 {"n":%d,"text":"%s"}`, n, strings.Repeat("x", 300)))
		}
		doortest.Must(t)(a.put("g", "s", all...))
	}
	started, err := a.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Add(time.Hour).Unix()), QueryString: aws.String("filter concat(@ptr, text) like /(x+x+x+x+x+)+y/ | stats count(*)")})
	if err != nil {
		t.Fatal(err)
	}
	var before float64
	eventually(t, "statistics that grow", func() bool {
		out, err := a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
		if err != nil || out.Status != types.QueryStatusRunning {
			t.Fatalf("%s, %v", out.Status, err)
		}
		before = out.Statistics.RecordsScanned
		return before > 0
	})
	stopped, err := a.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: started.QueryId})
	if err != nil || !stopped.Success {
		t.Fatalf("%+v, %v", stopped, err)
	}
	out, err := a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId})
	if err != nil || out.Status != types.QueryStatusCancelled || len(out.Results) > 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

// gated is a source that waits after each batch until it is let on.
type gated struct {
	scan.Source
	on chan bool
}

func (g gated) Scan(ctx context.Context, r *scan.Request, yield func(int, *scan.Batch) bool) error {
	return g.Source.Scan(ctx, r, func(worker int, b *scan.Batch) bool {
		ok := yield(worker, b)
		<-g.on
		return ok
	})
}

// TestAQueryIsSeenToGrow: while queries run, the rows and groups that they have so far are
// shown.
func TestAQueryIsSeenToGrow(t *testing.T) {
	a := open(t)
	groups := []string{"g1", "g2", "g3"} // a batch each
	for i, g := range groups {
		a.group(t, g, "s")
		doortest.Must(t)(a.put(g, "s", fmt.Sprintf(`%d {"n":%d}`, i-9, i), fmt.Sprintf(`%d {"n":%d}`, i-9, i+10)))
	}
	a.gate = make(chan bool)
	for query, want := range map[string][]string{
		"fields n | sort n":                                       {"n=0; n=10", "n=0; n=1; n=10", "n=0; n=1; n=2"}, // pages of three
		"stats count(*) as c by n < 10 as small":                  {"small=0 c=1; small=1 c=1", "small=0 c=2; small=1 c=2", "small=0 c=3; small=1 c=3"},
		"stats sum(n) as s | fields s * 2 as twice":               {"s=10 twice=20", "s=22 twice=44", "s=36 twice=72"},
		"pattern @message | fields @sampleCount as c | display c": {"c=2", "c=4", "c=6"},
	} {
		started, err := a.StartQuery(t.Context(), &cloudwatchlogs.StartQueryInput{LogGroupNames: groups, StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Add(time.Hour).Unix()), QueryString: &query})
		if err != nil {
			t.Fatal(err)
		}
		for i, so := range want {
			is := types.QueryStatusRunning
			if i == len(want)-1 {
				is = types.QueryStatusComplete
				a.gate <- true
			}
			var got string
			var out *cloudwatchlogs.GetQueryResultsOutput
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				out, err = a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: started.QueryId, MaxItems: aws.Int32(3)})
				if err != nil {
					t.Fatal(err)
				}
				if got = rows(out); got == so && out.Status == is {
					break
				}
			}
			if got != so || out.Status != is || is == types.QueryStatusRunning && out.NextToken != nil {
				t.Errorf("%s, after %d of 3 groups: %s, %s, not %s", query, i+1, out.Status, got, so)
			}
			if i < len(want)-1 {
				a.gate <- true
			}
		}
	}
}

// TestWhatAStoppedQueryHadFound is there to be asked for, and to make a lookup table of, as
// is what others found.
func TestWhatAStoppedQueryHadFound(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	for i, g := range []string{"g1", "g2"} {
		a.group(t, g, "s")
		must(a.put(g, "s", fmt.Sprintf(`-9 {"n":%d}`, i), fmt.Sprintf(`-8 {"n":%d,"name":"a,\"b\""}`, i+10)))
	}
	a.gate = make(chan bool)
	in := &cloudwatchlogs.StartQueryInput{LogGroupNames: []string{"g1", "g2"}, StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Add(time.Hour).Unix()), QueryString: aws.String("fields n, name | sort n")}
	started, err := a.StartQuery(ctx, in)
	must(started, err)
	results := func(id *string) *cloudwatchlogs.GetQueryResultsOutput {
		out, err := a.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: id})
		must(out, err)
		return out
	}
	for rows := range 2 { // of the first group, whose two forms are a batch each
		eventually(t, "rows of the first group", func() bool { return len(results(started.QueryId).Results) == rows+1 })
		if rows == 0 {
			a.gate <- true
		}
	}
	table := func(c *cloudwatchlogs.Client, name string, id *string) error {
		_, err := c.CreateLookupTable(ctx, &cloudwatchlogs.CreateLookupTableInput{LookupTableName: &name, QueryId: id})
		return err
	}
	doortest.Refused(t, table(a.Client, "t", started.QueryId), "InvalidParameterException", "The query is Running")
	must(a.StopQuery(ctx, &cloudwatchlogs.StopQueryInput{QueryId: started.QueryId}))
	close(a.gate)
	if out := results(started.QueryId); out.Status != types.QueryStatusCancelled || rows(out) != `n=0; n=10 name=a,"b"` || out.Statistics.ResultCount != 2 {
		t.Errorf("%s, %s, %+v", out.Status, rows(out), out.Statistics)
	}
	user := cloudwatchlogs.NewFromConfig(a.door.User(t, "u", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLookupTable","logs:UpdateLookupTable"],"Resource":"*"}]}`))
	doortest.Refused(t, table(user, "t", started.QueryId), "AccessDeniedException", "logs:GetQueryResults")
	must(nil, table(a.Client, "t", started.QueryId))
	text := func() string {
		out, err := a.GetLookupTable(ctx, &cloudwatchlogs.GetLookupTableInput{LookupTableArn: aws.String(arns + "lookup-table:t")})
		must(out, err)
		return *out.TableBody
	}
	if got, want := text(), "n,name\n0,\n10,\"a,\"\"b\"\"\"\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	_, id := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupNames: in.LogGroupNames, QueryString: aws.String("stats count(*) as c by name")})
	update := &cloudwatchlogs.UpdateLookupTableInput{LookupTableArn: aws.String(arns + "lookup-table:t"), QueryId: &id}
	_, err = user.UpdateLookupTable(ctx, update)
	doortest.Refused(t, err, "AccessDeniedException", "logs:GetQueryResults")
	must(a.UpdateLookupTable(ctx, update))
	if got, want := text(), "name,c\n,2\n\"a,\"\"b\"\"\",2\n"; got != want && got != "c,name\n2,\n2,\"a,\"\"b\"\"\"\n" {
		t.Errorf("%q, want %q", got, want)
	}
	update.TableBody = aws.String("a\n1\n")
	_, err = a.UpdateLookupTable(ctx, update)
	doortest.Refused(t, err, "InvalidParameterException", "Exactly one")
	_, none := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupNames: in.LogGroupNames, QueryString: aws.String("filter n > 99")})
	doortest.Refused(t, table(a.Client, "none", &none), "InvalidParameterException", "no results")
}

// Groups of a query end each at its own retention.
func TestQueriesOverRetentions(t *testing.T) {
	a := open(t)
	must := doortest.Must(t)
	for _, g := range []string{"kept", "short"} {
		a.group(t, g, "s")
		must(a.put(g, "s", "-9 old"))
	}
	must(a.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("short"), RetentionInDays: aws.Int32(1)}))
	a.turn(25 * time.Hour)
	must(a.put("short", "s", "-1 new"))
	out, _ := ask(t, a.Client, cloudwatchlogs.StartQueryInput{
		LogGroupNames: []string{"kept", "short"}, QueryString: aws.String("fields @message, @log | sort @message"), StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix()),
	})
	if got, want := rows(out), "@message=new @log="+doortest.Number+":short; @message=old @log="+doortest.Number+":kept"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
