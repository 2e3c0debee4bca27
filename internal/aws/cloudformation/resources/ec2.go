package resources

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// How long EC2 may take for what comes and goes by itself, and how often a deletion is
// tried that something else still stands against.
const (
	ec2Limit  = 10 * time.Minute
	busyLimit = time.Minute
)

func ec2Tag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

// specified are the tags of what is made.
func specified(j *Job, kind types.ResourceType) []types.TagSpecification {
	t := tags(j.Properties)
	if len(t) == 0 {
		return nil
	}
	return []types.TagSpecification{{ResourceType: kind, Tags: sorted(t, ec2Tag)}}
}

// retagEC2 changes the tags of one of EC2's resources.
func retagEC2(ctx context.Context, j *Job, id string) error {
	set, less := j.changedTags()
	var steps []step
	if len(set) > 0 {
		steps = append(steps, step{"CreateTags", &ec2.CreateTagsInput{Resources: []string{id}, Tags: sorted(set, ec2Tag)}})
	}
	if len(less) > 0 {
		in := &ec2.DeleteTagsInput{Resources: []string{id}}
		for _, key := range less {
			in.Tags = append(in.Tags, types.Tag{Key: &key})
		}
		steps = append(steps, step{"DeleteTags", in})
	}
	return do(ctx, j, "ec2", steps...)
}

func updateTags(ctx context.Context, j *Job) (Made, error) {
	return Made{}, retagEC2(ctx, j, j.PhysicalID)
}

// whenFree makes a call that takes something away, again and again while something else
// still needs it.
func whenFree(ctx context.Context, j *Job, s step) error {
	var last error
	err := until(ctx, busyLimit, func() (bool, error) {
		last = do(ctx, j, "ec2", s)
		if busy(last) {
			return false, nil
		}
		return true, last
	})
	if busy(last) {
		return last
	}
	return err
}

func busy(err error) bool {
	c := api.Code(err)
	return c == "DependencyViolation" || c == "InvalidIPAddress.InUse"
}

// physical is the id of what has one made of properties and attributes.
func (j *Job) physical(attributes map[string]any) string {
	kind, _ := spec.Find(j.Type)
	id, _ := kind.PhysicalID(j.Properties, attributes)
	return id
}

func where(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

// unnoted says whether a creation may have been carried out without its result being
// stored. Of a replacement nothing would tell: what it replaces has the same marks.
func (j *Job) unnoted() bool { return j.Again && j.PhysicalID == "" && j.Action == stack.ActCreate }

// marks find what the stack made for the resource: by the tags that it sets itself.
func (j *Job) marks() []types.Filter {
	var filters []types.Filter
	for _, t := range j.SystemTags {
		if t.Key != "aws:cloudformation:stack-name" {
			name := "tag:" + t.Key
			filters = append(filters, types.Filter{Name: &name, Values: []string{t.Value}})
		}
	}
	return filters
}
