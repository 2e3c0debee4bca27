package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

const reserved = "Tag keys that begin with aws: are reserved: %s"

func readTags(in []types.Tag) (map[string]string, error) {
	if len(in) > mostTags {
		return nil, invalidValue("An alarm can have up to %d tags.", mostTags)
	}
	out := map[string]string{}
	for _, t := range in {
		key := aws.ToString(t.Key)
		if _, twice := out[key]; twice {
			return nil, invalidValue("The tag %s is there twice.", key)
		}
		if api.ReservedTag(key) {
			return nil, invalidValue(reserved, key)
		}
		out[key] = aws.ToString(t.Value)
	}
	return out, nil
}

// tagged changes an alarm's tags.
func (s *Service) tagged(ctx context.Context, arn *string, change func(tags map[string]string) error) error {
	name, ours := strings.CutPrefix(aws.ToString(arn), s.arn(""))
	if !ours {
		return s.noResource(arn)
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		a, ok := s.alarms.In(tx).Get(name)
		if !ok {
			return s.noResource(arn)
		}
		tags := map[string]string{}
		maps.Copy(tags, a.Tags)
		if err := change(tags); err != nil {
			return err
		}
		a.Tags = tags
		s.alarms.In(tx).Put(name, a)
		return nil
	})
}

func (s *Service) noResource(arn *string) error {
	return &types.ResourceNotFoundException{Message: aws.String("Unknown resource: " + aws.ToString(arn)), ResourceId: arn, ResourceType: aws.String("AWS::CloudWatch::Alarm")}
}

// TagResource adds tags to an alarm.
func (s *Service) TagResource(ctx context.Context, in *cloudwatch.TagResourceInput) (*cloudwatch.TagResourceOutput, error) {
	set, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	return &cloudwatch.TagResourceOutput{}, s.tagged(ctx, in.ResourceARN, func(tags map[string]string) error {
		maps.Copy(tags, set)
		if api.OwnTags(tags) > mostTags {
			return invalidValue("An alarm can have up to %d tags.", mostTags)
		}
		return nil
	})
}

// UntagResource removes tags of an alarm.
func (s *Service) UntagResource(ctx context.Context, in *cloudwatch.UntagResourceInput) (*cloudwatch.UntagResourceOutput, error) {
	return &cloudwatch.UntagResourceOutput{}, s.tagged(ctx, in.ResourceARN, func(tags map[string]string) error {
		for _, key := range in.TagKeys {
			if api.ReservedTag(key) {
				return invalidValue(reserved, key)
			}
			delete(tags, key)
		}
		return nil
	})
}

// ListTagsForResource shows an alarm's tags.
func (s *Service) ListTagsForResource(_ context.Context, in *cloudwatch.ListTagsForResourceInput) (*cloudwatch.ListTagsForResourceOutput, error) {
	a, ok := s.alarms.Get(s.alarmName(*in.ResourceARN))
	if !ok || s.arn(a.Name) != *in.ResourceARN {
		return nil, s.noResource(in.ResourceARN)
	}
	out := &cloudwatch.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(a.Tags[key])})
	}
	return out, nil
}
