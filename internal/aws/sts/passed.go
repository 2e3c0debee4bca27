package sts

import (
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// What is passed to a session: policies and tags.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html

// pass notes the session policies that are asked for.
func pass(s *api.Session, inline *string, managed []types.PolicyDescriptorType) {
	if inline != nil {
		s.Policies = []string{*inline}
	}
	for _, p := range managed {
		s.PolicyARNs = append(s.PolicyARNs, aws.ToString(p.Arn))
	}
}

// What a session's tags may be. Those of a call the front door has checked; those
// of a web identity come in its token.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html
const mostTags = 50

var (
	tagKey   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$`)
	tagValue = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
)

func checkTags(list []types.Tag) error {
	if len(list) > mostTags {
		return api.ValidationError("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to %d", mostTags)
	}
	for i, t := range list {
		if !tagKey.MatchString(aws.ToString(t.Key)) {
			return api.ValidationError(`1 validation error detected: Value at 'tags.%d.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+ and have length less than or equal to 128`, i+1)
		}
		if !tagValue.MatchString(aws.ToString(t.Value)) {
			return api.ValidationError(`1 validation error detected: Value at 'tags.%d.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]* and have length less than or equal to 256`, i+1)
		}
	}
	return nil
}

// sessionTags are the tags of a new session: those asked for, and the transitive
// ones of the session before, which can't be set anew.
func sessionTags(before *api.Session, asked []types.Tag, transitive []string) (map[string]string, []string, error) {
	tags := map[string]string{}
	for _, t := range asked {
		key := aws.ToString(t.Key)
		switch {
		case hasKey(tags, key):
			return nil, nil, invalidParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case containsKey(before.TransitiveTags, key):
			return nil, nil, invalidParameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, nil, invalidParameter("Tag keys that begin with aws: can't be set.")
		}
		tags[key] = aws.ToString(t.Value)
	}
	for _, key := range transitive {
		if !hasKey(tags, key) {
			return nil, nil, invalidParameter("The specified transitive tag key must be included in the requested tags.")
		}
	}
	for key, value := range before.Tags {
		if containsKey(before.TransitiveTags, key) {
			tags[key] = value
		}
	}
	if len(tags) == 0 {
		return nil, nil, nil
	}
	return tags, slices.Concat(before.TransitiveTags, transitive), nil
}

func hasKey(tags map[string]string, key string) bool {
	for have := range tags {
		if strings.EqualFold(have, key) {
			return true
		}
	}
	return false
}

func containsKey(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(have string) bool { return strings.EqualFold(have, key) })
}

// tagKeys are the condition keys of the tags that are asked for.
func tagKeys(tags []types.Tag, transitive []string) map[string][]string {
	keys := map[string][]string{}
	for _, t := range tags {
		keys["aws:RequestTag/"+aws.ToString(t.Key)] = []string{aws.ToString(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], aws.ToString(t.Key))
	}
	if len(transitive) > 0 {
		keys["sts:TransitiveTagKeys"] = slices.Clone(transitive)
	}
	return keys
}

// Limits of session policies, as they are written.
const (
	plainPolicies = 2048 // characters, ARNs included
	policyARNs    = 10
)

// checkPolicies reads the session policies and looks the managed ones up.
func (s *STS) checkPolicies(session *api.Session) error {
	plain := 0
	for _, text := range session.Policies {
		if _, err := policy.Parse(policy.Session, text); err != nil {
			return malformed(err.Error())
		}
		plain += len([]rune(text))
	}
	if len(session.PolicyARNs) > policyARNs {
		return api.ValidationError("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", policyARNs)
	}
	for _, arn := range session.PolicyARNs {
		if !s.iam.ManagedPolicy(arn) {
			return malformed("Policy " + arn + " does not exist or is not attachable.")
		}
		plain += len(arn)
	}
	if plain > plainPolicies {
		return api.ValidationError("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", plainPolicies)
	}
	return nil
}

// What policies and tags may take up together. AWS's packing is secret; ours writes
// policies in a code that is shorter for what they often hold, and counts tags so
// that the sizes come out that its users report: nine tags of 250 characters as
// 498 %, Pod Identity's six as 74 %. Unlike a compressor's, its size never falls when
// something is added.
const (
	policyRoom = 2048
	tagRoom    = 487
	tagHead    = 16
)

// packedSize is how much of that room is used, in percent; nil without any.
func packedSize(s *api.Session) (*int32, error) {
	if len(s.Policies)+len(s.PolicyARNs)+len(s.Tags) == 0 {
		return nil, nil
	}
	policies, tags := 0, 0
	for _, text := range s.Policies {
		policies += codedBits(text)
	}
	policies = (policies + 7) / 8
	for _, arn := range s.PolicyARNs {
		policies += len(arn)
	}
	for key, value := range s.Tags {
		tags += tagHead + len(key) + len(value)
	}
	percent := 100 * (float64(policies)/policyRoom + float64(tags)/tagRoom)
	size := int32(math.Ceil(percent))
	if size <= 100 {
		return &size, nil
	}
	text := "Packed size of session tags consumes %d%% of allotted space."
	if policies > 0 {
		text = "Packed policy consumes %d%% of allotted space, please use smaller policy."
	}
	return nil, api.Errorf(http.StatusBadRequest, "PackedPolicyTooLarge", text, size)
}

// codedBits is the length of a policy's text in a fixed code: JSON's own characters
// and lower-case letters have short words, what policies seldom hold long ones.
func codedBits(text string) (bits int) {
	for _, c := range []byte(text) {
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			bits++
		case c == '"' || c == ':' || c == ',':
			bits += 4
		case c >= 'a' && c <= 'z':
			bits += 5
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
			bits += 6
		case c >= 0x80:
			bits += 10
		default:
			bits += 7
		}
	}
	return bits
}

func malformed(text string) error {
	return &types.MalformedPolicyDocumentException{Message: &text}
}

func invalidParameter(text string) error {
	return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "%s", text)
}
