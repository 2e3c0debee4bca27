package cloudwatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/engine/metric"
	"github.com/eksact/eksact/internal/store"
)

// errNoTopics: there is nobody to publish to.
var errNoTopics = errors.New("SNS is not served")

// act carries out what an alarm owes, and notes what became of it.
func (s *Service) act(ctx context.Context, name string) error {
	a, ok := s.alarms.Get(name)
	if !ok || a.Owed == nil {
		return nil
	}
	owed := a.Owed
	message := s.notification(&a, owed)
	var done []actionDone
	for _, topic := range a.actions(owed.To) {
		d := actionDone{State: "Succeeded", Update: owed.At.UnixMilli(), Resource: topic, Message: message}
		err := errNoTopics
		if s.topics != nil {
			err = s.topics.Publish(ctx, topic, s.subject(&a, owed), message, owed.ARN)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil // it stays owed
			}
			d.State, d.Error = "Failed", aws.String(err.Error())
			s.Log.Warn("an alarm's action failed", "alarm", name, "action", topic, "error", err)
		}
		done = append(done, d)
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		now, ok := s.alarms.In(tx).Get(name)
		for _, d := range done {
			summary := "Successfully executed action " + d.Resource
			if d.Error != nil {
				summary = fmt.Sprintf("Failed to execute action %s. Received error: \"%s\"", d.Resource, *d.Error)
			}
			s.note(tx, &a, s.Now().UTC(), types.HistoryItemTypeAction, summary, d)
		}
		if ok && now.Owed != nil && now.Owed.At.Equal(owed.At) {
			now.Owed = nil
			s.alarms.In(tx).Put(name, now)
		}
		return nil
	})
}

// subject is the notification's: 'ALARM: "name" in US West (Oregon)'. SNS takes 100
// characters.
func (s *Service) subject(a *Alarm, c *StateChange) string {
	text := fmt.Sprintf("%s: \"%s\" in %s", c.To, a.Name, regionName(s.Place.Region))
	if r := []rune(text); len(r) > 100 {
		tail := []rune("...\" in " + regionName(s.Place.Region))
		text = string(r[:100-len(tail)]) + string(tail)
	}
	return text
}

// notice is the message to a topic, its members in CloudWatch's order.
type notice struct {
	AlarmName               string
	AlarmDescription        *string
	AWSAccountID            string `json:"AWSAccountId"`
	Configured              string `json:"AlarmConfigurationUpdatedTimestamp"`
	NewStateValue           alarm.State
	NewStateReason          string
	StateChangeTime         string
	Region                  string
	AlarmARN                string `json:"AlarmArn"`
	OldStateValue           alarm.State
	OKActions               []string
	AlarmActions            []string
	InsufficientDataActions []string
	Trigger                 any               `json:",omitempty"`
	AlarmRule               string            `json:",omitempty"`
	TriggeringChildren      []triggeringChild `json:",omitempty"`
}

type triggeringChild struct {
	ARN   string `json:"Arn"`
	State struct {
		Value     alarm.State
		Timestamp string
	}
}

// trigger is what a metric alarm watches, in a notice.
type trigger struct {
	MetricName                       string `json:",omitempty"`
	Namespace                        string `json:",omitempty"`
	StatisticType                    string `json:",omitempty"`
	Statistic                        string `json:",omitempty"`
	ExtendedStatistic                string `json:",omitempty"`
	Unit                             any    `json:",omitempty"`
	Dimensions                       any    `json:",omitempty"`
	Period                           int64
	EvaluationPeriods                int32
	DatapointsToAlarm                *int32 `json:",omitempty"`
	ComparisonOperator               string
	Threshold                        json.RawMessage
	TreatMissingData                 string
	EvaluateLowSampleCountPercentile string
	Metrics                          any `json:",omitempty"`
}

type triggerDimension struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

func triggerDimensions(m *Metric) []triggerDimension {
	out := []triggerDimension{}
	for _, d := range m.Dimensions {
		out = append(out, triggerDimension{d.Value, d.Name})
	}
	return out
}

