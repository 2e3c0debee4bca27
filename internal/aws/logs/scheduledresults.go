package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/insights"
)

// delivered is the object that a run's results are: GetQueryResults' answer, all of its
// pages in one.
type delivered struct {
	QueryID       string             `json:"queryId"`
	QueryLanguage string             `json:"queryLanguage"`
	Results       [][]deliveredField `json:"results"`
	Statistics    map[string]float64 `json:"statistics"`
	Status        types.QueryStatus  `json:"status"`
}

type deliveredField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// destinationType is what results were brought to.
func destinationType(uri string) types.ScheduledQueryDestinationType {
	if strings.HasPrefix(uri, "s3://") {
		return types.ScheduledQueryDestinationTypeS3
	}
	return types.ScheduledQueryDestinationTypeLookupTable
}

// deliverResults writes what a query found to its bucket, or makes its lookup table of it,
// and gives the object's URI or the table's ARN. The query's role reads, the destination's
// writes.
func (s *Service) deliverResults(ctx context.Context, q *ScheduledQuery, reader api.Caller, id string, due time.Time) (string, error) {
	all := delivered{QueryID: id, QueryLanguage: string(types.QueryLanguageCwli), Results: [][]deliveredField{}}
	for in := (&cloudwatchlogs.GetQueryResultsInput{QueryId: &id}); ; {
		answer, err := s.door.Do(ctx, reader, "cloudwatchlogs", "GetQueryResults", in)
		if err != nil {
			return "", err
		}
		page := answer.(*cloudwatchlogs.GetQueryResultsOutput)
		all.add(page)
		if page.NextToken == nil {
			break
		}
		in = &cloudwatchlogs.GetQueryResultsInput{QueryId: &id, NextToken: page.NextToken}
	}
	writer, err := s.acting(ctx, q.Bucket.Role)
	if err != nil {
		return "", err
	}
	if q.Bucket.Table != "" {
		return q.Bucket.URI, s.deliverTable(ctx, q.Bucket, writer, all.rows())
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(q.Bucket.URI, "s3://"), "/")
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	key := prefix + q.Name + "/" + due.UTC().Format("2006/01/02/1504") + "-" + id + ".json"
	_, err = s.door.Do(ctx, writer, "s3", "PutObject", &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, ContentType: aws.String("application/json"), ExpectedBucketOwner: optional(q.Bucket.Owner), Body: inMemory{bytes.NewReader(text)},
	})
	return "s3://" + bucket + "/" + key, err
}

// deliverTable makes a lookup table of results, or gives one another text.
func (s *Service) deliverTable(ctx context.Context, to *Results, writer api.Caller, rows read) error {
	text, err := tableOf(rows)
	if err != nil {
		return err
	}
	if _, ok := s.tables.Get(to.Table); ok {
		_, err = s.door.Do(ctx, writer, "cloudwatchlogs", "UpdateLookupTable", &cloudwatchlogs.UpdateLookupTableInput{LookupTableArn: &to.URI, TableBody: &text, Description: optional(to.Description)})
		return err
	}
	_, err = s.door.Do(ctx, writer, "cloudwatchlogs", "CreateLookupTable", &cloudwatchlogs.CreateLookupTableInput{LookupTableName: &to.Table, TableBody: &text, Description: optional(to.Description), Tags: to.Tags})
	return err
}

// rows are the results as others have them.
func (d *delivered) rows() (out read) {
	for _, r := range d.Results {
		var fields []insights.Field
		for _, f := range r {
			fields = append(fields, insights.Field{Name: f.Field, Value: f.Value})
		}
		out = append(out, fields)
	}
	return out
}

func (d *delivered) add(page *cloudwatchlogs.GetQueryResultsOutput) {
	for _, row := range page.Results {
		fields := make([]deliveredField, 0, len(row))
		for _, f := range row {
			fields = append(fields, deliveredField{aws.ToString(f.Field), aws.ToString(f.Value)})
		}
		d.Results = append(d.Results, fields)
	}
	d.Status = page.Status
	st := page.Statistics
	d.Statistics = map[string]float64{
		"bytesScanned": st.BytesScanned, "recordsMatched": st.RecordsMatched, "recordsScanned": st.RecordsScanned,
		"estimatedRecordsSkipped": st.EstimatedRecordsSkipped, "logGroupsScanned": st.LogGroupsScanned,
	}
}

// inMemory is a body that came over no wire: there is nothing to check. It implements
// api.Body.
type inMemory struct{ *bytes.Reader }

func (b inMemory) Close() error               { return nil }
func (b inMemory) Checksum() (string, string) { return "", "" }
