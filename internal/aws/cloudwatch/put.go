package cloudwatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/engine/metric"
)

// Limits of PutMetricData.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
const (
	mostData       = 1000
	mostValues     = 150
	mostDimensions = 30

	behind = 14 * 24 * time.Hour
	ahead  = 2 * time.Hour
)

// mostValue bounds values: 2^360.
var mostValue = math.Ldexp(1, 360)

// PutMetricData keeps data of metrics. Alarms on them are evaluated at once.
func (s *Service) PutMetricData(_ context.Context, in *cloudwatch.PutMetricDataInput) (*cloudwatch.PutMetricDataOutput, error) {
	switch {
	case strings.HasPrefix(aws.ToString(in.Namespace), "AWS/"):
		return nil, invalidValue("The value AWS/ for parameter Namespace is invalid.")
	case len(in.EntityMetricData) > 0:
		return nil, invalidValue("The parameter EntityMetricData is not supported by eksact.")
	case len(in.MetricData) == 0:
		return nil, missing("MetricData")
	case len(in.MetricData) > mostData:
		return nil, invalidValue("The collection MetricData must not have a size greater than %d.", mostData)
	}
	now := s.Now()
	var data []Datum
	for i := range in.MetricData {
		d, err := datum(*in.Namespace, &in.MetricData[i], fmt.Sprintf("MetricData.member.%d.", i+1), now)
		if err != nil {
			return nil, err
		}
		data = append(data, d)
	}
	return &cloudwatch.PutMetricDataOutput{}, s.Put(data)
}

// Put keeps data that other services of this process measured, and wakes the alarms on
// them.
func (s *Service) Put(data []Datum) error {
	if err := s.shelf.put(data); err != nil {
		if errors.Is(err, errFull) {
			return &types.LimitExceededFault{Message: aws.String(fmt.Sprintf("At most %d metrics and %d of their periods are kept here.", mostMetrics, mostSets))}
		}
		s.Log.Error("metrics can't be written", "error", err)
		return &types.InternalServiceFault{Message: aws.String("The data could not be written.")}
	}
	s.mu.Lock()
	for i := range data {
		s.fresh[data[i].Metric.key()] = true
	}
	s.mu.Unlock()
	s.rouse()
	return nil
}

