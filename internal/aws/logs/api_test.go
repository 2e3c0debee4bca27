//lint:file-ignore SA1019 the older calls are tested beside those that replace them

package logs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const arns = "arn:aws:logs:us-west-2:" + doortest.Number + ":"

// eventually asks until there is an answer.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

func TestTagsInBothForms(t *testing.T) {
	a := open(t)
	a.group(t, "g")
	ctx, must, arn := t.Context(), doortest.Must(t), aws.String(arns+"log-group:g")
	must(a.TagLogGroup(ctx, &cloudwatchlogs.TagLogGroupInput{LogGroupName: aws.String("g"), Tags: map[string]string{"a": "1", "b": "2"}}))
	must(a.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"b": "3", "c": "4"}}))
	must(a.UntagLogGroup(ctx, &cloudwatchlogs.UntagLogGroupInput{LogGroupName: aws.String("g"), Tags: []string{"a"}}))
	must(a.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"c"}}))
	want := map[string]string{"b": "3"}
	old, err := a.ListTagsLogGroup(ctx, &cloudwatchlogs.ListTagsLogGroupInput{LogGroupName: aws.String("g")})
	must(old, err)
	now, err := a.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: arn})
	must(now, err)
	if d := cmp.Diff([]map[string]string{want, want}, []map[string]string{old.Tags, now.Tags}); d != "" {
		t.Error(d)
	}
	for _, wrong := range []string{arns + "log-group:none", arns + "query:x", "arn:aws:eks:us-west-2:1:cluster/x"} {
		_, err := a.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: &wrong, Tags: map[string]string{"a": "b"}})
		doortest.Refused(t, err, "ResourceNotFoundException", "")
	}
	many := map[string]string{}
	for n := range 50 {
		many[fmt.Sprint(n)] = ""
	}
	_, err = a.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: many})
	doortest.Refused(t, err, "TooManyTagsException", "50")
	// A policy can ask for a group's tags.
	user := cloudwatchlogs.NewFromConfig(a.door.User(t, "u", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:PutRetentionPolicy","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/b":"3"}}}]}`))
	a.group(t, "other")
	must(user.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)}))
	_, err = user.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("other"), RetentionInDays: aws.Int32(1)})
	doortest.Refused(t, err, "AccessDeniedException", "logs:PutRetentionPolicy")
}

func TestDeletionProtectionAndLists(t *testing.T) {
	a := open(t)
	a.group(t, "/aws/one", "s")
	a.group(t, "two")
	ctx, must := t.Context(), doortest.Must(t)
	protect := func(on bool) {
		must(a.PutLogGroupDeletionProtection(ctx, &cloudwatchlogs.PutLogGroupDeletionProtectionInput{LogGroupIdentifier: aws.String("two"), DeletionProtectionEnabled: &on}))
	}
	protect(true)
	_, err := a.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("two")})
	doortest.Refused(t, err, "ValidationException", "deletion protection")
	protect(false)
	must(a.TagLogGroup(ctx, &cloudwatchlogs.TagLogGroupInput{LogGroupName: aws.String("two"), Tags: map[string]string{"team": "x"}}))
	for want, in := range map[string]*cloudwatchlogs.ListLogGroupsInput{
		"/aws/one two": {}, "/aws/one": {LogGroupNamePattern: aws.String("^/aws")}, "two": {LogGroupTags: []types.TagFilter{{Key: aws.String("team"), Values: []string{"x", "y"}}}},
	} {
		out, err := a.ListLogGroups(ctx, in)
		must(out, err)
		if got := texts(out.LogGroups, func(g types.LogGroupSummary) *string { return g.LogGroupName }); got != want {
			t.Errorf("groups %q, want %q", got, want)
		}
	}
	must(a.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("two")}))
}

