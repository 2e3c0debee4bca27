package elb

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

const (
	maxTagged = 20 // resources of one call
	maxTags   = 50 // tags of one resource
)

// DescribeTags shows the tags of load balancers, listeners and target groups.
func (s *Service) DescribeTags(_ context.Context, in *elbv2.DescribeTagsInput) (*elbv2.DescribeTagsOutput, error) {
	if err := taggedCount(in.ResourceArns); err != nil {
		return nil, err
	}
	out := &elbv2.DescribeTagsOutput{TagDescriptions: []types.TagDescription{}}
	for _, arn := range in.ResourceArns {
		tags, err := s.tagsOf(arn)
		if err != nil {
			return nil, err
		}
		d := types.TagDescription{ResourceArn: aws.String(arn), Tags: []types.Tag{}}
		for _, k := range slices.Sorted(maps.Keys(tags)) {
			d.Tags = append(d.Tags, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
		}
		out.TagDescriptions = append(out.TagDescriptions, d)
	}
	return out, nil
}

func taggedCount(arns []string) error {
	if n := len(arns); n == 0 || n > maxTagged {
		return api.ValidationError("Between 1 and %d resource ARNs must be specified", maxTagged)
	}
	return nil
}

// tagsOf finds the tags of a load balancer, listener or target group by its ARN.
func (s *Service) tagsOf(arn string) (map[string]string, error) {
	switch {
	case strings.HasPrefix(arn, s.arn("loadbalancer/net/")):
		lb, err := s.balancer(arn)
		return lb.Tags, err
	case strings.HasPrefix(arn, s.arn("targetgroup/")):
		g, err := s.group(arn)
		return g.Tags, err
	case strings.HasPrefix(arn, s.arn("listener/net/")):
		lb, i, err := s.listener(arn)
		if err != nil {
			return nil, err
		}
		return lb.Listeners[i].Tags, nil
	}
	return nil, api.ValidationError("'%s' is not a valid ARN of a load balancer, listener or target group", arn)
}

// AddTags adds tags to load balancers, listeners and target groups, or changes their values.
func (s *Service) AddTags(ctx context.Context, in *elbv2.AddTagsInput) (*elbv2.AddTagsOutput, error) {
	if err := taggedCount(in.ResourceArns); err != nil {
		return nil, err
	}
	added := map[string]string{}
	for _, t := range in.Tags {
		if err := checkTag(aws.ToString(t.Key), aws.ToString(t.Value)); err != nil {
			return nil, err
		}
		if _, twice := added[*t.Key]; twice {
			return nil, &types.DuplicateTagKeysException{Message: aws.String("The tag key '" + *t.Key + "' was specified more than once")}
		}
		added[*t.Key] = aws.ToString(t.Value)
	}
	err := s.retag(ctx, in.ResourceArns, func(tags map[string]string) error {
		maps.Copy(tags, added)
		if len(tags) > maxTags {
			return &types.TooManyTagsException{Message: aws.String("The maximum number of tags has been reached")}
		}
		return nil
	})
	return &elbv2.AddTagsOutput{}, err
}

// RemoveTags removes tags. Keys that a resource has not are no error.
func (s *Service) RemoveTags(ctx context.Context, in *elbv2.RemoveTagsInput) (*elbv2.RemoveTagsOutput, error) {
	if err := taggedCount(in.ResourceArns); err != nil {
		return nil, err
	}
	return &elbv2.RemoveTagsOutput{}, s.retag(ctx, in.ResourceArns, func(tags map[string]string) error {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
		return nil
	})
}

// checkTag refuses what no tag can be.
func checkTag(key, value string) error {
	switch {
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return api.ValidationError("The tag key '%s' is not valid: it begins with aws:", key)
	case key == "" || len([]rune(key)) > 128 || len([]rune(value)) > 256:
		return api.ValidationError("The tag '%s' is not valid: keys have 1 to 128 characters, values at most 256", key)
	}
	return nil
}

// retag changes the tags of all resources, or of none.
func (s *Service) retag(ctx context.Context, arns []string, change func(map[string]string) error) error {
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, arn := range arns {
			if _, err := s.tagsOf(arn); err != nil {
				return err
			}
			if err := s.retagOne(tx, arn, change); err != nil {
				return err
			}
		}
		return nil
	})
}

// retagOne changes the tags of a resource that is there.
func (s *Service) retagOne(tx *store.Tx, arn string, change func(map[string]string) error) error {
	if g, err := s.group(arn); err == nil {
		g, _ = s.groups.In(tx).Get(g.Name)
		g.Tags = merged(g.Tags, nil)
		if err := change(g.Tags); err != nil {
			return err
		}
		s.groups.In(tx).Put(g.Name, g)
		return nil
	}
	lb, i, err := s.listener(arn)
	of := &lb.Tags
	if err == nil {
		lb, _ = s.balancers.In(tx).Get(lb.Name)
		lb.Listeners = slices.Clone(lb.Listeners)
		of = &lb.Listeners[i].Tags
	} else {
		lb, _ = s.balancer(arn)
		lb, _ = s.balancers.In(tx).Get(lb.Name)
	}
	*of = merged(*of, nil)
	if err := change(*of); err != nil {
		return err
	}
	s.balancers.In(tx).Put(lb.Name, lb)
	return nil
}
