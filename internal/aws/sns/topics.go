package sns

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// notHere are attributes of topics that ask for what is not there.
var notHere = []string{
	"KmsMasterKeyId", "FifoTopic", "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy", "DataProtectionPolicy", "MaximumMessageSize",
	"ApplicationSuccessFeedbackRoleArn", "ApplicationSuccessFeedbackSampleRate", "ApplicationFailureFeedbackRoleArn",
	"HTTPSuccessFeedbackRoleArn", "HTTPSuccessFeedbackSampleRate", "HTTPFailureFeedbackRoleArn",
	"LambdaSuccessFeedbackRoleArn", "LambdaSuccessFeedbackSampleRate", "LambdaFailureFeedbackRoleArn",
	"SQSSuccessFeedbackRoleArn", "SQSSuccessFeedbackSampleRate", "SQSFailureFeedbackRoleArn",
	"FirehoseSuccessFeedbackRoleArn", "FirehoseSuccessFeedbackSampleRate", "FirehoseFailureFeedbackRoleArn",
}

// CreateTopic makes a topic, or answers with the one of that name if it is the same.
func (s *Service) CreateTopic(ctx context.Context, in *sns.CreateTopicInput) (*sns.CreateTopicOutput, error) {
	name := aws.ToString(in.Name)
	switch {
	case strings.HasSuffix(name, ".fifo"), in.Attributes["FifoTopic"] == "true":
		return nil, invalid("FIFO topics are not supported here")
	case !topicName.MatchString(name):
		return nil, invalid("Topic Name")
	case aws.ToString(in.DataProtectionPolicy) != "":
		return nil, invalid("DataProtectionPolicy is not supported here")
	}
	tags, err := with(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	tags = api.WithSystemTags(ctx, tags)
	t := Topic{Name: name, Created: s.now(), SignatureVersion: "1", Tags: tags}
	if err := s.defaultPolicy(&t); err != nil {
		return nil, err
	}
	attributes := maps.Clone(in.Attributes)
	if attributes["FifoTopic"] == "false" {
		delete(attributes, "FifoTopic")
	}
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		if err := s.set(&t, key, attributes[key]); err != nil {
			return nil, err
		}
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		old, ok := s.topics.In(tx).Get(name)
		switch {
		case !ok:
			s.topics.In(tx).Put(name, t)
		case len(in.Tags) > 0 && !maps.Equal(old.Tags, t.Tags):
			return invalid("Tags Reason: Topic already exists with different tags")
		case len(attributes) > 0 && !same(&old, &t):
			return invalid("Attributes Reason: Topic already exists with different attributes")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &sns.CreateTopicOutput{TopicArn: aws.String(s.arn(name))}, nil
}

// same says whether the attributes of two topics are.
func same(a, b *Topic) bool {
	return a.DisplayName == b.DisplayName && a.Policy == b.Policy && a.DeliveryPolicy == b.DeliveryPolicy && a.SignatureVersion == b.SignatureVersion
}

// set changes an attribute; "" is its default.
func (s *Service) set(t *Topic, name, value string) error {
	switch {
	case slices.Contains(notHere, name):
		return invalid(name + " Reason: it is not supported here")
	case name == "TracingConfig":
		if value != "PassThrough" {
			return invalid("TracingConfig Reason: " + value + " is not supported here")
		}
	case name == "DisplayName":
		if len(value) > 100 {
			return invalid("DisplayName Reason: Display name must be at most 100 characters long")
		}
		t.DisplayName = value
	case name == "SignatureVersion":
		if value != "1" && value != "2" {
			return invalid("SignatureVersion Reason: Invalid value")
		}
		t.SignatureVersion = value
	case name == "DeliveryPolicy":
		if value != "" {
			if _, err := parseTopicPolicy(value); err != nil {
				return invalid("DeliveryPolicy: " + err.Error())
			}
		}
		t.DeliveryPolicy = value
	case name == "Policy":
		if value == "" {
			return s.defaultPolicy(t)
		}
		return s.setPolicy(t, value)
	default:
		return invalid("AttributeName")
	}
	return nil
}

// SetTopicAttributes changes one.
func (s *Service) SetTopicAttributes(ctx context.Context, in *sns.SetTopicAttributesInput) (*sns.SetTopicAttributesOutput, error) {
	return &sns.SetTopicAttributesOutput{}, s.change(ctx, in.TopicArn, func(t *Topic) error {
		return s.set(t, aws.ToString(in.AttributeName), aws.ToString(in.AttributeValue))
	})
}

// change changes a topic that is there.
func (s *Service) change(ctx context.Context, arn *string, fn func(*Topic) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		t, err := s.topic(s.topics.In(tx).Get, arn)
		if err != nil {
			return err
		}
		if err := fn(&t); err != nil {
			return err
		}
		s.topics.In(tx).Put(t.Name, t)
		return nil
	})
}

