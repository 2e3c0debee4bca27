package sns

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// otherProtocols are SNS's that are not there.
var otherProtocols = []string{"email", "email-json", "sms", "sqs", "application", "lambda", "firehose"}

// Subscribe makes a subscription, which its endpoint must confirm, or answers with the
// one that there is.
func (s *Service) Subscribe(ctx context.Context, in *sns.SubscribeInput) (*sns.SubscribeOutput, error) {
	sub := Subscription{
		ID: uuid.NewString(), Protocol: aws.ToString(in.Protocol), Endpoint: aws.ToString(in.Endpoint), Owner: s.Place.AccountID,
		Created: s.now(), Pending: true, Scope: "MessageAttributes",
	}
	if err := s.checkEndpoint(sub.Protocol, sub.Endpoint); err != nil {
		return nil, err
	}
	if scope := in.Attributes["FilterPolicyScope"]; scope != "" {
		if err := sub.set("FilterPolicyScope", scope); err != nil {
			return nil, invalid("Attributes Reason: " + err.Error())
		}
	}
	for name, value := range in.Attributes {
		if err := sub.set(name, value); err != nil {
			return nil, invalid("Attributes Reason: " + err.Error())
		}
	}
	var arn string
	var pending bool
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		t, err := s.topic(s.topics.In(tx).Get, in.TopicArn)
		if err != nil {
			return err
		}
		one := sub
		one.Topic = t.Name
		for _, old := range s.subscriptions.In(tx).List(t.Name + "/") {
			if old.Protocol != one.Protocol || old.Endpoint != one.Endpoint {
				continue
			}
			if len(in.Attributes) > 0 && (old.Raw != one.Raw || old.Filter != one.Filter || old.Scope != one.Scope || old.DeliveryPolicy != one.DeliveryPolicy) {
				return invalid("Attributes Reason: Subscription already exists with different attributes")
			}
			one = old
		}
		if one.Pending {
			one.Token, one.Created = newToken(), sub.Created
			s.subscriptions.In(tx).Put(one.key(), one)
			s.askToConfirm(tx, &one, in.TopicArn)
		}
		arn, pending = s.arnOf(&one), one.Pending
		return nil
	})
	if err != nil {
		return nil, err
	}
	if pending && !in.ReturnSubscriptionArn {
		arn = "pending confirmation"
	}
	return &sns.SubscribeOutput{SubscriptionArn: &arn}, nil
}

// askToConfirm sends an endpoint the link that confirms its subscription.
func (s *Service) askToConfirm(tx *store.Tx, sub *Subscription, topic *string) {
	m := Message{ID: uuid.NewString(), At: s.now(), Text: "You have chosen to subscribe to the topic " + *topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."}
	s.deliveries.In(tx).Put(sub.key()+"/"+m.ID, Delivery{Topic: sub.Topic, Subscription: sub.ID, Message: m, Kind: confirmation, Next: m.At})
}

// newToken is a word that nobody can guess.
func newToken() string {
	var raw [128]byte
	rand.Read(raw[:]) // never fails
	return hex.EncodeToString(raw[:])
}

func (s *Service) checkEndpoint(protocol, endpoint string) error {
	switch {
	case slices.Contains(otherProtocols, protocol):
		return invalid("Protocol Reason: " + protocol + " is not supported here, http and https are")
	case protocol != "http" && protocol != "https":
		return invalid("Amazon SNS does not support this protocol string: " + protocol)
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "":
		return invalid("Endpoint Reason: it is no URL: " + endpoint)
	case u.Scheme != protocol:
		return invalid("Endpoint must match the specified protocol")
	}
	if s.Reaches != nil {
		if err := s.Reaches(u); err != nil {
			return invalid("Endpoint Reason: " + err.Error())
		}
	}
	return nil
}

// set changes an attribute of a subscription. Its errors are texts.
func (sub *Subscription) set(name, value string) error {
	switch name {
	case "RawMessageDelivery":
		on, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("RawMessageDelivery: Invalid value [" + value + "]. Must be true or false.")
		}
		sub.Raw = on
	case "FilterPolicyScope":
		if value != scopeAttributes && value != scopeBody {
			return errors.New("FilterPolicyScope: Invalid value [" + value + "]. Please use either MessageBody or MessageAttributes")
		}
		if sub.Filter != "" && sub.Scope != value {
			if _, err := parseFilter(sub.Filter, value == scopeBody); err != nil {
				return err
			}
		}
		sub.Scope = value
	case "FilterPolicy":
		if value == "" || value == "{}" {
			sub.Filter = ""
			return nil
		}
		if _, err := parseFilter(value, sub.Scope == scopeBody); err != nil {
			return err
		}
		sub.Filter = value
	case "DeliveryPolicy":
		if value != "" {
			if _, err := parsePolicy(value, effective{}); err != nil {
				return errors.New("DeliveryPolicy: " + err.Error())
			}
		}
		sub.DeliveryPolicy = value
	case "RedrivePolicy", "SubscriptionRoleArn", "ReplayPolicy":
		return errors.New(name + ": it is not supported here")
	default:
		return errors.New("AttributeName")
	}
	return nil
}

