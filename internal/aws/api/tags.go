package api

import (
	"context"
	"strings"
)

// systemTags are the beginnings of the tags that services set on what they make for
// others, by the service that sets them.
var systemTags = map[string]string{"aws:cloudformation:": "cloudformation.amazonaws.com"}

// ReservedTag says whether ctx's caller may not set or take away a tag of that key: those
// that begin with "aws:", in any case, belong to AWS's services, of which each may set its
// own, in calls within the process.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
func ReservedTag(ctx context.Context, key string) bool {
	if len(key) < 4 || !strings.EqualFold(key[:4], "aws:") {
		return false
	}
	for prefix, service := range systemTags {
		if strings.HasPrefix(key, prefix) && CallerFrom(ctx).Service == service {
			return false
		}
	}
	return true
}

// SystemTags counts the tags that services set, which no limit on tags counts.
func SystemTags(tags map[string]string) int {
	n := 0
	for key := range tags {
		if strings.HasPrefix(key, "aws:") {
			n++
		}
	}
	return n
}
