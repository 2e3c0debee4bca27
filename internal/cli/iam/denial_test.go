package iam

import (
	"bytes"
	"context"
	"encoding/json"
	"net"

	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	awsaccount "github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/daemon/control"
	"github.com/eksact/eksact/internal/hint"
)

// TestDenial: what IAM keeps of a refusal, over the daemon's socket, as people and
// programs get it.
func TestDenial(t *testing.T) {
	account, who := refusedCall(t)
	dir := t.TempDir()
	l, err := net.Listen("unix", control.Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(control.Handle(func(_ context.Context, id string) (*awsaccount.Explanation, error) {
		if d, ok := account.Denial(id); ok {
			return d.Explain(), nil
		}
		return nil, hint.New("not known", "look elsewhere")
	}))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	defer server.Close()
	for _, id := range []string{"", "request-1", who.AuthorizationID} {
		var out bytes.Buffer
		if err := askDenial(t.Context(), control.Dial(dir), &out, id, false); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"User: arn:aws:iam::111122223333:user/alice is not authorized to perform: eks:DescribeCluster on resource: arn:aws:eks:us-west-2:111122223333:cluster/demo because no identity-based policy allows the eks:DescribeCluster action",
			"Allow Mine of inline policy own of user alice",
			"StringEquals aws:RequestedRegion wants eu-central-1, the request has us-west-2",
			"Action is iam:*, not eks:DescribeCluster",
			"request request-1, authorization " + who.AuthorizationID,
			"aws:RequestedRegion = us-west-2",
			"aws:username = alice",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q lacks %q:\n%s", id, want, out.String())
			}
		}
	}
	var out bytes.Buffer
	if err := askDenial(t.Context(), control.Dial(dir), &out, "", true); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Decision, Layer string
		Layers          []struct{ Missed []struct{ Miss, Key string } }
		Context         map[string][]string
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Decision != "implicitDeny" || got.Layer != "identity" || len(got.Layers) != 1 || got.Layers[0].Missed[0].Key != "aws:RequestedRegion" {
		t.Errorf("the JSON is %s", out.String())
	}
	if err := askDenial(t.Context(), control.Dial(dir), &out, "nothing", false); len(hint.Lines(err)) == 0 {
		t.Errorf("an unknown id: %v, without a hint", err)
	}
}

// TestDenialWithoutDaemon: a daemon that goes down is said in a line, with a hint.
func TestDenialWithoutDaemon(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", control.Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	err = askDenial(t.Context(), control.Dial(dir), &bytes.Buffer{}, "", false)
	if err == nil || err.Error() != "the daemon went away before it answered" || len(hint.Lines(err)) != 1 {
		t.Errorf("%v, hints %q", err, hint.Lines(err))
	}
}

// refusedCall is an account in which a call of alice's was refused.
func refusedCall(t *testing.T) (*awsaccount.IAM, *api.Caller) {
	t.Helper()
	i := doortest.New(t).IAM
	name := aws.String("alice")
	made, err := i.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("own"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iam:*","Resource":"*"},
		{"Sid":"Mine","Effect":"Allow","Action":"eks:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-central-1"}}}]}`)}); err != nil {
		t.Fatal(err)
	}
	who := &api.Caller{Type: api.User, Name: "alice", AccountID: "111122223333", ARN: *made.User.Arn, PrincipalARN: *made.User.Arn,
		PrincipalID: *made.User.UserId, UserID: *made.User.UserId, RequestedRegion: "us-west-2", RequestID: "request-1"}
	if err := i.AuthorizeCall(t.Context(), who, "eks:DescribeCluster", []string{"arn:aws:eks:us-west-2:111122223333:cluster/demo"}, nil); err == nil {
		t.Fatal("it was allowed")
	}
	return i, who
}
