package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
)

// keys are condition keys for tests, written as one likes.
type keys map[string][]string

func (k keys) Values(key string) policy.Values {
	for name, v := range k {
		if strings.EqualFold(name, key) {
			return policy.Many(v)
		}
	}
	return policy.Values{}
}

// TestConditions decides one Allow statement with the given condition.
func TestConditions(t *testing.T) {
	one := func(v ...string) keys { return keys{"aws:K": v} }
	missing := keys{}
	empty := one()
	for _, c := range []struct {
		condition string
		keys      keys
		want      bool
	}{
		{`"StringEquals":{"aws:K":"a"}`, one("a"), true},
		{`"StringEquals":{"AWS:k":"a"}`, one("a"), true},
		{`"StringEquals":{"aws:K":"a"}`, one("A"), false},
		{`"StringEquals":{"aws:K":"a*"}`, one("ab"), false},
		{`"StringEquals":{"aws:K":"a*"}`, one("a*"), true},
		{`"StringEquals":{"aws:K":["x","a"]}`, one("a"), true},
		{`"StringEquals":{"aws:K":[]}`, one("a"), false},
		{`"StringNotEquals":{"aws:K":[]}`, one("a"), true},
		{`"StringEquals":{"aws:K":"a"}`, missing, false},
		{`"StringEquals":{"aws:K":"a"}`, empty, false},
		{`"StringEqualsIfExists":{"aws:K":"a"}`, missing, true},
		{`"StringEqualsIfExists":{"aws:K":"a"}`, one("b"), false},
		{`"StringNotEquals":{"aws:K":"a"}`, missing, true},
		{`"StringNotEquals":{"aws:K":["a","b"]}`, one("b"), false},
		{`"StringNotEquals":{"aws:K":["a","b"]}`, one("c"), true},
		{`"StringEqualsIgnoreCase":{"aws:K":"É"}`, one("é"), true},
		{`"StringNotEqualsIgnoreCase":{"aws:K":"a"}`, one("A"), false},
		{`"StringLike":{"aws:K":"a?c*"}`, one("abcd"), true},
		{`"StringLike":{"aws:K":"A*"}`, one("abcd"), false},
		{`"StringNotLike":{"aws:K":"a*"}`, one("abcd"), false},
		{`"StringEquals":{"aws:K":true}`, one("true"), true},
		{`"StringEquals":{"aws:K":12}`, one("12"), true},

		{`"NumericEquals":{"aws:K":"10"}`, one("10.0"), true},
		{`"NumericEquals":{"aws:K":10.5}`, one("10.50"), true},
		{`"NumericNotEquals":{"aws:K":"10"}`, one("11"), true},
		{`"NumericLessThan":{"aws:K":"10"}`, one("9.99"), true},
		{`"NumericLessThan":{"aws:K":"10"}`, one("10"), false},
		{`"NumericLessThanEquals":{"aws:K":"10"}`, one("10"), true},
		{`"NumericGreaterThan":{"aws:K":"9007199254740992"}`, one("9007199254740993"), true},
		{`"NumericGreaterThanEquals":{"aws:K":"-1"}`, one("-1"), true},
		{`"NumericEquals":{"aws:K":"ten"}`, one("ten"), false},
		{`"NumericLessThan":{"aws:K":"10"}`, one("few"), false},

		{`"DateGreaterThan":{"aws:K":"2020-01-01T00:00:00Z"}`, one("2020-01-01T00:00:01Z"), true},
		{`"DateGreaterThan":{"aws:K":"2020-01-01T00:00:00Z"}`, one("2020-01-01T00:00:00Z"), false},
		{`"DateEquals":{"aws:K":"2020-01-01T00:00:00Z"}`, one("1577836800"), true},
		{`"DateLessThanEquals":{"aws:K":"1577836800"}`, one("2020-01-01T01:00:00+01:00"), true},
		{`"DateNotEquals":{"aws:K":"2020-01-01"}`, one("2020-01-01T00:00:00Z"), false},
		{`"DateLessThan":{"aws:K":"2020-01-01"}`, one("yesterday"), false},

		{`"Bool":{"aws:K":"true"}`, one("true"), true},
		{`"Bool":{"aws:K":true}`, one("True"), true},
		{`"Bool":{"aws:K":"false"}`, one("true"), false},
		{`"Bool":{"aws:K":"false"}`, missing, false},
		{`"BoolIfExists":{"aws:K":"false"}`, missing, true},
		{`"Null":{"aws:K":"true"}`, missing, true},
		{`"Null":{"aws:K":"true"}`, empty, true},
		{`"Null":{"aws:K":"true"}`, one("a"), false},
		{`"Null":{"aws:K":false}`, one("a"), true},
		{`"BinaryEquals":{"aws:K":"QUI="}`, one("QUI="), true},
		{`"BinaryEquals":{"aws:K":"QUI="}`, one("QUM="), false},

		{`"IpAddress":{"aws:K":"10.0.0.0/8"}`, one("10.1.2.3"), true},
		{`"IpAddress":{"aws:K":"10.0.0.1"}`, one("10.0.0.1"), true},
		{`"IpAddress":{"aws:K":"10.0.0.1"}`, one("10.0.0.2"), false},
		{`"IpAddress":{"aws:K":"2001:db8::/32"}`, one("2001:DB8:0:0::1"), true},
		{`"IpAddress":{"aws:K":"nonsense"}`, one("10.0.0.1"), false},
		{`"NotIpAddress":{"aws:K":["10.0.0.0/8","192.168.0.0/16"]}`, one("192.168.1.1"), false},
		{`"NotIpAddress":{"aws:K":"10.0.0.0/8"}`, one("11.0.0.1"), true},

		{`"ArnLike":{"aws:K":"arn:aws:s3:*:1:f/*"}`, one("arn:aws:s3:r:1:f/d"), true},
		{`"ArnLike":{"aws:K":"arn:aws:s:*:1:f/*"}`, one("arn:aws:s:r:2:x:1:f/d"), false},
		{`"StringLike":{"aws:K":"arn:aws:s:*:1:f/*"}`, one("arn:aws:s:r:2:x:1:f/d"), true},
		{`"ArnEquals":{"aws:K":"arn:aws:sns:*:*:topic:*"}`, one("arn:aws:sns:r:1:topic:a:b"), true},
		{`"ArnNotLike":{"aws:K":"arn:aws:s3:*:*:*"}`, one("arn:aws:s3:::b"), false},
		{`"ArnNotEquals":{"aws:K":"arn:aws:s3:*:*:*"}`, missing, true},
		{`"ArnLike":{"aws:K":"*"}`, one("arn:aws:s3:::b"), true},
		{`"ArnLike":{"aws:K":"arn:aws:*"}`, one("arn:aws:s3:::b"), false},
		{`"ArnLike":{"aws:K":"arn:aws:s3:::*"}`, one("not an arn"), false},

		{`"ForAllValues:StringEquals":{"aws:K":["a","b"]}`, one("a", "b"), true},
		{`"ForAllValues:StringEquals":{"aws:K":["a","b"]}`, one("a", "c"), false},
		{`"ForAllValues:StringEquals":{"aws:K":["a"]}`, missing, true},
		{`"ForAllValues:StringEquals":{"aws:K":["a"]}`, empty, true},
		{`"ForAllValues:StringNotEquals":{"aws:K":["a"]}`, one("b", "a"), false},
		{`"ForAnyValue:StringEquals":{"aws:K":["a"]}`, one("b", "a"), true},
		{`"ForAnyValue:StringEquals":{"aws:K":["a"]}`, missing, false},
		{`"ForAnyValue:StringEqualsIfExists":{"aws:K":["a"]}`, missing, true},
		{`"ForAnyValue:StringNotEquals":{"aws:K":["a"]}`, one("b", "a"), true},
		{`"ForAnyValue:StringNotEquals":{"aws:K":["a"]}`, one("a", "a"), false},
		{`"ForAnyValue:StringNotEquals":{"aws:K":["a"]}`, missing, false},
		{`"StringEquals":{"aws:K":"a"}`, one("b", "a"), true},
		{`"StringNotEquals":{"aws:K":"a"}`, one("b", "a"), false},

		// Keys and operators are all to hold.
		{`"StringEquals":{"aws:K":"a","aws:L":"b"}`, keys{"aws:K": {"a"}, "aws:L": {"b"}}, true},
		{`"StringEquals":{"aws:K":"a","aws:L":"b"}`, keys{"aws:K": {"a"}, "aws:L": {"c"}}, false},
		{`"StringEquals":{"aws:K":"a"},"StringLike":{"aws:L":"b*"}`, keys{"aws:K": {"a"}, "aws:L": {"c"}}, false},

		// Variables.
		{`"StringEquals":{"aws:K":"${aws:UserName}"}`, keys{"aws:K": {"bob"}, "aws:username": {"bob"}}, true},
		{`"StringEquals":{"aws:K":"x-${aws:username}-y"}`, keys{"aws:K": {"x-bob-y"}, "aws:username": {"bob"}}, true},
		{`"StringEquals":{"aws:K":"${aws:username}"}`, one("bob"), false},
		{`"StringNotEquals":{"aws:K":"${aws:username}"}`, one("bob"), true},
		{`"StringEquals":{"aws:K":"${aws:username, 'nobody'}"}`, one("nobody"), true},
		{`"StringEquals":{"aws:K":"${aws:username,'nobody'}"}`, keys{"aws:K": {"nobody"}, "aws:username": {"bob"}}, false},
		{`"StringLike":{"aws:K":"${aws:username}*"}`, keys{"aws:K": {"bobby"}, "aws:username": {"bob"}}, true},
		{`"StringLike":{"aws:K":"${aws:username}"}`, keys{"aws:K": {"bobby"}, "aws:username": {"b*"}}, false},
		{`"StringLike":{"aws:K":"${aws:username}"}`, keys{"aws:K": {"b*"}, "aws:username": {"b*"}}, true},
		{`"StringLike":{"aws:K":"a${*}b${?}c${$}d"}`, one("a*b?c$d"), true},
		{`"StringLike":{"aws:K":"a${*}b"}`, one("axb"), false},
		{`"StringEquals":{"aws:K":"a${*}b"}`, one("a*b"), true},
		{`"StringEquals":{"aws:K":"${aws:tags}"}`, keys{"aws:K": {"a"}, "aws:tags": {"a", "b"}}, false},
		{`"ArnLike":{"aws:K":"${aws:L}"}`, keys{"aws:K": {"arn:aws:s3:::b"}, "aws:L": {"arn:aws:s3:::b"}}, true},
		{`"NumericEquals":{"aws:K":"${aws:L}"}`, keys{"aws:K": {"1"}, "aws:L": {"1"}}, false},
		{`"StringEquals":{"aws:K":"${"}`, one("${"), true},
	} {
		text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s:a","Resource":"*","Condition":{%s}}}`, c.condition)
		if got := decide(t, text, policy.Request{Keys: c.keys}); got != c.want {
			t.Errorf("%s with %v = %v", c.condition, c.keys, got)
		}
	}
}

