package daemon

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/eksact/eksact/internal/aws/cloudwatch"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/sns"
)

// TestAlarmsReachTopics: by a topic's own policy, and not by one that doesn't know alarms.
func TestAlarmsReachTopics(t *testing.T) {
	base := doortest.New(t)
	topics := sns.New(sns.Deps{Store: base.Store, Place: doortest.Place, IAM: base.IAM, Now: time.Now})
	alarms, err := cloudwatch.New(cloudwatch.Deps{Store: base.Store, Place: doortest.Place, Dir: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	alarms.UseTopics(alarmTopics{topics})
	door := base.Open(t, topics.Service(), alarms.Service())
	notices, alerts := awssns.NewFromConfig(door.Admin), awscloudwatch.NewFromConfig(door.Admin)
	topic, err := notices.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: aws.String("alerts")})
	if err != nil {
		t.Fatal(err)
	}
	var got []sns.Notification
	defer topics.Follow(*topic.TopicArn, func(n sns.Notification) { got = append(got, n) })()
	for _, name := range []string{"first", "second"} {
		doortest.Must(t)(alerts.PutCompositeAlarm(t.Context(), &awscloudwatch.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: aws.String("TRUE"), AlarmActions: []string{*topic.TopicArn}}))
		doortest.Must(t)(notices.SetTopicAttributes(t.Context(), &awssns.SetTopicAttributesInput{TopicArn: topic.TopicArn, AttributeName: aws.String("Policy"), AttributeValue: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sns:Publish","Resource":"` + *topic.TopicArn + `"}]}`)}))
	}
	if len(got) != 1 || got[0].Subject != `ALARM: "first" in US West (Oregon)` || !json.Valid([]byte(got[0].Text)) {
		t.Errorf("published %+v", got)
	}
	history, err := alerts.DescribeAlarmHistory(t.Context(), &awscloudwatch.DescribeAlarmHistoryInput{AlarmName: aws.String("second"), HistoryItemType: "Action"})
	if err != nil || len(history.AlarmHistoryItems) != 1 || !strings.Contains(*history.AlarmHistoryItems[0].HistorySummary, "Failed to execute action") || !strings.Contains(*history.AlarmHistoryItems[0].HistorySummary, "cloudwatch.amazonaws.com is not authorized") {
		t.Errorf("noted %+v, %v", history, err)
	}
}

func TestAlertsAreWritten(t *testing.T) {
	l := newAlertLog(filepath.Join(t.TempDir(), "alerts"))
	l.most = 1000
	for range 20 {
		if err := l.write(cloudwatch.StateChange{Alarm: "orders", From: "OK", To: "ALARM", Reason: "Threshold Crossed"}); err != nil {
			t.Fatal(err)
		}
	}
	lines := 0
	for _, name := range []string{"alerts.1.jsonl", "alerts.jsonl"} {
		data, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 1500 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
		for line := range bytes.Lines(data) {
			var c cloudwatch.StateChange
			if err := json.Unmarshal(line, &c); err != nil || c.Alarm != "orders" || c.To != "ALARM" {
				t.Errorf("%s: %v", line, err)
			}
			lines++
		}
	}
	if lines < 5 {
		t.Errorf("%d lines are left", lines)
	}
}
