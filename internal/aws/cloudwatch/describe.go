package cloudwatch

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
)

const (
	alarmsPage  = 50
	mostRecords = 100
)

func pageSize(asked *int32) int {
	if asked != nil {
		return int(min(*asked, mostRecords))
	}
	return alarmsPage
}

// DescribeAlarms shows alarms, by name: metric alarms, if no types are asked for.
func (s *Service) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil {
		return nil, api.ValidationError("AlarmNames and AlarmNamePrefix can't be specified together.")
	}
	if (in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil) && (len(in.AlarmNames) > 0 || in.AlarmNamePrefix != nil || in.StateValue != "" || in.ActionPrefix != nil) {
		return nil, api.ValidationError("ChildrenOfAlarmName and ParentsOfAlarmName can be specified with MaxRecords and NextToken alone.")
	}
	wanted, err := s.selected(in)
	if err != nil {
		return nil, err
	}
	var all []Alarm
	for _, a := range s.alarms.List(aws.ToString(in.AlarmNamePrefix)) {
		if wanted(&a) {
			all = append(all, a)
		}
	}
	some, next, err := page(all, func(a Alarm) string { return a.Name }, in.NextToken, pageSize(in.MaxRecords))
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []types.MetricAlarm{}, CompositeAlarms: []types.CompositeAlarm{}, NextToken: next}
	for i := range some {
		if some[i].Rule != "" {
			out.CompositeAlarms = append(out.CompositeAlarms, s.compositeView(&some[i]))
		} else {
			out.MetricAlarms = append(out.MetricAlarms, s.metricView(&some[i]))
		}
	}
	return out, nil
}

// selected says which alarms are asked for.
func (s *Service) selected(in *cloudwatch.DescribeAlarmsInput) (func(*Alarm) bool, error) {
	if in.ChildrenOfAlarmName != nil {
		name, rule := s.composite(*in.ChildrenOfAlarmName)
		if rule == nil {
			return nil, noAlarm(name)
		}
		return func(a *Alarm) bool {
			return slices.ContainsFunc(rule.Children(), func(child string) bool { return s.alarmName(child) == a.Name })
		}, nil
	}
	if in.ParentsOfAlarmName != nil {
		name := s.alarmName(*in.ParentsOfAlarmName)
		if _, ok := s.alarms.Get(name); !ok {
			return nil, noAlarm(name)
		}
		return func(a *Alarm) bool {
			_, rule := s.composite(a.Name)
			return rule != nil && slices.ContainsFunc(rule.Children(), func(child string) bool { return s.alarmName(child) == name })
		}, nil
	}
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []types.AlarmType{types.AlarmTypeMetricAlarm}
	}
	return func(a *Alarm) bool {
		return slices.Contains(kinds, a.kind()) && (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.Name)) &&
			(in.StateValue == "" || string(a.State) == string(in.StateValue)) && hasAction(a, in.ActionPrefix)
	}, nil
}

func hasAction(a *Alarm, prefix *string) bool {
	if prefix == nil {
		return true
	}
	return slices.ContainsFunc(slices.Concat(a.OK, a.Alarm, a.Insufficient), func(arn string) bool { return strings.HasPrefix(arn, *prefix) })
}

// DescribeAlarmsForMetric shows the alarms on one metric.
func (s *Service) DescribeAlarmsForMetric(_ context.Context, in *cloudwatch.DescribeAlarmsForMetricInput) (*cloudwatch.DescribeAlarmsForMetricOutput, error) {
	dims, err := dimensions(in.Dimensions, "")
	if err != nil {
		return nil, err
	}
	m := Metric{*in.Namespace, *in.MetricName, dims}
	out := &cloudwatch.DescribeAlarmsForMetricOutput{MetricAlarms: []types.MetricAlarm{}}
	stat := string(in.Statistic) + aws.ToString(in.ExtendedStatistic)
	for _, a := range s.alarms.List("") {
		if a.Metric != nil && a.Metric.key() == m.key() && (stat == "" || a.Stat == stat) && (in.Period == nil || a.Period == *in.Period) && (in.Unit == "" || a.Unit == string(in.Unit)) {
			out.MetricAlarms = append(out.MetricAlarms, s.metricView(&a))
		}
	}
	return out, nil
}

// EnableAlarmActions lets alarms act.
func (s *Service) EnableAlarmActions(ctx context.Context, in *cloudwatch.EnableAlarmActionsInput) (*cloudwatch.EnableAlarmActionsOutput, error) {
	return &cloudwatch.EnableAlarmActionsOutput{}, s.switchActions(ctx, in.AlarmNames, false)
}

// DisableAlarmActions keeps alarms from acting.
func (s *Service) DisableAlarmActions(ctx context.Context, in *cloudwatch.DisableAlarmActionsInput) (*cloudwatch.DisableAlarmActionsOutput, error) {
	return &cloudwatch.DisableAlarmActionsOutput{}, s.switchActions(ctx, in.AlarmNames, true)
}
