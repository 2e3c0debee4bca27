package cloudwatch_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	ours "github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/doortest"
)

const topic = "arn:aws:sns:us-west-2:111122223333:alerts"

// account is CloudWatch behind a real front door, for the official SDK's clients, with a
// clock of its own that stands still between ticks.
type account struct {
	*doortest.Door
	ours   *ours.Service
	admin  *cloudwatch.Client
	topics *topics
	dir    string

	mu      sync.Mutex
	now     time.Time
	changes []ours.StateChange
}

// topics keep what is published.
type topics struct {
	mu        sync.Mutex
	published []publication
	refuse    error
}

type publication struct{ topic, subject, message, alarm string }

func (t *topics) Publish(_ context.Context, topic, subject, message, alarm string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuse != nil {
		return t.refuse
	}
	t.published = append(t.published, publication{topic, subject, message, alarm})
	return nil
}

func (t *topics) take() []publication {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.published
	t.published = nil
	return out
}

func open(t testing.TB) *account {
	t.Helper()
	base := doortest.New(t)
	a := &account{topics: &topics{}, dir: t.TempDir(), now: time.Now().UTC().Truncate(time.Hour).Add(20 * time.Second)}
	a.ours = a.start(t, base)
	a.Door = base.Open(t, a.ours.Service())
	a.admin = cloudwatch.NewFromConfig(a.Admin)
	return a
}

func (a *account) start(t testing.TB, base *doortest.Account) *ours.Service {
	t.Helper()
	s, err := ours.New(ours.Deps{
		Store: base.Store, Place: doortest.Place, Dir: a.dir, Now: a.time,
		Changed: func(c ours.StateChange) { a.changes = append(a.changes, c) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.UseTopics(a.topics)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Log(err)
		}
	})
	return s
}

func (a *account) time() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// pass lets time go by, with what Run does in it.
func (a *account) pass(t testing.TB, d time.Duration) {
	t.Helper()
	end := a.time().Add(d)
	for {
		a.mu.Lock()
		next := a.now.Truncate(10 * time.Second).Add(10 * time.Second)
		if next.After(end) {
			a.now = end
			a.mu.Unlock()
			return
		}
		a.now = next
		a.mu.Unlock()
		if next.Second() == 0 {
			a.ours.Tick(t.Context(), next)
		} else {
			a.ours.Step(t.Context(), next)
		}
	}
}

// put measures values of shop's orders now, and lets alarms see them.
func (a *account) put(t testing.TB, values ...float64) {
	t.Helper()
	for _, v := range values {
		doortest.Must(t)(a.admin.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: aws.String("shop"), MetricData: []types.MetricDatum{{MetricName: aws.String("orders"), Value: aws.Float64(v), Timestamp: aws.Time(a.time())}},
		}))
	}
	a.ours.Look(t.Context())
}

// alarm is a configuration of one on shop's orders.
func alarm(name string, changes ...func(*cloudwatch.PutMetricAlarmInput)) *cloudwatch.PutMetricAlarmInput {
	in := &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, AlarmDescription: aws.String("too many orders"), Namespace: aws.String("shop"), MetricName: aws.String("orders"), Statistic: types.StatisticSum,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorGreaterThanOrEqualToThreshold,
		AlarmActions: []string{topic}, TreatMissingData: aws.String("notBreaching"),
	}
	for _, c := range changes {
		c(in)
	}
	return in
}

func (a *account) putAlarm(t testing.TB, in *cloudwatch.PutMetricAlarmInput) {
	t.Helper()
	doortest.Must(t)(a.admin.PutMetricAlarm(t.Context(), in))
	a.ours.Look(t.Context())
}

// state is an alarm's.
func (a *account) state(t testing.TB, name string) types.StateValue {
	t.Helper()
	out, err := a.admin.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out.MetricAlarms {
		return m.StateValue
	}
	for _, m := range out.CompositeAlarms {
		return m.StateValue
	}
	return ""
}
