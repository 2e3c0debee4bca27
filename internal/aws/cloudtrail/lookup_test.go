package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func TestThings(t *testing.T) {
	role := aws.String("arn:aws:iam::111122223333:role/r")
	e := Event{
		Time: time.Now(), Service: "sts", Name: "AssumeRole", Caller: &api.Caller{Type: api.User, Name: "alice"},
		Input: &sts.AssumeRoleInput{RoleArn: role},
		Output: &sts.AssumeRoleOutput{
			Credentials:     &ststypes.Credentials{AccessKeyId: aws.String("ASIA1")},
			AssumedRoleUser: &ststypes.AssumedRoleUser{AssumedRoleId: aws.String("AROA:s"), Arn: aws.String("arn:aws:sts::111122223333:assumed-role/r/s")},
		},
	}
	var r Record
	if err := json.Unmarshal(newEncoder().event(nil, &e), &r); err != nil {
		t.Fatal(err)
	}
	want := []Thing{
		{"AWS::IAM::Role", *role}, {"AWS::IAM::AccessKey", "ASIA1"},
		{"AWS::STS::AssumedRole", "AROA:s"}, {"AWS::STS::AssumedRole", "arn:aws:sts::111122223333:assumed-role/r/s"},
	}
	if got := r.Things(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestLookupLimits: what is too old is not seen, nor what a trail's end hides; a
// search that reads much ends its page early, and goes on.
func TestLookupLimits(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	trail := fill(t, dir, 300, func(n int) time.Time { return now.Add(time.Duration(n-299) * 24 * time.Hour) })
	h := NewHistory(trail, dir, func() time.Time { return now })
	seen, in := 0, &cloudtrail.LookupEventsInput{}
	for {
		out, err := h.LookupEvents(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if seen += len(out.Events); out.NextToken == nil {
			break
		}
		in.NextToken = out.NextToken
	}
	if seen < 90 || seen > 91 {
		t.Errorf("%d days are seen, want 90", seen)
	}
	in = &cloudtrail.LookupEventsInput{NextToken: in.NextToken, MaxResults: aws.Int32(5), LookupAttributes: []types.LookupAttribute{
		{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: aws.String("Op001")},
	}}
	if _, err := h.LookupEvents(t.Context(), in); err == nil {
		t.Error("a token of another request was taken")
	}
}

// fill records so many calls.
func fill(t testing.TB, dir string, events int, at func(int) time.Time) *Trail {
	t.Helper()
	trail, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trail.Close() })
	for n := range events {
		e := createRole()
		e.Time, e.Name = at(n), fmt.Sprintf("Op%03d", n)
		trail.Record(e)
	}
	if err := trail.Flush(); err != nil {
		t.Fatal(err)
	}
	return trail
}

// BenchmarkLookup is a page of the newest events, and a search through all of them
// for one that isn't there.
func BenchmarkLookup(b *testing.B) {
	dir, now := b.TempDir(), time.Now()
	h := NewHistory(fill(b, dir, 50_000, func(int) time.Time { return now }), dir, time.Now)
	size := int64(0)
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	list, _ := listSegments(dir)
	for _, s := range list {
		size += s.size
	}
	b.Logf("%d files, %d MB", len(files), size>>20)
	for name, in := range map[string]*cloudtrail.LookupEventsInput{
		"newest50": {},
		"nothing": {LookupAttributes: []types.LookupAttribute{
			{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: aws.String("None")},
		}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.LookupEvents(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
