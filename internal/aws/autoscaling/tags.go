package autoscaling

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/eksact/eksact/internal/aws/api"
)

const mostTags = 50

func (s *Service) addTags(svc *api.Service) {
	of := func(tags []types.Tag) (all []string) {
		for _, t := range tags {
			for _, arn := range s.arns(t.ResourceId) {
				if !slices.Contains(all, arn) {
					all = append(all, arn)
				}
			}
		}
		return all
	}
	api.Add(svc, "CreateOrUpdateTags", s.CreateOrUpdateTags, func(_ context.Context, in *autoscaling.CreateOrUpdateTagsInput) []string { return of(in.Tags) })
	api.Add(svc, "DeleteTags", s.DeleteTags, func(_ context.Context, in *autoscaling.DeleteTagsInput) []string { return of(in.Tags) })
	api.Add(svc, "DescribeTags", s.DescribeTags, nil)
}

// setTag gives a group a tag, in place of the one of its key.
func (g *Group) setTag(t types.Tag) error {
	key, value := aws.ToString(t.Key), aws.ToString(t.Value)
	switch {
	case t.ResourceType != nil && *t.ResourceType != "auto-scaling-group":
		return invalid("Invalid resource type: %s", *t.ResourceType)
	case key == "" || len(key) > 128 || len(value) > 256:
		return invalid("A tag's key has 1 to 128 characters, its value at most 256: %q", key)
	case api.ReservedTag(key):
		return invalid("The prefix aws: is reserved: %s", key)
	}
	g.dropTag(key)
	if g.ownTags() >= mostTags {
		return &types.LimitExceededFault{Message: aws.String("Tag limit exceeded: an Auto Scaling group has at most 50 tags.")}
	}
	g.Tags = append(g.Tags, Tag{key, value, aws.ToBool(t.PropagateAtLaunch)})
	slices.SortFunc(g.Tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return nil
}

// ownTags counts the tags that calls set.
func (g *Group) ownTags() (n int) {
	for _, t := range g.Tags {
		if !api.ReservedTag(t.Key) {
			n++
		}
	}
	return n
}

// setSystemTags gives a group the tags of the service that makes it for others; its
// instances get them too, as CloudFormation has it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html
func (g *Group) setSystemTags(tags map[string]string) {
	for key, value := range tags {
		g.dropTag(key)
		g.Tags = append(g.Tags, Tag{key, value, true})
	}
	slices.SortFunc(g.Tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
}

func (g *Group) dropTag(key string) {
	g.Tags = slices.DeleteFunc(slices.Clone(g.Tags), func(t Tag) bool { return t.Key == key })
}

// CreateOrUpdateTags gives groups tags. Instances that run don't get them.
func (s *Service) CreateOrUpdateTags(ctx context.Context, in *autoscaling.CreateOrUpdateTagsInput) (*autoscaling.CreateOrUpdateTagsOutput, error) {
	for _, t := range in.Tags {
		if err := s.rewrite(ctx, t.ResourceId, func(g *Group) error { return g.setTag(t) }); err != nil {
			return nil, err
		}
	}
	return &autoscaling.CreateOrUpdateTagsOutput{}, nil
}

// DeleteTags takes tags away; one that isn't there is no error.
func (s *Service) DeleteTags(ctx context.Context, in *autoscaling.DeleteTagsInput) (*autoscaling.DeleteTagsOutput, error) {
	for _, t := range in.Tags {
		if key := aws.ToString(t.Key); api.ReservedTag(key) {
			return nil, invalid("The prefix aws: is reserved: %s", key)
		}
		if err := s.rewrite(ctx, t.ResourceId, func(g *Group) error { g.dropTag(aws.ToString(t.Key)); return nil }); err != nil {
			return nil, err
		}
	}
	return &autoscaling.DeleteTagsOutput{}, nil
}

// DescribeTags lists the tags of groups.
func (s *Service) DescribeTags(_ context.Context, in *autoscaling.DescribeTagsInput) (*autoscaling.DescribeTagsOutput, error) {
	for _, f := range in.Filters {
		if !slices.Contains([]string{"auto-scaling-group", "key", "value", "propagate-at-launch"}, aws.ToString(f.Name)) {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: auto-scaling-group key propagate-at-launch value", aws.ToString(f.Name))
		}
	}
	var all []types.TagDescription
	for name, g := range s.groups.List("") {
		for _, t := range g.Tags {
			values := map[string]string{"auto-scaling-group": name, "key": t.Key, "value": t.Value, "propagate-at-launch": map[bool]string{true: "true", false: "false"}[t.Propagate]}
			if !slices.ContainsFunc(in.Filters, func(f types.Filter) bool { return !slices.Contains(f.Values, values[aws.ToString(f.Name)]) }) {
				all = append(all, tagView(&g, t))
			}
		}
	}
	rows, next, err := page(all, in.MaxRecords, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeTagsOutput{Tags: append([]types.TagDescription{}, rows...), NextToken: next}, nil
}

func tagView(g *Group, t Tag) types.TagDescription {
	return types.TagDescription{
		Key: aws.String(t.Key), Value: aws.String(t.Value), PropagateAtLaunch: aws.Bool(t.Propagate), ResourceId: aws.String(g.Name), ResourceType: aws.String("auto-scaling-group"),
	}
}
