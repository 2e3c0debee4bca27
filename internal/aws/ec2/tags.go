package ec2

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Limits of tags: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

func (s *Service) addTags(svc *api.Service) {
	add(s, svc, "CreateTags", s.CreateTags, func(in *ec2.CreateTagsInput) []string { return s.anything(in.Resources) })
	add(s, svc, "DeleteTags", s.DeleteTags, func(in *ec2.DeleteTagsInput) []string { return s.anything(in.Resources) })
	add(s, svc, "DescribeTags", s.DescribeTags, nil)
}

// anything are the ARNs of resources of any kind.
func (s *Service) anything(ids []string) []string {
	var arns []string
	for _, id := range ids {
		if f, ok := s.familyOf(id); ok {
			arns = append(arns, s.arn(f.named(), id))
		}
	}
	return arns
}

// CreateTags gives resources tags, in place of those with the same keys.
func (s *Service) CreateTags(ctx context.Context, in *ec2.CreateTagsInput) (*ec2.CreateTagsOutput, error) {
	given := map[string]string{}
	for _, t := range in.Tags {
		given[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	if err := checkTags(given); err != nil {
		return nil, err
	}
	return &ec2.CreateTagsOutput{}, s.retag(ctx, in.Resources, func(tags map[string]string) (map[string]string, error) {
		tags = maps.Clone(tags)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, given)
		return tags, checkCount(tags)
	})
}

// DeleteTags takes tags away: one with a value only if it has that value, all of
// the user's if none is named.
func (s *Service) DeleteTags(ctx context.Context, in *ec2.DeleteTagsInput) (*ec2.DeleteTagsOutput, error) {
	for _, t := range in.Tags {
		if reserved(aws.ToString(t.Key)) {
			return nil, errReserved(aws.ToString(t.Key))
		}
	}
	return &ec2.DeleteTagsOutput{}, s.retag(ctx, in.Resources, func(tags map[string]string) (map[string]string, error) {
		tags = maps.Clone(tags)
		if len(in.Tags) == 0 {
			maps.DeleteFunc(tags, func(k, _ string) bool { return !reserved(k) })
		}
		for _, t := range in.Tags {
			if have, ok := tags[aws.ToString(t.Key)]; ok && (t.Value == nil || *t.Value == have) {
				delete(tags, *t.Key)
			}
		}
		return tags, nil
	})
}

// retag changes the tags of all these resources, or of none.
func (s *Service) retag(ctx context.Context, ids []string, change func(map[string]string) (map[string]string, error)) error {
	if len(ids) > 1000 {
		return invalid("The maximum number of resources is 1000.")
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			f, ok := s.familyOf(id)
			if !ok {
				return refuse("InvalidID", "The ID '%s' is not valid", id)
			}
			if err := f.retag(tx, id, change); err != nil {
				return err
			}
		}
		return nil
	})
}

// tagRow is one tag of one resource.
type tagRow struct{ id, kind, key, value string }

// DescribeTags lists tags, by resource and key.
func (s *Service) DescribeTags(_ context.Context, in *ec2.DescribeTagsInput) (*ec2.DescribeTagsOutput, error) {
	filters := slices.Clone(in.Filters)
	match, err := matcher(filters, attributes[tagRow]{
		"key":           func(r tagRow) []string { return []string{r.key} },
		"value":         func(r tagRow) []string { return []string{r.value} },
		"resource-id":   func(r tagRow) []string { return []string{r.id} },
		"resource-type": func(r tagRow) []string { return []string{r.kind} },
	}, func(r tagRow) map[string]string { return map[string]string{r.key: r.value} })
	if err != nil {
		return nil, err
	}
	var rows []tagRow
	for _, f := range s.families {
		for id, tags := range f.tagged() {
			for k, v := range tags {
				if r := (tagRow{id, f.named(), k, v}); match(r) {
					rows = append(rows, r)
				}
			}
		}
	}
	page, next, err := paged(query{max: in.MaxResults, next: in.NextToken, filters: in.Filters, call: "DescribeTags"}, rows,
		func(r tagRow) string { return r.id + "\x00" + r.key })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeTagsOutput{NextToken: next, Tags: []types.TagDescription{}}
	for _, r := range page {
		out.Tags = append(out.Tags, types.TagDescription{
			Key: aws.String(r.key), Value: aws.String(r.value), ResourceId: aws.String(r.id), ResourceType: types.ResourceType(r.kind),
		})
	}
	return out, nil
}

// paged is a page of rows, in the order of what place says of each.
func paged[T any](q query, rows []T, place func(T) string) ([]T, *string, error) {
	if err := q.check(kind{}); err != nil {
		return nil, nil, err
	}
	return pagedFrom(5, q, rows, place)
}

// pagedFrom is paged for calls whose pages have another least size than 5.
func pagedFrom[T any](least int32, q query, rows []T, place func(T) string) ([]T, *string, error) {
	if q.max != nil && *q.max < least {
		return nil, nil, invalid("Value ( %d ) for parameter maxResults is invalid.", *q.max)
	}
	after, err := q.after()
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(rows, func(a, b T) int { return strings.Compare(place(a), place(b)) })
	rows = slices.DeleteFunc(rows, func(r T) bool { return place(r) <= after })
	if q.max != nil && len(rows) > int(*q.max) {
		rows = rows[:*q.max]
		return rows, q.token(place(rows[len(rows)-1])), nil
	}
	return rows, nil, nil
}

func checkTags(tags map[string]string) error {
	for k, v := range tags {
		switch {
		case k == "":
			return invalid("Tag key cannot be empty.")
		case reserved(k):
			return errReserved(k)
		case utf8.RuneCountInString(k) > maxTagKey:
			return invalid("Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(v) > maxTagValue:
			return invalid("Tag value exceeds the maximum length of %d characters", maxTagValue)
		}
	}
	return checkCount(tags)
}

// checkCount counts the user's tags.
func checkCount(tags map[string]string) error {
	n := 0
	for k := range tags {
		if !reserved(k) {
			n++
		}
	}
	if n > maxTags {
		return refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return nil
}

// reserved says whether a tag is AWS's own.
func reserved(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

func errReserved(key string) error {
	return invalid("Tag keys starting with 'aws:' are reserved for internal use")
}
