package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/engine/metric"
)

const (
	mostDatapoints = 1440 // of GetMetricStatistics
	metricsPage    = 500  // of ListMetrics
	listed         = 14 * 24 * time.Hour
)

// span of time in periods: from, to and period are seconds since 1970, and seconds.
type window struct{ from, to, period int64 }

// windowOf rounds a query's times as CloudWatch does: the start down to whole minutes,
// the older the coarser, of short periods to a multiple of them.
func windowOf(start, end, now time.Time, period int64) window {
	to := end.Unix()
	if end.Nanosecond() > 0 {
		to++
	}
	align := int64(60)
	switch age := now.Sub(start); {
	case period < 60:
		align = period
	case age > metric.Ages[2].Kept:
		align = 3600
	case age > metric.Ages[1].Kept:
		align = 300
	}
	return window{metric.Floor(start.Unix(), align), to, period}
}

// periods is how many there are in it.
func (w window) periods() int64 { return (w.to - w.from + w.period - 1) / w.period }

func validPeriod(p int32) bool {
	return p == 1 || p == 5 || p == 10 || p == 20 || p == 30 || p >= 60 && p%60 == 0
}

// GetMetricStatistics shows statistics of one metric.
func (s *Service) GetMetricStatistics(_ context.Context, in *cloudwatch.GetMetricStatisticsInput) (*cloudwatch.GetMetricStatisticsOutput, error) {
	dims, err := dimensions(in.Dimensions, "")
	if err != nil {
		return nil, err
	}
	stats, err := statistics(in)
	if err != nil {
		return nil, err
	}
	switch {
	case !validPeriod(*in.Period):
		return nil, invalidValue("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
	case !in.StartTime.Before(*in.EndTime):
		return nil, invalidCombination("The parameter StartTime must be less than the parameter EndTime.")
	}
	w := windowOf(*in.StartTime, *in.EndTime, s.Now(), int64(*in.Period))
	if n := w.periods(); n > mostDatapoints {
		return nil, invalidCombination("You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, mostDatapoints)
	}
	out := &cloudwatch.GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []types.Datapoint{}}
	m := Metric{*in.Namespace, *in.MetricName, dims}
	s.shelf.read(m.key(), func(of *series) {
		for _, unit := range slices.Sorted(maps.Keys(of.units)) {
			if in.Unit != "" && string(in.Unit) != unit {
				continue
			}
			for at := w.from; at < w.to; at += w.period {
				if set := of.between(unit, at, at+w.period); set.Count > 0 {
					out.Datapoints = append(out.Datapoints, datapoint(at, unit, set, stats))
				}
			}
		}
	})
	return out, nil
}

func statistics(in *cloudwatch.GetMetricStatisticsInput) ([]metric.Statistic, error) {
	var names []string
	for _, n := range in.Statistics {
		names = append(names, string(n))
	}
	names = append(names, in.ExtendedStatistics...)
	if len(names) == 0 {
		return nil, invalidCombination("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	var out []metric.Statistic
	for _, n := range names {
		stat, err := metric.Parse(n)
		if err != nil {
			return nil, invalidValue("The value %s for parameter ExtendedStatistics is invalid.", n)
		}
		out = append(out, stat)
	}
	return out, nil
}

func datapoint(at int64, unit string, set metric.Set, stats []metric.Statistic) types.Datapoint {
	p := types.Datapoint{Timestamp: aws.Time(time.Unix(at, 0).UTC()), Unit: types.StandardUnit(unit)}
	for _, stat := range stats {
		v, ok := stat.Of(set)
		if !ok {
			continue
		}
		switch types.Statistic(stat.String()) {
		case types.StatisticAverage:
			p.Average = &v
		case types.StatisticSum:
			p.Sum = &v
		case types.StatisticSampleCount:
			p.SampleCount = &v
		case types.StatisticMinimum:
			p.Minimum = &v
		case types.StatisticMaximum:
			p.Maximum = &v
		default:
			if p.ExtendedStatistics == nil {
				p.ExtendedStatistics = map[string]float64{}
			}
			p.ExtendedStatistics[stat.String()] = v
		}
	}
	return p
}

// ListMetrics shows the metrics that had data in the last two weeks.
func (s *Service) ListMetrics(_ context.Context, in *cloudwatch.ListMetricsInput) (*cloudwatch.ListMetricsOutput, error) {
	since := s.Now().Add(-listed)
	if in.RecentlyActive == types.RecentlyActivePt3h {
		since = s.Now().Add(-3 * time.Hour)
	}
	out := &cloudwatch.ListMetricsOutput{Metrics: []types.Metric{}}
	if in.OwningAccount != nil && *in.OwningAccount != s.Place.AccountID {
		return out, nil
	}
	all := s.shelf.list(since.Unix(), func(m *Metric) bool {
		return (in.Namespace == nil || m.Namespace == *in.Namespace) && (in.MetricName == nil || m.Name == *in.MetricName) &&
			!slices.ContainsFunc(in.Dimensions, func(f types.DimensionFilter) bool {
				return !slices.ContainsFunc(m.Dimensions, func(d Dimension) bool {
					return d.Name == aws.ToString(f.Name) && (f.Value == nil || d.Value == *f.Value)
				})
			})
	})
	some, next, err := page(all, func(of *series) string { return of.metric.key() }, in.NextToken, metricsPage)
	if err != nil {
		return nil, invalidValue("The parameter NextToken is invalid.")
	}
	for _, of := range some {
		out.Metrics = append(out.Metrics, types.Metric{Namespace: aws.String(of.metric.Namespace), MetricName: aws.String(of.metric.Name), Dimensions: shown(of.metric.Dimensions)})
		if aws.ToBool(in.IncludeLinkedAccounts) {
			out.OwningAccounts = append(out.OwningAccounts, s.Place.AccountID)
		}
	}
	out.NextToken = next
	return out, nil
}
