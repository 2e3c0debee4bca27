package cloudwatch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

// TestAnAlarmsLife: made, fired by an event, over again, with notifications and history.
func TestAnAlarmsLife(t *testing.T) {
	a := open(t)
	a.putAlarm(t, alarm("orders", func(in *cloudwatch.PutMetricAlarmInput) { in.OKActions = []string{topic} }))
	if got := a.state(t, "orders"); got != types.StateValueOk { // nothing is missing that breaches
		t.Errorf("a new alarm is %s", got)
	}
	a.topics.take()

	a.put(t, 5)
	if got := a.state(t, "orders"); got != types.StateValueAlarm {
		t.Fatalf("after an event it is %s", got)
	}
	published := a.topics.take()
	if len(published) != 1 || published[0].topic != topic || published[0].subject != `ALARM: "orders" in US West (Oregon)` || published[0].alarm != "arn:aws:cloudwatch:us-west-2:111122223333:alarm:orders" {
		t.Fatalf("published %+v", published)
	}
	stamp, period := a.time().Format("2006-01-02T15:04:05.000+0000"), a.time().Truncate(time.Minute).Format("02/01/06 15:04:05")
	want := `{"AlarmName":"orders","AlarmDescription":"too many orders","AWSAccountId":"111122223333","AlarmConfigurationUpdatedTimestamp":"` + stamp + `","NewStateValue":"ALARM","NewStateReason":"Threshold Crossed: 1 datapoint [5.0 (` + period + `)] was greater than or equal to the threshold (1.0).","StateChangeTime":"` + stamp + `","Region":"US West (Oregon)","AlarmArn":"arn:aws:cloudwatch:us-west-2:111122223333:alarm:orders","OldStateValue":"OK","OKActions":["` + topic + `"],"AlarmActions":["` + topic + `"],"InsufficientDataActions":[],"Trigger":{"MetricName":"orders","Namespace":"shop","StatisticType":"Statistic","Statistic":"SUM","Unit":null,"Dimensions":[],"Period":60,"EvaluationPeriods":1,"ComparisonOperator":"GreaterThanOrEqualToThreshold","Threshold":1.0,"TreatMissingData":"notBreaching","EvaluateLowSampleCountPercentile":""}}`
	if published[0].message != want {
		t.Errorf("published %s\nwant      %s", published[0].message, want)
	}

	a.put(t, 7) // it is an alarm already
	if n := len(a.topics.take()); n != 0 {
		t.Errorf("%d more notifications", n)
	}
	a.pass(t, 4*time.Minute)
	if got := a.state(t, "orders"); got != types.StateValueOk {
		t.Errorf("without data it is %s", got)
	}
	if published := a.topics.take(); len(published) != 1 || published[0].subject != `OK: "orders" in US West (Oregon)` {
		t.Errorf("published %+v", published)
	}

	out, err := a.admin.DescribeAlarmHistory(t.Context(), &cloudwatch.DescribeAlarmHistoryInput{AlarmName: aws.String("orders"), ScanBy: types.ScanByTimestampAscending})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range out.AlarmHistoryItems {
		got = append(got, string(i.HistoryItemType)+": "+*i.HistorySummary)
		if !json.Valid([]byte(*i.HistoryData)) {
			t.Errorf("%s is no JSON", *i.HistoryData)
		}
	}
	wanted := []string{
		`ConfigurationUpdate: Alarm "orders" created`, "StateUpdate: Alarm updated from INSUFFICIENT_DATA to OK", "Action: Successfully executed action " + topic,
		"StateUpdate: Alarm updated from OK to ALARM", "Action: Successfully executed action " + topic,
		"StateUpdate: Alarm updated from ALARM to OK", "Action: Successfully executed action " + topic,
	}
	slices.Sort(got[:5]) // of the same instant
	slices.Sort(wanted[:5])
	slices.Sort(got[5:])
	slices.Sort(wanted[5:])
	if !slices.Equal(got, wanted) {
		t.Errorf("the history is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	if len(a.changes) != 3 || a.changes[1].To != "ALARM" || a.changes[1].From != "OK" {
		t.Errorf("told of %+v", a.changes)
	}
	var update struct {
		Version  string
		NewState struct {
			StateValue      string
			StateReasonData struct{ RecentDatapoints []float64 }
		}
	}
	states, err := a.admin.DescribeAlarmHistory(t.Context(), &cloudwatch.DescribeAlarmHistoryInput{AlarmName: aws.String("orders"), HistoryItemType: types.HistoryItemTypeStateUpdate})
	if err != nil || json.Unmarshal([]byte(*states.AlarmHistoryItems[1].HistoryData), &update) != nil || update.Version != "1.0" || update.NewState.StateValue != "ALARM" || !slices.Equal(update.NewState.StateReasonData.RecentDatapoints, []float64{5}) {
		t.Errorf("a change is noted as %+v, %v", states, err)
	}

	doortest.Must(t)(a.admin.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"orders"}}))
	if got := a.state(t, "orders"); got != "" {
		t.Errorf("a deleted alarm is %s", got)
	}
	a.put(t, 50)
	a.pass(t, time.Minute)
}

