package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awscloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const alarmTemplate = `
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Many:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: shop
      MetricName: orders
      Dimensions: [{Name: country, Value: se}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: "3"
      DatapointsToAlarm: 2
      Threshold: 1.5
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
      AlarmActions: [!Ref Topic]
      Tags: [{Key: team, Value: a}]
  Rate:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: rate
      EvaluationPeriods: 1
      Threshold: 5
      ComparisonOperator: LessThanThreshold
      Metrics:
        - {Id: m, ReturnData: false, MetricStat: {Metric: {Namespace: shop, MetricName: orders, Dimensions: [{Name: country, Value: se}]}, Period: 60, Stat: Sum}}
        - {Id: e, Expression: m / 60, Label: per second}
  Both:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties:
      AlarmRule: !Sub ALARM("${Many}") AND ALARM("${Rate.Arn}")
      AlarmDescription: both
Outputs:
  Many: {Value: !Ref Many}
  Both: {Value: !GetAtt Both.Arn}
`

func TestAnAlarmsStack(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := awscloudwatch.NewFromConfig(a.Admin)
	id := a.create(t, "alarms", alarmTemplate)
	a.is(t, "alarms", types.StackStatusCreateComplete)
	out := a.outputs(t, "alarms")
	if !strings.HasPrefix(out["Many"], "alarms-Many-") || !strings.HasPrefix(out["Both"], "arn:aws:cloudwatch:us-west-2:"+number+":alarm:alarms-Both-") {
		t.Errorf("%v", out)
	}
	all := func() *awscloudwatch.DescribeAlarmsOutput {
		t.Helper()
		got, err := client.DescribeAlarms(ctx, &awscloudwatch.DescribeAlarmsInput{AlarmTypes: []cloudwatchtypes.AlarmType{"MetricAlarm", "CompositeAlarm"}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := all()
	if len(got.MetricAlarms) != 2 || len(got.CompositeAlarms) != 1 {
		t.Fatalf("alarms are %+v", got)
	}
	m := got.MetricAlarms[0]
	if *m.AlarmName != out["Many"] || *m.EvaluationPeriods != 3 || *m.DatapointsToAlarm != 2 || *m.Threshold != 1.5 || len(m.AlarmActions) != 1 || *m.Dimensions[0].Value != "se" || m.Statistic != "Sum" {
		t.Errorf("%+v", m)
	}
	if r := got.MetricAlarms[1]; *r.AlarmName != "rate" || len(r.Metrics) != 2 || *r.Metrics[1].Expression != "m / 60" || *r.Metrics[0].ReturnData {
		t.Errorf("%+v", r)
	}
	if rule := *got.CompositeAlarms[0].AlarmRule; rule != `ALARM("`+out["Many"]+`") AND ALARM("arn:aws:cloudwatch:us-west-2:`+number+`:alarm:rate")` {
		t.Errorf("the rule is %s", rule)
	}

	changed := strings.NewReplacer("Threshold: 1.5", "Threshold: 2", "Value: a}", "Value: b}", "AlarmDescription: both", "AlarmDescription: two").Replace(alarmTemplate)
	if err := a.update(t, "alarms", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "alarms", types.StackStatusUpdateComplete)
	got = all()
	if *got.MetricAlarms[0].Threshold != 2 || *got.CompositeAlarms[0].AlarmDescription != "two" {
		t.Errorf("%+v", got)
	}
	tags, err := client.ListTagsForResource(ctx, &awscloudwatch.ListTagsForResourceInput{ResourceARN: got.MetricAlarms[0].AlarmArn})
	has := map[string]string{}
	for _, tag := range tags.Tags {
		has[*tag.Key] = *tag.Value
	}
	if err != nil || len(has) != 4 || has["team"] != "b" || has["aws:cloudformation:stack-name"] != "alarms" {
		t.Errorf("%v, %v", has, err)
	}
	_, err = client.UntagResource(ctx, &awscloudwatch.UntagResourceInput{ResourceARN: got.MetricAlarms[0].AlarmArn, TagKeys: []string{"aws:cloudformation:stack-name"}})
	doortest.Refused(t, err, "InvalidParameterValue", "Tag keys that begin with aws: are reserved: aws:cloudformation:stack-name")

	for name, c := range map[string]struct{ template, want string }{
		"again":   {"Resources: {A: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmName: rate, Namespace: a, MetricName: b, Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: LessThanThreshold}}}", "A CREATE_FAILED Resource of type 'AWS::CloudWatch::Alarm' with identifier 'rate' already exists."},
		"band":    {"Resources: {A: {Type: AWS::CloudWatch::Alarm, Properties: {EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: LessThanThreshold, WarmUpConfiguration: {WarmUpPeriodDurationInMinutes: 5}}}}", "A CREATE_FAILED Encountered unsupported property WarmUpConfiguration"},
		"missing": {"Resources: {A: {Type: AWS::CloudWatch::CompositeAlarm, Properties: {AlarmRule: ALARM(gone)}}}", "A CREATE_FAILED Resource handler returned message: \"Could not save the composite alarm as alarms [gone] in the alarm rule do not exist (Service: CloudWatch,"},
	} {
		a.create(t, name, c.template)
		a.is(t, name, types.StackStatusRollbackComplete)
		follows(t, a.events(t, name), c.want)
	}

	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("alarms")}))
	a.is(t, id, types.StackStatusDeleteComplete)
	if got := all(); len(got.MetricAlarms)+len(got.CompositeAlarms) != 0 {
		t.Errorf("alarms are left: %+v", got)
	}
}