func TestReadingFromTheTailAndRecords(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s", "t")
	must := doortest.Must(t)
	must(a.put("g", "s", `-9 {"a":{"b":1},"c":["x",null]}`, "-7 two"))
	must(a.put("g", "t", "-8 three"))
	first, err := a.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), StartFromHead: aws.Bool(false), Limit: aws.Int32(2)})
	must(first, err)
	second, err := a.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), StartFromHead: aws.Bool(false), NextToken: first.NextToken})
	must(second, err)
	if got := texts(first.Events, ofFilter) + ", " + texts(second.Events, ofFilter); got != `two three, {"a":{"b":1},"c":["x",null]}` {
		t.Errorf("backwards: %s", got)
	}
	found, _ := ask(t, a.Client, cloudwatchlogs.StartQueryInput{LogGroupName: aws.String("g"), QueryString: aws.String("fields a.b | filter a.b = 1")})
	ptr := *found.Results[0][1].Value
	record, err := a.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: &ptr})
	must(record, err)
	for name, want := range map[string]string{"a.b": "1", "c.0": "x", "@logStream": "s", "@log": doortest.Number + ":g", "@ptr": ptr, "@timestamp": fmt.Sprint(a.now.UnixMilli() - 9000)} {
		if got := record.LogRecord[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, err = a.GetLogRecord(t.Context(), &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: aws.String("x")})
	doortest.Refused(t, err, "ResourceNotFoundException", "pointer")
}

func TestMetricFilters(t *testing.T) {
	a := open(t)
	a.turn(a.now.Truncate(time.Minute).Add(30 * time.Second).Sub(a.now)) // all events are of one minute
	a.group(t, "g", "s")
	ctx, must := t.Context(), doortest.Must(t)
	put := func(name, pattern string, m types.MetricTransformation) error {
		m.MetricName, m.MetricNamespace = aws.String("m-"+name), aws.String("N")
		_, err := a.PutMetricFilter(ctx, &cloudwatchlogs.PutMetricFilterInput{LogGroupName: aws.String("g"), FilterName: &name, FilterPattern: &pattern, MetricTransformations: []types.MetricTransformation{m}})
		return err
	}
	for name, f := range map[string]struct {
		pattern string
		m       types.MetricTransformation
	}{
		"count":   {"ERROR", types.MetricTransformation{MetricValue: aws.String("1"), Unit: types.StandardUnitCount, DefaultValue: aws.Float64(0)}},
		"latency": {"{ $.ms = * }", types.MetricTransformation{MetricValue: aws.String("$.ms"), Dimensions: map[string]string{"Path": "$.path"}}},
		"bytes":   {"[a, n > 5]", types.MetricTransformation{MetricValue: aws.String("$n")}},
		"default": {"never-there-at-all", types.MetricTransformation{MetricValue: aws.String("1"), DefaultValue: aws.Float64(7)}},
	} {
		if f.pattern == "never-there-at-all" {
			f.pattern = `"` + f.pattern + `"`
		}
		if err := put(name, f.pattern, f.m); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, m := range map[string]types.MetricTransformation{
		"a.b":         {MetricValue: aws.String("1")},
		"a":           {MetricValue: aws.String("$.x")},
		"b":           {MetricValue: aws.String("x")},
		"[a]":         {MetricValue: aws.String("1"), Dimensions: map[string]string{"x": "$b"}},
		"{ $.a = 1 }": {MetricValue: aws.String("1"), Dimensions: map[string]string{"x": "$.b"}, DefaultValue: aws.Float64(0)},
		"{ $.b = 1 }": {MetricValue: aws.String("1"), Dimensions: map[string]string{"x": "$.b", "y": "$.b", "z": "$.b", "q": "$.b"}},
	} {
		doortest.Refused(t, put("wrong", pattern, m), "InvalidParameterException", "")
	}
	must(a.put("g", "s", `-9 ERROR`, `-8 {"ms":12,"path":"/a"}`, `-7 {"ms":"x"}`, "-6 bytes 10", "-5 bytes 3"))
	a.turn(3 * time.Minute)
	eventually(t, "a default value", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, p := range a.points {
			if p.Name == "m-default" && p.Value == 7 {
				return true
			}
		}
		return false
	})
	a.mu.Lock()
	got := map[string]string{}
	for _, p := range a.points {
		got[p.Name] += fmt.Sprintf("%v%s%s ", p.Value, p.Unit, p.Dimensions["Path"])
	}
	a.mu.Unlock()
	for name, want := range map[string]string{"m-count": "1Count ", "m-latency": "12/a ", "m-bytes": "10 "} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	out, err := a.DescribeMetricFilters(ctx, &cloudwatchlogs.DescribeMetricFiltersInput{LogGroupName: aws.String("g"), FilterNamePrefix: aws.String("l")})
	must(out, err)
	if len(out.MetricFilters) != 1 || *out.MetricFilters[0].MetricTransformations[0].MetricValue != "$.ms" || *out.MetricFilters[0].FilterPattern != "{ $.ms = * }" {
		t.Errorf("%+v", out.MetricFilters)
	}
	groups, err := a.DescribeLogGroups(ctx, nil)
	must(groups, err)
	if *groups.LogGroups[0].MetricFilterCount != 4 {
		t.Errorf("%d filters are counted", *groups.LogGroups[0].MetricFilterCount)
	}
	must(a.DeleteMetricFilter(ctx, &cloudwatchlogs.DeleteMetricFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("count")}))
	_, err = a.DeleteMetricFilter(ctx, &cloudwatchlogs.DeleteMetricFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String("count")})
	doortest.Refused(t, err, "ResourceNotFoundException", "metric filter")
	// A group has a hundred at most.
	for n := range 98 {
		err := put(fmt.Sprintf("more%d", n), "x", types.MetricTransformation{MetricValue: aws.String("1")})
		if n < 97 && err != nil {
			t.Fatal(err)
		}
		if n == 97 {
			doortest.Refused(t, err, "LimitExceededException", "Resource limit exceeded.")
		}
	}
	for n := range 97 {
		must(a.DeleteMetricFilter(ctx, &cloudwatchlogs.DeleteMetricFilterInput{LogGroupName: aws.String("g"), FilterName: aws.String(fmt.Sprintf("more%d", n))}))
	}
	// Five filters of a group may have regular expressions.
	for n := range 6 {
		err := put(fmt.Sprintf("re%d", n), "%a%", types.MetricTransformation{MetricValue: aws.String("1")})
		if n < 5 && err != nil {
			t.Fatal(err)
		}
		if n == 5 {
			doortest.Refused(t, err, "LimitExceededException", "Resource limit exceeded.")
		}
	}
}