// TestWhatCanBeDecidedEarly: a period that isn't over makes an alarm only if nothing that
// is to come can undo it.
func TestWhatCanBeDecidedEarly(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(in *cloudwatch.PutMetricAlarmInput)
		values []float64
		early  types.StateValue
		late   types.StateValue
	}{
		{"a sum above", func(in *cloudwatch.PutMetricAlarmInput) {}, []float64{5}, "ALARM", "ALARM"},
		{"a sum that reaches it", func(in *cloudwatch.PutMetricAlarmInput) { in.Threshold = aws.Float64(3) }, []float64{1, 1, 1}, "ALARM", "ALARM"},
		{"a sum that doesn't", func(in *cloudwatch.PutMetricAlarmInput) { in.Threshold = aws.Float64(4) }, []float64{1, 1, 1}, "OK", "OK"},
		{"a sum with less than nothing", func(in *cloudwatch.PutMetricAlarmInput) {}, []float64{5, -1}, "OK", "ALARM"},
		{"a sum below", func(in *cloudwatch.PutMetricAlarmInput) {
			in.ComparisonOperator, in.Threshold = types.ComparisonOperatorLessThanThreshold, aws.Float64(10)
		}, []float64{5}, "OK", "ALARM"},
		{"an average", func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic = types.StatisticAverage }, []float64{5}, "OK", "ALARM"},
		{"an average that falls", func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic = types.StatisticAverage }, []float64{5, -9}, "OK", "OK"},
		{"a maximum", func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic = types.StatisticMaximum }, []float64{0, 5}, "ALARM", "ALARM"},
		{"a minimum below", func(in *cloudwatch.PutMetricAlarmInput) {
			in.Statistic, in.ComparisonOperator = types.StatisticMinimum, types.ComparisonOperatorLessThanOrEqualToThreshold
		}, []float64{0.5}, "ALARM", "ALARM"},
		{"a minimum above", func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic = types.StatisticMinimum }, []float64{5}, "OK", "ALARM"},
		{"a percentile", func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic, in.ExtendedStatistic = "", aws.String("p90") }, []float64{5}, "OK", "ALARM"},
		{"two of three periods", func(in *cloudwatch.PutMetricAlarmInput) {
			in.EvaluationPeriods, in.DatapointsToAlarm = aws.Int32(3), aws.Int32(2)
		}, []float64{5}, "OK", "OK"},
		{"five minutes", func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(300) }, []float64{5}, "ALARM", "ALARM"},
		{"an expression", func(in *cloudwatch.PutMetricAlarmInput) { watchExpression(in, "o * 2") }, []float64{5}, "OK", "ALARM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := open(t)
			a.putAlarm(t, alarm("x", c.change))
			a.put(t, c.values...)
			if got := a.state(t, "x"); got != c.early && !(c.early == "OK" && got == "INSUFFICIENT_DATA") {
				t.Errorf("at once it is %s, want %s", got, c.early)
			}
			a.pass(t, 41*time.Second)
			if got := a.state(t, "x"); got != c.late {
				t.Errorf("after the period it is %s, want %s", got, c.late)
			}
		})
	}
}

