package logs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/engine/filter"
	"github.com/eksact/eksact/internal/store"
)

// MetricFilter makes values of a metric out of a group's events.
type MetricFilter struct {
	Group, Name string
	Created     int64 // ms since 1970
	Pattern     string
	Metric      types.MetricTransformation
}

// Limits of filters.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const (
	mostMetricFilters = 100 // a group's
	mostWithRegexps   = 5   // filters of a group that have regular expressions
	mostDimensions    = 3
)

var errMetricPattern = invalid("Invalid metric filter pattern")

// PutMetricFilter makes a metric filter, or makes one anew.
func (s *Service) PutMetricFilter(ctx context.Context, in *cloudwatchlogs.PutMetricFilterInput) (*cloudwatchlogs.PutMetricFilterOutput, error) {
	f := MetricFilter{Group: aws.ToString(in.LogGroupName), Name: aws.ToString(in.FilterName), Created: s.ms(), Pattern: aws.ToString(in.FilterPattern)}
	switch {
	case !streamName.MatchString(f.Name):
		return nil, unmatched(f.Name, "filterName", "[^:*]*")
	case len(in.MetricTransformations) != 1:
		return nil, invalid("1 validation error detected: Value at 'metricTransformations' failed to satisfy constraint: Member must have length equal to 1")
	case in.ApplyOnTransformedLogs:
		return nil, invalid("Log transformers are not supported.")
	case len(in.EmitSystemFieldDimensions) > 0 || in.FieldSelectionCriteria != nil:
		return nil, invalid("System fields of centralized logs are not supported.")
	}
	f.Metric = in.MetricTransformations[0]
	if _, err := f.compile(); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutMetricFilterOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		if _, ok := s.groups.In(tx).Get(f.Group); !ok {
			return notFound("group")
		}
		key := streamKey(f.Group, f.Name)
		if others(s.metricFilters.In(tx), f.Group, key) >= mostMetricFilters {
			return limitExceeded
		}
		if err := s.checkRegexps(tx, f.Group, key, "", f.Pattern); err != nil {
			return err
		}
		s.metricFilters.In(tx).Put(key, f)
		return nil
	})
}

// others counts a group's filters beside the one that has a key.
func others[T any](filters store.TxTable[T], group, key string) (n int) {
	for other := range filters.List(streamKey(group, "")) {
		if other != key {
			n++
		}
	}
	return n
}

var limitExceeded = &types.LimitExceededException{Message: aws.String("Resource limit exceeded.")}

// checkRegexps refuses a filter with a regular expression where a group has as many as
// it can. The keys are those of the filter that it replaces, in either table.
func (s *Service) checkRegexps(tx *store.Tx, group, metric, subscription, pattern string) error {
	if !hasRegexp(pattern) {
		return nil
	}
	count := 0
	for key, f := range s.metricFilters.In(tx).List(streamKey(group, "")) {
		if key != metric && hasRegexp(f.Pattern) {
			count++
		}
	}
	for key, f := range s.subscriptions.In(tx).List(streamKey(group, "")) {
		if key != subscription && hasRegexp(f.Pattern) {
			count++
		}
	}
	if count >= mostWithRegexps {
		return limitExceeded
	}
	return nil
}

func hasRegexp(pattern string) bool {
	p, err := filter.Parse(pattern)
	return err == nil && p.Regexps() > 0
}

// extractor is a metric filter at work.
type extractor struct {
	MetricFilter
	pattern    *filter.Pattern
	value      func(message string) (string, bool) // nil: constant
	constant   float64
	dimensions map[string]func(message string) (string, bool)
}

// compile reads what a filter says of a metric.
func (f *MetricFilter) compile() (*extractor, error) {
	x := &extractor{MetricFilter: *f, dimensions: map[string]func(string) (string, bool){}}
	var err error
	if x.pattern, err = filter.Parse(f.Pattern); err != nil {
		return nil, errMetricPattern
	}
	m := f.Metric
	value := aws.ToString(m.MetricValue)
	switch {
	case len(m.Dimensions) > mostDimensions:
		return nil, invalid("A metric filter can have up to 3 dimensions.")
	case len(m.Dimensions) > 0 && m.DefaultValue != nil:
		return nil, invalid("A metric filter that has dimensions can't have a default value.")
	case m.Unit != "" && !slices.Contains(m.Unit.Values(), m.Unit):
		return nil, invalid("1 validation error detected: Value '" + string(m.Unit) + "' at 'metricTransformations.1.member.unit' failed to satisfy constraint: Member must satisfy enum value set")
	case strings.HasPrefix(value, "$"):
		if x.value, err = x.pattern.Selector(value); err != nil {
			return nil, invalid("Invalid metric transformation: the metric value " + value + " is no field of the filter pattern")
		}
	default:
		if x.constant, err = strconv.ParseFloat(value, 64); err != nil {
			return nil, invalid("Invalid metric transformation: the metric value must be a number or a field of the filter pattern")
		}
	}
	for name, selector := range m.Dimensions {
		if x.dimensions[name], err = x.pattern.Selector(selector); err != nil || name == "" {
			return nil, invalid("Invalid metric transformation: dimension value must be a field of the filter pattern")
		}
	}
	return x, nil
}

