package logs

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/test/lab"
)

// keeps asks a query and schedules one; the check that it returns is for after the daemon
// was killed: results are still there, and the schedule runs, as its role.
func (m *machine) keeps() (check func()) {
	m.t.Helper()
	const rights = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:StartQuery","logs:GetQueryResults"],"Resource":"*"},{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::found-by-schedule/*"}]}`
	m.host.Must(m.t, `aws iam create-role --role-name asks --assume-role-policy-document '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"logs.amazonaws.com"},"Action":"sts:AssumeRole"}}' >/dev/null &&
		aws iam put-role-policy --role-name asks --policy-name p --policy-document '`+rights+`' &&
		aws s3 mb s3://found-by-schedule`)
	role := aws.String("arn:aws:iam::111122223333:role/asks") // Debian's aws knows no scheduled queries
	_, err := m.logs.CreateScheduledQuery(m.t.Context(), &cloudwatchlogs.CreateScheduledQueryInput{
		Name: aws.String("each-minute"), QueryLanguage: types.QueryLanguageCwli, LogGroupIdentifiers: []string{group},
		QueryString: aws.String("filter ispresent(verb) | stats count(*) as n by verb"), ScheduleExpression: aws.String("cron(* * * * ? *)"), StartTimeOffset: aws.Int64(3600),
		ExecutionRoleArn: role, DestinationConfiguration: &types.DestinationConfiguration{S3Configuration: &types.S3Configuration{DestinationIdentifier: aws.String("s3://found-by-schedule/x"), RoleArn: role}},
	})
	m.must(err)
	started, err := m.logs.StartQuery(m.t.Context(), &cloudwatchlogs.StartQueryInput{
		LogGroupName: aws.String(group), QueryString: aws.String("fields @timestamp, verb | filter ispresent(verb) | limit 50"), StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Unix() + 60),
	})
	m.must(err)
	before := m.results(started.QueryId)
	if strings.Count(before, "@ptr") != 50 {
		m.t.Errorf("the query found %s", before)
	}
	return func() {
		m.t.Helper()
		if after := m.results(started.QueryId); after != before {
			m.t.Errorf("after kills the query found %s", after)
		}
		for end := time.Now().Add(lab.Busy * 90 * time.Second); ; time.Sleep(time.Second) {
			out, err := m.logs.GetScheduledQueryHistory(m.t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{
				Identifier: aws.String("each-minute"), StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Unix()), ExecutionStatuses: []types.ExecutionStatus{types.ExecutionStatusComplete}})
			m.must(err)
			if len(out.TriggerHistory) > 0 && len(out.TriggerHistory[0].Destinations) > 0 && out.TriggerHistory[0].Destinations[0].Status == types.ActionStatusComplete {
				object := *out.TriggerHistory[0].Destinations[0].ProcessedIdentifier
				if text := m.host.Must(m.t, "aws s3 cp "+object+" -"); !strings.Contains(text, `{"field":"verb","value":"create"}`) {
					m.t.Errorf("%s has %s", object, text)
				}
				return
			}
			if time.Now().After(end) {
				all, err := m.logs.GetScheduledQueryHistory(m.t.Context(), &cloudwatchlogs.GetScheduledQueryHistoryInput{Identifier: aws.String("each-minute"), StartTime: aws.Int64(0), EndTime: aws.Int64(time.Now().Unix())})
				m.must(err)
				text, _ := json.Marshal(all.TriggerHistory)
				m.t.Fatalf("the scheduled query has not run: %s", text)
			}
		}
	}
}

// results are a query's, once it has ended.
func (m *machine) results(id *string) string {
	m.t.Helper()
	for {
		out, err := m.logs.GetQueryResults(m.t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: id})
		m.must(err)
		if out.Status != types.QueryStatusRunning {
			text, err := json.Marshal(out.Results)
			m.must(err)
			return string(out.Status) + " " + string(text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
