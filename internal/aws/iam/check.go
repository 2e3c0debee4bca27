package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// check collects what is wrong with an input, in IAM's words. Limits are those of
// the API's model.
type check struct {
	faults []string
	other  error // of the faults with a text of their own, the first
}

func (c *check) fault(field, shown, format string, args ...any) {
	c.faults = append(c.faults, "Value "+shown+"at '"+field+"' failed to satisfy constraint: "+fmt.Sprintf(format, args...))
}

func (c *check) invalid(field, must string) {
	if c.other == nil {
		c.other = api.ValidationError("The specified value for %s is invalid. %s", field, must)
	}
}

// err is the verdict.
func (c *check) err() error {
	switch n := len(c.faults); {
	case n == 1:
		return api.ValidationError("1 validation error detected: %s", c.faults[0])
	case n > 1:
		return api.ValidationError("%d validation errors detected: %s", n, strings.Join(c.faults, "; "))
	}
	return c.other
}

// length checks a string that must be there.
func (c *check) length(field string, v *string, lo, hi int) bool {
	if v == nil {
		c.fault(field, "null ", "Member must not be null")
		return false
	}
	n := len([]rune(*v))
	switch {
	case n < lo:
		c.fault(field, "", "Member must have length greater than or equal to %d", lo)
	case n > hi:
		c.fault(field, "", "Member must have length less than or equal to %d", hi)
	default:
		return true
	}
	return false
}

// name checks the name of an entity.
func (c *check) name(field string, v *string, longest int) {
	if !c.length(field, v, 1, longest) {
		return
	}
	for _, r := range *v {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+=,.@_-", r)) {
			c.invalid(field, "It must contain only alphanumeric characters and/or the following: +=,.@_-")
			return
		}
	}
}

// path checks an optional path; an absent one is "/".
func (c *check) path(v *string) string {
	if v == nil {
		return "/"
	}
	if c.length("path", v, 1, 512) && !validPath(*v) {
		c.invalid("path", "It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return *v
}

func validPath(p string) bool {
	if p[0] != '/' || p[len(p)-1] != '/' || strings.Contains(p, "//") {
		return false
	}
	for _, r := range p {
		if r < '!' || r > '~' {
			return false
		}
	}
	return true
}

// prefix checks an optional path prefix of a list; an absent one is "/".
func (c *check) prefix(v *string) string {
	if v == nil {
		return "/"
	}
	if c.length("pathPrefix", v, 1, 512) && (*v)[0] != '/' {
		c.invalid("pathPrefix", "It must begin with /.")
	}
	return *v
}

// between checks an optional number.
func (c *check) between(field string, v *int32, lo, hi int32) {
	switch {
	case v == nil:
	case *v < lo:
		c.fault(field, "", "Member must have value greater than or equal to %d", lo)
	case *v > hi:
		c.fault(field, "", "Member must have value less than or equal to %d", hi)
	}
}

func (c *check) description(v *string, longest int) {
	if v != nil {
		c.length("description", v, 0, longest)
	}
}

func (c *check) document(field string, v *string) { c.length(field, v, 1, 131072) }

func (c *check) arn(field string, v *string) { c.length(field, v, 20, 2048) }

// tagPattern is of keys and values, as the API's model has it.
const tagPattern = `[\p{L}\p{Z}\p{N}_.:/=+\-@]`

// tags checks a list of tags and converts it.
func (c *check) tags(list []types.Tag) []Tag {
	if len(list) > maxTags {
		c.fault("tags", "", "Member must have length less than or equal to %d", maxTags)
		return nil
	}
	allowed := regexp.MustCompile(`^` + tagPattern + `*$`)
	out := make([]Tag, 0, len(list))
	seen := map[string]bool{}
	for i, t := range list {
		at := fmt.Sprintf("tags.%d.member.", i+1)
		if !c.length(at+"key", t.Key, 1, 128) || !c.length(at+"value", t.Value, 0, 256) {
			continue
		}
		c.tagKey(at+"key", *t.Key, allowed)
		if !allowed.MatchString(*t.Value) {
			c.fault(at+"value", "", "Member must satisfy regular expression pattern: %s*", tagPattern)
		}
		if k := strings.ToLower(*t.Key); seen[k] && c.other == nil {
			c.other = invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		} else {
			seen[k] = true
		}
		out = append(out, Tag{*t.Key, *t.Value})
	}
	return out
}

func (c *check) tagKey(at, k string, allowed *regexp.Regexp) {
	if !allowed.MatchString(k) {
		c.fault(at, "", "Member must satisfy regular expression pattern: %s+", tagPattern)
	}
	if strings.HasPrefix(strings.ToLower(k), "aws:") && c.other == nil {
		c.other = invalidInput("Caller is an end user and not allowed to mutate system tags")
	}
}

// tagKeys checks the keys of an Untag call.
func (c *check) tagKeys(list []string) {
	if list == nil {
		c.fault("tagKeys", "null ", "Member must not be null")
	}
	if len(list) > maxTags {
		c.fault("tagKeys", "", "Member must have length less than or equal to %d", maxTags)
	}
}

// enum checks an optional choice.
func (c *check) enum(field, v string, choices ...string) {
	if v != "" && !slices.Contains(choices, v) {
		c.fault(field, "", "Member must satisfy enum value set: [%s]", strings.Join(choices, ", "))
	}
}

// renamed checks the optional new name and path of an entity.
func (c *check) renamed(field string, old, name, path *string, longest int) (newName, newPath string) {
	newName = value(old)
	if name != nil {
		c.name(field, name, longest)
		newName = *name
	}
	if path != nil {
		newPath = c.path(path)
	}
	return newName, newPath
}