// signed decides for a caller who signed; whoever did not has a link.
func (s *Service) signed(ctx context.Context, action string, resources []string) error {
	who := api.CallerFrom(ctx)
	if who.Type == api.Anonymous {
		return nil
	}
	err := s.IAM.Authorize(ctx, who, action, resources, nil)
	if err == nil || api.Code(err) != "" {
		return err
	}
	return api.Errorf(http.StatusForbidden, deniedCode, "%s", err.Error())
}

// ConfirmSubscription confirms a subscription by the token that its endpoint got.
func (s *Service) ConfirmSubscription(ctx context.Context, in *sns.ConfirmSubscriptionInput) (*sns.ConfirmSubscriptionOutput, error) {
	if err := s.signed(ctx, "sns:ConfirmSubscription", s.arnsOf(in.TopicArn)); err != nil {
		return nil, err
	}
	authenticated := aws.ToString(in.AuthenticateOnUnsubscribe) == "true"
	if authenticated && api.CallerFrom(ctx).Type == api.Anonymous {
		return nil, api.Errorf(http.StatusForbidden, deniedCode, "Anonymous users cannot confirm a subscription with AuthenticateOnUnsubscribe")
	}
	var arn string
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		t, err := s.topic(s.topics.In(tx).Get, in.TopicArn)
		if err != nil {
			return err
		}
		for key, sub := range s.subscriptions.In(tx).List(t.Name + "/") {
			if sub.Token != aws.ToString(in.Token) || s.now().Sub(sub.Created) > tokenLife {
				continue
			}
			arn = s.arnOf(&sub)
			if sub.Pending {
				sub.Pending, sub.Authenticated = false, authenticated
				s.subscriptions.In(tx).Put(key, sub)
			}
			return nil
		}
		return invalid("Token")
	})
	if err != nil {
		return nil, err
	}
	return &sns.ConfirmSubscriptionOutput{SubscriptionArn: &arn}, nil
}

// Unsubscribe ends a subscription, and doesn't mind one that is gone.
func (s *Service) Unsubscribe(ctx context.Context, in *sns.UnsubscribeInput) (*sns.UnsubscribeOutput, error) {
	topic, id := topicOf(aws.ToString(in.SubscriptionArn))
	if id == "" || s.arn(topic)+":"+id != *in.SubscriptionArn {
		return nil, invalid("SubscriptionArn Reason: An ARN must have at least 7 elements")
	}
	if err := s.signed(ctx, "sns:Unsubscribe", []string{s.arn(topic)}); err != nil {
		return nil, err
	}
	return &sns.UnsubscribeOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		sub, ok := s.subscriptions.In(tx).Get(subscriptionKey(topic, id))
		switch {
		case !ok:
			return nil
		case sub.Authenticated && api.CallerFrom(ctx).Type == api.Anonymous:
			return api.Errorf(http.StatusForbidden, deniedCode, "Anonymous users cannot end this subscription: it was confirmed with AuthenticateOnUnsubscribe")
		}
		s.end(tx, sub.key())
		if t, ok := s.topics.In(tx).Get(topic); ok {
			t.Deleted++
			s.topics.In(tx).Put(topic, t)
		}
		return nil
	})
}

// end deletes a subscription with what is on its way to it.
func (s *Service) end(tx *store.Tx, key string) {
	s.subscriptions.In(tx).Delete(key)
	for d := range s.deliveries.In(tx).List(key + "/") {
		s.deliveries.In(tx).Delete(d)
	}
}