func TestTestingMetricFilters(t *testing.T) {
	a := open(t)
	out, err := a.TestMetricFilter(t.Context(), &cloudwatchlogs.TestMetricFilterInput{
		FilterPattern:    aws.String("[..., status = 404, size]"),
		LogEventMessages: []string{`127.0.0.1 - - [x y] "GET / HTTP/1.0" 200 5`, `127.0.0.1 - - [x y] "GET / HTTP/1.0" 404 7`},
	})
	doortest.Must(t)(out, err)
	want := []types.MetricFilterMatchRecord{{EventNumber: 2, EventMessage: aws.String(`127.0.0.1 - - [x y] "GET / HTTP/1.0" 404 7`), ExtractedValues: map[string]string{
		"$1": "127.0.0.1", "$2": "-", "$3": "-", "$4": "x y", "$5": "GET / HTTP/1.0", "$status": "404", "$size": "7"}}}
	if d := cmp.Diff(want, out.Matches, cmp.AllowUnexported(types.MetricFilterMatchRecord{})); d != "" {
		t.Error(d)
	}
	for pattern, c := range map[string]struct {
		messages []string
		want     string // numbers, each with what is taken out
	}{
		"":           {[]string{"a", "b"}, "1 map[] 2 map[]"},
		"ERROR -OUT": {[]string{"ERROR 1", "TIMED OUT ERROR", "error"}, "1 map[]"},
		`{ $.userIdentity.sessionContext.mfa IS FALSE && $.n > 1 }`: {[]string{`{"userIdentity":{"sessionContext":{"mfa":false}},"n":2}`, `{"userIdentity":{"sessionContext":{"mfa":true}},"n":2}`, "no JSON"}, "1 map[$.n:2 $.userIdentity.sessionContext.mfa:false]"},
		`{ $.arr[0] = "x*" && $.gone NOT EXISTS }`:                  {[]string{`{"arr":["y"]}`, `{"arr":["xy"]}`}, "2 map[$.arr[0]:xy]"},
		`[ip, ..., size > 6]`:                                       {[]string{"1.2.3.4 a b 7", "1.2.3.4 a b 6"}, "1 map[$2:a $3:b $ip:1.2.3.4 $size:7]"},
		`%4\d\d%`:                                                   {[]string{"was 404", "was 505"}, "1 map[]"},
	} {
		out, err := a.TestMetricFilter(t.Context(), &cloudwatchlogs.TestMetricFilterInput{FilterPattern: &pattern, LogEventMessages: c.messages})
		doortest.Must(t)(out, err)
		var got []string
		for _, m := range out.Matches {
			got = append(got, fmt.Sprintf("%d %v", m.EventNumber, m.ExtractedValues))
			if *m.EventMessage != c.messages[m.EventNumber-1] {
				t.Errorf("%s: message %d is %s", pattern, m.EventNumber, *m.EventMessage)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %s", pattern, got, c.want)
		}
	}
	_, err = a.TestMetricFilter(t.Context(), &cloudwatchlogs.TestMetricFilterInput{FilterPattern: aws.String("x"), LogEventMessages: make([]string, 51)})
	doortest.Refused(t, err, "InvalidParameterException", "length less than or equal to 50")
	_, err = a.TestMetricFilter(t.Context(), &cloudwatchlogs.TestMetricFilterInput{FilterPattern: aws.String("{ $.a"), LogEventMessages: []string{"x"}})
	doortest.Refused(t, err, "InvalidParameterException", "Invalid metric filter pattern")
}

// wholeBody keeps a request's body from the SDK's hands: it closes it when an answer
// begins, which net/http, if it is still looking for the body's end, takes for a failure.
type wholeBody struct{ next http.RoundTripper }

func (w wholeBody) RoundTrip(r *http.Request) (*http.Response, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(data))
	return w.next.RoundTrip(r)
}

