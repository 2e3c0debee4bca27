package cloudwatch

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/engine/metric"
)

// Alarm is a metric alarm or, with a rule, a composite one.
type Alarm struct {
	Name        string
	Description *string           `json:",omitempty"`
	Tags        map[string]string `json:",omitempty"`

	Disabled     bool // its actions
	OK           []string
	Alarm        []string
	Insufficient []string

	Rule string `json:",omitempty"` // of a composite alarm

	// Of a metric alarm: Metric with a statistic, or queries of which one is returned.
	Metric     *Metric `json:",omitempty"`
	Stat       string  `json:",omitempty"` // also an extended one
	Unit       string  `json:",omitempty"`
	Period     int32   `json:",omitempty"`
	Queries    []Query `json:",omitempty"`
	Periods    int32   `json:",omitempty"`
	Datapoints *int32  `json:",omitempty"`
	Threshold  float64 `json:",omitempty"`
	Comparison string  `json:",omitempty"`
	Missing    *string `json:",omitempty"`
	LowSamples *string `json:",omitempty"`

	Configured   time.Time
	State        alarm.State
	Reason       string
	Data         string `json:",omitempty"`
	Updated      time.Time
	Transitioned time.Time
	// Owed is a change of state whose actions were not carried out yet.
	Owed *StateChange `json:",omitempty"`
}

// StateChange is a change of an alarm's state.
type StateChange struct {
	At            time.Time   `json:"time"`
	Alarm         string      `json:"alarm"`
	ARN           string      `json:"arn"`
	Description   string      `json:"description,omitempty"`
	From          alarm.State `json:"from"`
	To            alarm.State `json:"to"`
	Reason        string      `json:"reason"`
	Data          string      `json:"reasonData,omitempty"`
	Triggering    []childNow  `json:"triggering,omitempty"` // of a composite alarm
	OldReason     string      `json:"oldReason,omitempty"`
	OldData       string      `json:"oldReasonData,omitempty"`
	OldTransition time.Time   `json:"oldTime,omitzero"`
}

// childNow is an alarm that made a composite one change.
type childNow struct {
	ARN   string      `json:"arn"`
	State alarm.State `json:"state"`
	At    time.Time   `json:"time"`
}

func (a *Alarm) kind() types.AlarmType {
	if a.Rule != "" {
		return types.AlarmTypeCompositeAlarm
	}
	return types.AlarmTypeMetricAlarm
}

// actions are those of a state.
func (a *Alarm) actions(of alarm.State) []string {
	switch of {
	case alarm.OK:
		return a.OK
	case alarm.Alarm:
		return a.Alarm
	}
	return a.Insufficient
}

// queries are what a metric alarm watches, as queries; watched is the returned one.
func (a *Alarm) queries(h *shelf) (q *queries, watched int, err error) {
	list := a.Queries
	if a.Metric != nil {
		list = []Query{{ID: "m", Metric: a.Metric, Stat: a.Stat, Unit: a.Unit, Period: int64(a.Period)}}
	}
	if q, err = parseQueries(h, list); err != nil {
		return nil, 0, err
	}
	watched, err = q.returned()
	return q, watched, err
}

// period is the length of a metric alarm's periods.
func (a *Alarm) period(h *shelf) int64 {
	if a.Metric != nil {
		return int64(a.Period)
	}
	if q, i, err := a.queries(h); err == nil {
		return q.period(i)
	}
	return 60
}

// rule is what a metric alarm watches for.
func (a *Alarm) rule(period int64) *alarm.Rule {
	r := &alarm.Rule{
		Unit: a.Unit, Period: int(period), Periods: int(a.Periods), Datapoints: int(aws.ToInt32(a.Datapoints)), Threshold: a.Threshold,
		Comparison: alarm.Comparison(a.Comparison), Missing: alarm.Treatment(aws.ToString(a.Missing)), IgnoreFew: aws.ToString(a.LowSamples) == "ignore",
	}
	if a.Metric != nil {
		r.Statistic = a.Stat
		if stat, err := metric.Parse(a.Stat); err == nil {
			r.Percentile, _ = stat.Percentile()
			if !stat.Extended() {
				r.Percentile = 0
			}
		}
	}
	return r
}

