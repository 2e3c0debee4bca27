package sns

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/eksact/eksact/internal/aws/ownpolicy"
	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
)

// mostOfPolicy is the size of a topic's policy in bytes.
const mostOfPolicy = 30 << 10

// topicActions are those that a topic's policy may name.
// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
var topicActions = []string{
	"AddPermission", "DeleteTopic", "GetDataProtectionPolicy", "GetTopicAttributes", "ListSubscriptionsByTopic", "ListTagsForResource",
	"Publish", "PutDataProtectionPolicy", "RemovePermission", "SetTopicAttributes", "Subscribe",
}

// defaultPolicy is what a topic has whose maker gave none: services of AWS may use it
// for this account.
// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
func (s *Service) defaultPolicy(t *Topic) error {
	raw, err := json.Marshal(map[string]any{
		"Version": policy.Version2008, "Id": "__default_policy_ID",
		"Statement": []any{map[string]any{
			"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"}, "Resource": s.arn(t.Name),
			"Action": []string{"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission", "SNS:DeleteTopic",
				"SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"},
			"Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceOwner": s.Place.AccountID}},
		}},
	})
	t.Policy = string(raw)
	return err
}

// setPolicy checks a policy as SNS does, and keeps it.
func (s *Service) setPolicy(t *Topic, text string) error {
	if len(text) > mostOfPolicy {
		return invalid("Policy Error: Policy is too large")
	}
	arn := s.arn(t.Name)
	stored, err := s.policies.Check(s.IAM, text, isTopicAction, func(pattern string) bool { return pattern == arn || wild(pattern, arn) })
	var foreign *ownpolicy.Foreign
	switch {
	case errors.As(err, &foreign) && foreign.What == "action":
		return invalid("Policy statement action out of service scope!")
	case errors.As(err, &foreign):
		return invalid("Policy Error: null")
	case err != nil:
		if _, malformed := err.(*policy.Error); malformed {
			return invalid("Policy Error: " + err.Error())
		}
		return invalid("Policy Error: PrincipalNotFound")
	}
	t.Policy = stored
	return nil
}

func isTopicAction(pattern string) bool {
	service, name, _ := strings.Cut(strings.ToLower(pattern), ":")
	return service == "sns" && slices.ContainsFunc(topicActions, func(a string) bool { return wild(name, strings.ToLower(a)) })
}

// wild matches a pattern with * and ?.
func wild(pattern, s string) bool {
	if strings.ContainsAny(pattern, `[]\`) {
		return false
	}
	// Slashes mean nothing in either.
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", ":"), strings.ReplaceAll(s, "/", ":"))
	return ok && err == nil
}

type document struct {
	Version   string           `json:"Version,omitempty"`
	ID        string           `json:"Id,omitempty"`
	Statement []map[string]any `json:"Statement"`
}

// AddPermission adds a statement to a topic's policy that lets accounts do something.
func (s *Service) AddPermission(ctx context.Context, in *sns.AddPermissionInput) (*sns.AddPermissionOutput, error) {
	label := aws.ToString(in.Label)
	var names []string
	for _, a := range in.ActionName {
		if table, action := actions.Look("sns:" + a); action == nil || table == nil || !isTopicAction("sns:"+a) {
			return nil, invalid("Policy statement action out of service scope!")
		}
		names = append(names, "SNS:"+a)
	}
	var accounts []string
	for _, id := range in.AWSAccountId {
		accounts = append(accounts, "arn:"+s.Place.Partition+":iam::"+id+":root")
	}
	return &sns.AddPermissionOutput{}, s.change(ctx, in.TopicArn, func(t *Topic) error {
		return s.edit(t, func(d *document) error {
			if slices.ContainsFunc(d.Statement, func(st map[string]any) bool { return st["Sid"] == label }) {
				return invalid("Statement already exists")
			}
			d.Statement = append(d.Statement, map[string]any{
				"Sid": label, "Effect": "Allow", "Principal": map[string]any{"AWS": accounts}, "Action": names, "Resource": s.arn(t.Name),
			})
			return nil
		})
	})
}

// RemovePermission takes a statement away, and doesn't mind one that is gone.
func (s *Service) RemovePermission(ctx context.Context, in *sns.RemovePermissionInput) (*sns.RemovePermissionOutput, error) {
	return &sns.RemovePermissionOutput{}, s.change(ctx, in.TopicArn, func(t *Topic) error {
		return s.edit(t, func(d *document) error {
			d.Statement = slices.DeleteFunc(d.Statement, func(st map[string]any) bool { return st["Sid"] == aws.ToString(in.Label) })
			return nil
		})
	})
}

// edit changes the policy that a topic has. One without statements is none.
func (s *Service) edit(t *Topic, fn func(*document) error) error {
	d := document{Version: policy.Version2008}
	if t.Policy != "" {
		var raw struct {
			Version, ID string
			Statement   json.RawMessage
		}
		if err := json.Unmarshal([]byte(t.Policy), &raw); err != nil {
			return err
		}
		d.Version, d.ID = raw.Version, raw.ID
		if json.Unmarshal(raw.Statement, &d.Statement) != nil {
			var one map[string]any
			if err := json.Unmarshal(raw.Statement, &one); err != nil {
				return err
			}
			d.Statement = []map[string]any{one}
		}
	}
	if err := fn(&d); err != nil {
		return err
	}
	if len(d.Statement) == 0 {
		t.Policy = ""
		return nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if _, err := policy.Parse(policy.Resource, string(text)); err != nil {
		return invalid("Policy Error: " + err.Error())
	}
	t.Policy = string(text)
	return nil
}
