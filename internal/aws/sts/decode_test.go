package sts_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/store"
)

// ofEC2 is an EC2 without a network.
func ofEC2(t *testing.T) *api.Service {
	t.Helper()
	s := store.NewMemory()
	t.Cleanup(s.Close)
	return ec2.New(s, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}).Service()
}

const encoded = ". Encoded authorization failure message: "

// refusal is the text of a refusal by EC2.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != "UnauthorizedOperation" {
		t.Fatalf("got %v", err)
	}
	return e.ErrorMessage()
}

func TestAuthorizationMessages(t *testing.T) {
	d := behindDoor(t, ofEC2(t))
	as := func(name, document string) aws.Config {
		d.user(t, name, document)
		id := ""
		for _, k := range d.keysOf(t, name) {
			id = k
		}
		secret, _, err := d.sts.Resolve(t.Context(), id, "", d.now)
		if err != nil {
			t.Fatal(err)
		}
		return d.Config(id, secret, "")
	}
	bob := as("bob", "")
	_, err := awsec2.NewFromConfig(bob).DescribeInstances(t.Context(), nil)
	text := refusal(t, err)
	sentence, message, ok := strings.Cut(text, encoded)
	if want := "You are not authorized to perform this operation. User: arn:aws:iam::111122223333:user/bob is not authorized to perform: ec2:DescribeInstances on resource: * because no identity-based policy allows the ec2:DescribeInstances action"; !ok || sentence != want {
		t.Fatalf("got  %s\nwant %s", text, want+encoded)
	}
	// Whoever was refused can't read why; who may, can.
	_, err = awssts.NewFromConfig(bob).DecodeAuthorizationMessage(t.Context(), &awssts.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	says(t, err, "AccessDenied: User: arn:aws:iam::111122223333:user/bob is not authorized to perform: sts:DecodeAuthorizationMessage")
	reader := awssts.NewFromConfig(as("reader", allows("sts:DecodeAuthorizationMessage")))
	out, err := reader.DecodeAuthorizationMessage(t.Context(), &awssts.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(*out.DecodedMessage), &got); err != nil {
		t.Fatal(err)
	}
	none := map[string]any{"items": []any{}}
	for name, want := range map[string]any{"allowed": false, "explicitDeny": false, "matchedStatements": none, "failures": none} {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if field(got, "context", "action") != "ec2:DescribeInstances" || field(got, "context", "resource") != "*" ||
		field(got, "context", "principal", "name") != "bob" || field(got, "context", "principal", "arn") != "arn:aws:iam::111122223333:user/bob" ||
		!strings.HasPrefix(field(got, "context", "principal", "id").(string), "AIDA") ||
		!strings.Contains(*out.DecodedMessage, `{"key":"ec2:Region","values":{"items":[{"value":"us-west-2"}]}}`) {
		t.Error(*out.DecodedMessage)
	}

	// The statement that denied, with all that it says.
	carol := as("carol", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"NotThese","Effect":"Deny","Action":["ec2:Describe*"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-west-2"}}}]}`)
	_, err = awsec2.NewFromConfig(carol).DescribeVpcs(t.Context(), &awsec2.DescribeVpcsInput{Filters: []ec2types.Filter{}})
	_, message, _ = strings.Cut(refusal(t, err), encoded)
	out, err = reader.DecodeAuthorizationMessage(t.Context(), &awssts.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"explicitDeny":true`, `"statementId":"NotThese","effect":"DENY"`, `"actions":{"items":[{"value":"ec2:Describe*"}]},"resources":{"items":[{"value":"*"}]}`,
		`"conditions":{"items":[{"key":"aws:RequestedRegion","values":{"items":[{"value":"us-west-2"}]}}]}`,
	} {
		if !strings.Contains(*out.DecodedMessage, want) {
			t.Errorf("no %s in %s", want, *out.DecodedMessage)
		}
	}

	token, err := d.sts.GetSessionToken(d.admin, &awssts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	other := "A" // another first letter than the message's, which is chance
	if message[0] == 'A' {
		other = "B"
	}
	for _, bad := range []string{"rubbish", message[1:], message[:len(message)-1], other + message[1:], message + "\n", *token.Credentials.SessionToken, strings.TrimPrefix(*token.Credentials.SessionToken, "EKSACT1")} {
		_, err := reader.DecodeAuthorizationMessage(t.Context(), &awssts.DecodeAuthorizationMessageInput{EncodedMessage: &bad})
		says(t, err, "InvalidAuthorizationMessageException")
	}
}
