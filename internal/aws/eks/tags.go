package eks

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/store"
)

// TagResource adds tags to a cluster, and replaces the values of those it has.
func (s *Service) TagResource(ctx context.Context, in *eks.TagResourceInput) (*eks.TagResourceOutput, error) {
	if len(in.Tags) == 0 {
		return nil, badRequest("At least one tag must be given.")
	}
	return &eks.TagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) error {
		maps.Copy(tags, in.Tags)
		if why := tagFault(tags); why != "" {
			return badRequest(why)
		}
		return nil
	})
}

// UntagResource removes tags from a cluster; keys it doesn't have are no error.
func (s *Service) UntagResource(ctx context.Context, in *eks.UntagResourceInput) (*eks.UntagResourceOutput, error) {
	if len(in.TagKeys) == 0 {
		return nil, badRequest("At least one tag key must be given.")
	}
	return &eks.UntagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) error {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
		return nil
	})
}

// ListTagsForResource shows a cluster's tags.
func (s *Service) ListTagsForResource(_ context.Context, in *eks.ListTagsForResourceInput) (*eks.ListTagsForResourceOutput, error) {
	name, err := s.clusterOf(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	c, ok := s.clusters.Get(name)
	if !ok {
		return nil, noResource(in.ResourceArn)
	}
	tags := map[string]string{}
	maps.Copy(tags, c.Tags)
	return &eks.ListTagsForResourceOutput{Tags: tags}, nil
}

func (s *Service) retag(ctx context.Context, arn *string, change func(map[string]string) error) error {
	name, err := s.clusterOf(arn)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		c, ok := s.clusters.In(tx).Get(name)
		if !ok {
			return noResource(arn)
		}
		tags := map[string]string{}
		maps.Copy(tags, c.Tags)
		if err := change(tags); err != nil {
			return err
		}
		c.Tags = tags
		s.clusters.In(tx).Put(name, c)
		return nil
	})
}

// clusterOf is the name in a cluster's ARN of this account and region.
func (s *Service) clusterOf(arn *string) (string, error) {
	name, ok := strings.CutPrefix(aws.ToString(arn), s.ARN(""))
	if ok && checkName("name", name) == nil {
		return name, nil
	}
	if strings.HasPrefix(aws.ToString(arn), strings.TrimSuffix(s.ARN(""), "cluster/")) {
		return "", noResource(arn)
	}
	return "", badRequest("Invalid resourceArn: " + aws.ToString(arn))
}

func badRequest(message string) error {
	return &types.BadRequestException{Message: &message}
}

func noResource(arn *string) error {
	return &types.NotFoundException{Message: aws.String("The specified resource could not be found: " + aws.ToString(arn))}
}
