package route53

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/store"
)

// maxTags is how many a resource can have.
const maxTags = 50

// ChangeTagsForResource adds and removes tags of a hosted zone.
func (s *Service) ChangeTagsForResource(ctx context.Context, in *route53.ChangeTagsForResourceInput) (*route53.ChangeTagsForResourceOutput, error) {
	if err := tagged(in.ResourceType, in.ResourceId); err != nil {
		return nil, err
	}
	if len(in.AddTags) == 0 && len(in.RemoveTagKeys) == 0 {
		return nil, invalidInput("AddTags or RemoveTagKeys must be given.")
	}
	return &route53.ChangeTagsForResourceOutput{}, s.change(ctx, in.ResourceId, func(_ *store.Tx, z *Zone) error {
		tags := map[string]string{}
		maps.Copy(tags, z.Tags)
		for _, key := range in.RemoveTagKeys {
			delete(tags, key)
		}
		for _, t := range in.AddTags {
			if strings.HasPrefix(strings.ToLower(aws.ToString(t.Key)), "aws:") {
				return invalidInput("Tag keys that begin with aws: are reserved: %s", aws.ToString(t.Key))
			}
			tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
		if len(tags) > maxTags {
			return invalidInput("A resource can't have more than %d tags.", maxTags)
		}
		z.Tags = tags
		return nil
	})
}

// tagged refuses the tags of what isn't there.
func tagged(kind types.TagResourceType, id *string) error {
	if kind == types.TagResourceTypeHealthcheck {
		return &types.NoSuchHealthCheck{Message: aws.String("A health check with id " + aws.ToString(id) + " does not exist.")}
	}
	return nil
}

// ListTagsForResource shows a zone's tags.
func (s *Service) ListTagsForResource(_ context.Context, in *route53.ListTagsForResourceInput) (*route53.ListTagsForResourceOutput, error) {
	set, err := s.tagsOf(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return &route53.ListTagsForResourceOutput{ResourceTagSet: set}, nil
}

// ListTagsForResources shows those of several zones.
func (s *Service) ListTagsForResources(_ context.Context, in *route53.ListTagsForResourcesInput) (*route53.ListTagsForResourcesOutput, error) {
	out := &route53.ListTagsForResourcesOutput{}
	for _, id := range in.ResourceIds {
		set, err := s.tagsOf(in.ResourceType, &id)
		if err != nil {
			return nil, err
		}
		out.ResourceTagSets = append(out.ResourceTagSets, *set)
	}
	return out, nil
}

func (s *Service) tagsOf(kind types.TagResourceType, id *string) (*types.ResourceTagSet, error) {
	if err := tagged(kind, id); err != nil {
		return nil, err
	}
	z, err := s.find(id)
	if err != nil {
		return nil, err
	}
	set := &types.ResourceTagSet{ResourceId: aws.String(z.ID), ResourceType: kind, Tags: []types.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(z.Tags)) {
		set.Tags = append(set.Tags, types.Tag{Key: aws.String(key), Value: aws.String(z.Tags[key])})
	}
	return set, nil
}