// subscription finds the one that an ARN names.
func (s *Service) subscription(get func(string) (Subscription, bool), arn *string) (Subscription, error) {
	topic, id := topicOf(aws.ToString(arn))
	if id == "" {
		return Subscription{}, invalid("SubscriptionArn Reason: An ARN must have at least 7 elements")
	}
	sub, ok := get(subscriptionKey(topic, id))
	if !ok || s.arnOf(&sub) != *arn {
		return sub, errNoSubscription
	}
	return sub, nil
}

// GetSubscriptionAttributes shows a subscription.
func (s *Service) GetSubscriptionAttributes(_ context.Context, in *sns.GetSubscriptionAttributesInput) (*sns.GetSubscriptionAttributesOutput, error) {
	sub, err := s.subscription(s.subscriptions.Get, in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	shown := map[string]string{
		"SubscriptionArn": *in.SubscriptionArn, "TopicArn": s.arn(sub.Topic), "Owner": sub.Owner, "Protocol": sub.Protocol, "Endpoint": sub.Endpoint,
		"RawMessageDelivery": strconv.FormatBool(sub.Raw), "PendingConfirmation": strconv.FormatBool(sub.Pending),
		"ConfirmationWasAuthenticated": strconv.FormatBool(sub.Authenticated), "SubscriptionPrincipal": "arn:" + s.Place.Partition + ":iam::" + sub.Owner + ":root",
	}
	if sub.Filter != "" {
		shown["FilterPolicy"], shown["FilterPolicyScope"] = sub.Filter, sub.Scope
	}
	if sub.DeliveryPolicy != "" {
		shown["DeliveryPolicy"] = sub.DeliveryPolicy
	}
	if t, ok := s.topics.Get(sub.Topic); ok {
		if how, err := policyOf(&t, &sub); err == nil {
			shown["EffectiveDeliveryPolicy"] = how.subscriptionText()
		}
	}
	return &sns.GetSubscriptionAttributesOutput{Attributes: shown}, nil
}

// SetSubscriptionAttributes changes one attribute.
func (s *Service) SetSubscriptionAttributes(ctx context.Context, in *sns.SetSubscriptionAttributesInput) (*sns.SetSubscriptionAttributesOutput, error) {
	return &sns.SetSubscriptionAttributesOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		sub, err := s.subscription(s.subscriptions.In(tx).Get, in.SubscriptionArn)
		if err != nil {
			return err
		}
		if err := sub.set(aws.ToString(in.AttributeName), aws.ToString(in.AttributeValue)); err != nil {
			return invalid(err.Error())
		}
		s.subscriptions.In(tx).Put(sub.key(), sub)
		return nil
	})
}

// ListSubscriptions lists all.
func (s *Service) ListSubscriptions(_ context.Context, in *sns.ListSubscriptionsInput) (*sns.ListSubscriptionsOutput, error) {
	list, next, err := s.list("", in.NextToken)
	return &sns.ListSubscriptionsOutput{Subscriptions: list, NextToken: next}, err
}

// ListSubscriptionsByTopic lists a topic's.
func (s *Service) ListSubscriptionsByTopic(_ context.Context, in *sns.ListSubscriptionsByTopicInput) (*sns.ListSubscriptionsByTopicOutput, error) {
	t, err := s.topic(s.topics.Get, in.TopicArn)
	if err != nil {
		return nil, err
	}
	list, next, err := s.list(t.Name+"/", in.NextToken)
	return &sns.ListSubscriptionsByTopicOutput{Subscriptions: list, NextToken: next}, err
}

func (s *Service) list(prefix string, token *string) ([]types.Subscription, *string, error) {
	var keys []string
	for key := range s.subscriptions.Shared(prefix) {
		keys = append(keys, key)
	}
	page, next, err := pageOf(keys, token)
	if err != nil {
		return nil, nil, err
	}
	list := []types.Subscription{}
	for _, key := range page {
		sub, ok := s.subscriptions.Get(key)
		if !ok {
			continue
		}
		arn := s.arnOf(&sub)
		if sub.Pending {
			arn = "PendingConfirmation"
		}
		list = append(list, types.Subscription{
			SubscriptionArn: &arn, Owner: &sub.Owner, Protocol: &sub.Protocol, Endpoint: &sub.Endpoint, TopicArn: aws.String(s.arn(sub.Topic)),
		})
	}
	return list, next, nil
}
