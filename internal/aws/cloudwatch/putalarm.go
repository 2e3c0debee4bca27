package cloudwatch

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/engine/metric"
	"github.com/eksact/eksact/internal/store"
)

const (
	mostActions = 5
	mostTags    = 50
	mostAlarms  = 5000
	oneDay      = 86_400
	oneWeek     = 7 * oneDay
)

// PutMetricAlarm makes an alarm, or gives one that is there another configuration. Its
// state stays.
func (s *Service) PutMetricAlarm(ctx context.Context, in *cloudwatch.PutMetricAlarmInput) (*cloudwatch.PutMetricAlarmOutput, error) {
	if err := refuseOptions(in); err != nil {
		return nil, err
	}
	a := Alarm{
		Name: *in.AlarmName, Description: in.AlarmDescription, Disabled: in.ActionsEnabled != nil && !*in.ActionsEnabled,
		OK: in.OKActions, Alarm: in.AlarmActions, Insufficient: in.InsufficientDataActions,
		Periods: aws.ToInt32(in.EvaluationPeriods), Datapoints: in.DatapointsToAlarm, Threshold: aws.ToFloat64(in.Threshold), Comparison: string(in.ComparisonOperator),
		Missing: in.TreatMissingData, LowSamples: in.EvaluateLowSampleCountPercentile,
	}
	if err := s.watches(&a, in); err != nil {
		return nil, err
	}
	if err := s.checkRule(&a, in); err != nil {
		return nil, err
	}
	if err := s.checkActions(a.OK, a.Alarm, a.Insufficient); err != nil {
		return nil, err
	}
	return &cloudwatch.PutMetricAlarmOutput{}, s.putAlarm(ctx, a, in.Tags)
}

// refuseOptions names what is not there.
func refuseOptions(in *cloudwatch.PutMetricAlarmInput) error {
	switch {
	case in.EvaluationCriteria != nil || in.EvaluationInterval != nil:
		return unsupported("An alarm on a PromQL query (EvaluationCriteria)")
	case in.ThresholdMetricId != nil || strings.Contains(string(in.ComparisonOperator), "UpperThreshold") || strings.Contains(string(in.ComparisonOperator), "LowerThreshold"):
		return unsupported("An alarm on an anomaly detection band (ThresholdMetricId)")
	case in.WarmUpConfiguration != nil:
		return unsupported("WarmUpConfiguration")
	case in.ActionConfiguration != nil:
		return unsupported("ActionConfiguration")
	}
	if _, sliding := in.EvaluationWindow.(*types.EvaluationWindowMemberSlidingWindow); in.EvaluationWindow != nil && !sliding {
		return unsupported("EvaluationWindow WallClockWindow")
	}
	return nil
}

// watches reads what the alarm is on.
func (s *Service) watches(a *Alarm, in *cloudwatch.PutMetricAlarmInput) error {
	if len(in.Metrics) > 0 {
		if in.MetricName != nil || in.Namespace != nil || in.Period != nil || in.Statistic != "" || in.ExtendedStatistic != nil || len(in.Dimensions) > 0 || in.Unit != "" {
			return api.ValidationError("Metrics list can't be used with MetricName, Namespace, Period, Statistic, ExtendedStatistic, Dimensions or Unit.")
		}
		q, err := s.readQueries(in.Metrics)
		if err != nil {
			return err
		}
		i, err := q.returned()
		if err != nil {
			return api.ValidationError("%s", err)
		}
		for j := range q.list {
			if p := q.list[j].Period; p > 0 && p != q.period(i) {
				return api.ValidationError("All metrics and expressions of an alarm must have the same period.")
			}
		}
		a.Queries = q.list
		return nil
	}
	for _, given := range []struct {
		name string
		ok   bool
	}{{"MetricName", in.MetricName != nil}, {"Namespace", in.Namespace != nil}, {"Period", in.Period != nil}} {
		if !given.ok {
			return missing(given.name)
		}
	}
	if (in.Statistic == "") == (in.ExtendedStatistic == nil) {
		return api.ValidationError("Exactly one of Statistic and ExtendedStatistic must be specified.")
	}
	dims, err := dimensions(in.Dimensions, "")
	if err != nil {
		return err
	}
	a.Metric, a.Stat, a.Unit, a.Period = &Metric{*in.Namespace, *in.MetricName, dims}, string(in.Statistic)+aws.ToString(in.ExtendedStatistic), string(in.Unit), *in.Period
	if _, err := metric.Parse(a.Stat); err != nil {
		return api.ValidationError("The value %s for parameter ExtendedStatistic is invalid.", a.Stat)
	}
	if p := a.Period; p != 10 && p != 20 && p != 30 && (p < 60 || p%60 != 0) {
		return api.ValidationError("Period must be 10, 20, 30, or a multiple of 60.")
	}
	return nil
}