func TestLiveTail(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s", "other")
	config := a.door.Admin
	address := strings.TrimPrefix(a.door.URL, "http://")
	// The SDK puts "streaming-" before the host, whoever it is.
	config.HTTPClient = &http.Client{Transport: wholeBody{&http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}}}
	client := cloudwatchlogs.NewFromConfig(config)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	arn := arns + "log-group:g"
	out, err := client.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{arn}, LogStreamNames: []string{"s"}, LogEventFilterPattern: aws.String("ERROR")})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	events := stream.Events()
	start, ok := (<-events).(*types.StartLiveTailResponseStreamMemberSessionStart)
	if !ok || *start.Value.LogEventFilterPattern != "ERROR" || start.Value.LogGroupIdentifiers[0] != arn || start.Value.SessionId == nil || start.Value.RequestId == nil {
		t.Fatalf("%+v", start)
	}
	go func() {
		_, _ = a.put("g", "s", "-2 ERROR-1", "-1 fine")
		_, _ = a.put("g", "other", "-2 ERROR-2")
		var many []string
		for n := range 700 {
			many = append(many, fmt.Sprintf("0 ERROR-%d", n+10))
		}
		time.Sleep(1200 * time.Millisecond)
		_, _ = a.put("g", "s", many...)
	}()
	var got []string
	sampled := 0
	for e := range events {
		u, ok := e.(*types.StartLiveTailResponseStreamMemberSessionUpdate)
		if !ok {
			t.Fatalf("%T", e)
		}
		if u.Value.SessionMetadata.Sampled {
			sampled = len(u.Value.SessionResults)
			break
		}
		for _, r := range u.Value.SessionResults {
			got = append(got, *r.LogGroupIdentifier+"/"+*r.LogStreamName+"/"+*r.Message)
		}
	}
	if d := cmp.Diff([]string{doortest.Number + ":g/s/ERROR-1"}, got); d != "" || sampled != 500 {
		t.Errorf("%s; %d of a sample; %v", d, sampled, stream.Err())
	}
	_, err = client.StartLiveTail(ctx, &cloudwatchlogs.StartLiveTailInput{LogGroupIdentifiers: []string{"g"}})
	doortest.Refused(t, err, "InvalidParameterException", "by ARN")
}

