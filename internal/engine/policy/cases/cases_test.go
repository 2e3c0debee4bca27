package cases_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/cases"
)

// FuzzParse wants of every file: no panic, an end, and an error with a place.
func FuzzParse(f *testing.F) {
	f.Add(readers)
	f.Add("cases: &c [{cases: *c}, {cases: *c}]")
	f.Add("{principal: anonymous, cases: [{action: a:b, resource: '*', expect: deny, identity: |\n {}}]}")
	f.Add("principal: {arn: x, tags: {a: b}}\ncontext: [{aws:x: [1, true, null]}]\nscp: [[], [a.json]]\ncases: []")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		list, err := cases.Parse("f.yaml", text, nil)
		var e *cases.Error
		switch {
		case err == nil:
			for _, c := range list {
				c.Run()
				c.Question.Explain()
			}
		case !errors.As(err, &e):
			t.Errorf("%q: error of another kind: %v", text, err)
		case e.Line > 1+breaks(text):
			t.Errorf("%q: error outside: %v", text, err)
		}
	})
}

// breaks counts what YAML takes for ends of lines.
func breaks(text string) (n int) {
	for _, c := range text {
		if strings.ContainsRune("\n\r\u0085\u2028\u2029", c) {
			n++
		}
	}
	return n
}

// TestEndless wants files to end that aliases make endless, and those that
// multiply.
func TestEndless(t *testing.T) {
	ten := "[{aws:a: 1}, {aws:a: 2}, {aws:a: 3}, {aws:a: 4}, {aws:a: 5}, {aws:a: 6}, {aws:a: 7}, {aws:a: 8}, {aws:a: 9}, {aws:a: 0}]"
	for name, text := range map[string]string{
		"cases of themselves":     "cases: &c [{cases: *c}, {cases: *c}]",
		"a policy of itself":      "cases: [{identity: &p {Effect: Allow, Action: *p}}]",
		"a mapping of itself":     "cases: [{context: &p {aws:a: *p}}]",
		"contexts times contexts": strings.Repeat("cases: [{context: "+ten+", ", 10) + "expect: deny" + strings.Repeat("}]", 10),
	} {
		began := time.Now()
		if _, err := cases.Parse("f.yaml", text, nil); err == nil {
			t.Errorf("%s: taken", name)
		} else if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: %s, after %s", name, err, took)
		}
	}
}

// TestFiles reads policies from a file system.
func TestFiles(t *testing.T) {
	files := fstest.MapFS{
		"p/read.json": {Data: []byte(`{"Version":"2012-10-17","Statement":{"Sid":"R","Effect":"Allow","Action":"s3:Get*","Resource":"*"}}`)},
		"p/deny.yaml": {Data: []byte("{Sid: D, Effect: Deny, Action: s3:GetObjectAcl, Resource: '*'}")},
	}
	list, err := cases.Parse("a/cases.yaml", `
principal: arn:aws:iam::111122223333:user/bob
resource: arn:aws:s3:::b/k
identity: [p/read.json, p/deny.yaml]
cases:
- {action: s3:GetObject, expect: allowed, policy: p/read.json, statement: R}
- {action: s3:GetObjectAcl, expect: explicitDeny, policy: p/deny.yaml, statement: 0}
`, files.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		r := c.Run()
		if !r.Holds() {
			t.Errorf("%s: %v", c.Name, r.Problems)
		}
		if file, line, _ := r.Policy.Place(r.Policy.Document.Statements[0].Start); !strings.HasPrefix(file, "a/p/") || line != 1 {
			t.Errorf("%s stands at %s:%d", r.Policy.Name, file, line)
		}
	}
}

// TestPlaces wants statements found in YAML, in literal blocks, and at their start
// in other strings.
func TestPlaces(t *testing.T) {
	list, err := cases.Parse("f.yaml", `principal: arn:aws:iam::111122223333:user/bob
action: s3:GetObject
resource: "*"
expect: allowed
cases:
- identity:
    Version: 2012-10-17
    Statement:
    - {Effect: Deny, Action: "x:y", Resource: "*"}
    - Effect: Allow
      Action: "*"
      Resource: "*"
- identity: |
    {"Version": "2012-10-17",
     "Statement": [{"Sid": "e", "Effect": "Allow", "Action": "*", "Resource": ["*", "arn:aws:s3:::é"]}]}
- identity: '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]int{{10, 7}, {15, 20}, {16, 13}} {
		r := list[i].Run()
		if !r.Holds() || r.Policy == nil {
			t.Fatalf("%s: %v", list[i].Name, r.Problems)
		}
		e := list[i].Question.Explain().DecidedBy
		if e == nil || e.Line != want[0] || e.Column != want[1] {
			t.Errorf("case %d decided at %+v, want %v", i, e, want)
		}
	}
}

// TestRefusedPolicies wants a policy's error in IAM's words for its kind.
func TestRefusedPolicies(t *testing.T) {
	for _, c := range []struct{ layer, text, want string }{
		{"identity", `{Effect: Allow, Action: "s3:*"}`, "Policy statement must contain resources."},
		{"identity", `{Effect: Allow, Principal: "*", Action: "s3:*", Resource: "*"}`, "Policy document should not specify a principal."},
		{"identity", `{Version: 2013-10-17, Statement: []}`, "Syntax errors in policy."},
		{"boundary", `{Effect: Allow, Action: "s3", Resource: "*"}`, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{"resourcePolicy", `{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/*"}, Action: "s3:*", Resource: "*"}`, `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*"`},
		{"resourcePolicy", `{Effect: Allow, NotPrincipal: {AWS: "111122223333"}, Action: "s3:*", Resource: "*"}`, "Allow with NotPrincipal is not allowed."},
		{"resourcePolicy", `{Effect: Allow, Principal: {AWS: 111122223333}, Action: "s3:*", Resource: "*"}`, "This policy contains invalid Json"},
		{"trustPolicy", `{Effect: Allow, Principal: {AWS: "*"}, Action: "s3:*"}`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{"trustPolicy", `{Effect: Allow, Principal: "*", Action: "sts:AssumeRole"}`, `AssumeRolepolicy contained an invalid principal: "STAR":"*".`},
		{"scp", `{Effect: Allow, Action: "s3:*"}`, "Policy statement must contain resources."},
		{"rcp", `{Effect: Allow, Action: "s3:*", Resource: "*"}`, "Missing required field Principal"},
	} {
		_, err := cases.Parse("f.yaml", "cases:\n- "+c.layer+": "+c.text, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.yaml:2:") {
			t.Errorf("%s %s: %v, want %s", c.layer, c.text, err, c.want)
		}
	}
}

// TestPolicyFiles reads files of one policy, as explain does.
func TestPolicyFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"p.json", `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, ""},
		{"p.yaml", `{Effect: Allow, Action: "s3:*", Resource: "*"}`, ""},
		{"p", "Effect: Allow\nAction: s3:*\nResource: '*'", ""},
		{"p.json", "", "p.json: the file is empty"},
		{"p.json", `{"Statement":`, "p.json:1:13: Syntax errors in policy. (unexpected end of JSON input)"},
		{"p.json", `["a"]`, "p.json:1:1: a policy is a mapping, not a list"},
		{"p.yaml", "a: b\na: c", "p.yaml:2:1: Syntax errors in policy. (element a is given twice)"},
	} {
		_, err := cases.ParsePolicy(policy.Inline, c.name, c.text)
		if got := ""; err != nil && err.Error() != c.want || err == nil && got != c.want {
			t.Errorf("%s %q: %v, want %s", c.name, c.text, err, c.want)
		}
	}
}
