package ssm

import (
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// mostTags is how many a parameter can have.
const mostTags = 50

// tagged is the ARN that a call about tags is asked for.
func (s *Service) tagged(_ types.ResourceTypeForTagging, id *string) []string { return s.arns(id) }

// with are tags with some more.
func with(old map[string]string, more []types.Tag) (map[string]string, error) {
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	for _, t := range more {
		key := aws.ToString(t.Key)
		if api.ReservedTag(key) {
			return nil, invalid("Invalid tag key: keys that begin with aws: are reserved: %s", key)
		}
		tags[key] = aws.ToString(t.Value)
	}
	if api.OwnTags(tags) > mostTags {
		return nil, &types.TooManyTagsError{}
	}
	return tags, nil
}

// changeTags changes a parameter's tags.
func (s *Service) changeTags(ctx context.Context, kind types.ResourceTypeForTagging, id *string, change func(old map[string]string) (map[string]string, error)) error {
	if kind != types.ResourceTypeForTaggingParameter {
		return &types.InvalidResourceType{Message: aws.String("The resource type " + string(kind) + " is not supported here.")}
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		p, ok := s.findIn(s.parameters.In(tx).Get, aws.ToString(id))
		if !ok {
			return &types.InvalidResourceId{}
		}
		tags, err := change(p.Tags)
		if err != nil {
			return err
		}
		p.Tags = tags
		s.parameters.In(tx).Put(p.Name, p)
		return nil
	})
}

// AddTagsToResource sets tags of a parameter.
func (s *Service) AddTagsToResource(ctx context.Context, in *ssm.AddTagsToResourceInput) (*ssm.AddTagsToResourceOutput, error) {
	return &ssm.AddTagsToResourceOutput{}, s.changeTags(ctx, in.ResourceType, in.ResourceId, func(old map[string]string) (map[string]string, error) {
		return with(old, in.Tags)
	})
}

// RemoveTagsFromResource takes tags of a parameter away.
func (s *Service) RemoveTagsFromResource(ctx context.Context, in *ssm.RemoveTagsFromResourceInput) (*ssm.RemoveTagsFromResourceOutput, error) {
	return &ssm.RemoveTagsFromResourceOutput{}, s.changeTags(ctx, in.ResourceType, in.ResourceId, func(old map[string]string) (map[string]string, error) {
		tags := maps.Clone(old)
		for _, key := range in.TagKeys {
			if api.ReservedTag(key) {
				return nil, invalid("Invalid tag key: keys that begin with aws: are reserved: %s", key)
			}
			delete(tags, key)
		}
		return tags, nil
	})
}

// ListTagsForResource shows a parameter's tags.
func (s *Service) ListTagsForResource(_ context.Context, in *ssm.ListTagsForResourceInput) (*ssm.ListTagsForResourceOutput, error) {
	if in.ResourceType != types.ResourceTypeForTaggingParameter {
		return nil, &types.InvalidResourceType{Message: aws.String("The resource type " + string(in.ResourceType) + " is not supported here.")}
	}
	p, ok := s.find(aws.ToString(in.ResourceId))
	if !ok {
		return nil, &types.InvalidResourceId{}
	}
	out := &ssm.ListTagsForResourceOutput{TagList: []types.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(p.Tags)) {
		out.TagList = append(out.TagList, types.Tag{Key: aws.String(key), Value: aws.String(p.Tags[key])})
	}
	return out, nil
}
