package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/policy"
)

// TestIdentityTexts runs the documents that were recorded on AWS.
func TestIdentityTexts(t *testing.T) {
	data, err := os.ReadFile("testdata/identity.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		Invalid []struct {
			Message  string
			Document json.RawMessage
		}
		Valid []json.RawMessage
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases.Invalid) != 78 || len(cases.Valid) != 54 {
		t.Fatalf("%d invalid and %d valid documents", len(cases.Invalid), len(cases.Valid))
	}
	for i, c := range cases.Invalid {
		text := string(c.Document)
		if strings.HasPrefix(text, `"`) {
			text = "This is not a json document"
		}
		if _, err := policy.Parse(policy.Managed, text); err == nil || err.Error() != c.Message {
			t.Errorf("invalid %d: got %v, want %s\n%s", i, err, c.Message, c.Document)
		}
	}
	for i, c := range cases.Valid {
		if _, err := policy.Parse(policy.Managed, string(c)); err != nil {
			t.Errorf("valid %d: %v\n%s", i, err, c)
		}
	}
}

// TestSids: those of policies that say who is theirs are freer, and what was accepted
// once stays readable.
func TestSids(t *testing.T) {
	const form = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	text := func(sid, principal string) string {
		return `{"Version":"2012-10-17","Statement":{"Sid":"` + sid + `",` + principal + `"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`
	}
	for _, sid := range []string{"a b", "a-b", "a_b", "é", "a.b"} {
		for _, kind := range []policy.Kind{policy.Managed, policy.Inline, policy.Session} {
			if _, err := policy.Parse(kind, text(sid, "")); err == nil || err.Error() != form {
				t.Errorf("%q, kind %d: %v", sid, kind, err)
			}
			if _, err := policy.ParseStored(kind, text(sid, "")); err != nil {
				t.Errorf("%q, accepted before: %v", sid, err)
			}
		}
		if _, err := policy.Parse(policy.Resource, text(sid, `"Principal":"*",`)); err != nil {
			t.Errorf("%q of a resource: %v", sid, err)
		}
	}
	for _, sid := range []string{"", "A1b"} {
		if _, err := policy.Parse(policy.Inline, text(sid, "")); err != nil {
			t.Errorf("%q: %v", sid, err)
		}
	}
}

func TestInlineVersions(t *testing.T) {
	const statement = `"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
	for text, want := range map[string]string{
		`{` + statement:                        policy.Version2008,
		`{"Version":"2008-10-17",` + statement: policy.Version2008,
		`{"Version":"2012-10-17",` + statement: policy.Version2012,
	} {
		d, err := policy.Parse(policy.Inline, text)
		if err != nil || d.Version != want {
			t.Errorf("%s: version %v, %v", text, d, err)
		}
	}
}

func TestIdentityPrincipal(t *testing.T) {
	_, err := policy.Parse(policy.Inline, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}}`)
	wantError(t, err, "Policy document should not specify a principal.", 1, 63)
}

// TestPlace wants the place of a fault, counted in characters.
func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		text, message string
		line, column  int
	}{
		"syntax":   {"{\n  \"Version\": \"2012-10-17\",\n  Statement: []\n}", "Syntax errors in policy.", 3, 3},
		"doubled":  {"{\"Id\":\"é\",\"Id\":\"b\"}", "Syntax errors in policy.", 1, 11},
		"operator": {"{\"Version\":\"2012-10-17\",\"Statement\":[\n {\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\",\n  \"Condition\":{\"StringIsh\":{\"a\":\"b\"}}}]}", "Syntax errors in policy.", 3, 16},
		"action":   {"{\"Version\":\"2012-10-17\",\"Statement\":[\n {\"Effect\":\"Allow\",\"Resource\":\"*\",\n  \"Action\":[\"s3:Get*\",\n   \"s3\"]}]}", "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", 4, 4},
		"not UTF8": {"{\"Id\":\"\xff\"}", "Syntax errors in policy.", 1, 8},
		"empty":    {"", "Syntax errors in policy.", 1, 1},
		"deep":     {strings.Repeat("[", 100) + strings.Repeat("]", 100), "Syntax errors in policy.", 1, 34},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse(policy.Managed, c.text)
			wantError(t, err, c.message, c.line, c.column)
		})
	}
}