// DeleteMetricFilter deletes a metric filter.
func (s *Service) DeleteMetricFilter(ctx context.Context, in *cloudwatchlogs.DeleteMetricFilterInput) (*cloudwatchlogs.DeleteMetricFilterOutput, error) {
	return &cloudwatchlogs.DeleteMetricFilterOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		key := streamKey(aws.ToString(in.LogGroupName), aws.ToString(in.FilterName))
		switch _, ok := s.metricFilters.In(tx).Get(key); {
		case !ok && !s.hasGroup(tx, in.LogGroupName):
			return notFound("group")
		case !ok:
			return &types.ResourceNotFoundException{Message: aws.String("The specified metric filter does not exist.")}
		}
		s.metricFilters.In(tx).Delete(key)
		return nil
	})
}

func (s *Service) hasGroup(tx *store.Tx, name *string) bool {
	_, ok := s.groups.In(tx).Get(aws.ToString(name))
	return ok
}

// DescribeMetricFilters lists metric filters: a group's, a metric's, or all.
func (s *Service) DescribeMetricFilters(_ context.Context, in *cloudwatchlogs.DescribeMetricFiltersInput) (*cloudwatchlogs.DescribeMetricFiltersOutput, error) {
	prefix := ""
	if in.LogGroupName != nil {
		if _, ok := s.groups.Get(*in.LogGroupName); !ok {
			return nil, notFound("group")
		}
		prefix = streamKey(*in.LogGroupName, "")
	}
	if (in.MetricName == nil) != (in.MetricNamespace == nil) {
		return nil, invalid("metricName and metricNamespace must be given together.")
	}
	var all []MetricFilter
	for _, f := range s.metricFilters.List(prefix) {
		if strings.HasPrefix(f.Name, aws.ToString(in.FilterNamePrefix)) &&
			(in.MetricName == nil || *in.MetricName == aws.ToString(f.Metric.MetricName) && *in.MetricNamespace == aws.ToString(f.Metric.MetricNamespace)) {
			all = append(all, f)
		}
	}
	page, next, err := paged(all, in.Limit, in.NextToken, func(f MetricFilter) string { return streamKey(f.Group, f.Name) })
	out := &cloudwatchlogs.DescribeMetricFiltersOutput{MetricFilters: []types.MetricFilter{}, NextToken: next}
	for _, f := range page {
		out.MetricFilters = append(out.MetricFilters, types.MetricFilter{
			LogGroupName: aws.String(f.Group), FilterName: aws.String(f.Name), CreationTime: aws.Int64(f.Created), FilterPattern: aws.String(f.Pattern),
			MetricTransformations: []types.MetricTransformation{f.Metric},
		})
	}
	return out, err
}

// TestMetricFilter shows which messages a pattern matches, and what it takes out of them.
func (s *Service) TestMetricFilter(_ context.Context, in *cloudwatchlogs.TestMetricFilterInput) (*cloudwatchlogs.TestMetricFilterOutput, error) {
	p, err := filter.Parse(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, errMetricPattern
	}
	if n := len(in.LogEventMessages); n < 1 || n > 50 {
		return nil, invalid("1 validation error detected: Value at 'logEventMessages' failed to satisfy constraint: Member must have length between 1 and 50")
	}
	out := &cloudwatchlogs.TestMetricFilterOutput{Matches: []types.MetricFilterMatchRecord{}}
	for i, m := range in.LogEventMessages {
		if p.Match(m) {
			out.Matches = append(out.Matches, types.MetricFilterMatchRecord{EventNumber: int64(i + 1), EventMessage: aws.String(m), ExtractedValues: p.Extract(m)})
		}
	}
	return out, nil
}