// watchExpression makes the alarm one on an expression over shop's orders, o.
func watchExpression(in *cloudwatch.PutMetricAlarmInput, expr string) {
	in.MetricName, in.Namespace, in.Period, in.Statistic = nil, nil, nil, ""
	in.Metrics = []types.MetricDataQuery{
		{Id: aws.String("o"), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{Metric: &types.Metric{Namespace: aws.String("shop"), MetricName: aws.String("orders")}, Period: aws.Int32(60), Stat: aws.String("Sum")}},
		{Id: aws.String("e"), Expression: &expr, Label: aws.String("twice")},
	}
}

// TestHighResolution: periods of ten seconds are evaluated every ten seconds.
func TestHighResolution(t *testing.T) {
	a := open(t)
	a.putAlarm(t, alarm("fast", func(in *cloudwatch.PutMetricAlarmInput) {
		in.Period, in.Statistic = aws.Int32(10), types.StatisticAverage
	}))
	doortest.Must(t)(a.admin.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{
		{MetricName: aws.String("orders"), Value: aws.Float64(3), StorageResolution: aws.Int32(1), Timestamp: aws.Time(a.time().Add(time.Second))},
	}}))
	a.ours.Look(t.Context())
	a.pass(t, 10*time.Second)
	if got := a.state(t, "fast"); got != types.StateValueAlarm {
		t.Errorf("it is %s", got)
	}
	a.pass(t, 40*time.Second)
	if got := a.state(t, "fast"); got != types.StateValueOk {
		t.Errorf("later it is %s", got)
	}
}

func TestCompositeAlarms(t *testing.T) {
	a := open(t)
	for _, name := range []string{"one", "two"} {
		a.putAlarm(t, alarm(name, func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions, in.MetricName = nil, aws.String("m-"+name) }))
	}
	put := func(name, rule string) error {
		_, err := a.admin.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &rule, AlarmActions: []string{topic}})
		return err
	}
	for name, rule := range map[string]string{"both": `ALARM(one) AND ALARM("arn:aws:cloudwatch:us-west-2:111122223333:alarm:two")`} {
		if err := put(name, rule); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("top", "ALARM(both) AND NOT INSUFFICIENT_DATA(one)"); err != nil {
		t.Fatal(err)
	}
	set := func(name, state string) {
		t.Helper()
		doortest.Must(t)(a.admin.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: types.StateValue(state), StateReason: aws.String("a test")}))
	}
	set("one", "ALARM")
	if got := a.state(t, "both"); got != types.StateValueOk {
		t.Errorf("with one alarm it is %s", got)
	}
	set("two", "ALARM")
	if got := a.state(t, "top"); got != types.StateValueAlarm {
		t.Errorf("with both alarms the one above is %s", got)
	}
	published := a.topics.take()
	if len(published) != 2 {
		t.Fatalf("published %+v", published)
	}
	var n struct {
		NewStateReason, AlarmRule string
		Trigger                   any
		TriggeringChildren        []struct {
			Arn   string
			State struct{ Value string }
		}
	}
	if err := json.Unmarshal([]byte(published[0].message), &n); err != nil || n.Trigger != nil || n.AlarmRule == "" || len(n.TriggeringChildren) != 1 || !strings.HasSuffix(n.TriggeringChildren[0].Arn, ":two") || n.TriggeringChildren[0].State.Value != "ALARM" {
		t.Errorf("published %s, %v", published[0].message, err)
	}
	if want := regexp.MustCompile(`^arn:aws:cloudwatch:us-west-2:111122223333:alarm:two transitioned to ALARM at [A-Z][a-z]+ \d\d [A-Z][a-z]+, 20\d\d \d\d:\d\d:\d\d UTC$`); !want.MatchString(n.NewStateReason) {
		t.Errorf("the reason is %s", n.NewStateReason)
	}
	out, err := a.admin.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{ParentsOfAlarmName: aws.String("two")})
	if err != nil || len(out.CompositeAlarms) != 1 || *out.CompositeAlarms[0].AlarmName != "both" {
		t.Errorf("parents are %+v, %v", out, err)
	}
	if out, err = a.admin.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{ChildrenOfAlarmName: aws.String("both")}); err != nil || len(out.MetricAlarms) != 2 {
		t.Errorf("children are %+v, %v", out, err)
	}

	if err := put("either", "ALARM(one) OR ALARM(two)"); err != nil {
		t.Fatal(err)
	}
	doortest.Must(t)(a.admin.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"two"}}))
	for name, want := range map[string]types.StateValue{"both": "OK", "top": "OK", "either": "ALARM"} {
		if got := a.state(t, name); got != want {
			t.Errorf("without one of its alarms %s is %s, want %s", name, got, want)
		}
	}

	doortest.Refused(t, put("both", "OK(top)"), "ValidationError", "both -> top -> both")
	doortest.Refused(t, put("self", "OK(self)"), "ValidationError", "self -> self")
	doortest.Refused(t, put("x", "OK(gone)"), "ValidationError", "alarms [gone] in the alarm rule do not exist")
	doortest.Refused(t, put("x", "OK(one"), "ValidationError", "AlarmRule is invalid")
	doortest.Refused(t, put("one", "TRUE"), "ValidationError", "MetricAlarm")
	_, err = a.admin.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"both", "one"}})
	doortest.Refused(t, err, "ValidationError", "alone")
	_, err = a.admin.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: aws.String("x"), AlarmRule: aws.String("TRUE"), ActionsSuppressor: aws.String("one")})
	doortest.Refused(t, err, "ValidationError", "ActionsSuppressor is not supported")
}

