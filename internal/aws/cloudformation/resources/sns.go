package resources

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func snsTag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

func topicARN(j *Job, name string) string {
	return "arn:" + j.Place.Partition + ":sns:" + j.Place.Region + ":" + j.Place.AccountID + ":" + name
}

// topicAttributes are the properties that are attributes.
func topicAttributes(p map[string]any) map[string]string {
	all := map[string]string{}
	for _, name := range []string{"DisplayName", "SignatureVersion", "TracingConfig"} {
		if v := ptr(p, name); v != nil {
			all[name] = *v
		}
	}
	if fifo := flag(p, "FifoTopic"); fifo != nil && *fifo {
		all["FifoTopic"] = "true" // which SNS here refuses
	}
	return all
}

func createTopic(ctx context.Context, j *Job) (Made, error) {
	name := j.name("TopicName")
	arn := topicARN(j, name)
	if j.PhysicalID == "" {
		if j.Order.Name == "" && !j.Again {
			// CreateTopic would answer with the one that is there.
			_, err := call[sns.GetTopicAttributesOutput](ctx, j, "sns", "GetTopicAttributes", &sns.GetTopicAttributesInput{TopicArn: &arn})
			if err == nil {
				return Made{}, fmt.Errorf("Resource of type 'AWS::SNS::Topic' with identifier '%s' already exists.", arn) //lint:ignore ST1005 as CloudFormation writes it
			} else if !gone(err) {
				return Made{}, err
			}
		}
		in := &sns.CreateTopicInput{Name: &name, Attributes: topicAttributes(j.Properties), Tags: sorted(tags(j.Properties), snsTag)}
		if err := do(ctx, j, "sns", step{"CreateTopic", in}); err != nil {
			return Made{}, err
		}
		j.initiated(arn)
	}
	return madeTopic(arn, name), do(ctx, j, "sns", subscribing(arn, j.Properties, nil)...)
}

func madeTopic(arn, name string) Made {
	return Made{arn, map[string]any{"TopicArn": arn, "TopicName": name}}
}

// endpoints are the subscriptions that a topic itself is given, as PROTOCOL ENDPOINT.
func endpoints(p map[string]any) []string {
	var all []string
	for _, s := range objects(p, "Subscription") {
		all = append(all, text(s, "Protocol")+" "+text(s, "Endpoint"))
	}
	return all
}

// subscribing are the calls that subscribe the endpoints which are new.
func subscribing(arn string, p map[string]any, old []string) []step {
	var steps []step
	for _, e := range dropped(endpoints(p), old) {
		protocol, endpoint, _ := strings.Cut(e, " ")
		steps = append(steps, step{"Subscribe", &sns.SubscribeInput{TopicArn: &arn, Protocol: &protocol, Endpoint: &endpoint}})
	}
	return steps
}

func updateTopic(ctx context.Context, j *Job) (Made, error) {
	arn := j.PhysicalID
	before, now := topicAttributes(j.Old), topicAttributes(j.Properties)
	defaults := map[string]string{"SignatureVersion": "1", "TracingConfig": "PassThrough"}
	var steps []step
	for _, name := range []string{"DisplayName", "SignatureVersion", "TracingConfig"} {
		value, given := now[name]
		if !given {
			value = defaults[name]
		}
		if old, had := before[name]; had != given || old != value {
			steps = append(steps, step{"SetTopicAttributes", &sns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: &name, AttributeValue: &value}})
		}
	}
	steps = append(steps, topicTags(j, arn)...)
	steps = append(steps, subscribing(arn, j.Properties, endpoints(j.Old))...)
	if err := do(ctx, j, "sns", steps...); err != nil {
		return Made{}, err
	}
	return Made{}, unsubscribe(ctx, j, arn, dropped(j.had(endpoints), endpoints(j.Properties)))
}

func topicTags(j *Job, arn string) (steps []step) {
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"TagResource", &sns.TagResourceInput{ResourceArn: &arn, Tags: sorted(set, snsTag)}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagResource", &sns.UntagResourceInput{ResourceArn: &arn, TagKeys: less}})
	}
	return steps
}

