package resources

import (
	"context"

	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func createLogGroup(ctx context.Context, j *Job) (Made, error) {
	name := j.name("LogGroupName")
	if j.PhysicalID == "" {
		in := &logs.CreateLogGroupInput{LogGroupName: &name, KmsKeyId: ptr(j.Properties, "KmsKeyId")}
		if t := tags(j.Properties); len(t) > 0 {
			in.Tags = t
		}
		// Of a group that is there nothing tells who made it: a name that the stack made is its own.
		if err := do(ctx, j, "cloudwatchlogs", step{"CreateLogGroup", in}); err != nil && !(exists(err) && j.mine(nil)) {
			return Made{}, err
		}
		j.initiated(name)
	}
	return madeLogGroup(j, name), setRetention(ctx, j, name)
}

func logGroupARN(j *Job, name string) string {
	return "arn:" + j.Place.Partition + ":logs:" + j.Place.Region + ":" + j.Place.AccountID + ":log-group:" + name
}

func madeLogGroup(j *Job, name string) Made {
	return Made{name, map[string]any{"Arn": logGroupARN(j, name) + ":*"}}
}

func setRetention(ctx context.Context, j *Job, name string) error {
	days := integer(j.Properties, "RetentionInDays")
	switch {
	case days != nil:
		return do(ctx, j, "cloudwatchlogs", step{"PutRetentionPolicy", &logs.PutRetentionPolicyInput{LogGroupName: &name, RetentionInDays: days}})
	case integer(j.Old, "RetentionInDays") != nil:
		return undo(ctx, j, "cloudwatchlogs", step{"DeleteRetentionPolicy", &logs.DeleteRetentionPolicyInput{LogGroupName: &name}})
	}
	return nil
}

func updateLogGroup(ctx context.Context, j *Job) (Made, error) {
	name := j.PhysicalID
	if err := do(ctx, j, "cloudwatchlogs", logGroupTags(j, name)...); err != nil {
		return Made{}, err
	}
	return Made{}, setRetention(ctx, j, name)
}

func logGroupTags(j *Job, name string) (steps []step) {
	arn := logGroupARN(j, name)
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"TagResource", &logs.TagResourceInput{ResourceArn: &arn, Tags: set}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagResource", &logs.UntagResourceInput{ResourceArn: &arn, TagKeys: less}})
	}
	return steps
}

func deleteLogGroup(ctx context.Context, j *Job) error {
	return do(ctx, j, "cloudwatchlogs", step{"DeleteLogGroup", &logs.DeleteLogGroupInput{LogGroupName: &j.PhysicalID}})
}
