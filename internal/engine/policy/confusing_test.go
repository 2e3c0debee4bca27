package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// TestHostile decides by policies made to be slow or to confuse: the answer is
// right, and soon.
func TestConfusing(t *testing.T) {
	long := strings.Repeat("a", 10_000)
	stars := strings.Repeat("*a", 5_000)
	var many []string
	for i := range 2_000 {
		many = append(many, fmt.Sprintf("%q", fmt.Sprintf("value-%d", i)))
	}
	list := "[" + strings.Join(many, ",") + "]"
	for name, c := range map[string]struct {
		condition string
		keys      keys
		want      bool
	}{
		"a value of 10 kB":              {fmt.Sprintf(`"StringEquals":{"aws:K":%q}`, long), keys{"aws:K": {long}}, true},
		"a value of 10 kB, one less":    {fmt.Sprintf(`"StringEquals":{"aws:K":%q}`, long), keys{"aws:K": {long[1:]}}, false},
		"10,000 stars":                  {fmt.Sprintf(`"StringLike":{"aws:K":"%sb"}`, stars), keys{"aws:K": {long + long}}, false},
		"10,000 stars that match":       {fmt.Sprintf(`"StringLike":{"aws:K":"%s*"}`, stars), keys{"aws:K": {long}}, true},
		"stars in an ARN":               {fmt.Sprintf(`"ArnLike":{"aws:K":"arn:aws:s:::%sb"}`, stars), keys{"aws:K": {"arn:aws:s:::" + long}}, false},
		"2,000 values":                  {`"StringEquals":{"aws:K":` + list + `}`, keys{"aws:K": {"value-1999"}}, true},
		"2,000 values, none":            {`"ForAnyValue:StringLike":{"aws:K":` + list + `}`, keys{"aws:K": {"x", "y", "value"}}, false},
		"2,000 by 500 values":           {`"ForAllValues:StringLike":{"aws:K":` + list + `}`, keys{"aws:K": strings.Fields(strings.Repeat("value-1999 ", 500))}, true},
		"a key of 10 kB":                {fmt.Sprintf(`"StringEquals":{"aws:%s":"a"}`, long), keys{"aws:" + long: {"a"}}, true},
		"10 kB of variables":            {fmt.Sprintf(`"StringLike":{"aws:K":"%s*"}`, strings.Repeat("${aws:L}", 1_250)), keys{"aws:K": {strings.Repeat("xy", 1_250)}, "aws:L": {"xy"}}, true},
		"a variable that grows":         {`"StringEquals":{"aws:K":"${aws:L}${aws:L}"}`, keys{"aws:K": {long + long}, "aws:L": {long}}, true},
		"half a character":              {`"StringLike":{"aws:K":"é*"}`, keys{"aws:K": {"\xc3"}}, false},
		"a number of 10,000 digits":     {fmt.Sprintf(`"NumericEquals":{"aws:K":"%s"}`, strings.Repeat("9", 10_000)), keys{"aws:K": {"9"}}, false},
		"a number with an exponent":     {`"NumericEquals":{"aws:K":"1e999999999"}`, keys{"aws:K": {"1e999999999"}}, false},
		"a zero byte":                   {`"StringEquals":{"aws:K":"a\u0000b"}`, keys{"aws:K": {"a\x00b"}}, true},
		"a zero byte ends nothing":      {`"StringEquals":{"aws:K":"a"}`, keys{"aws:K": {"a\x00b"}}, false},
		"an unfinished variable":        {`"StringEquals":{"aws:K":"${aws:L"}`, keys{"aws:K": {"${aws:L"}, "aws:L": {"a"}}, true},
		"a variable inside a variable":  {`"StringEquals":{"aws:K":"${aws:${aws:L}}"}`, keys{"aws:K": {"x"}, "aws:L": {"M"}, "aws:M": {"x"}}, false},
		"right to left and width marks": {`"StringEquals":{"aws:K":"admin"}`, keys{"aws:K": {"\u202eadmin", "ad\u200bmin"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s:a","Resource":"*","Condition":{` + c.condition + `}}}`
			if got := decide(t, text, policy.Request{Keys: c.keys}); got != c.want {
				t.Errorf("decided %v", got)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestDeepDocuments refuses documents that nest without end, at once.
func TestDeepDocuments(t *testing.T) {
	for _, open := range []string{"[", `{"a":`, `{"Statement":[`} {
		for _, kind := range []policy.Kind{policy.Managed, policy.Trust} {
			if _, err := policy.Parse(kind, strings.Repeat(open, 100_000)); err == nil {
				t.Errorf("%s: taken", open)
			}
			closed := strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000)
			if _, err := policy.Parse(kind, `{"Statement":`+closed+`}`); err == nil {
				t.Error("a deep list: taken")
			}
		}
	}
}
