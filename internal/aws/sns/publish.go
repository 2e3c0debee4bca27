package sns

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// mostOfMessage is the size of a message with its attributes, and of a batch, in bytes.
const mostOfMessage = 256 << 10

// texts are a message's: one for each protocol, or "default".
type texts map[string]string

func (t texts) of(protocol string) string {
	if text, ok := t[protocol]; ok {
		return text
	}
	return t["default"]
}

// Publish sends a message to a topic's subscriptions.
func (s *Service) Publish(ctx context.Context, in *sns.PublishInput) (*sns.PublishOutput, error) {
	switch {
	case aws.ToString(in.PhoneNumber) != "":
		return nil, invalid("PhoneNumber Reason: it is not supported here")
	case aws.ToString(in.TargetArn) != "" && aws.ToString(in.TopicArn) == "":
		return nil, invalid("TargetArn Reason: it is not supported here")
	case aws.ToString(in.TopicArn) == "":
		return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	}
	m, by, _, err := compose(types.PublishBatchRequestEntry{
		Message: in.Message, Subject: in.Subject, MessageStructure: in.MessageStructure, MessageAttributes: in.MessageAttributes,
		MessageGroupId: in.MessageGroupId, MessageDeduplicationId: in.MessageDeduplicationId,
	})
	if err != nil {
		return nil, err
	}
	if err := s.send(ctx, in.TopicArn, &m, by); err != nil {
		return nil, err
	}
	return &sns.PublishOutput{MessageId: &m.ID}, nil
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// PublishBatch sends up to ten messages, each for itself.
func (s *Service) PublishBatch(ctx context.Context, in *sns.PublishBatchInput) (*sns.PublishBatchOutput, error) {
	entries := in.PublishBatchRequestEntries
	switch {
	case len(entries) == 0:
		return nil, &types.EmptyBatchRequestException{Message: aws.String("The batch request doesn't contain any entries.")}
	case len(entries) > 10:
		return nil, &types.TooManyEntriesInBatchRequestException{Message: aws.String("The batch request contains more entries than permissible.")}
	}
	if _, err := s.topic(s.topics.Get, in.TopicArn); err != nil {
		return nil, err
	}
	seen, total := map[string]bool{}, 0
	for _, e := range entries {
		id := aws.ToString(e.Id)
		if !entryID.MatchString(id) {
			return nil, &types.InvalidBatchEntryIdException{Message: aws.String("The Id of a batch entry in a batch request doesn't abide by the specification.")}
		}
		if seen[id] {
			return nil, &types.BatchEntryIdsNotDistinctException{Message: aws.String("Two or more batch entries in the request have the same Id.")}
		}
		seen[id] = true
		_, _, size, _ := compose(e)
		total += size
	}
	if total > mostOfMessage {
		return nil, &types.BatchRequestTooLongException{Message: aws.String("The length of all the batch messages put together is more than the limit.")}
	}
	out := &sns.PublishBatchOutput{Successful: []types.PublishBatchResultEntry{}, Failed: []types.BatchResultErrorEntry{}}
	for _, e := range entries {
		m, by, _, err := compose(e)
		if err == nil {
			err = s.send(ctx, in.TopicArn, &m, by)
		}
		if err == nil {
			out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: e.Id, MessageId: &m.ID})
			continue
		}
		known, ok := err.(interface {
			ErrorCode() string
			ErrorMessage() string
		})
		if !ok {
			return nil, err
		}
		out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String(known.ErrorCode()), Message: aws.String(known.ErrorMessage()), SenderFault: true})
	}
	return out, nil
}

// subjectForm: ASCII, beginning with no blank, on one line, of at most 100 characters.
var subjectForm = regexp.MustCompile(`^[!-~][ -~]{0,99}$`)

// compose checks what is to be published. size is that of text and attributes.
func compose(e types.PublishBatchRequestEntry) (m Message, by texts, size int, err error) {
	m = Message{ID: uuid.NewString(), Text: aws.ToString(e.Message), Subject: aws.ToString(e.Subject)}
	size = len(m.Text)
	switch {
	case m.Text == "":
		return m, nil, size, invalid("Empty message")
	case !utf8.ValidString(m.Text):
		return m, nil, size, invalid("Message is not valid UTF-8")
	case e.Subject != nil && !subjectForm.MatchString(m.Subject):
		return m, nil, size, invalid("Subject")
	case aws.ToString(e.MessageGroupId) != "":
		return m, nil, size, invalid("MessageGroupId Reason: it is not supported here: there are no FIFO topics")
	case aws.ToString(e.MessageDeduplicationId) != "":
		return m, nil, size, invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	}
	m.Attributes = map[string]Attribute{}
	for name, v := range e.MessageAttributes {
		a, err := attribute(name, v)
		if err != nil {
			return m, nil, size, err
		}
		m.Attributes[name] = a
		size += len(name) + len(a.Type) + len(a.Value)
	}
	if size > mostOfMessage {
		return m, nil, size, invalid("Message too long")
	}
	by, err = structured(m.Text, aws.ToString(e.MessageStructure))
	m.Text = by.of("")
	return m, by, size, err
}