func TestQueryDefinitions(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	put := func(id *string, name, query string) (*cloudwatchlogs.PutQueryDefinitionOutput, error) {
		return a.PutQueryDefinition(ctx, &cloudwatchlogs.PutQueryDefinitionInput{QueryDefinitionId: id, Name: &name, QueryString: &query, LogGroupNames: []string{"g"}})
	}
	b, err := put(nil, "b", "fields @message")
	must(b, err)
	must(put(nil, "a", "limit 1"))
	must(put(b.QueryDefinitionId, "b2", "limit 2"))
	_, err = put(nil, "a", "limit 1")
	doortest.Refused(t, err, "InvalidParameterException", "already exists")
	_, err = put(aws.String("none"), "c", "limit 1")
	doortest.Refused(t, err, "ResourceNotFoundException", "query definition")
	out, err := a.DescribeQueryDefinitions(ctx, nil)
	must(out, err)
	if got := texts(out.QueryDefinitions, func(d types.QueryDefinition) *string { return d.Name }); got != "a b2" || *out.QueryDefinitions[1].QueryString != "limit 2" {
		t.Errorf("%q, %+v", got, out.QueryDefinitions)
	}
	asks := &cloudwatchlogs.PutQueryDefinitionInput{Name: aws.String("asks"), QueryString: aws.String("filter a = '{{who}}'"), Parameters: []types.QueryParameter{{Name: aws.String("who"), DefaultValue: aws.String("x"), Description: aws.String("a user")}}}
	must(a.PutQueryDefinition(ctx, asks))
	out, err = a.DescribeQueryDefinitions(ctx, &cloudwatchlogs.DescribeQueryDefinitionsInput{QueryDefinitionNamePrefix: aws.String("as")})
	must(out, err)
	if p := out.QueryDefinitions[0].Parameters; len(p) != 1 || *p[0].Name != "who" || *p[0].DefaultValue != "x" || *p[0].Description != "a user" {
		t.Errorf("%+v", p)
	}
	for _, names := range [][]string{{"1a"}, {"a b"}, {"a", "a"}} {
		asks.Name, asks.Parameters = aws.String("wrong"), nil
		for _, n := range names {
			asks.Parameters = append(asks.Parameters, types.QueryParameter{Name: &n})
		}
		_, err := a.PutQueryDefinition(ctx, asks)
		doortest.Refused(t, err, "InvalidParameterException", "arameter")
	}
	gone, err := a.DeleteQueryDefinition(ctx, &cloudwatchlogs.DeleteQueryDefinitionInput{QueryDefinitionId: b.QueryDefinitionId})
	if err != nil || !gone.Success {
		t.Errorf("%+v, %v", gone, err)
	}
}

func TestLookupTables(t *testing.T) {
	a := open(t)
	ctx, must := t.Context(), doortest.Must(t)
	create := func(name, body string) (*cloudwatchlogs.CreateLookupTableOutput, error) {
		return a.CreateLookupTable(ctx, &cloudwatchlogs.CreateLookupTableInput{LookupTableName: &name, TableBody: &body, Description: aws.String("d"), Tags: map[string]string{"a": "b"}})
	}
	made, err := create("users", "id,name\n1,ann\n2,bob\n")
	must(made, err)
	_, err = create("users", "id\n1\n")
	doortest.Refused(t, err, "ResourceAlreadyExistsException", "lookup table")
	for _, body := range []string{"a,a\n1,2\n", "a,b\n1\n", "\"a\n", ",b\n1,2\n"} {
		_, err := create("wrong", body)
		doortest.Refused(t, err, "InvalidParameterException", "")
	}
	list, err := a.DescribeLookupTables(ctx, nil)
	must(list, err)
	if l := list.LookupTables[0]; *l.RecordsCount != 2 || strings.Join(l.TableFields, " ") != "id name" || *l.LookupTableArn != arns+"lookup-table:users" {
		t.Errorf("%+v", l)
	}
	must(a.UpdateLookupTable(ctx, &cloudwatchlogs.UpdateLookupTableInput{LookupTableArn: made.LookupTableArn, TableBody: aws.String("id\n7\n")}))
	got, err := a.GetLookupTable(ctx, &cloudwatchlogs.GetLookupTableInput{LookupTableArn: made.LookupTableArn})
	must(got, err)
	if *got.TableBody != "id\n7\n" || *got.Description != "d" {
		t.Errorf("%+v", got)
	}
	must(a.DeleteLookupTable(ctx, &cloudwatchlogs.DeleteLookupTableInput{LookupTableArn: made.LookupTableArn}))
	_, err = a.GetLookupTable(ctx, &cloudwatchlogs.GetLookupTableInput{LookupTableArn: made.LookupTableArn})
	doortest.Refused(t, err, "ResourceNotFoundException", "lookup table")
}
