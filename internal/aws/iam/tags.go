package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// maxTags is how many tags a resource can have.
const maxTags = 50

// tagged returns the tags with more added; of keys that differ in case only, the
// later stays.
func tagged(have, more []Tag) ([]Tag, error) {
	out := slices.Clone(have)
	for _, t := range more {
		n := slices.IndexFunc(out, func(o Tag) bool { return strings.EqualFold(o.Key, t.Key) })
		if n >= 0 {
			out[n] = t
		} else {
			out = append(out, t)
		}
	}
	if len(out) > maxTags {
		return nil, limitExceeded("The number of tags has reached the maximum limit.")
	}
	return out, nil
}

// untagged returns the tags without those keys.
func untagged(have []Tag, keys []string) []Tag {
	return slices.DeleteFunc(slices.Clone(have), func(t Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

func showTags(list []Tag) []types.Tag {
	if len(list) == 0 {
		return nil
	}
	out := make([]types.Tag, len(list))
	for i := range list {
		t := list[i]
		out[i] = showTag(t)
	}
	return out
}

func showTag(t Tag) types.Tag { return types.Tag{Key: &t.Key, Value: &t.Value} }

// listTags takes a page of tags.
func listTags(list []Tag, marker *string, maxItems *int32) (paged[types.Tag], error) {
	return pageOf(newListing(marker, maxItems), byKey(list, func(t Tag) string { return t.Key }), always(showTag))
}

// systemTags are those of the service that makes ctx's call for others.
func systemTags(ctx context.Context) (tags []Tag) {
	all := api.SystemTags(ctx)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, Tag{key, all[key]})
	}
	return tags
}
