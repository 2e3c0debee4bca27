package cloudwatch

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// mostReturned is how many data points an answer of GetMetricData has, and here how many
// periods a query.
const mostReturned = 100_800

// GetMetricData shows statistics of metrics, and expressions over them.
func (s *Service) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput) (*cloudwatch.GetMetricDataOutput, error) {
	most := mostReturned
	switch {
	case !in.StartTime.Before(*in.EndTime):
		return nil, api.ValidationError("The parameter StartTime must be less than the parameter EndTime.")
	case in.MaxDatapoints != nil && (*in.MaxDatapoints < 1 || *in.MaxDatapoints > mostReturned):
		return nil, invalidValue("The parameter MaxDatapoints must be between 1 and %d.", mostReturned)
	case in.MaxDatapoints != nil:
		most = int(*in.MaxDatapoints)
	}
	q, err := s.readQueries(in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	var results []types.MetricDataResult
	for i := range q.list {
		if q.list[i].Hidden {
			continue
		}
		some, err := s.results(q, i, in)
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
	}
	skip := 0
	if in.NextToken != nil {
		if skip, err = strconv.Atoi(*in.NextToken); err != nil || skip < 1 {
			return nil, &types.InvalidNextToken{Message: aws.String("The next token is invalid.")}
		}
	}
	out := &cloudwatch.GetMetricDataOutput{Messages: []types.MessageData{}}
	out.MetricDataResults, out.NextToken = pageOfData(results, skip, most)
	return out, nil
}

// results are those of one query.
func (s *Service) results(q *queries, i int, in *cloudwatch.GetMetricDataInput) ([]types.MetricDataResult, error) {
	w := windowOf(*in.StartTime, *in.EndTime, s.Now(), q.period(i))
	if n := w.periods(); n > mostReturned {
		return nil, invalidCombination("You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, mostReturned)
	}
	all, err := q.series(i, w)
	if err != nil {
		return nil, err
	}
	label := q.list[i].Label
	if label == "" {
		if label = q.list[i].ID; q.list[i].Metric != nil {
			label = q.list[i].Metric.Name
		}
	}
	var out []types.MetricDataResult
	for _, values := range all {
		r := types.MetricDataResult{Id: aws.String(q.list[i].ID), Label: aws.String(label), StatusCode: types.StatusCodeComplete, Timestamps: []time.Time{}, Values: []float64{}}
		for n, v := range values {
			if !math.IsNaN(v) {
				r.Timestamps = append(r.Timestamps, time.Unix(w.from+int64(n)*w.period, 0).UTC())
				r.Values = append(r.Values, v)
			}
		}
		if in.ScanBy != types.ScanByTimestampAscending {
			slices.Reverse(r.Timestamps)
			slices.Reverse(r.Values)
		}
		out = append(out, r)
	}
	return out, nil
}

// pageOfData leaves out as many values as pages before had, and ends where this one is
// full. A token is how many values were shown.
func pageOfData(results []types.MetricDataResult, skip, most int) ([]types.MetricDataResult, *string) {
	out := []types.MetricDataResult{}
	left, shown, more := skip, skip, false
	for _, r := range results {
		n := len(r.Values)
		if left > 0 && left >= n {
			left -= n
			continue
		}
		r.Values, r.Timestamps = r.Values[left:], r.Timestamps[left:]
		left = 0
		if room := most - (shown - skip); len(r.Values) > room {
			if room == 0 {
				more = true
				break
			}
			r.Values, r.Timestamps, r.StatusCode, more = r.Values[:room], r.Timestamps[:room], types.StatusCodePartialData, true
		}
		shown += len(r.Values)
		out = append(out, r)
		if more {
			break
		}
	}
	if !more {
		return out, nil
	}
	return out, aws.String(strconv.Itoa(shown))
}