// Measured is a datum of the resolution of a minute.
func Measured(m Metric, unit string, at time.Time, set metric.Set) Datum {
	slices.SortFunc(m.Dimensions, func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
	return Datum{Metric: m, Unit: cmp.Or(unit, string(types.StandardUnitNone)), Width: 60, Start: metric.Floor(at.Unix(), 60), Set: set}
}

func datum(namespace string, in *types.MetricDatum, at string, now time.Time) (Datum, error) {
	dims, err := dimensions(in.Dimensions, at)
	if err != nil {
		return Datum{}, err
	}
	set, err := measured(in, at)
	if err != nil {
		return Datum{}, err
	}
	when := now
	if in.Timestamp != nil {
		when = *in.Timestamp
	}
	if age := now.Sub(when); age > behind || age < -ahead {
		return Datum{}, invalidValue("The parameter %sTimestamp must specify a time within the past two weeks and at most two hours in the future.", at)
	}
	d := Measured(Metric{namespace, aws.ToString(in.MetricName), dims}, string(in.Unit), when, set)
	switch r := aws.ToInt32(in.StorageResolution); r {
	case 0, 60:
	case 1:
		d.Width, d.Start = 1, when.Unix()
	default:
		return Datum{}, invalidValue("The parameter %sStorageResolution must be equal to 1 or 60.", at)
	}
	return d, nil
}

// measured reads one of the three ways to say values.
func measured(in *types.MetricDatum, at string) (metric.Set, error) {
	ways := 0
	for _, given := range []bool{in.Value != nil, in.StatisticValues != nil, len(in.Values) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return metric.Set{}, missing(at + "Value")
	case in.Value != nil && in.StatisticValues != nil:
		return metric.Set{}, invalidCombination("The parameters %[1]sValue and %[1]sStatisticValues are mutually exclusive and you have specified both.", at)
	case ways > 1:
		return metric.Set{}, invalidCombination("The parameters %[1]sValue, %[1]sStatisticValues and %[1]sValues are mutually exclusive and you have specified more than one.", at)
	case len(in.Counts) > 0 && len(in.Values) != len(in.Counts):
		return metric.Set{}, invalidValue("The parameters %[1]sValues and %[1]sCounts must be of the same size.", at)
	case len(in.Values) > mostValues:
		return metric.Set{}, invalidValue("The collection %sValues must not have a size greater than %d.", at, mostValues)
	}
	switch {
	case in.Value != nil:
		return metric.One(*in.Value, 1), inRange(at+"Value", *in.Value)
	case in.StatisticValues != nil:
		return statisticSet(in.StatisticValues, at+"StatisticValues.")
	}
	var set metric.Set
	for i, v := range in.Values {
		count := 1.0
		if len(in.Counts) > 0 {
			count = in.Counts[i]
		}
		if err := errors.Join(inRange(fmt.Sprintf("%sValues.member.%d", at, i+1), v), inRange(fmt.Sprintf("%sCounts.member.%d", at, i+1), count)); err != nil {
			return set, err
		}
		if count <= 0 {
			return set, invalidValue("The value %v for parameter %sCounts.member.%d is invalid.", count, at, i+1)
		}
		set = metric.Merge(set, metric.One(v, count))
	}
	return set, nil
}

func statisticSet(v *types.StatisticSet, at string) (metric.Set, error) {
	given := []struct {
		name  string
		value *float64
	}{{"SampleCount", v.SampleCount}, {"Sum", v.Sum}, {"Minimum", v.Minimum}, {"Maximum", v.Maximum}}
	for _, g := range given {
		if g.value == nil {
			return metric.Set{}, missing(at + g.name)
		}
		if err := inRange(at+g.name, *g.value); err != nil {
			return metric.Set{}, err
		}
	}
	switch {
	case *v.SampleCount <= 0:
		return metric.Set{}, invalidValue("The value %v for parameter %sSampleCount is invalid.", *v.SampleCount, at)
	case *v.Minimum > *v.Maximum:
		return metric.Set{}, invalidCombination("The parameter %[1]sMaximum must be greater than %[1]sMinimum.", at)
	}
	return metric.Statistics(*v.SampleCount, *v.Sum, *v.Minimum, *v.Maximum), nil
}

func inRange(parameter string, v float64) error {
	if math.IsNaN(v) || math.Abs(v) > mostValue {
		return invalidValue("The value %v for parameter %s is invalid.", v, parameter)
	}
	return nil
}

// dimensions are a metric's, in order.
func dimensions(in []types.Dimension, at string) ([]Dimension, error) {
	if len(in) > mostDimensions {
		return nil, invalidValue("The collection %sDimensions must not have a size greater than %d.", at, mostDimensions)
	}
	var out []Dimension
	for i, d := range in {
		name, value := aws.ToString(d.Name), aws.ToString(d.Value)
		if strings.TrimSpace(name) == "" || strings.TrimSpace(value) == "" || strings.HasPrefix(name, ":") {
			return nil, invalidValue("The value of %sDimensions.member.%d is invalid.", at, i+1)
		}
		out = append(out, Dimension{name, value})
	}
	slices.SortFunc(out, func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(out); i++ {
		if out[i].Name == out[i-1].Name {
			return nil, invalidValue("The dimension %s of %sDimensions is there twice.", out[i].Name, at)
		}
	}
	return out, nil
}

func shown(dims []Dimension) []types.Dimension {
	out := []types.Dimension{}
	for _, d := range dims {
		out = append(out, types.Dimension{Name: aws.String(d.Name), Value: aws.String(d.Value)})
	}
	return out
}
