package template

import "encoding/json"

// Environment is what a template is evaluated against. All are values, so that it
// can be stored and evaluated again with the same result.
type Environment struct {
	AccountID        string   `json:"accountId"`
	Region           string   `json:"region"`
	Partition        string   `json:"partition"`
	URLSuffix        string   `json:"urlSuffix"`
	StackName        string   `json:"stackName"`
	StackID          string   `json:"stackId"`
	NotificationARNs []string `json:"notificationArns,omitempty"`
	// Parameters are the values that Template.Values made.
	Parameters map[string]Value `json:"parameters,omitempty"`
	// Exports are the exports of other stacks that this one imports, by name. One that is
	// missing is unknown.
	Exports map[string]string `json:"exports,omitempty"`
	// Zones are the availability zones, by region.
	Zones map[string][]string `json:"zones,omitempty"`
}

// Made is a resource that exists, as Ref and GetAtt see it.
type Made struct {
	PhysicalID string
	// Attributes by name: strings, numbers, booleans, lists. A name that is not there
	// is not known yet.
	Attributes map[string]any
	// Properties answer for attributes that are not there: GetAtt gives most types'
	// properties too, "Name" or "Name.Within".
	Properties map[string]any
	// Changing says that the attributes may be others after the change that is
	// planned: they count as unknown.
	Changing bool
}

// Unknown stands for a value that is known only after a change was made.
type Unknown struct{}

// UnknownText is how CloudFormation writes an unknown value.
const UnknownText = "{{changeSet:KNOWN_AFTER_APPLY}}"

// MarshalJSON writes UnknownText.
func (Unknown) MarshalJSON() ([]byte, error) { return json.Marshal(UnknownText) }

// Known tells whether a value has no unknown part.
func Known(v any) bool {
	switch v := v.(type) {
	case Unknown:
		return false
	case []any:
		for _, x := range v {
			if !Known(x) {
				return false
			}
		}
	case map[string]any:
		for _, x := range v {
			if !Known(x) {
				return false
			}
		}
	}
	return true
}