// decide evaluates one inline policy for a user and the action s:a.
func decide(t *testing.T, text string, r policy.Request) bool {
	t.Helper()
	r.Caller = policy.Caller{Kind: policy.UserCaller, Account: "111122223333"}
	if r.Action == "" {
		r.Action = "s:a"
	}
	if r.Resource == "" {
		r.Resource = "arn:aws:s:::r"
	}
	a := &policy.Applied{Identity: policy.NewProgram(policy.Source{Policy: compile(t, policy.Inline, text)})}
	return policy.Decide(a, &r).Allowed
}

func compile(t testing.TB, kind policy.Kind, text string) *policy.Policy {
	t.Helper()
	d, err := policy.Parse(kind, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return policy.Compile(d)
}

func TestVariablesInResources(t *testing.T) {
	const text = `{"Version":%q,"Statement":{"Effect":"Allow","Action":"s:*","Resource":"arn:aws:s:::home/${aws:username}/*"}}`
	v2012, v2008 := fmt.Sprintf(text, policy.Version2012), fmt.Sprintf(text, policy.Version2008)
	bob := keys{"aws:username": {"bob"}}
	for _, c := range []struct {
		text, resource string
		keys           keys
		want           bool
	}{
		{v2012, "arn:aws:s:::home/bob/x", bob, true},
		{v2012, "arn:aws:s:::home/eve/x", bob, false},
		{v2012, "arn:aws:s:::home//x", nil, false},
		{v2012, "arn:aws:s:::home/${aws:username}/x", nil, false},
		{v2008, "arn:aws:s:::home/bob/x", bob, false},
		{v2008, "arn:aws:s:::home/${aws:username}/x", bob, true},
	} {
		if got := decide(t, c.text, policy.Request{Resource: c.resource, Keys: c.keys}); got != c.want {
			t.Errorf("%s on %s = %v", c.text, c.resource, got)
		}
	}
}
