package cloudformation

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

func (s *Service) arn(rest string) string {
	return "arn:" + s.Place.Partition + ":cloudformation:" + s.Place.Region + ":" + s.Place.AccountID + ":" + rest
}

// find finds a stack by its name or ARN. By name only those are found that are not
// deleted.
func (s *Service) find(name *string) (Stack, bool) {
	n := aws.ToString(name)
	if strings.HasPrefix(n, "arn:") {
		r, ok := s.stacks.Get(keyOf(n))
		return r, ok && r.ID == n
	}
	for _, r := range s.stacks.Shared(n + "/") {
		if r.Status != stack.DeleteComplete {
			return *r, n != ""
		}
	}
	return Stack{}, false
}

// resource is the ARN of the stack that a call names, as policies match it; none where
// it names no stack.
func (s *Service) resource(name *string) []string {
	if name == nil || *name == "" {
		return nil
	}
	if r, ok := s.find(name); ok {
		return []string{r.ID}
	}
	if strings.HasPrefix(*name, "arn:") {
		return []string{*name}
	}
	return []string{s.arn("stack/" + *name + "/*")}
}

// ofResource answers for the condition keys of a stack: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, ok := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok {
		return policy.Values{}
	}
	r, found := s.stacks.Get(keyOf(arn))
	if !found {
		return policy.Values{}
	}
	tags := map[string]string{}
	for _, t := range r.Tags {
		tags[t.Key] = t.Value
	}
	return api.TagValue(tags, tag)
}

// newID makes a UUID.
func newID() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	h := hex.EncodeToString(raw[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// refusal gives an error of the engine its code; others stay as they are.
func refusal(err error) error {
	var e *template.Error
	if errors.As(err, &e) {
		return api.ValidationError("%s", e.Text)
	}
	return err
}

func noStack(form string, name *string) error {
	return api.ValidationError(form, aws.ToString(name))
}

// The sentences differ from call to call, and clients match them.
const (
	notThere  = "Stack with id %s does not exist" // DescribeStacks, GetTemplate
	notListed = "Stack [%s] does not exist"       // events, updates, change sets
	notNamed  = "Stack '%s' does not exist"       // DescribeStackResource
)

// unsupported refuses, by its name, what a call asks for and is not there.
func unsupported(asked ...string) error {
	for _, name := range asked {
		if name != "" {
			return api.ValidationError("%s is not supported here", name)
		}
	}
	return nil
}

// when is a name if it was asked for.
func when(is bool, name string) string {
	if is {
		return name
	}
	return ""
}

func denied(err error) error {
	return api.Errorf(http.StatusForbidden, "AccessDenied", "%s", api.Message(err))
}

// page cuts a list that begins after the one that a token names.
func page[T any](list []T, token *string, size int, id func(T) string) ([]T, *string, error) {
	if t := aws.ToString(token); t != "" {
		i := slices.IndexFunc(list, func(x T) bool { return id(x) == t })
		if i < 0 {
			return nil, nil, api.ValidationError("The specified NextToken is invalid")
		}
		list = list[i+1:]
	}
	if len(list) <= size {
		return list, nil, nil
	}
	list = list[:size]
	return list, aws.String(id(list[size-1])), nil
}
