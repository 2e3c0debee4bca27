package template_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
)

func equal(t testing.TB, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

var world = template.Environment{
	AccountID: "111122223333", Region: "us-west-2", Partition: "aws", URLSuffix: "amazonaws.com",
	StackName: "s", StackID: "arn:aws:cloudformation:us-west-2:111122223333:stack/s/u", NotificationARNs: []string{"arn:n"},
	Exports: map[string]string{"net::VPC": "vpc-1"},
	Zones:   map[string][]string{"us-west-2": {"us-west-2b", "us-west-2a"}},
}

// made are two resources: B exists, of C only the name is known, D is not made yet.
func made(name string) (template.Made, bool) {
	switch name {
	case "B":
		return template.Made{PhysicalID: "b-1", Attributes: map[string]any{"Arn": "arn:b", "List": []any{"x", "y"}, "A.B": "ab"}, Properties: map[string]any{"P": "p1", "Q": map[string]any{"R": "r1"}}}, true
	case "C":
		return template.Made{PhysicalID: "c-1", Changing: true}, true
	}
	return template.Made{}, false
}

// TestFunctions evaluates one expression at a time.
func TestFunctions(t *testing.T) {
	const head = `
Parameters:
  P: {Type: String, Default: p}
  N: {Type: Number, Default: 2}
  L: {Type: CommaDelimitedList, Default: 'a, b,c'}
  E: {Type: CommaDelimitedList, Default: ''}
Mappings: {M: {us-west-2: {k: v, list: [x, y], n: 5}}}
Conditions: {T: !Equals [!Ref P, p], F: !Not [!Condition T]}
Resources:
  B: {Type: T}
  C: {Type: T}
  D: {Type: T}
  G: {Type: T, Condition: F}
  A: {Type: T, Properties: {X: `
	for _, tc := range []struct{ expr, want string }{
		{"!Ref P", `"p"`},
		{"!Ref N", `"2"`},
		{"!Ref L", `["a","b","c"]`},
		{"!Ref E", `[""]`},
		{"!Join ['', !Ref E]", `""`},
		{"!Ref AWS::AccountId", `"111122223333"`},
		{"!Ref AWS::NotificationARNs", `["arn:n"]`},
		{"!Ref AWS::NoValue", `null`},
		{"[a, !Ref AWS::NoValue, b]", `["a","b"]`},
		{"{a: !Ref AWS::NoValue, b: c}", `{"b":"c"}`},
		{"!If [T, a, !GetAtt G.Arn]", `"a"`},
		{"!If [F, !Select [9, [a]], !Ref AWS::NoValue]", `null`},
		{"!Ref B", `"b-1"`},
		{"!Ref D", `"{{changeSet:KNOWN_AFTER_APPLY}}"`},
		{"!GetAtt B.A.B", `"ab"`},
		{"!GetAtt B.P", `"p1"`},
		{"!GetAtt B.Q.R", `"r1"`},
		{"!GetAtt B.Q.S", "Attribute 'Q.S' does not exist"},
		{"!GetAtt B.List", `["x","y"]`},
		{"!GetAtt [B, !Ref AWS::Region]", "Attribute 'us-west-2' does not exist"},
		{"!GetAtt C.Arn", `"{{changeSet:KNOWN_AFTER_APPLY}}"`},
		{"!Ref C", `"c-1"`},
		{"!Ref G", "Template format error: Unresolved resource dependencies [G] in the Resources block of the template"},
		{"!Sub '${P}-${B}-${B.Arn}-${AWS::Region}-${!Lit}-$x-${N'", `"p-b-1-arn:b-us-west-2-${Lit}-$x-${N"`},
		{"!Sub ['${V}/${P}', {V: !GetAtt B.Arn}]", `"arn:b/p"`},
		{"!Sub 'x${D}'", `"{{changeSet:KNOWN_AFTER_APPLY}}"`},
		{"!Sub '${L}'", "Template error: Fn::Sub expression does not resolve to a string"},
		{"!Join ['-', [a, true, 1.50, !Ref N]]", `"a-true-1.50-2"`},
		{"!Join ['-', [a, !Ref D]]", `"{{changeSet:KNOWN_AFTER_APPLY}}"`},
		{"[!Ref D, a]", `["{{changeSet:KNOWN_AFTER_APPLY}}","a"]`},
		{"!Select [1, !Ref L]", `"b"`},
		{"!Select [0, [a, !Ref D]]", `"a"`},
		{"!Select [3, !Ref L]", "Template error: Fn::Select cannot select nonexistent value at index 3"},
		{"!Select ['2', !Split ['/', a/b/c]]", `"c"`},
		{"!FindInMap [M, !Ref 'AWS::Region', list]", `["x","y"]`},
		{"!FindInMap [M, !Ref 'AWS::Region', n]", `5`},
		{"!FindInMap [M, !Ref P, k]", "Template error: Unable to get mapping for M::p::k"},
		{"!Base64 hello", `"aGVsbG8="`},
		{"!GetAZs ''", `["us-west-2a","us-west-2b"]`},
		{"!Select [0, !GetAZs {Ref: 'AWS::Region'}]", `"us-west-2a"`},
		{"!ImportValue {'Fn::Sub': 'net::VPC'}", `"vpc-1"`},
		{"!ImportValue no", `"{{changeSet:KNOWN_AFTER_APPLY}}"`},
		{"!ImportValue {Ref: D}", "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs"},
		{"!Cidr [10.0.0.0/16, 3, 8]", `["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]`},
		{"!Cidr ['2600:1f14:8:1200::/56', 2, '64']", `["2600:1f14:8:1200::/64","2600:1f14:8:1201::/64"]`},
		{"!Cidr [10.0.0.0/24, 5, 6]", "Template error: Fn::Cidr: 5 blocks of /26 do not fit into 10.0.0.0/24"},
		{"!Select [1, !Cidr [10.0.5.0/16, 2, 13]]", `"10.0.32.0/19"`},
		{"{Condition: {StringEquals: {a: b}}}", `{"Condition":{"StringEquals":{"a":"b"}}}`},
		{"'{{resolve:ssm:/a}}'", `"{{resolve:ssm:/a}}"`},
	} {
		t.Run(tc.expr, func(t *testing.T) {
			tp := parse(t, head+tc.expr+"}}\n")
			env := world
			var err error
			if env.Parameters, err = tp.Values(nil, nil, template.Lookups{}); err != nil {
				t.Fatal(err)
			}
			s, err := tp.In(env)
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Value(tp.Resources[4].Property("X"), made)
			if err != nil {
				if err.Error() != tc.want {
					t.Errorf("got  %s\nwant %s", err, tc.want)
				}
				return
			}
			equal(t, v, tc.want)
		})
	}
}

// TestGraph: what is refused before anything is made.
func TestGraph(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"{A: {Type: T, DependsOn: B}, B: {Type: T, Properties: {X: !GetAtt C.X}}, C: {Type: T, Properties: {X: !Sub '${A}'}}, D: {Type: T, DependsOn: A}, E: {Type: T}}", "Circular dependency between resources: [A, B, C]"},
		{"{A: {Type: T, Properties: {X: !Ref A}}}", "Circular dependency between resources: [A]"},
		{"{A: {Type: T, DependsOn: B}, B: {Type: T, Condition: F}}", ""},
		{"{A: {Type: T, Properties: {X: !Ref B}}, B: {Type: T, Condition: F}}", "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"},
		{"{A: {Type: T, Properties: {X: !If [F, !Ref B, y]}}, B: {Type: T, Condition: F}}", ""},
		{"{A: {Type: T, Properties: {X: !If [F, !Ref B, y]}}, B: {Type: T, Properties: {X: !Ref A}}}", ""},
		{"{A: {Type: T, Properties: {X: !FindInMap [M, a, !Ref 'AWS::Region']}}}", "Template error: Unable to get mapping for M::a::us-west-2"},
		{"{A: {Type: T, Properties: {X: !FindInMap [M, a, !Ref B]}}, B: {Type: T}}", ""},
		{"{A: {Type: T, Properties: {X: !If [F, !FindInMap [M, a, c], y]}}}", ""},
	} {
		s, err := parse(t, "Mappings: {M: {a: {b: c}}}\nConditions: {F: !Equals [a, b]}\nResources: "+tc.text).In(world)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := s.Graph(); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.text, got, tc.want)
		}
	}
}