func (s *Service) checkRule(a *Alarm, in *cloudwatch.PutMetricAlarmInput) error {
	switch {
	case in.EvaluationPeriods == nil:
		return missing("EvaluationPeriods")
	case in.ComparisonOperator == "":
		return missing("ComparisonOperator")
	case in.Threshold == nil:
		return missing("Threshold")
	case math.IsNaN(*in.Threshold) || math.IsInf(*in.Threshold, 0):
		return invalidValue("The value %v for parameter Threshold is invalid.", *in.Threshold)
	case a.Datapoints != nil && (*a.Datapoints < 1 || *a.Datapoints > a.Periods):
		return api.ValidationError("The parameter 'DatapointsToAlarm' must be less than or equal to the parameter 'EvaluationPeriods'.")
	case a.Missing != nil && !slices.Contains([]alarm.Treatment{alarm.Missing, alarm.NotBreaching, alarm.Breaching, alarm.Ignore}, alarm.Treatment(*a.Missing)):
		return api.ValidationError("Value '%s' at 'treatMissingData' failed to satisfy constraint: Member must satisfy enum value set: [breaching, notBreaching, ignore, missing]", *a.Missing)
	case a.LowSamples != nil && *a.LowSamples != "evaluate" && *a.LowSamples != "ignore":
		return api.ValidationError("Value '%s' at 'evaluateLowSampleCountPercentile' failed to satisfy constraint: Member must satisfy enum value set: [evaluate, ignore]", *a.LowSamples)
	case a.LowSamples != nil && a.Metric != nil && a.rule(1).Percentile == 0:
		return api.ValidationError("EvaluateLowSampleCountPercentile is of alarms on percentiles alone.")
	}
	period := a.period(s.shelf)
	if span := period * int64(a.Periods); period < 3600 && span > oneDay {
		return api.ValidationError("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
	} else if span > oneWeek {
		return api.ValidationError("Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800).")
	}
	if err := a.rule(period).Check(); err != nil {
		return api.ValidationError("%s", err)
	}
	return nil
}

// checkActions takes SNS topics of this account alone.
func (s *Service) checkActions(lists ...[]string) error {
	for _, list := range lists {
		if len(list) > mostActions {
			return api.ValidationError("An alarm can have up to %d actions for a state.", mostActions)
		}
		for _, arn := range list {
			parts := strings.SplitN(arn, ":", 6)
			switch {
			case len(parts) < 6 || parts[0] != "arn":
				return api.ValidationError("Invalid arn syntax: %s", arn)
			case parts[2] != "sns" || strings.ContainsAny(parts[5], ":/"):
				return unsupported("The alarm action " + arn + " (of another kind than an SNS topic)")
			case parts[3] != s.Place.Region:
				return api.ValidationError("Invalid region %s specified. Only %s is supported.", parts[3], s.Place.Region)
			case parts[4] != s.Place.AccountID:
				return unsupported("The alarm action " + arn + " (of another account)")
			}
		}
	}
	return nil
}

// PutCompositeAlarm makes an alarm over others, or changes one.
func (s *Service) PutCompositeAlarm(ctx context.Context, in *cloudwatch.PutCompositeAlarmInput) (*cloudwatch.PutCompositeAlarmOutput, error) {
	switch {
	case in.ActionsSuppressor != nil || in.ActionsSuppressorWaitPeriod != nil || in.ActionsSuppressorExtensionPeriod != nil:
		return nil, unsupported("ActionsSuppressor")
	case in.ActionConfiguration != nil:
		return nil, unsupported("ActionConfiguration")
	}
	rule, err := alarm.ParseComposite(*in.AlarmRule)
	if err != nil {
		return nil, api.ValidationError("AlarmRule is invalid: %s", err)
	}
	if err := s.checkActions(in.OKActions, in.AlarmActions, in.InsufficientDataActions); err != nil {
		return nil, err
	}
	var absent []string
	for _, child := range rule.Children() {
		if _, ok := s.alarms.Get(s.alarmName(child)); !ok && s.alarmName(child) != *in.AlarmName {
			absent = append(absent, child)
		}
	}
	if len(absent) > 0 {
		return nil, api.ValidationError("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", strings.Join(absent, ", "))
	}
	if way := alarm.Cycle(*in.AlarmName, rule, s.composite); way != nil {
		return nil, api.ValidationError("AlarmRule is invalid: the alarm would depend on itself: %s", strings.Join(way, " -> "))
	}
	a := Alarm{
		Name: *in.AlarmName, Description: in.AlarmDescription, Disabled: in.ActionsEnabled != nil && !*in.ActionsEnabled,
		OK: in.OKActions, Alarm: in.AlarmActions, Insufficient: in.InsufficientDataActions, Rule: *in.AlarmRule,
	}
	return &cloudwatch.PutCompositeAlarmOutput{}, s.putAlarm(ctx, a, in.Tags)
}

// composite is a composite alarm's rule, by name or ARN.
func (s *Service) composite(child string) (string, *alarm.Composite) {
	name := s.alarmName(child)
	a, _ := s.alarms.Get(name)
	if a.Rule == "" {
		return name, nil
	}
	rule, err := alarm.ParseComposite(a.Rule)
	if err != nil {
		return name, nil
	}
	return name, rule
}

// putAlarm writes an alarm and evaluates it.
func (s *Service) putAlarm(ctx context.Context, a Alarm, tags []types.Tag) error {
	set, err := readTags(tags)
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	created := false
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		old, there := s.alarms.In(tx).Get(a.Name)
		switch {
		case there && old.kind() != a.kind():
			return api.ValidationError("An alarm of the type %s has the name %s already.", old.kind(), a.Name)
		case !there && s.alarms.Len() >= mostAlarms:
			return &types.LimitExceededFault{Message: aws.String("The maximum limit of alarms has been reached.")}
		}
		new := a
		new.Configured, new.State, new.Reason, new.Updated, new.Transitioned = now, alarm.InsufficientData, alarm.Created, now, now
		new.Tags = api.WithSystemTags(ctx, set) // of an alarm that is there, tags are changed by TagResource alone
		summary, data := "created", configuration{Type: "Create", Created: s.described(&new)}
		if there {
			new.State, new.Reason, new.Data, new.Updated, new.Transitioned, new.Tags, new.Owed = old.State, old.Reason, old.Data, old.Updated, old.Transitioned, old.Tags, old.Owed
			summary, data = "updated", configuration{Type: "Update", Updated: s.described(&new)}
		}
		created = !there
		s.alarms.In(tx).Put(a.Name, new)
		s.note(tx, &new, now, types.HistoryItemTypeConfigurationUpdate, `Alarm "`+a.Name+`" `+summary, data)
		return nil
	})
	if err != nil {
		return err
	}
	if a.Rule != "" {
		return s.evaluateComposite(ctx, a.Name, configured{created: created})
	}
	s.ask(a.Name)
	return nil
}