// structured are the texts of a message: with the structure json, an object of them.
func structured(text, structure string) (texts, error) {
	switch structure {
	case "":
		return texts{"default": text}, nil
	case "json":
	default:
		return nil, invalid("MessageStructure")
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, invalid("Message Structure - JSON message body failed to parse")
	}
	by := texts{}
	for protocol, v := range all {
		if t, ok := v.(string); ok {
			by[protocol] = t
		}
	}
	if _, ok := by["default"]; !ok {
		return nil, invalid("Message Structure - No default entry in JSON message body")
	}
	return by, nil
}

var attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// attribute checks one of a message's.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
func attribute(name string, v types.MessageAttributeValue) (Attribute, error) {
	kind := aws.ToString(v.DataType)
	base, _, _ := strings.Cut(kind, ".")
	a := Attribute{Type: kind, Value: aws.ToString(v.StringValue)}
	wrong := func(format string, args ...any) error {
		return &types.InvalidParameterValueException{Message: aws.String(fmt.Sprintf(format, args...))}
	}
	lower := strings.ToLower(name)
	switch {
	case len(name) > 256 || !attributeName.MatchString(name) || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return a, wrong("The message attribute name '%s' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.).", name)
	case base != "String" && base != "Number" && base != "Binary":
		return a, wrong("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	case base == "Binary":
		a.Value = base64.StdEncoding.EncodeToString(v.BinaryValue)
	}
	if a.Value == "" {
		return a, wrong("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, kind)
	}
	if _, ok := numberOf(a.Value); base == "Number" && !ok {
		return a, wrong("Could not cast message attribute '%s' value to number.", name)
	}
	var items []any
	if kind == "String.Array" && json.Unmarshal([]byte(a.Value), &items) != nil {
		return a, wrong("The message attribute '%s' has an invalid value: it must be a JSON array.", name)
	}
	return a, nil
}

// send accepts a message: it is on its way when this returns.
func (s *Service) send(ctx context.Context, arn *string, m *Message, by texts) error {
	m.At = s.now()
	var t Topic
	err := s.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if t, err = s.topic(s.topics.In(tx).Get, arn); err != nil {
			return err
		}
		for key, sub := range s.subscriptions.In(tx).List(t.Name + "/") {
			one := *m
			one.Text = by.of(sub.Protocol)
			if !sub.Pending && sub.lets(&one) {
				s.deliveries.In(tx).Put(key+"/"+m.ID, Delivery{Topic: t.Name, Subscription: sub.ID, Message: one, Kind: notification, Next: m.At})
			}
		}
		return nil
	})
	if err == nil {
		s.tell(t.Name, m)
	}
	return err
}

// Given is what a service publishes.
type Given struct {
	Subject, Text string
	// Source is the ARN of what the message is about, aws:SourceArn of the topic's policy.
	Source string
}

// PublishAs publishes for a service of AWS ("cloudwatch.amazonaws.com"), in this process
// and on behalf of this account. The topic's policy must let the service; the errors are
// AuthorizationError and NotFound.
func (s *Service) PublishAs(ctx context.Context, service, topic string, g Given) (id string, err error) {
	keys := map[string][]string{"aws:SourceOwner": {s.Place.AccountID}}
	if g.Source != "" {
		keys["aws:SourceArn"] = []string{g.Source}
	}
	if _, err := s.topic(s.topics.Get, &topic); err != nil {
		return "", err
	}
	if own := s.policies.Program(topic); own == nil || !s.IAM.AdmitsService(service, "sns:Publish", topic, own, keys) {
		return "", api.Errorf(http.StatusForbidden, deniedCode, "%s is not authorized to perform: SNS:Publish on resource: %s because no resource-based policy allows the SNS:Publish action", service, topic)
	}
	entry := types.PublishBatchRequestEntry{Message: &g.Text}
	if g.Subject != "" {
		entry.Subject = &g.Subject
	}
	m, by, _, err := compose(entry)
	if err != nil {
		return "", err
	}
	return m.ID, s.send(ctx, &topic, &m, by)
}

// deniedCode is SNS's for what is refused.
const deniedCode = "AuthorizationError"