// metricView is a metric alarm as DescribeAlarms shows it.
func (s *Service) metricView(a *Alarm) types.MetricAlarm {
	v := types.MetricAlarm{
		AlarmName: aws.String(a.Name), AlarmArn: aws.String(s.arn(a.Name)), AlarmDescription: a.Description, AlarmConfigurationUpdatedTimestamp: aws.Time(a.Configured),
		ActionsEnabled: aws.Bool(!a.Disabled), OKActions: some(a.OK), AlarmActions: some(a.Alarm), InsufficientDataActions: some(a.Insufficient),
		StateValue: types.StateValue(a.State), StateReason: aws.String(a.Reason), StateUpdatedTimestamp: aws.Time(a.Updated), StateTransitionedTimestamp: aws.Time(a.Transitioned),
		EvaluationPeriods: aws.Int32(a.Periods), DatapointsToAlarm: a.Datapoints, Threshold: aws.Float64(a.Threshold), ComparisonOperator: types.ComparisonOperator(a.Comparison),
		TreatMissingData: a.Missing, EvaluateLowSampleCountPercentile: a.LowSamples, Dimensions: []types.Dimension{},
	}
	if a.Data != "" {
		v.StateReasonData = aws.String(a.Data)
	}
	if a.Metric == nil {
		for i := range a.Queries {
			v.Metrics = append(v.Metrics, a.Queries[i].view())
		}
		return v
	}
	v.Namespace, v.MetricName, v.Dimensions, v.Period, v.Unit = aws.String(a.Metric.Namespace), aws.String(a.Metric.Name), shown(a.Metric.Dimensions), aws.Int32(a.Period), types.StandardUnit(a.Unit)
	if stat, err := metric.Parse(a.Stat); err == nil && !stat.Extended() {
		v.Statistic = types.Statistic(a.Stat)
	} else {
		v.ExtendedStatistic = aws.String(a.Stat)
	}
	return v
}

func (q *Query) view() types.MetricDataQuery {
	v := types.MetricDataQuery{Id: aws.String(q.ID), ReturnData: aws.Bool(!q.Hidden)}
	if q.Label != "" {
		v.Label = aws.String(q.Label)
	}
	if q.Metric == nil {
		v.Expression = aws.String(q.Expression)
		if q.Period > 0 {
			v.Period = aws.Int32(int32(q.Period))
		}
		return v
	}
	v.MetricStat = &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String(q.Metric.Namespace), MetricName: aws.String(q.Metric.Name), Dimensions: shown(q.Metric.Dimensions)},
		Period: aws.Int32(int32(q.Period)), Stat: aws.String(q.Stat), Unit: types.StandardUnit(q.Unit),
	}
	return v
}

// compositeView is a composite alarm as DescribeAlarms shows it.
func (s *Service) compositeView(a *Alarm) types.CompositeAlarm {
	v := types.CompositeAlarm{
		AlarmName: aws.String(a.Name), AlarmArn: aws.String(s.arn(a.Name)), AlarmDescription: a.Description, AlarmConfigurationUpdatedTimestamp: aws.Time(a.Configured),
		ActionsEnabled: aws.Bool(!a.Disabled), OKActions: some(a.OK), AlarmActions: some(a.Alarm), InsufficientDataActions: some(a.Insufficient), AlarmRule: aws.String(a.Rule),
		StateValue: types.StateValue(a.State), StateReason: aws.String(a.Reason), StateUpdatedTimestamp: aws.Time(a.Updated), StateTransitionedTimestamp: aws.Time(a.Transitioned),
	}
	if a.Data != "" {
		v.StateReasonData = aws.String(a.Data)
	}
	return v
}

func some(list []string) []string { return append([]string{}, list...) }
