package logs

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// mostTags is how many tags anything can have.
const mostTags = 50

const reserved = "Tag keys that begin with aws: are reserved: "

// checkTags refuses tags that can't be added to those there are.
func checkTags(have, added map[string]string) error {
	all := maps.Clone(have)
	if all == nil {
		all = map[string]string{}
	}
	for k, v := range added {
		if api.ReservedTag(k) {
			return invalid(reserved + k)
		}
		all[k] = v
	}
	if api.OwnTags(all) > mostTags {
		return &types.TooManyTagsException{Message: aws.String("A resource can have up to 50 tags.")}
	}
	return nil
}

// ofTagged is the ARN of what is tagged, as policies name it. That of a log group has no
// ":*" at its end here alone.
func (s *Service) ofTagged(arn *string) []string {
	if arn == nil {
		return nil
	}
	return []string{strings.TrimSuffix(*arn, ":*")}
}

// tagged finds what an ARN names and changes its tags.
func (s *Service) tagged(ctx context.Context, arn *string, change func(tags map[string]string) error) (found map[string]string, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		rest, ok := strings.CutPrefix(s.ofTagged(arn)[0], s.arn(""))
		kind, name, _ := strings.Cut(rest, ":")
		if !ok {
			return &types.ResourceNotFoundException{Message: aws.String("The specified resource does not exist.")}
		}
		do := func(tags *map[string]string) error {
			if *tags = maps.Clone(*tags); *tags == nil {
				*tags = map[string]string{}
			}
			found = *tags
			if change == nil {
				return nil
			}
			return change(*tags)
		}
		switch kind {
		case "log-group":
			return changed(s.groups.In(tx), name, func(g *Group) error { return do(&g.Tags) })
		case "destination":
			return changed(s.destinations.In(tx), name, func(d *Destination) error { return do(&d.Tags) })
		case "lookup-table":
			return changed(s.tables.In(tx), name, func(t *LookupTable) error { return do(&t.Tags) })
		case "scheduled-query":
			return changed(s.scheduled.In(tx), name, func(q *ScheduledQuery) error { return do(&q.Tags) })
		}
		return &types.ResourceNotFoundException{Message: aws.String("The specified resource does not exist.")}
	})
	return found, err
}

// changed changes a record that must be there.
func changed[T any](table store.TxTable[T], key string, change func(*T) error) error {
	v, ok := table.Get(key)
	if !ok {
		return &types.ResourceNotFoundException{Message: aws.String("The specified resource does not exist.")}
	}
	if err := change(&v); err != nil {
		return err
	}
	table.Put(key, v)
	return nil
}

// TagResource adds tags to what an ARN names.
func (s *Service) TagResource(ctx context.Context, in *cloudwatchlogs.TagResourceInput) (*cloudwatchlogs.TagResourceOutput, error) {
	_, err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) error {
		if err := checkTags(tags, in.Tags); err != nil {
			return err
		}
		maps.Copy(tags, in.Tags)
		return nil
	})
	return &cloudwatchlogs.TagResourceOutput{}, err
}

// UntagResource takes tags away from what an ARN names.
func (s *Service) UntagResource(ctx context.Context, in *cloudwatchlogs.UntagResourceInput) (*cloudwatchlogs.UntagResourceOutput, error) {
	_, err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) error {
		for _, k := range in.TagKeys {
			if api.ReservedTag(k) {
				return invalid(reserved + k)
			}
			delete(tags, k)
		}
		return nil
	})
	return &cloudwatchlogs.UntagResourceOutput{}, err
}

// ListTagsForResource shows the tags of what an ARN names.
func (s *Service) ListTagsForResource(ctx context.Context, in *cloudwatchlogs.ListTagsForResourceInput) (*cloudwatchlogs.ListTagsForResourceOutput, error) {
	tags, err := s.tagged(ctx, in.ResourceArn, nil)
	return &cloudwatchlogs.ListTagsForResourceOutput{Tags: tags}, err
}

// TagLogGroup is TagResource's older form.
func (s *Service) TagLogGroup(ctx context.Context, in *cloudwatchlogs.TagLogGroupInput) (*cloudwatchlogs.TagLogGroupOutput, error) {
	_, err := s.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: aws.String(s.groupARN(aws.ToString(in.LogGroupName))), Tags: in.Tags})
	return &cloudwatchlogs.TagLogGroupOutput{}, err
}

// UntagLogGroup is UntagResource's older form.
func (s *Service) UntagLogGroup(ctx context.Context, in *cloudwatchlogs.UntagLogGroupInput) (*cloudwatchlogs.UntagLogGroupOutput, error) {
	_, err := s.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: aws.String(s.groupARN(aws.ToString(in.LogGroupName))), TagKeys: in.Tags})
	return &cloudwatchlogs.UntagLogGroupOutput{}, err
}

// ListTagsLogGroup is ListTagsForResource's older form.
func (s *Service) ListTagsLogGroup(ctx context.Context, in *cloudwatchlogs.ListTagsLogGroupInput) (*cloudwatchlogs.ListTagsLogGroupOutput, error) {
	tags, err := s.tagged(ctx, aws.String(s.groupARN(aws.ToString(in.LogGroupName))), nil)
	return &cloudwatchlogs.ListTagsLogGroupOutput{Tags: tags}, err
}

// ofResource answers for the condition keys of the service's resources: their tags. A
// stream's are its group's.
func (s *Service) ofResource(arn, key string) policy.Values {
	rest, ok := strings.CutPrefix(arn, s.arn(""))
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok || !isTag {
		return policy.Values{}
	}
	kind, name, _ := strings.Cut(rest, ":")
	switch kind {
	case "log-group":
		name, _, _ = strings.Cut(name, ":")
		g, _ := s.groups.Get(name)
		return api.TagValue(g.Tags, tag)
	case "destination":
		d, _ := s.destinations.Get(name)
		return api.TagValue(d.Tags, tag)
	case "lookup-table":
		t, _ := s.tables.Get(name)
		return api.TagValue(t.Tags, tag)
	case "scheduled-query":
		q, _ := s.scheduled.Get(name)
		return api.TagValue(q.Tags, tag)
	}
	return policy.Values{}
}
