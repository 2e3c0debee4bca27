package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const topicTemplate = `
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: alarms, Tags: [{Key: team, Value: a}], Subscription: [{Protocol: http, Endpoint: "http://one.example/"}]}}
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: cloudwatch.amazonaws.com}, Action: "sns:Publish", Resource: !Ref Topic}]}
  Subscription: {Type: AWS::SNS::Subscription, Properties: {TopicArn: !Ref Topic, Protocol: https, Endpoint: "https://two.example/", FilterPolicy: {level: [high]}, RawMessageDelivery: true}}
Outputs:
  Topic: {Value: !Ref Topic}
  Name: {Value: !GetAtt Topic.TopicName}
  Subscription: {Value: !Ref Subscription}
`

func TestATopicsStack(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := awssns.NewFromConfig(a.Admin)
	id := a.create(t, "topics", topicTemplate)
	a.is(t, "topics", types.StackStatusCreateComplete)
	out := a.outputs(t, "topics")
	if !strings.HasPrefix(out["Name"], "topics-Topic-") || out["Topic"] != "arn:aws:sns:us-west-2:"+number+":"+out["Name"] || !strings.HasPrefix(out["Subscription"], out["Topic"]+":") {
		t.Errorf("%v", out)
	}
	topic := func() map[string]string {
		t.Helper()
		got, err := client.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: aws.String(out["Topic"])})
		if err != nil {
			t.Fatal(err)
		}
		return got.Attributes
	}
	own, err := client.ListTagsForResource(ctx, &awssns.ListTagsForResourceInput{ResourceArn: aws.String(out["Topic"])})
	if err != nil || len(own.Tags) != 4 || *own.Tags[0].Key != "aws:cloudformation:logical-id" || *own.Tags[0].Value != "Topic" || *own.Tags[1].Value != id || *own.Tags[2].Value != "topics" {
		t.Errorf("%+v, %v", own, err)
	}
	_, err = client.UntagResource(ctx, &awssns.UntagResourceInput{ResourceArn: aws.String(out["Topic"]), TagKeys: []string{"aws:cloudformation:stack-name"}})
	doortest.Refused(t, err, "InvalidParameter", "reserved")
	if got := topic(); got["DisplayName"] != "alarms" || !strings.Contains(got["Policy"], "cloudwatch.amazonaws.com") || got["SubscriptionsPending"] != "2" {
		t.Errorf("%v", got)
	}
	changed := strings.NewReplacer("DisplayName: alarms, ", "", "Value: a}", "Value: b}", "one.example", "three.example", `FilterPolicy: {level: [high]}`, `FilterPolicyScope: MessageBody, FilterPolicy: {level: {now: [high]}}`, "cloudwatch.amazonaws.com", "events.amazonaws.com").Replace(topicTemplate)
	if err := a.update(t, "topics", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "topics", types.StackStatusUpdateComplete)
	if got := topic(); got["DisplayName"] != "" || !strings.Contains(got["Policy"], "events.amazonaws.com") {
		t.Errorf("%v", got)
	}
	sub, err := client.GetSubscriptionAttributes(ctx, &awssns.GetSubscriptionAttributesInput{SubscriptionArn: aws.String(out["Subscription"])})
	if err != nil || sub.Attributes["FilterPolicy"] != `{"level":{"now":["high"]}}` || sub.Attributes["FilterPolicyScope"] != "MessageBody" || sub.Attributes["RawMessageDelivery"] != "true" {
		t.Errorf("%v, %v", sub, err)
	}
	tags, err := client.ListTagsForResource(ctx, &awssns.ListTagsForResourceInput{ResourceArn: aws.String(out["Topic"])})
	if err != nil || len(tags.Tags) != 4 || *tags.Tags[3].Value != "b" {
		t.Errorf("%+v, %v", tags, err)
	}
	named := "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: " + out["Name"] + "}}}"
	a.create(t, "again", named)
	a.is(t, "again", types.StackStatusRollbackComplete)
	follows(t, a.events(t, "again"), "Topic CREATE_FAILED Resource of type 'AWS::SNS::Topic' with identifier '"+out["Topic"]+"' already exists.")
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("topics")}))
	a.is(t, id, types.StackStatusDeleteComplete)
	left, err := client.ListTopics(ctx, &awssns.ListTopicsInput{})
	if err != nil || len(left.Topics) != 0 {
		t.Errorf("topics are left: %+v, %v", left, err)
	}
}

// TestATopicPolicyThatGoes leaves the topic with the policy of a new one.
func TestATopicPolicyThatGoes(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := awssns.NewFromConfig(a.Admin)
	made, err := client.CreateTopic(ctx, &awssns.CreateTopicInput{Name: aws.String("t")})
	if err != nil {
		t.Fatal(err)
	}
	policy := func() string {
		t.Helper()
		got, err := client.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: made.TopicArn})
		if err != nil {
			t.Fatal(err)
		}
		return got.Attributes["Policy"]
	}
	usual := policy()
	a.create(t, "policy", `
Resources:
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [`+*made.TopicArn+`]
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Deny, Principal: "*", Action: "sns:Publish", Resource: "`+*made.TopicArn+`"}]}`)
	if policy() == usual {
		t.Error("the policy is not set")
	}
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("policy")}))
	if got := policy(); got != usual {
		t.Errorf("the policy is %s", got)
	}
}
