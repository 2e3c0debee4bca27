package cloudwatch

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/store"
)

// verdict is a state that an alarm is to have.
type verdict struct {
	alarm.Verdict
	triggering []childNow // of a composite alarm
	configured time.Time  // of the configuration that it was decided by; zero: of any
}

// change gives an alarm a state, if it is another than it has, carries out what that
// owes and goes on with the composite alarms over it.
func (s *Service) change(ctx context.Context, name string, v verdict) error {
	changed := false
	var done StateChange
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		changed = false
		a, ok := s.alarms.In(tx).Get(name)
		if !ok || a.State == v.State || !v.configured.IsZero() && !a.Configured.Equal(v.configured) {
			return nil
		}
		now := s.Now().UTC()
		done = StateChange{
			Alarm: name, ARN: s.arn(name), At: now, From: a.State, To: v.State, Reason: v.Reason, Data: v.Data, Description: aws.ToString(a.Description), Triggering: v.triggering,
			OldReason: a.Reason, OldData: a.Data, OldTransition: a.Transitioned,
		}
		s.note(tx, &a, now, types.HistoryItemTypeStateUpdate, fmt.Sprintf("Alarm updated from %s to %s", a.State, v.State), stateUpdate{
			Version: "1.0", Old: stateInItem{a.State, a.Reason, raw(a.Data)}, New: stateInItem{v.State, v.Reason, raw(v.Data)},
		})
		a.State, a.Reason, a.Data, a.Updated, a.Transitioned = v.State, v.Reason, v.Data, now, now
		if a.Owed = nil; !a.Disabled && len(a.actions(v.State)) > 0 {
			a.Owed = &done
		}
		s.alarms.In(tx).Put(name, a)
		changed = true
		return nil
	})
	if err != nil || !changed {
		return err
	}
	if s.Changed != nil {
		s.Changed(done)
	}
	if err := s.act(ctx, name); err != nil {
		return err
	}
	for _, parent := range s.watch.parents(name, s.arn(name)) {
		if err := s.evaluateComposite(ctx, parent, transitioned{done}); err != nil {
			return err
		}
	}
	return nil
}

// cause is why a composite alarm is evaluated.
type cause interface {
	reason(s *Service, a *Alarm, to alarm.State) string
	triggering(s *Service, rule *alarm.Composite) []childNow
}

// configured: it was made or changed.
type configured struct{ created bool }

func (c configured) reason(s *Service, a *Alarm, to alarm.State) string {
	if c.created {
		return s.arn(a.Name) + " was created and its alarm rule evaluates to " + string(to)
	}
	return s.arn(a.Name) + " was updated and its new alarm rule evaluates to " + string(to)
}

func (configured) triggering(s *Service, rule *alarm.Composite) []childNow {
	out := []childNow{}
	for _, child := range rule.Children() {
		if a, ok := s.alarms.Get(s.alarmName(child)); ok {
			out = append(out, childNow{s.arn(a.Name), a.State, a.Updated})
		}
	}
	return out
}

// transitioned: one of its alarms changed.
type transitioned struct{ StateChange }

func (t transitioned) reason(*Service, *Alarm, alarm.State) string {
	return t.ARN + " transitioned to " + string(t.To) + " at " + t.At.Format("Monday 02 January, 2006 15:04:05 UTC")
}

func (t transitioned) triggering(*Service, *alarm.Composite) []childNow {
	return []childNow{{t.ARN, t.To, t.At}}
}

// evaluateComposite gives a composite alarm the state that its rule makes.
func (s *Service) evaluateComposite(ctx context.Context, name string, why cause) error {
	a, ok := s.alarms.Get(name)
	_, rule := s.composite(name)
	if !ok || rule == nil {
		return nil
	}
	v := verdict{configured: a.Configured}
	v.State = alarm.OK
	if rule.Eval(func(child string) (alarm.State, bool) { c, ok := s.alarms.Get(s.alarmName(child)); return c.State, ok }) {
		v.State = alarm.Alarm
	}
	v.Reason, v.triggering = why.reason(s, &a, v.State), why.triggering(s, rule)
	text, _ := json.Marshal(triggeringAlarms(v.triggering)) // of strings
	v.Data = string(text)
	return s.change(ctx, name, v)
}

// triggeringAlarms is a composite alarm's StateReasonData.
func triggeringAlarms(list []childNow) any {
	type state struct {
		Value     alarm.State `json:"value"`
		Timestamp string      `json:"timestamp"`
	}
	type one struct {
		ARN   string `json:"arn"`
		State state  `json:"state"`
	}
	all := []one{}
	for _, c := range list {
		all = append(all, one{c.ARN, state{c.State, alarm.Time(c.At)}})
	}
	return map[string]any{"triggeringAlarms": all}
}

// SetAlarmState gives an alarm a state, until it is evaluated next.
func (s *Service) SetAlarmState(ctx context.Context, in *cloudwatch.SetAlarmStateInput) (*cloudwatch.SetAlarmStateOutput, error) {
	if _, ok := s.alarms.Get(*in.AlarmName); !ok {
		return nil, noAlarm(*in.AlarmName)
	}
	if in.StateReasonData != nil && !json.Valid([]byte(*in.StateReasonData)) {
		return nil, &types.InvalidFormatFault{Message: aws.String("StateReasonData was not a syntactically valid JSON string")}
	}
	v := verdict{Verdict: alarm.Verdict{State: alarm.State(in.StateValue), Reason: *in.StateReason, Data: aws.ToString(in.StateReasonData)}}
	return &cloudwatch.SetAlarmStateOutput{}, s.change(ctx, *in.AlarmName, v)
}

// DeleteAlarms deletes alarms, all or none. Of composite ones it deletes one at a time.
func (s *Service) DeleteAlarms(ctx context.Context, in *cloudwatch.DeleteAlarmsInput) (*cloudwatch.DeleteAlarmsOutput, error) {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		now, composites := s.Now().UTC(), 0
		for _, name := range in.AlarmNames {
			a, ok := s.alarms.In(tx).Get(name)
			if !ok {
				return noAlarm(name)
			}
			if a.Rule != "" {
				composites++
			}
			s.alarms.In(tx).Delete(name)
			s.note(tx, &a, now, types.HistoryItemTypeConfigurationUpdate, `Alarm "`+name+`" deleted`, configuration{Type: "Delete", Deleted: s.described(&a)})
		}
		if composites > 0 && len(in.AlarmNames) > 1 {
			return api.ValidationError("A composite alarm must be deleted alone: its name must be the only one of AlarmNames.")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range in.AlarmNames { // conditions on what is gone are false
		for _, parent := range s.watch.parents(name, s.arn(name)) {
			if err := s.evaluateComposite(ctx, parent, configured{}); err != nil {
				return nil, err
			}
		}
	}
	return &cloudwatch.DeleteAlarmsOutput{}, nil
}

// switchActions lets alarms act, or not. Those that aren't there are passed by, as in
// CloudWatch.
func (s *Service) switchActions(ctx context.Context, names []string, disabled bool) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			a, ok := s.alarms.In(tx).Get(name)
			if !ok || a.Disabled == disabled {
				continue
			}
			a.Disabled, a.Configured = disabled, s.Now().UTC()
			s.alarms.In(tx).Put(name, a)
			s.note(tx, &a, a.Configured, types.HistoryItemTypeConfigurationUpdate, `Alarm "`+name+`" updated`, configuration{Type: "Update", Updated: s.described(&a)})
		}
		return nil
	})
}