// TestGrowth: nested functions that multiply what they are given come to an end.
func TestGrowth(t *testing.T) {
	expr := "a"
	for range 20 {
		expr = "!Sub ['" + strings.Repeat("${V}", 10) + "', {V: " + expr + "}]"
	}
	tp := parse(t, "Resources: {A: {Type: T, Properties: {X: "+expr+"}}}")
	s, err := tp.In(world)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Properties(&tp.Resources[0], nil); err == nil {
		t.Error("evaluated")
	}
}

func TestParameters(t *testing.T) {
	tp := parse(t, `
Parameters:
  S: {Type: String, AllowedValues: [a, b], Default: a}
  N: {Type: Number, MinValue: 1, MaxValue: 5, Default: 3}
  Pat: {Type: String, AllowedPattern: '[a-z]+', Default: x, NoEcho: true}
  Con: {Type: String, MinLength: 2, ConstraintDescription: must be long, Default: xx}
  Len: {Type: String, MinLength: 2, MaxLength: 3, Default: xx}
  Nums: {Type: List<Number>, Default: '1, 2'}
  Req: {Type: String}
  Img: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /ami}
  Subs: {Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-1,subnet-2'}
Resources: {A: {Type: T}}
`)
	look := template.Lookups{
		SSM: func(name string) (string, string, bool) {
			if name == "/secret" {
				return "x", "SecureString", true
			}
			return "ami-1", "String", name == "/ami"
		},
		Exists: func(_ template.Type, v string) bool { return v != "subnet-9" },
	}
	for _, tc := range []struct{ name, value, want string }{
		{"S", "c", "Parameter 'S' must be one of AllowedValues"},
		{"N", "x", "Parameter 'N' must be a number."},
		{"N", "0", "Parameter 'N' must be a number not less than 1"},
		{"N", "5.5", "Parameter 'N' must be a number not greater than 5"},
		{"N", "1e999999999", "Parameter 'N' must be a number."},
		{"Pat", "aB", "Parameter 'Pat' must match pattern [a-z]+"},
		{"Con", "x", "Parameter 'Con' failed to satisfy constraint: must be long"},
		{"Len", "x", "Parameter 'Len' must contain at least 2 characters"},
		{"Len", "xxxx", "Parameter 'Len' must contain at most 3 characters"},
		{"Nums", "1,x", "Parameter 'Nums' must be a number."},
		{"Zzz", "1", "Parameters: [Zzz] do not exist in the template"},
		{"Img", "/none", "Unable to fetch parameters [/none] from parameter store for this account."},
		{"Img", "/secret", "Parameters [/secret] referenced by template have types not supported by CloudFormation."},
		{"Subs", "subnet-1,subnet-9", "Parameter validation failed: parameter value subnet-9 for parameter name Subs does not exist"},
	} {
		_, err := tp.Values(map[string]template.Given{"Req": {Value: "r"}, tc.name: {Value: tc.value}}, nil, look)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s=%s:\ngot  %v\nwant %s", tc.name, tc.value, err, tc.want)
		}
	}
	if _, err := tp.Values(nil, nil, look); err == nil || err.Error() != "Parameters: [Req] must have values" {
		t.Error(err)
	}
	if _, err := tp.Values(map[string]template.Given{"Req": {Previous: true}}, nil, look); err == nil {
		t.Error("a previous value at creation was accepted")
	}
	v, err := tp.Values(map[string]template.Given{"Req": {Previous: true}, "N": {Value: "4"}}, map[string]template.Value{"Req": {Text: "old"}, "N": {Text: "1"}}, look)
	if err != nil {
		t.Fatal(err)
	}
	if v["Req"].Ref() != "old" || v["N"].Ref() != "4" || v["Img"].Ref() != "ami-1" || v["Img"].Text != "/ami" || !v["Pat"].NoEcho {
		t.Errorf("%+v", v)
	}
	equal(t, v["Nums"].Ref(), `["1","2"]`)
}

