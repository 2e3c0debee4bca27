package iam

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/engine/policy"
)

// GetContextKeysForCustomPolicy lists the condition keys that documents mention.
// It reads more than can be attached to anyone: a statement may lack its action.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetContextKeysForCustomPolicy.html
func (i *IAM) GetContextKeysForCustomPolicy(_ context.Context, in *iam.GetContextKeysForCustomPolicyInput) (*iam.GetContextKeysForCustomPolicyOutput, error) {
	names, err := contextKeys(in.PolicyInputList)
	if err != nil {
		return nil, err
	}
	return &iam.GetContextKeysForCustomPolicyOutput{ContextKeyNames: names}, nil
}

// GetContextKeysForPrincipalPolicy lists those that an entity's policies mention,
// its boundary among them.
func (i *IAM) GetContextKeysForPrincipalPolicy(_ context.Context, in *iam.GetContextKeysForPrincipalPolicyInput) (*iam.GetContextKeysForPrincipalPolicyOutput, error) {
	e, err := i.entityByARN(value(in.PolicySourceArn))
	if err != nil {
		return nil, err
	}
	documents := slices.Clone(in.PolicyInputList)
	for _, h := range e.policies {
		documents = append(documents, h.policy.Document().Text)
	}
	if e.boundary != nil && !e.has(e.boundary.arn) {
		documents = append(documents, e.boundary.policy.Document().Text)
	}
	names, err := contextKeys(documents)
	if err != nil {
		return nil, err
	}
	return &iam.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: names}, nil
}

// contextKeys are the keys of several documents: each once for each document, in
// any spelling that it has there.
func contextKeys(documents []string) ([]string, error) {
	names := []string{}
	for n, text := range documents {
		found, ok := mentioned(text)
		if !ok {
			return nil, invalidInput("The policy at index %d is not a policy document.", n+1)
		}
		names = append(names, found...)
	}
	return names, nil
}

// someStrings is an element that is one string or a list of them; numbers and
// booleans count as strings.
type someStrings []string

func (s *someStrings) UnmarshalJSON(raw []byte) error {
	var list []any
	if json.Unmarshal(raw, &list) != nil {
		var one any
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		list = []any{one}
	}
	for _, v := range list {
		if text, ok := v.(string); ok {
			*s = append(*s, text)
		}
	}
	return nil
}

// looseStatement is what of a statement can mention keys, and its effect.
type looseStatement struct {
	Sid, Effect                              string
	Action, NotAction, Resource, NotResource someStrings
	Principal, NotPrincipal                  json.RawMessage
	Condition                                map[string]map[string]someStrings
}

// looseDocument is a document whose statements may be incomplete.
type looseDocument struct {
	Version, ID string
	Statement   json.RawMessage
}

// mentioned are the condition keys in a document, sorted: those of its conditions
// and, from version 2012-10-17 on, the variables in resources and conditions.
func mentioned(text string) (names []string, ok bool) {
	var doc looseDocument
	if strict(text, &doc) != nil || doc.Version != "" && doc.Version != policy.Version2008 && doc.Version != policy.Version2012 {
		return nil, false
	}
	var statements []looseStatement
	if len(doc.Statement) > 0 && strict(string(doc.Statement), &statements) != nil {
		statements = make([]looseStatement, 1)
		if strict(string(doc.Statement), &statements[0]) != nil {
			return nil, false
		}
	}
	for _, s := range statements {
		if s.Effect != policy.Allow.String() && s.Effect != policy.Deny.String() {
			return nil, false
		}
		variables := func(values someStrings) {
			if doc.Version == policy.Version2012 {
				names = append(names, variablesIn(values)...)
			}
		}
		variables(s.Resource)
		variables(s.NotResource)
		for operator, keys := range s.Condition {
			if !operatorForm.MatchString(operator) {
				return nil, false
			}
			for name, values := range keys {
				names = append(names, name)
				variables(values)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// strict decodes JSON that has no other fields than v.
func strict(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// operatorForm is of condition operators.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operatorForm = regexp.MustCompile(`(?i)^(ForAllValues:|ForAnyValue:)?(String(Not)?(Equals(IgnoreCase)?|Like)|(Numeric|Date)(NotEquals|Equals|(LessThan|GreaterThan)(Equals)?)|` +
	`Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like)|Null)(IfExists)?$`)

// variableForm is a policy variable: ${aws:username}, ${aws:username, 'none'}.
var variableForm = regexp.MustCompile(`\$\{([^}]*)\}`)

// variablesIn are the names of variables, those of the literal ${*}, ${?} and ${$}
// among them.
func variablesIn(values []string) []string {
	var names []string
	for _, v := range values {
		for _, found := range variableForm.FindAllStringSubmatch(v, -1) {
			name, _, _ := strings.Cut(found[1], ",")
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
