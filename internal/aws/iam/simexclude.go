package iam

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// exclude takes policies away from an entity, for a simulation. What a pattern
// names that isn't there is no error.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyIdentifier.html
func (e *entity) exclude(list []types.PolicyIdentifier) error {
	for _, id := range list {
		var out func(*held) bool
		switch id := id.(type) {
		case *types.PolicyIdentifierMemberPolicyType:
			if id.Value == types.PolicyIdentifierPolicyTypePermissionBoundary {
				e.boundary = nil
			}
			out = func(h *held) bool { return h.sourceType() == id.Value }
		case *types.PolicyIdentifierMemberPolicyArn:
			if !strings.HasPrefix(id.Value, "arn:") || strings.Count(id.Value, "*") > 1 || strings.ContainsAny(strings.TrimSuffix(id.Value, lastOf(id.Value)), "*?") {
				return invalidInput("ARN %s is not valid.", id.Value)
			}
			out = func(h *held) bool { return h.arn != "" && wildcard(id.Value, h.arn) }
		case *types.PolicyIdentifierMemberInlinePolicyIdentifier:
			v := id.Value
			if strings.Count(value(v.AttachmentName), "*") > 1 {
				return invalidInput("The attachment name %s has more than one *.", value(v.AttachmentName))
			}
			out = func(h *held) bool {
				return h.arn == "" && h.kind == string(v.AttachmentType) && h.name == value(v.PolicyName) && wildcard(value(v.AttachmentName), h.owner)
			}
		default:
			return invalidInput("A policy to exclude is named by its type, by its ARN, or as an inline policy.")
		}
		e.policies = slices.DeleteFunc(e.policies, func(h held) bool { return out(&h) })
	}
	return nil
}

// sourceType is the type by which a policy is excluded.
func (h *held) sourceType() types.PolicyIdentifierPolicyType {
	switch {
	case h.arn == "":
		return types.PolicyIdentifierPolicyTypeInline
	case strings.Contains(h.arn, ":iam::aws:"):
		return types.PolicyIdentifierPolicyTypeAwsManaged
	}
	return types.PolicyIdentifierPolicyTypeUserManaged
}

// wildcard matches a text against a pattern with one * at most and any number
// of ?.
func wildcard(pattern, text string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return len(pattern) == len(text) && alike(pattern, text)
	}
	return len(text) >= len(head)+len(tail) && alike(head, text[:len(head)]) && alike(tail, text[len(text)-len(tail):])
}

func alike(pattern, text string) bool {
	for i := range len(pattern) {
		if pattern[i] != '?' && pattern[i] != text[i] {
			return false
		}
	}
	return true
}