// TestRules: the rule that every CDK template carries, and the rest of the rule
// functions.
func TestRules(t *testing.T) {
	const cdk = `
  Check:
    Assertions:
      - Assert: {'Fn::Not': [{'Fn::Contains': [['1','2','3','4','5'], {Ref: V}]}]}
        AssertDescription: CDK bootstrap stack version 6 required.
`
	for _, tc := range []struct{ version, rules, want string }{
		{"27", cdk, ""},
		{"5", cdk, "CDK bootstrap stack version 6 required."},
		{"5", "\n  R: {RuleCondition: !Equals [!Ref V, x], Assertions: [{Assert: !Equals [a, b]}]}", ""},
		{"5", "\n  R: {Assertions: [{Assert: !EachMemberIn [!Ref L, [a, b, c]]}]}", ""},
		{"5", "\n  R: {Assertions: [{Assert: !EachMemberIn [!Ref L, [a, c]]}]}", "Rule R: an assertion failed"},
		{"5", "\n  R: {Assertions: [{Assert: !EachMemberEquals [[x, x], x]}]}", ""},
		{"5", "\n  R: {Assertions: [{Assert: !EachMemberEquals [!ValueOfAll ['AWS::EC2::VPC::Id', Tags.D], IT]}]}", ""},
		{"5", "\n  R: {Assertions: [{Assert: !Equals [!ValueOf [W, Tags.D], IT]}]}", ""},
		{"5", "\n  R: {Assertions: [{Assert: !Contains [!RefAll 'AWS::EC2::VPC::Id', vpc-1]}]}", ""},
	} {
		tp := parse(t, topic+"Parameters: {V: {Type: String}, L: {Type: CommaDelimitedList, Default: 'a,b'}, W: {Type: 'AWS::EC2::VPC::Id', Default: vpc-1}}\nRules:"+tc.rules)
		env := world
		var err error
		if env.Parameters, err = tp.Values(map[string]template.Given{"V": {Value: tc.version}}, nil, template.Lookups{}); err != nil {
			t.Fatal(err)
		}
		s, err := tp.In(env)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := s.CheckRules(template.Lookups{Attribute: func(kind template.Type, id, attribute string) (string, bool) {
			return "IT", kind == "AWS::EC2::VPC::Id" && id == "vpc-1" && attribute == "Tags.D"
		}}); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.rules, got, tc.want)
		}
	}
}
