package sns

import (
	"strings"
	"time"
)

// Topic is a topic, under its name.
type Topic struct {
	Name             string
	Created          time.Time
	DisplayName      string
	Policy           string // as it is kept: unique ids for users and roles
	DeliveryPolicy   string // JSON; "" is SNS's own
	SignatureVersion string // "1" or "2"
	Tags             map[string]string
	Deleted          int // subscriptions, so far
}

// Subscription is a subscription, under TOPIC/ID.
type Subscription struct {
	ID, Topic          string // a UUID; the topic's name
	Protocol, Endpoint string
	Owner              string // account
	Created            time.Time
	Pending            bool
	Token              string // confirms it
	Authenticated      bool   // it can be ended by a signed call alone
	Raw                bool
	Filter, Scope      string // JSON; MessageAttributes or MessageBody
	DeliveryPolicy     string
}

// Delivery is a message on its way to a subscription's endpoint, under
// TOPIC/SUBSCRIPTION/MESSAGE.
type Delivery struct {
	Topic, Subscription string
	Message             Message
	Kind                string // Notification or SubscriptionConfirmation
	Failed              int    // attempts
	Next                time.Time
}

// Message is what was published.
type Message struct {
	ID, Subject, Text string
	At                time.Time
	Attributes        map[string]Attribute `json:",omitempty"`
}

// Attribute is a message's.
type Attribute struct {
	Type  string // String, String.Array, Number, Binary, or String.custom …
	Value string // of Binary, base64
}

// Key is a key that messages are signed with, under the id that its certificate's name has.
type Key struct {
	ID                  string
	Private, Chain      string // PEM
	NotBefore, NotAfter time.Time
}

func subscriptionKey(topic, id string) string { return topic + "/" + id }

func (sub *Subscription) key() string { return subscriptionKey(sub.Topic, sub.ID) }

// topicOf is the topic's name in an ARN: arn:P:sns:R:A:NAME, or of a subscription
// arn:P:sns:R:A:NAME:ID.
func topicOf(arn string) (topic, subscription string) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) < 6 {
		return "", ""
	}
	if len(parts) == 7 {
		subscription = parts[6]
	}
	return parts[5], subscription
}
