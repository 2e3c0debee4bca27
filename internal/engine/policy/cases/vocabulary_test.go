package cases_test

import (
	"slices"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// TestValues: a key's values have the type that AWS gives it.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		key, value string
		ok         bool
	}{
		{"aws:CurrentTime", "2026-11-26T12:00:00Z", true},
		{"aws:CurrentTime", "2026-11-26T12:00:00.5+01:00", true},
		{"aws:currenttime", "1764158400", true},
		{"aws:CurrentTime", "yesterday", false},
		{"aws:EpochTime", "2026-11-26", true},
		{"aws:MultiFactorAuthAge", "ten", false},
		{"aws:SourceIp", "2001:db8::1", true},
		{"aws:SourceIp", "10.0.0.0/8", false},
		{"aws:SecureTransport", "TRUE", true},
		{"aws:SecureTransport", "1", false},
		{"aws:SourceArn", "arn:aws:s3:::b", true},
		{"aws:SourceArn", "b", false},
		{"aws:TagKeys", "", true},
		{"x:y", "anything", true},
	} {
		if err := cases.CheckValue(c.key, c.value); (err == nil) != c.ok {
			t.Errorf("%s=%s: %v", c.key, c.value, err)
		}
	}
}

// TestIdle: actions that do nothing are told of, but not those of AWS's own policies.
func TestIdle(t *testing.T) {
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetO*t","s3:Gte*","s3:GetObjcet","*","x:Y"],"Resource":"*"}}`
	for arn, want := range map[string][]string{
		"":                          {"Statement[0] of p: no action in s3 matches Gte*", "Statement[0] of p: no such action in s3: GetObjcet: is it GetObject?"},
		"arn:aws:iam::aws:policy/p": nil,
	} {
		p, err := cases.StoredPolicy(policy.Managed, "p", arn, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&cases.Layers{Identity: []*cases.Policy{p}}).Idle(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}
