package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/store"
)

// Item is one of an alarm's history.
type Item struct {
	Alarm   string
	Kind    types.AlarmType
	At      time.Time
	Type    types.HistoryItemType
	Summary string
	Data    string
}

// History is kept for 30 days, as in CloudWatch, and of it the newest items.
const (
	historyKept = 30 * 24 * time.Hour
	mostItems   = 5000
)

// itemKey orders items by time.
func itemKey(at time.Time, name string, kind types.HistoryItemType, n int) string {
	return fmt.Sprintf("%020d %s %s %d", at.UnixNano(), name, kind, n)
}

// note adds an item.
func (s *Service) note(tx *store.Tx, a *Alarm, at time.Time, kind types.HistoryItemType, summary string, data any) {
	text, _ := json.Marshal(data) // of strings and numbers
	table := s.history.In(tx)
	n := 0
	for {
		if _, taken := table.Get(itemKey(at, a.Name, kind, n)); !taken {
			break
		}
		n++
	}
	table.Put(itemKey(at, a.Name, kind, n), Item{a.Name, a.kind(), at, kind, summary, string(text)})
}

// configuration is the data of an item on an alarm's configuration.
type configuration struct {
	Version string         `json:"version"`
	Type    string         `json:"type"`
	Created map[string]any `json:"createdAlarm,omitempty"`
	Updated map[string]any `json:"updatedAlarm,omitempty"`
	Deleted map[string]any `json:"deletedAlarm,omitempty"`
}

// MarshalJSON adds the version that all have.
func (c configuration) MarshalJSON() ([]byte, error) {
	type plain configuration
	c.Version = "1.0"
	return json.Marshal(plain(c))
}

// described is an alarm's configuration in its history.
func (s *Service) described(a *Alarm) map[string]any {
	d := map[string]any{
		"alarmName": a.Name, "alarmArn": s.arn(a.Name), "actionsEnabled": !a.Disabled, "okactions": some(a.OK), "alarmActions": some(a.Alarm), "insufficientDataActions": some(a.Insufficient),
		"alarmConfigurationUpdatedTimestamp": alarm.Time(a.Configured), "stateValue": a.State, "stateUpdatedTimestamp": alarm.Time(a.Updated), "alarmDescription": a.Description, "type": a.kind(),
	}
	if a.Rule != "" {
		d["alarmRule"] = a.Rule
		return d
	}
	d["evaluationPeriods"], d["datapointsToAlarm"], d["threshold"] = a.Periods, a.Datapoints, json.RawMessage(alarm.Double(a.Threshold))
	d["comparisonOperator"], d["treatMissingData"] = a.Comparison, a.Missing
	if a.Metric == nil {
		d["metrics"] = triggerMetrics(a)
		return d
	}
	d["namespace"], d["metricName"], d["dimensions"], d["period"], d["unit"] = a.Metric.Namespace, a.Metric.Name, triggerDimensions(a.Metric), a.Period, orNull(a.Unit)
	d["statistic"] = a.Stat
	return d
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// stateUpdate is the data of an item on a change of state.
type stateUpdate struct {
	Version string      `json:"version"`
	Old     stateInItem `json:"oldState"`
	New     stateInItem `json:"newState"`
}

type stateInItem struct {
	Value  alarm.State     `json:"stateValue"`
	Reason string          `json:"stateReason"`
	Data   json.RawMessage `json:"stateReasonData,omitempty"`
}

// raw is text that was JSON when it was taken.
func raw(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

// actionDone is the data of an item on an action.
type actionDone struct {
	State    string  `json:"actionState"`
	Update   int64   `json:"stateUpdateTimestamp"` // ms since 1970
	Resource string  `json:"notificationResource"`
	Message  string  `json:"publishedMessage"`
	Error    *string `json:"error"`
}

// DescribeAlarmHistory shows what became of alarms, the newest first.
func (s *Service) DescribeAlarmHistory(_ context.Context, in *cloudwatch.DescribeAlarmHistoryInput) (*cloudwatch.DescribeAlarmHistoryOutput, error) {
	if in.AlarmContributorId != nil {
		return nil, unsupported("AlarmContributorId")
	}
	kinds := in.AlarmTypes
	if len(kinds) == 0 && in.AlarmName == nil {
		kinds = []types.AlarmType{types.AlarmTypeMetricAlarm}
	}
	type keyed struct {
		key string
		Item
	}
	var all []keyed
	for key, i := range s.history.List("") {
		switch {
		case in.AlarmName != nil && i.Alarm != *in.AlarmName,
			len(kinds) > 0 && !slices.Contains(kinds, i.Kind),
			in.HistoryItemType != "" && i.Type != in.HistoryItemType,
			in.StartDate != nil && i.At.Before(*in.StartDate), in.EndDate != nil && i.At.After(*in.EndDate):
			continue
		}
		all = append(all, keyed{key, i})
	}
	if in.ScanBy != types.ScanByTimestampAscending {
		slices.Reverse(all)
	}
	some, next, err := page(all, func(i keyed) string { return i.key }, in.NextToken, pageSize(in.MaxRecords))
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.DescribeAlarmHistoryOutput{AlarmHistoryItems: []types.AlarmHistoryItem{}, NextToken: next}
	for _, i := range some {
		out.AlarmHistoryItems = append(out.AlarmHistoryItems, types.AlarmHistoryItem{
			AlarmName: aws.String(i.Alarm), AlarmType: i.Kind, Timestamp: aws.Time(i.At), HistoryItemType: i.Type, HistorySummary: aws.String(i.Summary), HistoryData: aws.String(i.Data),
		})
	}
	return out, nil
}

// trim forgets old history.
func (s *Service) trim(ctx context.Context, now time.Time) error {
	var old []string
	extra := s.history.Len() - mostItems
	for key, i := range s.history.Shared("") {
		if len(old) >= extra && now.Sub(i.At) <= historyKept {
			break
		}
		old = append(old, key)
	}
	for part := range slices.Chunk(old, 100) {
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range part {
				s.history.In(tx).Delete(key)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
