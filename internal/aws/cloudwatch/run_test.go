package cloudwatch_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	ours "github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/engine/metric"
)

// running is CloudWatch with the machine's clock, at work.
func running(t testing.TB, topics ours.Topics, changed func(ours.StateChange)) (*ours.Service, *cloudwatch.Client) {
	t.Helper()
	base := doortest.New(t)
	s, err := ours.New(ours.Deps{Store: base.Store, Place: doortest.Place, Dir: t.TempDir(), Now: time.Now, Changed: changed})
	if err != nil {
		t.Fatal(err)
	}
	s.UseTopics(topics)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() {
		stop()
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, cloudwatch.NewFromConfig(base.Open(t, s.Service()).Admin)
}

// TestFromDataToTheNotification: while others write as well, and many alarms are there.
func TestFromDataToTheNotification(t *testing.T) {
	notified := &topics{}
	changes := make(chan ours.StateChange, 1000)
	s, client := running(t, notified, func(c ours.StateChange) { changes <- c })
	for _, name := range []string{"orders", "other"} {
		doortest.Must(t)(client.PutMetricAlarm(t.Context(), alarm(name, func(in *cloudwatch.PutMetricAlarmInput) { in.MetricName = &name })))
	}
	for range 2 { // both are OK, for nothing is missing
		<-changes
	}
	go func() {
		for i := range 1000 {
			_ = s.Put([]ours.Datum{ours.Measured(ours.Metric{Namespace: "shop", Name: "noise"}, "", time.Now(), metric.One(float64(i), 1))})
		}
	}()
	began := time.Now()
	doortest.Must(t)(client.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{{MetricName: aws.String("orders"), Value: aws.Float64(1)}}}))
	select {
	case c := <-changes:
		if c.Alarm != "orders" || c.To != "ALARM" {
			t.Fatalf("changed %+v", c)
		}
		t.Logf("an alarm after %v", time.Since(began))
	case <-time.After(30 * time.Second):
		t.Fatal("no alarm")
	}
	for end := time.Now().Add(30 * time.Second); len(notified.take()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no notification")
		}
	}
}

// BenchmarkPut writes data that alarms look at.
func BenchmarkPut(b *testing.B) {
	s, client := running(b, &topics{}, nil)
	doortest.Must(b)(client.PutMetricAlarm(b.Context(), alarm("orders", func(in *cloudwatch.PutMetricAlarmInput) { in.Threshold = aws.Float64(1e300) })))
	b.ResetTimer()
	for range b.N {
		if err := s.Put([]ours.Datum{ours.Measured(ours.Metric{Namespace: "shop", Name: "orders"}, "", time.Now(), metric.One(rand.Float64(), 1))}); err != nil {
			b.Fatal(err)
		}
	}
}
