package resources

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// finder finds what exists under a name that a template gives, for a stack to take over.
// Like CloudFormation's import it changes no property, whatever the template says.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
type finder struct {
	// find answers with an empty Made, or an error that says so, if there is none.
	find func(ctx context.Context, j *Job, name string) (Made, error)
	// tag gives it the stack's tags; nil where a type has none.
	tag func(ctx context.Context, j *Job, id string) error
}

// errAbsent is the end of an import of what is gone meanwhile.
var errAbsent = errors.New("the resource to import does not exist")

// Existing is the physical id of what is there under the name that the job's properties
// give; "" if nothing is, or if the type can't be imported.
func (h *Handler) Existing(ctx context.Context, j *Job, name string) (id string, err error) {
	if h.find == nil {
		return "", nil
	}
	made, err := h.find(ctx, j, name)
	if gone(err) {
		return "", nil
	}
	return made.ID, err
}

// take makes what exists one of the stack's.
func (h *Handler) take(ctx context.Context, j *Job) (Made, error) {
	if h.find == nil {
		return Made{ID: j.PhysicalID}, errors.New(j.Type + " cannot be imported")
	}
	kind, _ := spec.Find(j.Type)
	made, err := h.find(ctx, j, text(j.Properties, kind.NameProperty()))
	if err == nil && made.ID != j.PhysicalID {
		err = errAbsent
	}
	if err != nil {
		return Made{ID: j.PhysicalID}, err
	}
	if h.tag != nil && len(tags(j.Properties)) > 0 {
		j.Old = nil // all tags are set
		err = h.tag(ctx, j, made.ID)
	}
	return made, err
}

// tagging makes a finder's tag of the calls that change a type's tags.
func tagging(service string, steps func(*Job, string) []step) func(context.Context, *Job, string) error {
	return func(ctx context.Context, j *Job, id string) error { return do(ctx, j, service, steps(j, id)...) }
}

var (
	buckets = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			return madeBucket(j, name), do(ctx, j, "s3", step{"HeadBucket", &s3.HeadBucketInput{Bucket: &name}})
		},
		tag: addBucketTags,
	}
	repositories = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			return madeRepository(j, name), do(ctx, j, "ecr", step{"DescribeRepositories", &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}}})
		},
		tag: tagging("ecr", repositoryTags),
	}
	roles = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			role, err := findRole(ctx, j, name)
			if err != nil {
				return Made{}, err
			}
			return madeRole(role), nil
		},
		tag: tagging("iam", roleTags),
	}
	profiles = finder{find: func(ctx context.Context, j *Job, name string) (Made, error) {
		out, err := call[iam.GetInstanceProfileOutput](ctx, j, "iam", "GetInstanceProfile", &iam.GetInstanceProfileInput{InstanceProfileName: &name})
		if err != nil {
			return Made{}, err
		}
		return Made{name, map[string]any{"Arn": *out.InstanceProfile.Arn}}, nil
	}}
	managedPolicies = finder{find: func(ctx context.Context, j *Job, name string) (Made, error) {
		arn := managedARN(j, name)
		attributes, err := managedAttributes(ctx, j, arn)
		return Made{arn, attributes}, err
	}}
	parameters = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			out, err := call[ssm.GetParameterOutput](ctx, j, "ssm", "GetParameter", &ssm.GetParameterInput{Name: &name})
			if err != nil {
				return Made{}, err
			}
			return Made{name, map[string]any{"Type": string(out.Parameter.Type), "Value": aws.ToString(out.Parameter.Value)}}, nil
		},
		tag: tagging("ssm", parameterTags),
	}
	topics = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			arn := topicARN(j, name)
			return madeTopic(arn, name), do(ctx, j, "sns", step{"GetTopicAttributes", &sns.GetTopicAttributesInput{TopicArn: &arn}})
		},
		tag: tagging("sns", topicTags),
	}
	logGroups = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			out, err := call[logs.DescribeLogGroupsOutput](ctx, j, "cloudwatchlogs", "DescribeLogGroups", &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &name, Limit: aws.Int32(1)})
			if err != nil || len(out.LogGroups) == 0 || aws.ToString(out.LogGroups[0].LogGroupName) != name {
				return Made{}, err
			}
			return madeLogGroup(j, name), nil
		},
		tag: tagging("cloudwatchlogs", logGroupTags),
	}
	alarms          = alarmFinder(func(o *cloudwatch.DescribeAlarmsOutput) bool { return len(o.MetricAlarms) > 0 })
	compositeAlarms = alarmFinder(func(o *cloudwatch.DescribeAlarmsOutput) bool { return len(o.CompositeAlarms) > 0 })
	clusters        = finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			c, err := cluster(ctx, j, name)
			if err != nil {
				return Made{}, err
			}
			return Made{name, clusterAttributes(c)}, nil
		},
		tag: func(ctx context.Context, j *Job, name string) error {
			c, err := cluster(ctx, j, name)
			if err != nil {
				return err
			}
			return retag(ctx, j, aws.ToString(c.Arn))
		},
	}
)

func alarmFinder(there func(*cloudwatch.DescribeAlarmsOutput) bool) finder {
	return finder{
		find: func(ctx context.Context, j *Job, name string) (Made, error) {
			out, err := alarmsNamed(ctx, j, name)
			if err != nil || !there(out) {
				return Made{}, err
			}
			return Made{name, map[string]any{"Arn": alarmARN(j, name)}}, nil
		},
		tag: tagging("cloudwatch", alarmTags),
	}
}

// addBucketTags adds to the tags that a bucket has: a call sets all of them.
func addBucketTags(ctx context.Context, j *Job, name string) error {
	all := tags(j.Properties)
	out, err := call[s3.GetBucketTaggingOutput](ctx, j, "s3", "GetBucketTagging", &s3.GetBucketTaggingInput{Bucket: &name})
	if err != nil && !gone(err) {
		return err
	}
	if err == nil {
		for _, t := range out.TagSet {
			if _, ours := all[*t.Key]; !ours && !api.ReservedTag(*t.Key) { // S3 keeps AWS's own
				all[*t.Key] = *t.Value
			}
		}
	}
	return do(ctx, j, "s3", step{"PutBucketTagging", &s3.PutBucketTaggingInput{Bucket: &name, Tagging: &types.Tagging{TagSet: sorted(all, s3Tag)}}})
}
