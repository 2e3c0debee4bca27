package iamtoolbox_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/iamtoolbox"
)

const account = doortest.Number

// TestDetails asks about a refusal as a client does, over HTTP: the SDK for Go has
// none, so the request is written out.
func TestDetails(t *testing.T) {
	url, admin := door(t)
	answer, body := call(t, http.MethodPost, url, "iam", "us-east-1", "Action=DeleteUser&UserName=bob&Version=2010-05-08", admin)
	id := answer.Header.Get("x-amzn-authorization-id")
	if answer.StatusCode != http.StatusForbidden || id == "" {
		t.Fatalf("the deletion was answered %d, id %q: %s", answer.StatusCode, id, body)
	}
	answer, body = call(t, http.MethodGet, url+"/authorization-details/"+id, "iam-toolbox", "us-west-2", "", admin)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("answered %d: %s", answer.StatusCode, body)
	}
	var out struct {
		RequestContext map[string]any
		Evaluations    []struct {
			Action, Resource, EvaluatedEffect string
			Context                           map[string]any
			MatchedPolicies                   []struct {
				URI               string
				MatchedStatements []struct{ Sid, EvaluatedEffect string }
			}
		}
		Policies []struct {
			Type, URI  string
			Inline     bool
			AttachedTo []struct{ ARN string }
		}
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if len(out.Evaluations) != 1 {
		t.Fatalf("the details are %s", body)
	}
	e := out.Evaluations[0]
	if e.Action != "iam:DeleteUser" || e.Resource != "arn:aws:iam::"+account+":user/bob" || e.EvaluatedEffect != "EXPLICIT_DENY" {
		t.Errorf("evaluated was %+v", e)
	}
	if out.RequestContext["aws:username"] == nil || out.RequestContext["aws:ResourceAccount"] != nil || e.Context["aws:ResourceAccount"] == nil {
		t.Errorf("the request has %v, the evaluation %v", out.RequestContext, e.Context)
	}
	if len(e.MatchedPolicies) != 2 || len(out.Policies) != 2 {
		t.Fatalf("%d policies matched of %d: %s", len(e.MatchedPolicies), len(out.Policies), body)
	}
	inline := e.MatchedPolicies[1]
	if s := inline.MatchedStatements[0]; s.Sid != "KeepBob" || s.EvaluatedEffect != "EXPLICIT_DENY" {
		t.Errorf("the statement is %+v", s)
	}
	p := out.Policies[1]
	if p.URI != inline.URI || !p.Inline || p.Type != "IDENTITY_BASED_POLICY" || p.AttachedTo[0].ARN != "arn:aws:iam::"+account+":user/admin" {
		t.Errorf("the policy is %+v", p)
	}
	for path, want := range map[string]string{
		"unknown0":             "ResourceNotFoundException",
		"UPPER":                "ValidationException",
		id + "?nextToken=more": "ValidationException",
	} {
		answer, body := call(t, http.MethodGet, url+"/authorization-details/"+path, "iam-toolbox", "us-west-2", "", admin)
		if got := answer.Header.Get("X-Amzn-ErrorType"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: answered %d %s, want %s: %s", path, answer.StatusCode, got, want, body)
		}
	}
}

// door is an account whose admin may not delete bob.
func door(t *testing.T) (string, aws.Credentials) {
	a := doortest.New(t)
	if _, err := a.IAM.PutUserPolicy(context.Background(), &awsiam.PutUserPolicyInput{UserName: aws.String("admin"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Sid":"KeepBob","Effect":"Deny","Action":"iam:Delete*","Resource":"*"}}`)}); err != nil {
		t.Fatal(err)
	}
	return a.Open(t, iamtoolbox.New(a.IAM).Service()).URL, a.AdminKey(t)
}

func call(t *testing.T, method, url, service, region, body string, who aws.Credentials) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(hash[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, text
}