// GetTopicAttributes shows all.
func (s *Service) GetTopicAttributes(_ context.Context, in *sns.GetTopicAttributesInput) (*sns.GetTopicAttributesOutput, error) {
	t, err := s.topic(s.topics.Get, in.TopicArn)
	if err != nil {
		return nil, err
	}
	confirmed, pending := 0, 0
	for _, sub := range s.subscriptions.Shared(t.Name + "/") {
		if sub.Pending {
			pending++
		} else {
			confirmed++
		}
	}
	effective, err := topicPolicy(&t)
	if err != nil {
		return nil, err
	}
	shown := map[string]string{
		"TopicArn": *in.TopicArn, "DisplayName": t.DisplayName, "Owner": s.Place.AccountID, "Policy": s.policies.Shown(s.IAM, *in.TopicArn),
		"SubscriptionsConfirmed": strconv.Itoa(confirmed), "SubscriptionsPending": strconv.Itoa(pending), "SubscriptionsDeleted": strconv.Itoa(t.Deleted),
		"EffectiveDeliveryPolicy": effective.text(),
	}
	if t.DeliveryPolicy != "" {
		shown["DeliveryPolicy"] = t.DeliveryPolicy
	}
	if t.SignatureVersion == "2" {
		shown["SignatureVersion"] = t.SignatureVersion
	}
	return &sns.GetTopicAttributesOutput{Attributes: shown}, nil
}

// DeleteTopic deletes a topic with its subscriptions, and doesn't mind one that is gone.
func (s *Service) DeleteTopic(ctx context.Context, in *sns.DeleteTopicInput) (*sns.DeleteTopicOutput, error) {
	name, rest := topicOf(aws.ToString(in.TopicArn))
	if name == "" || rest != "" || s.arn(name) != *in.TopicArn {
		return nil, invalid("TopicArn")
	}
	return &sns.DeleteTopicOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		s.topics.In(tx).Delete(name)
		for key := range s.subscriptions.In(tx).List(name + "/") {
			s.end(tx, key)
		}
		return nil
	})
}

// pageSize is how many a list shows.
const pageSize = 100

// ListTopics lists topics.
func (s *Service) ListTopics(_ context.Context, in *sns.ListTopicsInput) (*sns.ListTopicsOutput, error) {
	var names []string
	for name := range s.topics.Shared("") {
		names = append(names, name)
	}
	page, next, err := pageOf(names, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &sns.ListTopicsOutput{Topics: []types.Topic{}, NextToken: next}
	for _, name := range page {
		out.Topics = append(out.Topics, types.Topic{TopicArn: aws.String(s.arn(name))})
	}
	return out, nil
}

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_/-]{1,300}$`)

// pageOf cuts sorted keys into pages; the token is the last key shown.
func pageOf(keys []string, token *string) (page []string, next *string, err error) {
	if after := aws.ToString(token); after != "" {
		from, found := slices.BinarySearch(keys, after)
		if found {
			from++
		} else if !tokenForm.MatchString(after) {
			return nil, nil, invalid("NextToken Reason: Invalid token")
		}
		keys = keys[from:]
	}
	if len(keys) <= pageSize {
		return keys, nil, nil
	}
	return keys[:pageSize], &keys[pageSize-1], nil
}
