package api

import (
	"context"
	"maps"
	"strings"
)

// ReservedTag says whether a tag's key is AWS's own, which no call sets or takes away: one
// that begins with "aws:", in any case of letters.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
func ReservedTag(key string) bool { return len(key) >= 4 && strings.EqualFold(key[:4], "aws:") }

// OwnTags counts the tags that calls set, of which there are limits.
func OwnTags(tags map[string]string) (n int) {
	for key := range tags {
		if !ReservedTag(key) {
			n++
		}
	}
	return n
}

// SystemTags are the tags that the service which makes ctx's call for others sets on what
// the call makes; nil of all other calls. They are no part of what is asked, so that
// policies and limits don't see them.
func SystemTags(ctx context.Context) map[string]string { return CallerFrom(ctx).SystemTags }

// WithSystemTags are the tags of what a call makes: those that it asks for, which the
// caller keeps, and those of the service that makes it for others.
func WithSystemTags(ctx context.Context, tags map[string]string) map[string]string {
	system := SystemTags(ctx)
	if len(system) == 0 {
		return tags
	}
	all := maps.Clone(system)
	maps.Copy(all, tags)
	return all
}