func wantError(t *testing.T, err error, message string, line, column int) {
	t.Helper()
	var e *policy.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s", err, message)
	}
	if e.Message != message || e.Line != line || e.Column != column {
		t.Errorf("got %d:%d %s (%s), want %d:%d %s", e.Line, e.Column, e.Message, e.Detail, line, column, message)
	}
}

func TestTrustTexts(t *testing.T) {
	const ok = `"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"`
	trust := func(statement string) string { return `{"Version":"2012-10-17","Statement":[{` + statement + `}]}` }
	for text, want := range map[string]string{
		trust(ok):    "",
		`{}`:         "Could not parse the policy: Statement is empty!",
		`{"Version"`: "This policy contains invalid Json",
		`{"Version":"2013-10-17","Statement":[{` + ok + `}]}`:                                                                                        "The policy must contain a valid version string",
		`{"Version":"2012-10-17","Statement":[]}`:                                                                                                    "Could not parse the policy: Statement is empty!",
		`{"Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`:                                                                              "The Statement Ids in the policy are not unique",
		trust(`"Principal":{"AWS":"*"},"Action":"sts:AssumeRole"`):                                                                                   "Missing required field Effect",
		trust(`"Effect":"Allow","Action":"sts:AssumeRole"`):                                                                                          "Missing required field Principal",
		trust(`"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"`):                                                                           "Missing required field Principal cannot be empty!",
		trust(`"Effect":"Allow","Principal":{"AWS":"*"}`):                                                                                            "Missing required field Action",
		trust(`"Effect":"Maybe","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"`):                                                                  "Invalid effect: Maybe",
		trust(`"Effect":"allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"`):                                                                  "Invalid effect: allow",
		trust(`"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole"`):                                                               "Allow with NotPrincipal is not allowed.",
		trust(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:*"`):                                                                            "AssumeRole policy may only specify STS AssumeRole actions.",
		trust(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*"`):                                                                               "AssumeRole policy may only specify STS AssumeRole actions.",
		trust(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:GetSession*"`):                                                                 "AssumeRole policy may only specify STS AssumeRole actions.",
		trust(`"Effect":"Allow","Principal":{"AWS":"*"},"NotAction":"sts:Get*"`):                                                                     "AssumeRole policy may only specify STS AssumeRole actions.",
		trust(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole*"`):                                                                 "",
		trust(ok + `,"Resource":"*"`):                                                                                                                "Has prohibited field Resource",
		trust(ok + `,"Colour":"red"`):                                                                                                                "Has prohibited field Colour",
		trust(ok + `,"Condition":{"Strings":{"a":"b"}}`):                                                                                             "Invalid Condition type : Strings",
		trust(`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"`):                                                                          `AssumeRolepolicy contained an invalid principal: "STAR":"*".`,
		trust(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},"Action":"sts:AssumeRole"`):                                   `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"`,
		trust(`"Effect":"Allow","Principal":{"Service":"ec2"},"Action":"sts:AssumeRole"`):                                                            `Invalid principal in policy: "SERVICE":"ec2"`,
		trust(`"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"`):                                              "",
		trust(`"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/a.b/c"},"Action":"sts:AssumeRoleWithWebIdentity"`): "",
	} {
		_, err := policy.Parse(policy.Trust, text)
		if got := fmt.Sprint(err); err != nil && got != want || err == nil && want != "" {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int{
		`{ "a" : "b c\" d" }`: 15,
		"{\n\t\"a\":\r1}":     7,
		`"\\" "`:              5,
		``:                    0,
	} {
		if got := policy.Size(text); got != want {
			t.Errorf("Size(%q) = %d, want %d", text, got, want)
		}
	}
}

// FuzzParse wants no document to panic the parser or the compiler, and every
// span to lie in the text.
func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Sid":"é","Effect":"Allow","Action":["a:*"],"Resource":"*","Condition":{"DateEquals":{"k":["2020-01-01",1]}}}]}`)
	f.Add(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []policy.Kind{policy.Managed, policy.Inline, policy.Trust, policy.Resource} {
			d, err := policy.Parse(kind, text)
			if err != nil {
				continue
			}
			for _, s := range d.Statements {
				if text[s.Start] != '{' || text[s.End-1] != '}' {
					t.Errorf("statement's span %v of %q", s.Span, text)
				}
			}
			policy.Decide(&policy.Applied{Identity: policy.NewProgram(policy.Source{Policy: policy.Compile(d)})},
				&policy.Request{Caller: policy.Caller{Kind: policy.UserCaller}, Action: "a:b", Resource: "*"})
		}
	})
}
