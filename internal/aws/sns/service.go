package sns

import (
	"context"
	"crypto"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ownpolicy"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// IAM is what SNS asks of it.
type IAM interface {
	ownpolicy.IAM
	// Authorize decides on an action of a call that decides by itself.
	Authorize(ctx context.Context, who *api.Caller, action string, resources []string, given map[string][]string) error
	// AdmitsService says whether a topic's policy lets an AWS service act on it.
	AdmitsService(service, action, resource string, own *policy.Program, given map[string][]string) bool
}

// Deps is what a Service is made of.
type Deps struct {
	Store *store.Store
	Place api.Place
	IAM   IAM
	Now   func() time.Time
	// Client delivers to endpoints. It decides which addresses may be asked.
	Client *http.Client
	// Reaches refuses an endpoint that Client would never ask. Nil: it asks all.
	Reaches func(*url.URL) error
	// Certify makes a certificate for a key that messages are signed with, and gives it in
	// PEM with those that vouch for it.
	Certify func(public crypto.PublicKey, from, to time.Time) (chain []byte, err error)
	Log     *slog.Logger
}

// Service answers SNS's API and delivers.
type Service struct {
	Deps
	topics        *store.Table[Topic]        // by name
	subscriptions *store.Table[Subscription] // by subscriptionKey
	deliveries    *store.Table[Delivery]
	keys          *store.Table[Key]
	policies      ownpolicy.Shelf

	signing sync.Mutex
	ready   *signer // guarded by signing

	mu        sync.Mutex
	followers map[string][]*follower // by topic's name
	wake      chan struct{}          // there are deliveries that nobody carries out
	waiting   []string               // keys of them
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards. Run delivers.
func New(d Deps) *Service {
	s := &Service{
		Deps:          d,
		topics:        store.NewTable[Topic](d.Store, "sns/topic"),
		subscriptions: store.NewTable[Subscription](d.Store, "sns/subscription"),
		deliveries:    store.NewTable[Delivery](d.Store, "sns/delivery"),
		keys:          store.NewTable[Key](d.Store, "sns/key"),
		policies:      ownpolicy.Shelf{Kind: policy.Resource},
		followers:     map[string][]*follower{},
		wake:          make(chan struct{}, 1),
	}
	s.topics.Watch(func(name string, _, now *Topic) {
		stored := ""
		if now != nil {
			stored = now.Policy
		}
		s.policies.Set(s.arn(name), stored)
	})
	s.deliveries.Watch(func(key string, old, now *Delivery) {
		if old == nil && now != nil {
			s.enqueue(key)
		}
	})
	return s
}

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "sns", Action: "sns", Resource: s.ofResource, Policy: s.policies.Program, Denied: deniedCode}
	s.addTopics(svc)
	api.Add(svc, "Publish", s.Publish, func(_ context.Context, in *sns.PublishInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "PublishBatch", s.PublishBatch, func(_ context.Context, in *sns.PublishBatchInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "Subscribe", s.Subscribe, func(_ context.Context, in *sns.SubscribeInput) []string { return s.arnsOf(in.TopicArn) })
	api.WithKeys(svc, "Subscribe", func(_ context.Context, in *sns.SubscribeInput, key string) policy.Values {
		switch {
		case key == "sns:endpoint" && in.Endpoint != nil:
			return policy.One(*in.Endpoint)
		case key == "sns:protocol" && in.Protocol != nil:
			return policy.One(*in.Protocol)
		}
		return policy.Values{}
	})
	api.Add(svc, "ConfirmSubscription", s.ConfirmSubscription, func(_ context.Context, in *sns.ConfirmSubscriptionInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "Unsubscribe", s.Unsubscribe, func(_ context.Context, in *sns.UnsubscribeInput) []string { return s.topicsOf(in.SubscriptionArn) })
	// Those that follow a link in a message have no signature: the token, or the
	// subscription's name, is what they have.
	for _, name := range []string{"ConfirmSubscription", "Unsubscribe"} {
		op := svc.Operations[name]
		op.Unsigned, op.SelfAuthorized = true, true
		svc.Operations[name] = op
	}
	api.Add(svc, "ListSubscriptions", s.ListSubscriptions, nil)
	api.Add(svc, "ListSubscriptionsByTopic", s.ListSubscriptionsByTopic, func(_ context.Context, in *sns.ListSubscriptionsByTopicInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "GetSubscriptionAttributes", s.GetSubscriptionAttributes, func(_ context.Context, in *sns.GetSubscriptionAttributesInput) []string {
		return s.topicsOf(in.SubscriptionArn)
	})
	api.Add(svc, "SetSubscriptionAttributes", s.SetSubscriptionAttributes, func(_ context.Context, in *sns.SetSubscriptionAttributesInput) []string {
		return s.topicsOf(in.SubscriptionArn)
	})
	return svc
}

func (s *Service) addTopics(svc *api.Service) {
	api.Add(svc, "CreateTopic", s.CreateTopic, func(_ context.Context, in *sns.CreateTopicInput) []string {
		if aws.ToString(in.Name) == "" {
			return nil
		}
		return []string{s.arn(*in.Name)}
	})
	api.Add(svc, "DeleteTopic", s.DeleteTopic, func(_ context.Context, in *sns.DeleteTopicInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "ListTopics", s.ListTopics, nil)
	api.Add(svc, "GetTopicAttributes", s.GetTopicAttributes, func(_ context.Context, in *sns.GetTopicAttributesInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "SetTopicAttributes", s.SetTopicAttributes, func(_ context.Context, in *sns.SetTopicAttributesInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "AddPermission", s.AddPermission, func(_ context.Context, in *sns.AddPermissionInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "RemovePermission", s.RemovePermission, func(_ context.Context, in *sns.RemovePermissionInput) []string { return s.arnsOf(in.TopicArn) })
	api.Add(svc, "TagResource", s.TagResource, func(_ context.Context, in *sns.TagResourceInput) []string { return s.arnsOf(in.ResourceArn) })
	api.Add(svc, "UntagResource", s.UntagResource, func(_ context.Context, in *sns.UntagResourceInput) []string { return s.arnsOf(in.ResourceArn) })
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *sns.ListTagsForResourceInput) []string { return s.arnsOf(in.ResourceArn) })
}

func (s *Service) arn(name string) string {
	return "arn:" + s.Place.Partition + ":sns:" + s.Place.Region + ":" + s.Place.AccountID + ":" + name
}

func (s *Service) arnOf(sub *Subscription) string { return s.arn(sub.Topic) + ":" + sub.ID }

func (s *Service) arnsOf(arn *string) []string {
	if aws.ToString(arn) == "" {
		return nil
	}
	return []string{*arn}
}

// topicsOf is the topic of a subscription, which calls about subscriptions are asked for.
func (s *Service) topicsOf(subscription *string) []string {
	name, _ := topicOf(aws.ToString(subscription))
	if name == "" {
		return nil
	}
	return []string{s.arn(name)}
}

// ofResource answers for the condition keys of a topic: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	const tag = "aws:resourcetag/"
	if len(key) <= len(tag) || key[:len(tag)] != tag {
		return policy.Values{}
	}
	name, _ := topicOf(arn)
	t, _ := s.topics.Get(name)
	return api.TagValue(t.Tags, key[len(tag):])
}

func invalid(text string) error {
	return &types.InvalidParameterException{Message: aws.String("Invalid parameter: " + text)}
}

var (
	errNoTopic        = &types.NotFoundException{Message: aws.String("Topic does not exist")}
	errNoSubscription = &types.NotFoundException{Message: aws.String("Subscription does not exist")}
)

// topic finds the one that an ARN names.
func (s *Service) topic(get func(string) (Topic, bool), arn *string) (Topic, error) {
	name, rest := topicOf(aws.ToString(arn))
	if name == "" {
		return Topic{}, invalid("TopicArn")
	}
	t, ok := get(name)
	if !ok || rest != "" || s.arn(name) != *arn {
		return t, errNoTopic
	}
	return t, nil
}

// now is a time as SNS keeps it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