// unsubscribe ends a topic's subscriptions of endpoints. Those that nobody confirmed have no
// name to end them by.
func unsubscribe(ctx context.Context, j *Job, arn string, endpoints []string) error {
	if len(endpoints) == 0 {
		return nil
	}
	out, err := call[sns.ListSubscriptionsByTopicOutput](ctx, j, "sns", "ListSubscriptionsByTopic", &sns.ListSubscriptionsByTopicInput{TopicArn: &arn})
	if err != nil {
		return err
	}
	for _, s := range out.Subscriptions {
		if slices.Contains(endpoints, *s.Protocol+" "+*s.Endpoint) && strings.HasPrefix(*s.SubscriptionArn, "arn:") {
			if err := undo(ctx, j, "sns", step{"Unsubscribe", &sns.UnsubscribeInput{SubscriptionArn: s.SubscriptionArn}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func deleteTopic(ctx context.Context, j *Job) error {
	return do(ctx, j, "sns", step{"DeleteTopic", &sns.DeleteTopicInput{TopicArn: &j.PhysicalID}})
}

// putTopicPolicy gives topics their policy, and those that are not named any more the one
// that a new topic has.
func putTopicPolicy(ctx context.Context, j *Job) (Made, error) {
	attribute, none := "Policy", ""
	text := document(j.Properties, "PolicyDocument")
	var steps []step
	for _, arn := range list(j.Properties, "Topics") {
		steps = append(steps, step{"SetTopicAttributes", &sns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: &attribute, AttributeValue: text}})
	}
	if err := do(ctx, j, "sns", steps...); err != nil {
		return Made{}, err
	}
	id := j.PhysicalID
	if id == "" {
		id = j.Name
	}
	made := Made{id, map[string]any{"Id": id}}
	for _, arn := range dropped(j.hadList("Topics"), list(j.Properties, "Topics")) {
		if err := undo(ctx, j, "sns", step{"SetTopicAttributes", &sns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: &attribute, AttributeValue: &none}}); err != nil {
			return made, err
		}
	}
	return made, nil
}

func deleteTopicPolicy(ctx context.Context, j *Job) error {
	attribute, none := "Policy", ""
	for _, arn := range j.hadList("Topics") {
		if err := undo(ctx, j, "sns", step{"SetTopicAttributes", &sns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: &attribute, AttributeValue: &none}}); err != nil {
			return err
		}
	}
	return nil
}

// subscriptionAttributes are the properties that are attributes; of what a property no
// longer says, "".
func subscriptionAttributes(p map[string]any) map[string]string {
	all := map[string]string{}
	for _, name := range []string{"FilterPolicyScope", "FilterPolicy", "DeliveryPolicy"} {
		if v := document(p, name); v != nil {
			all[name] = *v
		}
	}
	if raw := flag(p, "RawMessageDelivery"); raw != nil {
		all["RawMessageDelivery"] = strconv.FormatBool(*raw)
	}
	return all
}

func createSubscription(ctx context.Context, j *Job) (Made, error) {
	if r := text(j.Properties, "Region"); r != "" && r != j.Place.Region {
		return Made{}, fmt.Errorf("Encountered unsupported property Region: there is %s alone", j.Place.Region) //lint:ignore ST1005 as CloudFormation writes it
	}
	out, err := call[sns.SubscribeOutput](ctx, j, "sns", "Subscribe", &sns.SubscribeInput{
		TopicArn: ptr(j.Properties, "TopicArn"), Protocol: ptr(j.Properties, "Protocol"), Endpoint: ptr(j.Properties, "Endpoint"),
		Attributes: subscriptionAttributes(j.Properties), ReturnSubscriptionArn: true,
	})
	if err != nil {
		return Made{}, err
	}
	j.initiated(*out.SubscriptionArn)
	return Made{*out.SubscriptionArn, map[string]any{"Arn": *out.SubscriptionArn}}, nil
}

func updateSubscription(ctx context.Context, j *Job) (Made, error) {
	before, now := subscriptionAttributes(j.Old), subscriptionAttributes(j.Properties)
	defaults := map[string]string{"FilterPolicyScope": "MessageAttributes", "RawMessageDelivery": "false"}
	var steps []step
	for _, name := range []string{"FilterPolicyScope", "FilterPolicy", "DeliveryPolicy", "RawMessageDelivery"} {
		value, given := now[name]
		if !given {
			value = defaults[name]
		}
		if old, had := before[name]; had != given || old != value {
			steps = append(steps, step{"SetSubscriptionAttributes", &sns.SetSubscriptionAttributesInput{SubscriptionArn: &j.PhysicalID, AttributeName: &name, AttributeValue: &value}})
		}
	}
	// A filter that is to look elsewhere, and would not be one there, gives way first.
	if before["FilterPolicyScope"] != now["FilterPolicyScope"] && before["FilterPolicy"] != "" {
		name, none := "FilterPolicy", ""
		steps = append([]step{{"SetSubscriptionAttributes", &sns.SetSubscriptionAttributesInput{SubscriptionArn: &j.PhysicalID, AttributeName: &name, AttributeValue: &none}}}, steps...)
		if filter, given := now[name]; given && filter == before[name] {
			steps = append(steps, step{"SetSubscriptionAttributes", &sns.SetSubscriptionAttributesInput{SubscriptionArn: &j.PhysicalID, AttributeName: &name, AttributeValue: &filter}})
		}
	}
	return Made{}, do(ctx, j, "sns", steps...)
}

func deleteSubscription(ctx context.Context, j *Job) error {
	return do(ctx, j, "sns", step{"Unsubscribe", &sns.UnsubscribeInput{SubscriptionArn: &j.PhysicalID}})
}
