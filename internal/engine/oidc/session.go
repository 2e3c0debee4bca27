package oidc

import (
	"maps"
	"slices"
	"strings"
)

// What AWS reads of a token to make a session of it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
const (
	tagsClaim           = "https://aws.amazon.com/tags"
	sourceIdentityClaim = "https://aws.amazon.com/source_identity"
)

// Tag of a session.
type Tag struct{ Key, Value string }

// SessionTags are the tags of the claim https://aws.amazon.com/tags, sorted by key,
// and which of them are transitive. Providers that can't nest claims write
// https://aws.amazon.com/tags/principal_tags/KEY instead.
func (t *Token) SessionTags() (tags []Tag, transitive []string, err error) {
	principal, keys := map[string]any{}, any(nil)
	if v, ok := t.claims[tagsClaim]; ok {
		claim, isObject := v.(map[string]any)
		nested, hasTags := claim["principal_tags"]
		named, isMap := nested.(map[string]any)
		if !isObject || hasTags && !isMap {
			return nil, nil, malformed("claim %s holds principal_tags and transitive_tag_keys", tagsClaim)
		}
		principal, keys = named, claim["transitive_tag_keys"]
	}
	flat := map[string]any{}
	for name, v := range t.claims {
		switch rest, _ := strings.CutPrefix(name, tagsClaim+"/"); {
		case rest == name:
		case rest == "transitive_tag_keys":
			keys = v
		case strings.HasPrefix(rest, "principal_tags/"):
			flat[strings.TrimPrefix(rest, "principal_tags/")] = v
		}
	}
	if len(flat) > 0 {
		if len(principal) > 0 {
			return nil, nil, malformed("tags are given both nested and flat")
		}
		principal = flat
	}
	return readTags(principal, keys)
}

func readTags(principal map[string]any, keys any) (tags []Tag, transitive []string, err error) {
	for _, name := range sorted(principal) {
		v := principal[name]
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		s, ok := v.(string)
		if !ok {
			return nil, nil, malformed("session tag %s has not one string as its value", name)
		}
		tags = append(tags, Tag{name, s})
	}
	list, ok := keys.([]any)
	if !ok && keys != nil {
		return nil, nil, malformed("transitive_tag_keys is not a list")
	}
	for _, k := range list {
		s, ok := k.(string)
		if !ok {
			return nil, nil, malformed("transitive_tag_keys is not a list of strings")
		}
		transitive = append(transitive, s)
	}
	return tags, transitive, nil
}

// SourceIdentity is the claim https://aws.amazon.com/source_identity; "" without.
func (t *Token) SourceIdentity() (string, error) {
	v, there := t.claims[sourceIdentityClaim]
	s, ok := v.(string)
	if there && (!ok || s == "") {
		return "", malformed("claim %s is not a string", sourceIdentityClaim)
	}
	return s, nil
}

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
