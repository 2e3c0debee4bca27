package resources

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// What alarms and composite alarms have in common, and what metric alarms have beside.
var (
	alarmParts  = []string{"ActionsEnabled", "AlarmActions", "AlarmDescription", "InsufficientDataActions", "OKActions"}
	metricParts = append([]string{
		"ComparisonOperator", "DatapointsToAlarm", "Dimensions", "EvaluateLowSampleCountPercentile", "EvaluationPeriods", "ExtendedStatistic", "MetricName", "Metrics",
		"Namespace", "Period", "Statistic", "Threshold", "ThresholdMetricId", "TreatMissingData", "Unit",
	}, alarmParts...)
	compositeParts = append([]string{"AlarmRule"}, alarmParts...)
)

func alarmTag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

func alarmARN(j *Job, name string) string {
	return "arn:" + j.Place.Partition + ":cloudwatch:" + j.Place.Region + ":" + j.Place.AccountID + ":alarm:" + name
}

func createAlarm(ctx context.Context, j *Job) (Made, error) {
	in := &cloudwatch.PutMetricAlarmInput{Tags: sorted(tags(j.Properties), alarmTag)}
	if err := into(in, j.Properties, metricParts...); err != nil {
		return Made{}, err
	}
	return makeAlarm(ctx, j, "PutMetricAlarm", in, &in.AlarmName)
}

func createComposite(ctx context.Context, j *Job) (Made, error) {
	in := &cloudwatch.PutCompositeAlarmInput{Tags: sorted(tags(j.Properties), alarmTag)}
	if err := into(in, j.Properties, compositeParts...); err != nil {
		return Made{}, err
	}
	return makeAlarm(ctx, j, "PutCompositeAlarm", in, &in.AlarmName)
}

// makeAlarm puts an alarm, which must not be there: the call alone would change it.
func makeAlarm(ctx context.Context, j *Job, operation string, in any, called **string) (Made, error) {
	name := j.name("AlarmName")
	*called = &name
	if j.PhysicalID == "" {
		out, err := alarmsNamed(ctx, j, name)
		if err != nil {
			return Made{}, err
		}
		for _, a := range out.MetricAlarms {
			if !j.mine(a.AlarmConfigurationUpdatedTimestamp) {
				return Made{}, alreadyExists(j, name)
			}
		}
		for _, a := range out.CompositeAlarms {
			if !j.mine(a.AlarmConfigurationUpdatedTimestamp) {
				return Made{}, alreadyExists(j, name)
			}
		}
	}
	if err := do(ctx, j, "cloudwatch", step{operation, in}); err != nil {
		return Made{}, err
	}
	j.initiated(name)
	return Made{name, map[string]any{"Arn": alarmARN(j, name)}}, nil
}

func alarmsNamed(ctx context.Context, j *Job, name string) (*cloudwatch.DescribeAlarmsOutput, error) {
	return call[cloudwatch.DescribeAlarmsOutput](ctx, j, "cloudwatch", "DescribeAlarms", &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
}

func alreadyExists(j *Job, name string) error {
	return fmt.Errorf("Resource of type '%s' with identifier '%s' already exists.", j.Type, name) //lint:ignore ST1005 as CloudFormation writes it
}

func updateAlarm(ctx context.Context, j *Job) (Made, error) {
	in := &cloudwatch.PutMetricAlarmInput{AlarmName: &j.PhysicalID}
	if err := into(in, j.Properties, metricParts...); err != nil {
		return Made{}, err
	}
	return Made{}, changeAlarm(ctx, j, step{"PutMetricAlarm", in})
}

func updateComposite(ctx context.Context, j *Job) (Made, error) {
	in := &cloudwatch.PutCompositeAlarmInput{AlarmName: &j.PhysicalID}
	if err := into(in, j.Properties, compositeParts...); err != nil {
		return Made{}, err
	}
	return Made{}, changeAlarm(ctx, j, step{"PutCompositeAlarm", in})
}

// changeAlarm puts an alarm anew, which leaves its tags, and changes these.
func changeAlarm(ctx context.Context, j *Job, steps ...step) error {
	return do(ctx, j, "cloudwatch", append(steps, alarmTags(j, j.PhysicalID)...)...)
}

func alarmTags(j *Job, name string) (steps []step) {
	arn := alarmARN(j, name)
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"TagResource", &cloudwatch.TagResourceInput{ResourceARN: &arn, Tags: sorted(set, alarmTag)}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagResource", &cloudwatch.UntagResourceInput{ResourceARN: &arn, TagKeys: less}})
	}
	return steps
}

func deleteAlarm(ctx context.Context, j *Job) error {
	return do(ctx, j, "cloudwatch", step{"DeleteAlarms", &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{j.PhysicalID}}})
}