func TestAlarmsThatAreRefused(t *testing.T) {
	a := open(t)
	for _, c := range []struct {
		change     func(in *cloudwatch.PutMetricAlarmInput)
		code, text string
	}{
		{func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(45) }, "ValidationError", "Period must be"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.Period = nil }, "MissingParameter", "Period"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.Threshold = nil }, "MissingParameter", "Threshold"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic = "" }, "ValidationError", "Exactly one"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.ExtendedStatistic = aws.String("p90") }, "ValidationError", "Exactly one"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.Statistic, in.ExtendedStatistic = "", aws.String("p900") }, "ValidationError", "p900"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Int32(1441) }, "ValidationError", "86400"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(2) }, "ValidationError", "DatapointsToAlarm"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.TreatMissingData = aws.String("zero") }, "ValidationError", "treatMissingData"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.EvaluateLowSampleCountPercentile = aws.String("ignore") }, "ValidationError", "percentiles"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = []string{"mail me"} }, "ValidationError", "Invalid arn syntax: mail me"},
		{func(in *cloudwatch.PutMetricAlarmInput) {
			in.AlarmActions = []string{"arn:aws:lambda:us-west-2:111122223333:function:f"}
		}, "ValidationError", "not supported by eksact"},
		{func(in *cloudwatch.PutMetricAlarmInput) {
			in.AlarmActions = []string{"arn:aws:automate:us-west-2:ec2:stop"}
		}, "ValidationError", "not supported by eksact"},
		{func(in *cloudwatch.PutMetricAlarmInput) {
			in.OKActions = []string{"arn:aws:sns:eu-west-1:111122223333:t"}
		}, "ValidationError", "Invalid region eu-west-1"},
		{func(in *cloudwatch.PutMetricAlarmInput) {
			in.OKActions = []string{topic, topic, topic, topic, topic, topic}
		}, "ValidationError", "5"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.ThresholdMetricId = aws.String("a") }, "ValidationError", "ThresholdMetricId"},
		{func(in *cloudwatch.PutMetricAlarmInput) {
			in.EvaluationWindow = &types.EvaluationWindowMemberWallClockWindow{}
		}, "ValidationError", "WallClockWindow"},
		{func(in *cloudwatch.PutMetricAlarmInput) { in.ComparisonOperator = "Bigger" }, "ValidationError", "comparisonOperator"},
		{func(in *cloudwatch.PutMetricAlarmInput) { watchExpression(in, "o *") }, "ValidationError", "too early"},
		{func(in *cloudwatch.PutMetricAlarmInput) { watchExpression(in, "o"); in.Metrics[0].ReturnData = nil }, "ValidationError", "exactly one"},
		{func(in *cloudwatch.PutMetricAlarmInput) { watchExpression(in, "o"); in.Period = aws.Int32(60) }, "ValidationError", "Metrics list"},
		{func(in *cloudwatch.PutMetricAlarmInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}
		}, "InvalidParameterValue", "reserved"},
	} {
		_, err := a.admin.PutMetricAlarm(t.Context(), alarm("x", c.change))
		doortest.Refused(t, err, c.code, c.text)
	}
	_, err := a.admin.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("gone"), StateValue: "OK", StateReason: aws.String("x")})
	doortest.Refused(t, err, "ResourceNotFound", "gone")
	_, err = a.admin.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"gone"}})
	doortest.Refused(t, err, "ResourceNotFound", "gone")
	_, err = a.admin.PutDashboard(t.Context(), &cloudwatch.PutDashboardInput{DashboardName: aws.String("d"), DashboardBody: aws.String("{}")})
	doortest.Refused(t, err, "UnknownOperationException", "PutDashboard")
	a.putAlarm(t, alarm("x"))
	_, err = a.admin.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("x"), StateValue: "OK", StateReason: aws.String("x"), StateReasonData: aws.String("{")})
	doortest.Refused(t, err, "InvalidFormat", "StateReasonData")
}