// triggerMetrics are an alarm's queries, in a notice.
func triggerMetrics(a *Alarm) any {
	type named struct {
		Dimensions []triggerDimension
		MetricName string
		Namespace  string
	}
	type stat struct {
		Metric named
		Period int64
		Stat   string
		Unit   string `json:",omitempty"`
	}
	type query struct {
		Expression string `json:",omitempty"`
		ID         string `json:"Id"`
		Label      string `json:",omitempty"`
		MetricStat *stat  `json:",omitempty"`
		ReturnData bool
	}
	out := []query{}
	for _, q := range a.Queries {
		v := query{Expression: q.Expression, ID: q.ID, Label: q.Label, ReturnData: !q.Hidden}
		if q.Metric != nil {
			v.MetricStat = &stat{named{triggerDimensions(q.Metric), q.Metric.Name, q.Metric.Namespace}, q.Period, q.Stat, q.Unit}
		}
		out = append(out, v)
	}
	return out
}

// statisticNames are the statistics as notices have them.
var statisticNames = map[string]string{"Average": "AVERAGE", "Sum": "SUM", "SampleCount": "SAMPLE_COUNT", "Minimum": "MINIMUM", "Maximum": "MAXIMUM"}

// notification is the message of a change.
func (s *Service) notification(a *Alarm, c *StateChange) string {
	n := notice{
		AlarmName: a.Name, AlarmDescription: a.Description, AWSAccountID: s.Place.AccountID, Configured: alarm.Time(a.Configured), NewStateValue: c.To, NewStateReason: c.Reason,
		StateChangeTime: alarm.Time(c.At), Region: regionName(s.Place.Region), AlarmARN: s.arn(a.Name), OldStateValue: c.From,
		OKActions: some(a.OK), AlarmActions: some(a.Alarm), InsufficientDataActions: some(a.Insufficient), AlarmRule: a.Rule,
	}
	if a.Rule == "" {
		n.Trigger = s.trigger(a)
	}
	for _, child := range c.Triggering {
		t := triggeringChild{ARN: child.ARN}
		t.State.Value, t.State.Timestamp = child.State, alarm.Time(child.At)
		n.TriggeringChildren = append(n.TriggeringChildren, t)
	}
	var b strings.Builder
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	_ = w.Encode(n) // of strings and numbers
	return strings.TrimSuffix(b.String(), "\n")
}

// nullable is a member that is there as null.
type nullable struct{ text string }

// MarshalJSON writes null of no text.
func (n nullable) MarshalJSON() ([]byte, error) { return json.Marshal(orNull(n.text)) }

func (s *Service) trigger(a *Alarm) trigger {
	t := trigger{
		Period: a.period(s.shelf), EvaluationPeriods: a.Periods, DatapointsToAlarm: a.Datapoints, ComparisonOperator: a.Comparison, Threshold: json.RawMessage(alarm.Double(a.Threshold)),
		TreatMissingData: aws.ToString(a.Missing), EvaluateLowSampleCountPercentile: aws.ToString(a.LowSamples),
	}
	if t.TreatMissingData == "" {
		t.TreatMissingData = string(alarm.Missing)
	}
	if a.Metric == nil {
		t.Metrics = triggerMetrics(a)
		return t
	}
	t.MetricName, t.Namespace, t.Unit, t.Dimensions = a.Metric.Name, a.Metric.Namespace, nullable{a.Unit}, triggerDimensions(a.Metric)
	if stat, err := metric.Parse(a.Stat); err == nil && stat.Extended() {
		t.StatisticType, t.ExtendedStatistic = "ExtendedStatistic", a.Stat
		return t
	}
	t.StatisticType, t.Statistic = "Statistic", statisticNames[a.Stat]
	return t
}

// regionName is a region as notifications call it.
func regionName(region string) string {
	if name, ok := regionNames[region]; ok {
		return name
	}
	return region
}

// regionNames are those that CloudWatch was seen to use.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
var regionNames = map[string]string{
	"us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)", "us-west-2": "US West (Oregon)",
	"ca-central-1": "Canada (Central)", "sa-east-1": "South America (Sao Paulo)",
	"eu-west-1": "EU (Ireland)", "eu-west-2": "EU (London)", "eu-west-3": "EU (Paris)", "eu-central-1": "EU (Frankfurt)", "eu-north-1": "EU (Stockholm)", "eu-south-1": "EU (Milan)",
	"ap-south-1": "Asia Pacific (Mumbai)", "ap-southeast-1": "Asia Pacific (Singapore)", "ap-southeast-2": "Asia Pacific (Sydney)",
	"ap-northeast-1": "Asia Pacific (Tokyo)", "ap-northeast-2": "Asia Pacific (Seoul)", "ap-northeast-3": "Asia Pacific (Osaka)",
}