const filterTemplate = `
Resources:
  Group: {Type: AWS::Logs::LogGroup}
  Errors:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref Group
      FilterPattern: '{ $.level = "error" }'
      MetricTransformations: [{MetricNamespace: shop, MetricName: errors, MetricValue: "1", DefaultValue: 0, Unit: Count}]
  ByHost:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref Group
      FilterName: by-host
      FilterPattern: '{ $.host = * }'
      MetricTransformations: [{MetricNamespace: shop, MetricName: calls, MetricValue: $.n, Dimensions: [{Key: host, Value: $.host}]}]
Outputs:
  Group: {Value: !Ref Group}
  Errors: {Value: !Ref Errors}
`

func TestAMetricFiltersStack(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := cloudwatchlogs.NewFromConfig(a.Admin)
	id := a.create(t, "filters", filterTemplate)
	a.is(t, "filters", types.StackStatusCreateComplete)
	out := a.outputs(t, "filters")
	filters := func() []logstypes.MetricFilter {
		t.Helper()
		got, err := client.DescribeMetricFilters(ctx, &cloudwatchlogs.DescribeMetricFiltersInput{LogGroupName: aws.String(out["Group"])})
		if err != nil {
			t.Fatal(err)
		}
		return got.MetricFilters
	}
	got := filters()
	if len(got) != 2 || *got[0].FilterName != "by-host" || *got[1].FilterName != out["Errors"] || !strings.HasPrefix(out["Errors"], "filters-Errors-") {
		t.Fatalf("filters are %+v", got)
	}
	if m := got[1].MetricTransformations[0]; *m.DefaultValue != 0 || m.Unit != "Count" || *m.MetricValue != "1" {
		t.Errorf("%+v", m)
	}
	if m := got[0].MetricTransformations[0]; m.Dimensions["host"] != "$.host" || m.DefaultValue != nil {
		t.Errorf("%+v", m)
	}
	if err := a.update(t, "filters", strings.Replace(filterTemplate, `"error"`, `"fatal"`, 1)); err != nil {
		t.Fatal(err)
	}
	a.is(t, "filters", types.StackStatusUpdateComplete)
	if p := *filters()[1].FilterPattern; p != `{ $.level = "fatal" }` {
		t.Errorf("the pattern is %s", p)
	}
	a.create(t, "again", "Resources: {F: {Type: AWS::Logs::MetricFilter, Properties: {LogGroupName: "+out["Group"]+", FilterName: by-host, FilterPattern: a, MetricTransformations: [{MetricNamespace: a, MetricName: b, MetricValue: '1'}]}}}")
	a.is(t, "again", types.StackStatusRollbackComplete)
	follows(t, a.events(t, "again"), "F CREATE_FAILED Resource of type 'AWS::Logs::MetricFilter' with identifier 'by-host' already exists.")
	if len(filters()) != 2 {
		t.Error("the rollback took the filter that it did not make")
	}
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("filters")}))
	a.is(t, id, types.StackStatusDeleteComplete)
}
