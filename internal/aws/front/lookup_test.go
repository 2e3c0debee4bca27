package front_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awstrail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestLookupEvents finds calls again, with the official SDK.
func TestLookupEvents(t *testing.T) {
	door, accounts := everyService(t)
	server := httptest.NewServer(door)
	defer server.Close()
	c := user(t, accounts, server.URL, `{"Effect":"Allow","Action":["cloudtrail:*","iam:TagRole"],"Resource":"*"}`)
	trail, start := awstrail.NewFromConfig(c), time.Now()
	if _, err := awssts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	tagged := &awsiam.TagRoleInput{RoleName: aws.String(thing)}
	tagged.Tags = append(tagged.Tags, tag("a", "b"))
	if _, err := awsiam.NewFromConfig(c).TagRole(t.Context(), tagged); err != nil {
		t.Fatal(err)
	}
	if _, err := awsiam.NewFromConfig(c).DeleteRole(t.Context(), &awsiam.DeleteRoleInput{RoleName: aws.String(thing)}); err == nil {
		t.Fatal("the user deleted a role")
	}
	find := func(key types.LookupAttributeKey, value string) string {
		in := &awstrail.LookupEventsInput{}
		if key != "" {
			in.LookupAttributes = []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
		}
		out, err := trail.LookupEvents(t.Context(), in)
		if err != nil {
			t.Errorf("%s %s: %v", key, value, err)
			return ""
		}
		var names []string
		for _, e := range out.Events {
			if *e.EventName != "LookupEvents" {
				names = append(names, *e.EventName)
			}
		}
		return strings.Join(names, " ")
	}
	credentials, _ := c.Credentials.Retrieve(t.Context())
	for _, l := range []struct {
		key         types.LookupAttributeKey
		value, want string
	}{
		{"", "", "DeleteRole TagRole GetCallerIdentity"},
		{types.LookupAttributeKeyEventName, "TagRole", "TagRole"},
		{types.LookupAttributeKeyEventName, "tagrole", ""},
		{types.LookupAttributeKeyEventSource, "sts.amazonaws.com", "GetCallerIdentity"},
		{types.LookupAttributeKeyReadOnly, "true", "GetCallerIdentity"},
		{types.LookupAttributeKeyReadOnly, "false", "DeleteRole TagRole"},
		{types.LookupAttributeKeyUsername, "someone", "DeleteRole TagRole GetCallerIdentity"},
		{types.LookupAttributeKeyUsername, "someon", ""},
		{types.LookupAttributeKeyResourceName, thing, "DeleteRole TagRole"},
		{types.LookupAttributeKeyResourceType, "AWS::IAM::Role", "DeleteRole TagRole"},
		{types.LookupAttributeKeyAccessKeyId, credentials.AccessKeyID, "DeleteRole TagRole GetCallerIdentity"},
		{types.LookupAttributeKeyAccessKeyId, "AKIA0", ""},
		{types.LookupAttributeKeyEventId, "nothing", ""},
	} {
		if got := find(l.key, l.value); got != l.want {
			t.Errorf("%s %q: found %q, want %q", l.key, l.value, got, l.want)
		}
	}

	named := []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: aws.String("DeleteRole")}}
	out, err := trail.LookupEvents(t.Context(), &awstrail.LookupEventsInput{LookupAttributes: named, StartTime: aws.Time(start.Add(-time.Second))})
	if err != nil || len(out.Events) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	e := out.Events[0]
	var record map[string]any
	if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &record); err != nil || record["errorCode"] != "AccessDenied" {
		t.Errorf("the event reads %s (%v)", *e.CloudTrailEvent, err)
	}
	header, _ := record["additionalEventData"].(map[string]any)
	if denial, ok := accounts.Denial(fmt.Sprint(header["authorizationId"])); !ok || denial.RequestID != record["requestID"] {
		t.Errorf("the event says %v of the refusal", record["additionalEventData"])
	}
	if *e.Username != "someone" || *e.ReadOnly != "false" || len(e.Resources) != 1 || *e.Resources[0].ResourceName != thing || *e.EventId != record["eventID"] {
		t.Errorf("the event is %+v", e)
	}
	for name, in := range map[string]*awstrail.LookupEventsInput{
		"later":  {LookupAttributes: named, StartTime: aws.Time(start.Add(time.Hour))},
		"before": {LookupAttributes: named, EndTime: aws.Time(start.Add(-time.Hour))},
		"kind":   {LookupAttributes: named, EventCategory: types.EventCategoryInsight},
	} {
		if out, err := trail.LookupEvents(t.Context(), in); err != nil || len(out.Events) != 0 {
			t.Errorf("%s: %d events, %v", name, len(out.Events), err)
		}
	}
	for want, in := range map[string]*awstrail.LookupEventsInput{
		"InvalidTimeRangeException":        {StartTime: aws.Time(start), EndTime: aws.Time(start.Add(-time.Hour))},
		"InvalidNextTokenException":        {NextToken: aws.String("bm8=")},
		"InvalidLookupAttributesException": {LookupAttributes: append(named, named...)},
	} {
		if _, err := trail.LookupEvents(t.Context(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestLookupPages: pages of any size have every event once, also while calls go on.
func TestLookupPages(t *testing.T) {
	door, accounts := everyService(t)
	server := httptest.NewServer(door)
	defer server.Close()
	c := user(t, accounts, server.URL, `{"Effect":"Allow","Action":"cloudtrail:*","Resource":"*"}`)
	identity := awssts.NewFromConfig(c)
	for range 23 {
		if _, err := identity.GetCallerIdentity(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	pages := awstrail.NewLookupEventsPaginator(awstrail.NewFromConfig(c), &awstrail.LookupEventsInput{
		MaxResults: aws.Int32(5), LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: aws.String("GetCallerIdentity")}},
	})
	n := 0
	for ; pages.HasMorePages(); n++ {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			seen[*e.EventId]++
		}
		if _, err := identity.GetCallerIdentity(t.Context(), nil); err != nil { // newer than what is looked at
			t.Fatal(err)
		}
	}
	if len(seen) != 23 || n < 5 {
		t.Errorf("%d events on %d pages", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s came %d times", id, times)
		}
	}
}