func TestActionsAreCarriedOutOrNoted(t *testing.T) {
	a := open(t)
	a.putAlarm(t, alarm("orders"))
	doortest.Must(t)(a.admin.DisableAlarmActions(t.Context(), &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{"orders", "gone"}}))
	a.put(t, 5)
	if got, n := a.state(t, "orders"), len(a.topics.take()); got != types.StateValueAlarm || n != 0 {
		t.Errorf("%s, %d notifications of an alarm that may not act", got, n)
	}
	doortest.Must(t)(a.admin.EnableAlarmActions(t.Context(), &cloudwatch.EnableAlarmActionsInput{AlarmNames: []string{"orders"}}))
	a.pass(t, 4*time.Minute)
	a.topics.refuse = errors.New("there is no such topic")
	a.put(t, 5)
	out, err := a.admin.DescribeAlarmHistory(t.Context(), &cloudwatch.DescribeAlarmHistoryInput{HistoryItemType: types.HistoryItemTypeAction})
	if err != nil || len(out.AlarmHistoryItems) != 1 || *out.AlarmHistoryItems[0].HistorySummary != fmt.Sprintf("Failed to execute action %s. Received error: \"there is no such topic\"", topic) {
		t.Errorf("noted %+v, %v", out, err)
	}
}

func TestTagsAndPages(t *testing.T) {
	a := open(t)
	for i := range 7 {
		a.putAlarm(t, alarm(fmt.Sprintf("a%d", i), func(in *cloudwatch.PutMetricAlarmInput) {
			in.Tags = []types.Tag{{Key: aws.String("n"), Value: aws.String(fmt.Sprint(i))}}
			in.Dimensions = []types.Dimension{{Name: aws.String("even"), Value: aws.String(fmt.Sprint(i%2 == 0))}}
		}))
	}
	var names []string
	for p := cloudwatch.NewDescribeAlarmsPaginator(a.admin, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("a"), MaxRecords: aws.Int32(3)}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil || len(out.MetricAlarms) > 3 {
			t.Fatal(len(out.MetricAlarms), err)
		}
		for _, m := range out.MetricAlarms {
			names = append(names, *m.AlarmName)
		}
	}
	if strings.Join(names, " ") != "a0 a1 a2 a3 a4 a5 a6" {
		t.Errorf("alarms are %v", names)
	}
	on, err := a.admin.DescribeAlarmsForMetric(t.Context(), &cloudwatch.DescribeAlarmsForMetricInput{Namespace: aws.String("shop"), MetricName: aws.String("orders"), Dimensions: []types.Dimension{{Name: aws.String("even"), Value: aws.String("true")}}})
	if err != nil || len(on.MetricAlarms) != 4 {
		t.Errorf("on the metric are %+v, %v", on, err)
	}
	arn := aws.String("arn:aws:cloudwatch:us-west-2:111122223333:alarm:a3")
	doortest.Must(t)(a.admin.TagResource(t.Context(), &cloudwatch.TagResourceInput{ResourceARN: arn, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}}))
	doortest.Must(t)(a.admin.UntagResource(t.Context(), &cloudwatch.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"n"}}))
	doortest.Must(t)(a.admin.PutMetricAlarm(t.Context(), alarm("a3"))) // leaves tags
	tags, err := a.admin.ListTagsForResource(t.Context(), &cloudwatch.ListTagsForResourceInput{ResourceARN: arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "team" {
		t.Errorf("tags are %+v, %v", tags, err)
	}
	_, err = a.admin.ListTagsForResource(t.Context(), &cloudwatch.ListTagsForResourceInput{ResourceARN: aws.String(*arn + "x")})
	doortest.Refused(t, err, "ResourceNotFoundException", "a3x")
	_, err = a.admin.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{NextToken: aws.String("!")})
	doortest.Refused(t, err, "InvalidNextToken", "")
}

