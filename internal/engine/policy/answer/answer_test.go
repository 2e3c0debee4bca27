package answer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/answer"
)

type keys map[string]string

func (k keys) Values(name string) policy.Values {
	if v, ok := k[name]; ok {
		return policy.One(v)
	}
	return policy.Values{}
}

// TestOf asks about one policy, in all ways that a statement matches or doesn't.
func TestOf(t *testing.T) {
	doc, err := policy.Parse(policy.Inline, `{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*"},
{"Sid":"D","Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::b/*"},
{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":
  {"aws:RequestedRegion":"us-east-1"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	source := policy.Source{Policy: policy.Compile(doc)}
	named := func(_ policy.Source, offset int) (name string, at answer.Place) {
		at.Line, at.Column = doc.Position(offset)
		return "P", at
	}
	for _, c := range []struct {
		action, resource, account string
		keys                      policy.Keys
		want                      string
	}{
		{"s3:GetObject", "arn:aws:s3:::b/k", "1", keys{"aws:requestedregion": "us-west-2"},
			"allowed by identity: Allow 0 at 2; identity allowed: Allow 0 at 2, no condition StringEquals aws:RequestedRegion at 5 [us-east-1] [us-west-2], no resource NotResource at 3 [arn:aws:s3:::b/*] [arn:aws:s3:::b/k]"},
		{"s3:GetObject", "arn:aws:s3:::c/k", "1", keys{"aws:requestedregion": "us-east-1"},
			"explicitDeny by identity: Deny 1 at 3; identity explicitDeny: Deny 1 at 3, Allow 2 at 4, no resource Resource at 2 [arn:aws:s3:::b/*] [arn:aws:s3:::c/k]"},
		{"s3:PutObject", "arn:aws:s3:::b/k", "1", nil,
			"implicitDeny by identity; identity implicitDeny: no condition StringEquals aws:RequestedRegion at 5 [us-east-1] [], no resource NotResource at 3 [arn:aws:s3:::b/*] [arn:aws:s3:::b/k], no action Action at 2 [s3:Get*] [s3:PutObject]"},
		// The resource's policy must allow too, and there is none.
		{"s3:GetObject", "arn:aws:s3:::b/k", "2", nil,
			"implicitDeny by resource; resource implicitDeny:; identity allowed: Allow 0 at 2, no condition StringEquals aws:RequestedRegion at 5 [us-east-1] [], no resource NotResource at 3 [arn:aws:s3:::b/*] [arn:aws:s3:::b/k]"},
	} {
		a := &policy.Applied{Identity: policy.NewProgram(source), CrossAccount: c.account != "1"}
		r := &policy.Request{Caller: policy.Caller{Kind: policy.UserCaller, Account: "1"}, Action: c.action, Resource: c.resource, Keys: c.keys}
		e := answer.Of(policy.Explain(a, r), r, "me", named)
		e.DeniesFirst()
		if got := told(e); got != c.want {
			t.Errorf("%s on %s:\ngot  %s\nwant %s", c.action, c.resource, got, c.want)
		}
		if (e.Sentence == "") != (e.Decision == answer.Allowed) {
			t.Errorf("%s on %s: %s, with the sentence %q", c.action, c.resource, e.Decision, e.Sentence)
		}
	}
}

func told(e *answer.Explanation) string {
	statement := func(s *answer.Statement) string { return fmt.Sprintf("%s %d at %d", s.Effect, s.Index, s.Line) }
	text := fmt.Sprintf("%s by %s", e.Decision, e.Layer)
	if e.DecidedBy != nil {
		text += ": " + statement(e.DecidedBy)
	}
	for _, l := range e.Layers {
		var said []string
		for _, s := range l.Matched {
			said = append(said, statement(&s))
		}
		for _, m := range l.Missed {
			said = append(said, strings.Join(strings.Fields(fmt.Sprintf("no %s %s %s at %d %s %s", m.Miss, m.Element, m.Key, m.Line, m.Wanted, m.Got)), " "))
		}
		text += strings.TrimRight(fmt.Sprintf("; %s %s: %s", l.Layer, l.Outcome, strings.Join(said, ", ")), " ")
	}
	return text
}
