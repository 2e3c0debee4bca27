package iam

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/engine/policy"
)

// simulated are the condition keys of a simulation: those that were given, and of
// the caller those that follow from its ARN. Nothing else is known: a simulation is
// about a call that nobody makes.
type simulated struct {
	given    map[string][]string // by name in lower case
	defaults map[string]string
}

// Values implements policy.Keys.
func (k *simulated) Values(name string) policy.Values {
	if v, ok := k.given[name]; ok {
		return policy.Many(v)
	}
	if v, ok := k.defaults[name]; ok {
		return policy.One(v)
	}
	return policy.Values{}
}

// nobodyID is aws:userid of a simulation without a caller.
const nobodyID = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"

// contextOf checks the entries of a simulation. The texts are AWS's.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ContextEntry.html
func contextOf(entries []types.ContextEntry) (*simulated, error) {
	k := &simulated{given: map[string][]string{}, defaults: map[string]string{}}
	for _, e := range entries {
		if e.ContextKeyName == nil && e.ContextKeyType == "" && len(e.ContextKeyValues) == 0 {
			continue
		}
		name := value(e.ContextKeyName)
		switch {
		case name == "":
			return nil, invalidInput("ContextKeyName cannot be null or empty.")
		case e.ContextKeyType == "":
			return nil, invalidInput("Context key %s has invalid type null.", name)
		case len(e.ContextKeyValues) == 0:
			return nil, invalidInput("Context values for context key %s cannot be null or empty.", name)
		}
		kind, isList := strings.CutSuffix(string(e.ContextKeyType), "List")
		if n := len(e.ContextKeyValues); !isList && n != 1 {
			return nil, invalidInput("Context key %s expected a single value, but received %d.", e.ContextKeyType, n)
		}
		if _, twice := k.given[strings.ToLower(name)]; twice {
			return nil, invalidInput("Duplicate context key: %s.", name)
		}
		values := slices.Clone(e.ContextKeyValues)
		for n, v := range values {
			form, ok := contextForms[kind]
			if !ok {
				return nil, invalidInput("Context key %s has invalid type %s.", name, e.ContextKeyType)
			}
			if !form.valid(v) {
				return nil, invalidInput("Invalid context value for key %s: expected %s.", name, form.name)
			}
			if kind == "boolean" {
				values[n] = strconv.FormatBool(strings.EqualFold(v, "true"))
			}
		}
		k.given[strings.ToLower(name)] = values
	}
	return k, nil
}

// contextForm is what the values of a type must look like.
type contextForm struct {
	name  string // as AWS's refusal says it
	valid func(string) bool
}

var contextForms = map[string]contextForm{
	"string":  {"", func(string) bool { return true }},
	"boolean": {"", func(string) bool { return true }}, // whatever isn't true is false
	"numeric": {"numeric format", regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`).MatchString},
	"date":    {"DateTime format", isDate},
	"ip":      {"IP address", isAddress},
	"binary":  {"base-64 encoded binary format", isBase64},
}

// isDate says whether a value is a date as conditions read it: ISO 8601, or
// seconds since 1970.
func isDate(v string) bool {
	if _, err := strconv.ParseInt(v, 10, 64); err == nil {
		return true
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01"} {
		if _, err := time.Parse(layout, v); err == nil {
			return true
		}
	}
	return false
}

func isAddress(v string) bool {
	if _, err := netip.ParseAddr(v); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(v)
	return err == nil
}

func isBase64(v string) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(v)
	return err == nil && base64.StdEncoding.EncodeToString(raw) == v
}

// missing are the keys that documents mention and no entry gave, each once, in
// the first of its spellings.
func (k *simulated) missing(documents []*policy.Document) []string {
	var names []string
	seen := map[string]bool{"*": true, "?": true, "$": true} // literals, not keys
	for _, doc := range documents {
		for _, name := range mentionedBy(doc) {
			lower := strings.ToLower(name)
			if _, given := k.given[lower]; !given && !seen[lower] {
				names = append(names, name)
			}
			seen[lower] = true
		}
	}
	return names
}

// mentionedBy is mentioned for a document that is parsed.
func mentionedBy(doc *policy.Document) (names []string) {
	variables := func(values []policy.Text) {
		for _, v := range values {
			if doc.Version == policy.Version2012 && strings.Contains(v.Value, "${") {
				names = append(names, variablesIn([]string{v.Value})...)
			}
		}
	}
	for _, s := range doc.Statements {
		variables(s.Resources)
		for _, c := range s.Conditions {
			names = append(names, c.Key)
			variables(c.Values)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
