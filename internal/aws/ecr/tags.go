package ecr

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// mostTags is how many a repository can have.
const mostTags = 50

// with are tags with some more.
func with(old map[string]string, more []types.Tag) (map[string]string, error) {
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	for _, t := range more {
		key := aws.ToString(t.Key)
		if api.ReservedTag(key) {
			return nil, &types.InvalidTagParameterException{Message: aws.String("Tag keys that begin with aws: are reserved: " + key)}
		}
		tags[key] = aws.ToString(t.Value)
	}
	if api.OwnTags(tags) > mostTags {
		return nil, &types.TooManyTagsException{Message: aws.String("The repository would have more than 50 tags")}
	}
	return tags, nil
}

// ofARN is the name of a repository.
func (s *Service) ofARN(arn *string) *string {
	name := strings.TrimPrefix(aws.ToString(arn), s.arn(""))
	return &name
}

// TagResource sets tags of a repository.
func (s *Service) TagResource(ctx context.Context, in *ecr.TagResourceInput) (*ecr.TagResourceOutput, error) {
	_, err := s.change(ctx, nil, s.ofARN(in.ResourceArn), func(r *Repository) (err error) {
		r.Tags, err = with(r.Tags, in.Tags)
		return err
	})
	return &ecr.TagResourceOutput{}, err
}

// UntagResource takes tags of a repository away.
func (s *Service) UntagResource(ctx context.Context, in *ecr.UntagResourceInput) (*ecr.UntagResourceOutput, error) {
	_, err := s.change(ctx, nil, s.ofARN(in.ResourceArn), func(r *Repository) error {
		r.Tags = maps.Clone(r.Tags)
		for _, key := range in.TagKeys {
			if api.ReservedTag(key) {
				return &types.InvalidTagParameterException{Message: aws.String("Tag keys that begin with aws: are reserved: " + key)}
			}
			delete(r.Tags, key)
		}
		return nil
	})
	return &ecr.UntagResourceOutput{}, err
}

// ListTagsForResource shows a repository's tags.
func (s *Service) ListTagsForResource(_ context.Context, in *ecr.ListTagsForResourceInput) (*ecr.ListTagsForResourceOutput, error) {
	r, err := s.repository(s.repositories.Get, nil, s.ofARN(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	out := &ecr.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	return out, nil
}
