package logs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// runner makes a role that a service principal may assume, with a policy's statement.
func (a *account) runner(t *testing.T, name, service, statement string) *string {
	t.Helper()
	admin := awsiam.NewFromConfig(a.door.Admin)
	out, err := admin.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name,
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}}`)})
	doortest.Must(t)(out, err)
	if statement != "" {
		doortest.Must(t)(admin.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":` + statement + `}`)}))
	}
	return out.Role.Arn
}

const (
	queries = `{"Effect":"Allow","Action":["logs:StartQuery","logs:GetQueryResults"],"Resource":"arn:aws:logs:us-west-2:111122223333:log-group:g:*"}`
	writes  = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::found/scheduled/*"}`
)

// history waits until a scheduled query's last run is over, and its delivery.
func (a *account) history(t *testing.T, name string) []types.TriggerHistoryRecord {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{
			Identifier: &name, StartTime: aws.Int64(a.now.Add(-time.Hour).Unix()), EndTime: aws.Int64(a.now.UnixMilli())})
		if err != nil {
			t.Fatal(err)
		}
		if h := out.TriggerHistory; len(h) > 0 && *h[0].TriggeredTimestamp > a.now.Add(-time.Minute).UnixMilli() && h[0].ExecutionStatus != types.ExecutionStatusRunning &&
			(len(h[0].Destinations) == 0 || h[0].Destinations[0].Status != types.ActionStatusInProgress) {
			return h
		}
		if time.Now().After(end) {
			t.Fatalf("no run has ended: %+v", out.TriggerHistory)
		}
	}
}

func TestScheduledQueries(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	must := doortest.Must(t)
	buckets := awss3.NewFromConfig(a.door.Admin, func(o *awss3.Options) { o.UsePathStyle = true })
	must(buckets.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: aws.String("found"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}}))
	reader, writer := a.runner(t, "reader", "logs.amazonaws.com", queries), a.runner(t, "writer", "logs.amazonaws.com", writes)
	must(a.put("g", "s", `-60 {"verb":"get","code":200}`, `-59 {"verb":"get","code":403}`, `-58 {"verb":"list","code":403}`))
	base := cloudwatchlogs.CreateScheduledQueryInput{
		Name: aws.String("refused"), QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String("filter code = 403 | stats count(*) as n by verb | sort verb"),
		LogGroupIdentifiers: []string{"g"}, ScheduleExpression: aws.String("cron(* * * * ? *)"), Timezone: aws.String("Europe/Berlin"), StartTimeOffset: aws.Int64(3600),
		ExecutionRoleArn: reader, Description: aws.String("who was refused"), Tags: map[string]string{"team": "blue"},
		DestinationConfiguration: &types.DestinationConfiguration{S3Configuration: &types.S3Configuration{DestinationIdentifier: aws.String("s3://found/scheduled/"), RoleArn: writer}},
	}
	made, err := a.CreateScheduledQuery(t.Context(), &base)
	must(made, err)
	if made.State != types.ScheduledQueryStateEnabled || !strings.HasPrefix(*made.ScheduledQueryArn, "arn:aws:logs:us-west-2:111122223333:scheduled-query:") {
		t.Errorf("made: %+v", made)
	}
	time.Sleep(1100 * time.Millisecond) // nothing is due yet
	if out, err := a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: made.ScheduledQueryArn, StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix())}); err != nil || len(out.TriggerHistory) > 0 {
		t.Fatalf("it ran before it was due: %v %v", out, err)
	}
	// Five minutes pass at once: the last of them is run, earlier ones are not made up for.
	a.turn(5 * time.Minute)
	runs := a.history(t, "refused")
	if len(runs) != 1 || runs[0].ExecutionStatus != types.ExecutionStatusComplete || runs[0].Destinations[0].Status != types.ActionStatusComplete || *runs[0].TriggeredTimestamp%60_000 != 0 {
		t.Fatalf("runs: %+v", runs)
	}
	where := *runs[0].Destinations[0].ProcessedIdentifier
	if at := time.UnixMilli(*runs[0].TriggeredTimestamp).UTC(); where != "s3://found/scheduled/refused/"+at.Format("2006/01/02/1504")+"-"+*runs[0].QueryId+".json" {
		t.Errorf("written to %s", where)
	}
	object, err := buckets.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("found"), Key: aws.String(strings.TrimPrefix(where, "s3://found/"))})
	must(object, err)
	data, _ := io.ReadAll(object.Body)
	type field = map[string]string
	var written struct {
		QueryID, Status string
		Statistics      map[string]float64
		Results         [][]field
	}
	if err := json.Unmarshal(data, &written); err != nil {
		t.Fatal(err)
	}
	want := [][]field{{{"field": "verb", "value": "get"}, {"field": "n", "value": "1"}}, {{"field": "verb", "value": "list"}, {"field": "n", "value": "1"}}}
	if d := cmp.Diff(want, written.Results); d != "" || written.Status != "Complete" || written.QueryID != *runs[0].QueryId || written.Statistics["recordsMatched"] != 2 {
		t.Errorf("%s %s", d, data)
	}
	// The query is one of the account's, by the role.
	results, err := a.DescribeQueries(t.Context(), &cloudwatchlogs.DescribeQueriesInput{})
	must(results, err)
	if len(results.Queries) != 1 || !strings.HasPrefix(*results.Queries[0].UserIdentity, "arn:aws:sts::111122223333:assumed-role/reader/") {
		t.Errorf("queries: %+v", results.Queries)
	}
	got, err := a.GetScheduledQuery(t.Context(), &cloudwatchlogs.GetScheduledQueryInput{Identifier: made.ScheduledQueryArn})
	must(got, err)
	expected := &cloudwatchlogs.GetScheduledQueryOutput{
		ScheduledQueryArn: made.ScheduledQueryArn, Name: base.Name, Description: base.Description, QueryLanguage: base.QueryLanguage, QueryString: base.QueryString,
		LogGroupIdentifiers: base.LogGroupIdentifiers, ScheduleExpression: base.ScheduleExpression, Timezone: base.Timezone, StartTimeOffset: base.StartTimeOffset,
		ExecutionRoleArn: reader, State: made.State, ScheduleType: types.ScheduleTypeCustomerManaged, DestinationConfiguration: base.DestinationConfiguration,
		LastTriggeredTime: runs[0].TriggeredTimestamp, LastExecutionStatus: types.ExecutionStatusComplete,
	}
	ignored := cmpopts.IgnoreFields(cloudwatchlogs.GetScheduledQueryOutput{}, "ResultMetadata", "CreationTime", "LastUpdatedTime")
	if d := cmp.Diff(expected, got, ignored, cmpopts.IgnoreUnexported(cloudwatchlogs.GetScheduledQueryOutput{}, types.DestinationConfiguration{}, types.S3Configuration{})); d != "" {
		t.Error(d)
	}
	// What the roles may not do fails, and says so.
	admin := awsiam.NewFromConfig(a.door.Admin)
	must(admin.DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: aws.String("writer"), PolicyName: aws.String("p")}))
	a.turn(time.Minute)
	runs = a.history(t, "refused")
	if d := runs[0].Destinations[0]; len(runs) != 2 || runs[0].ExecutionStatus != types.ExecutionStatusComplete || d.Status != types.ActionStatusClientError || !strings.Contains(*d.ErrorMessage, "AccessDenied") || d.ProcessedIdentifier != nil {
		t.Errorf("a writer without rights: %+v", runs[0])
	}
	must(admin.DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: aws.String("reader"), PolicyName: aws.String("p")}))
	a.turn(time.Minute)
	if runs = a.history(t, "refused"); len(runs) != 3 || runs[0].ExecutionStatus != types.ExecutionStatusFailed || !strings.Contains(*runs[0].ErrorMessage, "not authorized to perform: logs:StartQuery") || len(runs[0].Destinations) > 0 {
		t.Errorf("a reader without rights: %+v", runs[0])
	}
	// Pages and statuses of the history.
	page, err := a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: base.Name, StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix()), MaxResults: aws.Int32(2)})
	must(page, err)
	rest, err := a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: base.Name, StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix()), NextToken: page.NextToken})
	must(rest, err)
	failed, err := a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: base.Name, StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix()), ExecutionStatuses: []types.ExecutionStatus{"Failed"}})
	must(failed, err)
	if len(page.TriggerHistory) != 2 || len(rest.TriggerHistory) != 1 || rest.NextToken != nil || len(failed.TriggerHistory) != 1 {
		t.Errorf("history: %d %d %d", len(page.TriggerHistory), len(rest.TriggerHistory), len(failed.TriggerHistory))
	}
	// An update replaces all but the state; a disabled query does not run, nor one outside
	// of its time.
	update := func(change func(*cloudwatchlogs.UpdateScheduledQueryInput)) *cloudwatchlogs.UpdateScheduledQueryOutput {
		t.Helper()
		in := &cloudwatchlogs.UpdateScheduledQueryInput{Identifier: base.Name, QueryLanguage: base.QueryLanguage, QueryString: aws.String("SOURCE 'g' | stats count(*)"), ScheduleExpression: base.ScheduleExpression, ExecutionRoleArn: reader}
		change(in)
		out, err := a.UpdateScheduledQuery(t.Context(), in)
		must(out, err)
		return out
	}
	must(admin.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: aws.String("reader"), PolicyName: aws.String("p"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":` + queries + `}`)}))
	if out := update(func(in *cloudwatchlogs.UpdateScheduledQueryInput) { in.State = types.ScheduledQueryStateDisabled }); out.State != types.ScheduledQueryStateDisabled || out.Description != nil || out.DestinationConfiguration != nil || len(out.LogGroupIdentifiers) > 0 {
		t.Errorf("updated: %+v", out)
	}
	still := func(why string) {
		t.Helper()
		a.turn(time.Minute)
		time.Sleep(1200 * time.Millisecond)
		if out, err := a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: base.Name, StartTime: aws.Int64(0), EndTime: aws.Int64(a.now.Unix())}); err != nil || len(out.TriggerHistory) != 3 {
			t.Errorf("%s: it ran: %v %v", why, out, err)
		}
	}
	still("disabled")
	update(func(in *cloudwatchlogs.UpdateScheduledQueryInput) {
		in.State, in.ScheduleStartTime = types.ScheduledQueryStateEnabled, aws.Int64(a.now.Add(90*time.Second).Unix())
	})
	still("before its time")
	update(func(in *cloudwatchlogs.UpdateScheduledQueryInput) {
		in.ScheduleEndTime = aws.Int64(a.now.Add(time.Second).UnixMilli())
	})
	if a.now.Second() != 59 {
		still("after its time")
	}
	update(func(*cloudwatchlogs.UpdateScheduledQueryInput) {})
	a.turn(time.Minute)
	if runs = a.history(t, "refused"); len(runs) != 4 || runs[0].ExecutionStatus != types.ExecutionStatusComplete || len(runs[0].Destinations) > 0 {
		t.Errorf("without a destination: %+v", runs[0])
	}
	if out, err := a.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: runs[0].QueryId}); err != nil || rows(out) != "count(*)=3" {
		t.Errorf("results: %v %v", out, err)
	}
	must(a.DeleteScheduledQuery(t.Context(), &cloudwatchlogs.DeleteScheduledQueryInput{Identifier: base.Name}))
	_, err = a.GetScheduledQueryHistory(t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: base.Name, StartTime: aws.Int64(0), EndTime: aws.Int64(1)})
	doortest.Refused(t, err, "ResourceNotFoundException", "scheduled query")
}

// TestScheduledLookupTables: each run makes the table anew, of what the query's role may
// read and the destination's write.
func TestScheduledLookupTables(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	must := doortest.Must(t)
	const tables = `{"Effect":"Allow","Action":["logs:CreateLookupTable","logs:UpdateLookupTable","logs:TagResource"],"Resource":"` + arns + `lookup-table:users"}`
	reader, writer := a.runner(t, "reader", "logs.amazonaws.com", queries), a.runner(t, "writer", "logs.amazonaws.com", tables)
	must(a.put("g", "s", `-60 {"id":1,"name":"ann"}`))
	to := &types.LookupTableConfiguration{TableName: aws.String("users"), RoleArn: writer, Description: aws.String("of the log"), Tags: map[string]string{"a": "b"}}
	made, err := a.CreateScheduledQuery(t.Context(), &cloudwatchlogs.CreateScheduledQueryInput{
		Name: aws.String("users"), QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String("stats latest(name) as name by id | sort id"), LogGroupIdentifiers: []string{"g"},
		ScheduleExpression: aws.String("cron(* * * * ? *)"), StartTimeOffset: aws.Int64(3600), ExecutionRoleArn: reader, DestinationConfiguration: &types.DestinationConfiguration{LookupTableConfiguration: to},
	})
	must(made, err)
	got, err := a.GetScheduledQuery(t.Context(), &cloudwatchlogs.GetScheduledQueryInput{Identifier: made.ScheduledQueryArn})
	must(got, err)
	if d := cmp.Diff(to, got.DestinationConfiguration.LookupTableConfiguration, cmpopts.IgnoreUnexported(types.LookupTableConfiguration{})); d != "" {
		t.Error(d)
	}
	arn := arns + "lookup-table:users"
	for _, want := range []string{"id,name\n1,ann\n", "id,name\n1,ann\n2,bob\n"} {
		a.turn(time.Minute)
		d := a.history(t, "users")[0].Destinations[0]
		if d.Status != types.ActionStatusComplete || d.DestinationType != types.ScheduledQueryDestinationTypeLookupTable || *d.ProcessedIdentifier != arn {
			t.Fatalf("delivered: %+v", d)
		}
		table, err := a.GetLookupTable(t.Context(), &cloudwatchlogs.GetLookupTableInput{LookupTableArn: &arn})
		must(table, err)
		if *table.TableBody != want || *table.Description != "of the log" {
			t.Errorf("%q, want %q", *table.TableBody, want)
		}
		must(a.put("g", "s", `-1 {"id":2,"name":"bob"}`))
	}
	must(awsiam.NewFromConfig(a.door.Admin).DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: aws.String("writer"), PolicyName: aws.String("p")}))
	a.turn(time.Minute)
	if d := a.history(t, "users")[0].Destinations[0]; d.Status != types.ActionStatusClientError || !strings.Contains(*d.ErrorMessage, "logs:UpdateLookupTable") {
		t.Errorf("a writer without rights: %+v", d)
	}
}

func TestScheduledQueriesRefused(t *testing.T) {
	a := open(t)
	a.group(t, "g", "s")
	must := doortest.Must(t)
	reader, stranger := a.runner(t, "reader", "logs.amazonaws.com", queries), a.runner(t, "stranger", "ec2.amazonaws.com", "")
	input := func(change func(*cloudwatchlogs.CreateScheduledQueryInput)) *cloudwatchlogs.CreateScheduledQueryInput {
		in := &cloudwatchlogs.CreateScheduledQueryInput{Name: aws.String("q"), QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String("fields @message"),
			LogGroupIdentifiers: []string{"arn:aws:logs:us-west-2:111122223333:log-group:g"}, ScheduleExpression: aws.String("cron(0 6 * * ? *)"), ExecutionRoleArn: reader}
		change(in)
		return in
	}
	type in = cloudwatchlogs.CreateScheduledQueryInput
	for what, c := range map[string]struct {
		change     func(*in)
		code, want string
	}{
		"cron":       {func(i *in) { i.ScheduleExpression = aws.String("cron(0 6 * * * *)") }, "ValidationException", "must have a ?"},
		"rate":       {func(i *in) { i.ScheduleExpression = aws.String("rate(5 minutes)") }, "ValidationException", "is not cron("},
		"zone":       {func(i *in) { i.Timezone = aws.String("Mars/Olympus") }, "ValidationException", "Mars/Olympus"},
		"local":      {func(i *in) { i.Timezone = aws.String("Local") }, "ValidationException", "timezone"},
		"language":   {func(i *in) { i.QueryLanguage = types.QueryLanguageSql }, "ValidationException", "only CWLI"},
		"query":      {func(i *in) { i.QueryString = aws.String("fields @message | nosuch") }, "ValidationException", "unexpected symbol"},
		"no group":   {func(i *in) { i.LogGroupIdentifiers = nil }, "ValidationException", "must name log groups"},
		"group":      {func(i *in) { i.LogGroupIdentifiers = []string{"nosuch"} }, "ResourceNotFoundException", "log group"},
		"offsets":    {func(i *in) { i.StartTimeOffset, i.EndTimeOffset = aws.Int64(60), aws.Int64(60) }, "ValidationException", "startTimeOffset"},
		"time":       {func(i *in) { i.ScheduleStartTime, i.ScheduleEndTime = aws.Int64(2000), aws.Int64(1000) }, "ValidationException", "scheduleEndTime"},
		"trust":      {func(i *in) { i.ExecutionRoleArn = stranger }, "ValidationException", "trust policy"},
		"name":       {func(i *in) { i.Name = aws.String("a b") }, "", "name"},
		"tags":       {func(i *in) { i.Tags = map[string]string{"aws:x": "y"} }, "", "aws:"},
		"other URI":  {func(i *in) { i.DestinationConfiguration = toBucket("https://x", reader) }, "", "s3://"},
		"other role": {func(i *in) { i.DestinationConfiguration = toBucket("s3://found", stranger) }, "ValidationException", "trust policy"},
		"key": {func(i *in) {
			i.DestinationConfiguration = toBucket("s3://found", reader)
			i.DestinationConfiguration.S3Configuration.KmsKeyId = aws.String("arn:aws:kms:us-west-2:111122223333:key/k")
		}, "ValidationException", "KMS"},
		"table": {func(i *in) {
			i.DestinationConfiguration = toBucket("s3://found", reader)
			i.DestinationConfiguration.LookupTableConfiguration = &types.LookupTableConfiguration{RoleArn: reader, TableName: aws.String("t")}
		}, "ValidationException", "exactly one of s3Configuration and lookupTableConfiguration"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := a.CreateScheduledQuery(t.Context(), input(c.change))
			if c.code == "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			doortest.Refused(t, err, c.code, c.want)
		})
	}
	must(a.CreateScheduledQuery(t.Context(), input(func(*in) {})))
	_, err := a.CreateScheduledQuery(t.Context(), input(func(*in) {}))
	doortest.Refused(t, err, "ConflictException", "already exists")
	_, err = a.UpdateScheduledQuery(t.Context(), &cloudwatchlogs.UpdateScheduledQueryInput{Identifier: aws.String("other"), QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String("SOURCE 'g'"), ScheduleExpression: aws.String("cron(0 6 * * ? *)"), ExecutionRoleArn: reader})
	doortest.Refused(t, err, "ResourceNotFoundException", "scheduled query")

	// Who may not pass the role, or not with these tags, is refused.
	user := cloudwatchlogs.NewFromConfig(a.door.User(t, "u", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["logs:*ScheduledQuer*"],"Resource":"*"}}`))
	_, err = user.CreateScheduledQuery(t.Context(), input(func(i *in) { i.Name = aws.String("theirs") }))
	doortest.Refused(t, err, "AccessDeniedException", "iam:PassRole")
	_, err = user.CreateScheduledQuery(t.Context(), input(func(i *in) { i.Name, i.Tags = aws.String("theirs"), map[string]string{"a": "b"} }))
	doortest.Refused(t, err, "AccessDeniedException", "logs:TagResource")
	nobody := cloudwatchlogs.NewFromConfig(a.door.User(t, "nobody", ""))
	_, err = nobody.GetScheduledQuery(t.Context(), &cloudwatchlogs.GetScheduledQueryInput{Identifier: aws.String("q")})
	doortest.Refused(t, err, "AccessDeniedException", "logs:GetScheduledQuery on resource: arn:aws:logs:us-west-2:111122223333:scheduled-query:")

	// Tags decide, too.
	tagged, err := a.CreateScheduledQuery(t.Context(), input(func(i *in) { i.Name, i.Tags = aws.String("blue"), map[string]string{"team": "blue"} }))
	must(tagged, err)
	blue := cloudwatchlogs.NewFromConfig(a.door.User(t, "blue", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"logs:GetScheduledQuery","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}}}`))
	must(blue.GetScheduledQuery(t.Context(), &cloudwatchlogs.GetScheduledQueryInput{Identifier: aws.String("blue")}))
	_, err = blue.GetScheduledQuery(t.Context(), &cloudwatchlogs.GetScheduledQueryInput{Identifier: aws.String("q")})
	doortest.Refused(t, err, "AccessDeniedException", "GetScheduledQuery")
	must(a.TagResource(t.Context(), &cloudwatchlogs.TagResourceInput{ResourceArn: tagged.ScheduledQueryArn, Tags: map[string]string{"a": "b"}}))
	if out, err := a.ListTagsForResource(t.Context(), &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: tagged.ScheduledQueryArn}); err != nil || fmt.Sprint(out.Tags) != "map[a:b team:blue]" {
		t.Errorf("tags: %v %v", out, err)
	}

	list := func(change func(*cloudwatchlogs.ListScheduledQueriesInput)) (names []string) {
		t.Helper()
		in := &cloudwatchlogs.ListScheduledQueriesInput{MaxResults: aws.Int32(1)}
		change(in)
		for p := cloudwatchlogs.NewListScheduledQueriesPaginator(a.Client, in); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			must(out, err)
			for _, q := range out.ScheduledQueries {
				names = append(names, *q.Name)
			}
		}
		return names
	}
	must(a.UpdateScheduledQuery(t.Context(), &cloudwatchlogs.UpdateScheduledQueryInput{Identifier: aws.String("q"), QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String("SOURCE 'g'"), ScheduleExpression: aws.String("cron(0 6 * * ? *)"), ExecutionRoleArn: reader, State: types.ScheduledQueryStateDisabled}))
	for want, change := range map[string]func(*cloudwatchlogs.ListScheduledQueriesInput){
		"blue,q": func(*cloudwatchlogs.ListScheduledQueriesInput) {},
		"q":      func(i *cloudwatchlogs.ListScheduledQueriesInput) { i.State = types.ScheduledQueryStateDisabled },
		"":       func(i *cloudwatchlogs.ListScheduledQueriesInput) { i.ScheduleType = types.ScheduleTypeAwsManaged },
	} {
		if got := strings.Join(list(change), ","); got != want {
			t.Errorf("list: %s, not %s", got, want)
		}
	}
}

func toBucket(uri string, role *string) *types.DestinationConfiguration {
	return &types.DestinationConfiguration{S3Configuration: &types.S3Configuration{DestinationIdentifier: &uri, RoleArn: role}}
}