// TestRights: a policy can bound who writes which metrics and alarms.
func TestRights(t *testing.T) {
	a := open(t)
	user := cloudwatch.NewFromConfig(a.User(t, "writer", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":"shop"}}},
		{"Effect":"Allow","Action":"cloudwatch:*Alarm*","Resource":"arn:aws:cloudwatch:us-west-2:111122223333:alarm:mine-*","Condition":{"ForAllValues:StringEquals":{"cloudwatch:AlarmActions":"`+topic+`"}}}]}`))
	datum := []types.MetricDatum{{MetricName: aws.String("orders"), Value: aws.Float64(1)}}
	doortest.Must(t)(user.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: datum}))
	_, err := user.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("bank"), MetricData: datum})
	doortest.Refused(t, err, "AccessDeniedException", "cloudwatch:PutMetricData")
	doortest.Must(t)(user.PutMetricAlarm(t.Context(), alarm("mine-1")))
	_, err = user.PutMetricAlarm(t.Context(), alarm("yours"))
	doortest.Refused(t, err, "AccessDeniedException", "alarm:yours")
	_, err = user.PutMetricAlarm(t.Context(), alarm("mine-2", func(in *cloudwatch.PutMetricAlarmInput) { in.OKActions = []string{topic + "x"} }))
	doortest.Refused(t, err, "AccessDeniedException", "mine-2")
	_, err = user.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{})
	doortest.Refused(t, err, "AccessDeniedException", "cloudwatch:ListMetrics")
	_, err = user.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	doortest.Refused(t, err, "AccessDeniedException", "alarm:*")
}

// TestWhatWasOwed is carried out at the next start.
func TestWhatWasOwed(t *testing.T) {
	base := doortest.New(t)
	a := &account{topics: &topics{}, dir: t.TempDir(), now: time.Now().UTC()}
	a.ours = a.start(t, base)
	a.Door = base.Open(t, a.ours.Service())
	a.admin = cloudwatch.NewFromConfig(a.Admin)
	a.putAlarm(t, alarm("orders"))
	doortest.Must(t)(a.admin.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: aws.String("top"), AlarmRule: aws.String("ALARM(orders)"), AlarmActions: []string{topic}}))
	a.ours.Interrupted(t.Context(), "orders")
	if n := len(a.topics.take()); n != 0 {
		t.Fatalf("%d notifications before the end", n)
	}
	a.ours.Settle(t.Context())
	published := a.topics.take()
	if len(published) != 2 || !strings.Contains(published[0].subject, "orders") || !strings.Contains(published[1].subject, "top") {
		t.Errorf("published %+v", published)
	}
	a.ours.Settle(t.Context())
	if n := len(a.topics.take()); n != 0 {
		t.Errorf("%d notifications again", n)
	}
}
