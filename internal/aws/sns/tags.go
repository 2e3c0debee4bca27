package sns

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// mostTags is how many a topic can have.
const mostTags = 50

var errNoResource = &types.ResourceNotFoundException{Message: aws.String("Resource does not exist")}

// with are tags with some more.
func with(old map[string]string, more []types.Tag) (map[string]string, error) {
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	seen := map[string]bool{}
	for _, t := range more {
		key := aws.ToString(t.Key)
		switch {
		case seen[key]:
			return nil, invalid("Duplicated keys are not allowed.")
		case api.ReservedTag(key):
			return nil, invalid("Tags Reason: keys that begin with aws: are reserved: " + key)
		}
		seen[key] = true
		tags[key] = aws.ToString(t.Value)
	}
	if api.OwnTags(tags) > mostTags {
		return nil, &types.TagLimitExceededException{Message: aws.String("Could not complete request: tag quota of per resource exceeded")}
	}
	return tags, nil
}

// changeTags changes a topic's tags.
func (s *Service) changeTags(ctx context.Context, arn *string, fn func(old map[string]string) (map[string]string, error)) error {
	err := s.change(ctx, arn, func(t *Topic) (err error) {
		t.Tags, err = fn(t.Tags)
		return err
	})
	if err == error(errNoTopic) {
		return errNoResource
	}
	return err
}

// TagResource sets tags of a topic.
func (s *Service) TagResource(ctx context.Context, in *sns.TagResourceInput) (*sns.TagResourceOutput, error) {
	return &sns.TagResourceOutput{}, s.changeTags(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) { return with(old, in.Tags) })
}

// UntagResource takes tags of a topic away.
func (s *Service) UntagResource(ctx context.Context, in *sns.UntagResourceInput) (*sns.UntagResourceOutput, error) {
	return &sns.UntagResourceOutput{}, s.changeTags(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) {
		tags := maps.Clone(old)
		for _, key := range in.TagKeys {
			if api.ReservedTag(key) {
				return nil, invalid("Tags Reason: keys that begin with aws: are reserved: " + key)
			}
			delete(tags, key)
		}
		return tags, nil
	})
}

// ListTagsForResource shows a topic's tags.
func (s *Service) ListTagsForResource(_ context.Context, in *sns.ListTagsForResourceInput) (*sns.ListTagsForResourceOutput, error) {
	t, err := s.topic(s.topics.Get, in.ResourceArn)
	if err == error(errNoTopic) {
		return nil, errNoResource
	}
	if err != nil {
		return nil, err
	}
	out := &sns.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(t.Tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(t.Tags[key])})
	}
	return out, nil
}
