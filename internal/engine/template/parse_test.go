package template_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
)

const topic = "Resources: {A: {Type: 'AWS::SNS::Topic'}}\n"

// TestRefusals holds what is wrong with templates against CloudFormation's sentences.
func TestRefusals(t *testing.T) {
	many := func(section, body string, n int) string {
		var b strings.Builder
		b.WriteString(section + ":\n")
		for i := range n {
			fmt.Fprintf(&b, "  N%d: %s\n", i, body)
		}
		return b.String()
	}
	with := func(properties string) string {
		return "Parameters: {P: {Type: String, Default: x}}\nConditions: {C: !Equals [!Ref P, x]}\nMappings: {M: {a: {b: c}}}\n" +
			"Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      X: " + properties + "\n"
	}
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "Template format error: At least one Resources member must be defined."},
		{"no resources", "Description: x", "Template format error: At least one Resources member must be defined."},
		{"JSON", `{"Resources": {"A": tru}}`, "Template format error: JSON not well-formed. (line 1, column 24)"},
		{"JSON cut", "{\n \"Resources\": {", "Template format error: JSON not well-formed. (line 2, column 15)"},
		{"YAML", "a: [", "Template format error: YAML not well-formed."},
		{"YAML tab", "a:\n\tb: c", "Template format error: YAML not well-formed."},
		{"list", "- a", "Template format error: unsupported structure."},
		{"alias", "a: &a 1\nb: *a", "Template error: YAML aliases are not allowed in CloudFormation templates"},
		{"version", "AWSTemplateFormatVersion: 2011-09-09\n" + topic, "Template format error: unsupported value for AWSTemplateFormatVersion."},
		{"section", topic + "Foo: 1", "Invalid template property or properties [Foo]"},
		{"transform", topic + "Transform: AWS::Serverless-2016-10-31", "Transform AWS::Serverless-2016-10-31 is not supported"},
		{"transforms", topic + "Transform: ['AWS::LanguageExtensions', {Name: M}]", "Transform AWS::LanguageExtensions, M is not supported"},
		{"transform function", with("{'Fn::Transform': {Name: 'AWS::Include'}}"), "Transform AWS::Include is not supported"},
		{"name", "Resources: {my-x: {Type: T}}", "Template format error: Resource name my-x is non alphanumeric."},
		{"type", "Resources: {A: {}}", "Template format error: [/Resources/A] Every Resources object must contain a Type member."},
		{"resource key", "Resources: {A: {Type: T, K: 1}}", "Invalid template resource property 'K'"},
		{"null", with("null"), "[/Resources/A/Properties/X] 'null' values are not allowed in templates"},
		{"resources", many("Resources", "{Type: T}", 501), "Template format error: Number of resources, 501, is greater than maximum allowed, 500"},
		{"parameters", topic + many("Parameters", "{Type: String}", 201), "Template format error: Number of parameters, 201, is greater than maximum allowed, 200"},
		{"outputs", topic + many("Outputs", "{Value: a}", 201), "Template format error: Number of outputs, 201, is greater than maximum allowed, 200"},
		{"size", topic + "Description: " + strings.Repeat("x", 1<<20), "Template may not exceed 1048576 bytes in size."},
		{"ref", with("[!Ref B, !Sub '${C}', !Ref B]"), "Template format error: Unresolved resource dependencies [B, C] in the Resources block of the template"},
		{"depends", "Resources: {A: {Type: T, DependsOn: B}}", "Template format error: Unresolved resource dependencies [B] in the Resources block of the template"},
		{"output ref", topic + "Outputs: {O: {Value: !Ref T}}", "Unresolved resource dependencies [T] in the Outputs block of the template"},
		{"output value", topic + "Outputs: {O: {}}", "Template format error: Every Outputs member must contain a Value object"},
		{"getatt", with("!GetAtt B.Arn"), "Template error: instance of Fn::GetAtt references undefined resource B"},
		{"getatt form", with("!GetAtt B"), "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"},
		{"if", with("!If [D, 1, 2]"), "Template error: unresolved condition dependency D in Fn::If"},
		{"if form", with("!If [C, 1]"), "Template error: Fn::If requires a list argument with three elements"},
		{"condition", "Resources: {A: {Type: T, Condition: D}}", "Template format error: Unresolved condition dependency D in the Resources block of the template"},
		{"condition cycle", topic + "Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}", "Template error: Found circular condition dependency between B and A"},
		{"condition ref", topic + "Conditions: {C: !Equals [!Ref A, x]}", "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template"},
		{"condition string", topic + "Conditions: {C: yes}", "Template format error: Conditions can only be boolean operations on parameters and other conditions"},
		{"map", with("!FindInMap [N, a, b]"), "Template error: Mapping named 'N' is not present in the 'Mappings' section of template."},
		{"map default", with("!FindInMap [M, a, x, {DefaultValue: y}]"), "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"},
		{"mapping", topic + "Mappings: {M: {a: {b: {c: d}}}}", "Template format error: Every Mappings attribute must be a String or a List."},
		{"sub", with("!Sub '${a-b}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"},
		{"sub empty", with("!Sub '${}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"},
		{"length", with("{'Fn::Length': [1]}"), "Template error: Encountered unsupported function: Fn::Length Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, " +
			"Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, " +
			"Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr]"},
		{"equals in resources", with("!Equals [a, b]"), "Template format error: Fn::Equals is not allowed in the Resources block of the template"},
		{"parameter type", topic + "Parameters: {P: {Type: Foo}}", "Template format error: Unrecognized parameter type: Foo"},
		{"parameter without type", topic + "Parameters: {P: {Default: Foo}}", "Template format error: Every Parameters object must contain a Type member."},
		{"parameter default", topic + "Parameters: {P: {Type: String, Default: [a]}}", "Template format error: Every Default member must be a string."},
		{"parameter key", topic + "Parameters: {P: {Type: String, Foo: a}}", "Invalid template parameter property 'Foo'"},
		{"deletion policy", "Resources: {A: {Type: T, DeletionPolicy: {Ref: P}}}", "Template format error: Every DeletionPolicy member must be a string."},
		{"depth", topic + "Metadata: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "Template format error: Template is nested more than 100 levels deep"},
		{"tag", with("!Foo x"), "Template error: Encountered unsupported function: Fn::Foo Supported functions are: [Fn::Base64, Fn::GetAtt, Fn::GetAZs, " +
			"Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, " +
			"Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := template.Parse(tc.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("got  %s\nwant %s", err, tc.want)
			}
			if _, ok := errors.AsType[*template.Error](err); !ok {
				t.Errorf("a %T", err)
			}
		})
	}
}

// TestShortForms: tags on scalars, sequences and mappings, nested, say what their
// long forms say.
func TestShortForms(t *testing.T) {
	const short = `
Parameters: {P: {Type: String, Default: x}}
Conditions:
  C: !And [!Condition D, !Equals [!Ref P, x]]
  D: !Or [!Not [!Equals [1, 2]], Condition: E]
  E: !Equals [on, "true"]
Resources:
  A:
    Type: AWS::SNS::Topic
    Properties:
      X: !Join [':', [!Sub '${P}.${B.Arn}', !GetAtt B.Arn, !Select [0, !Split [',', !ImportValue e]]]]
      Y: !If
        - C
        - !Sub
          - '${V}${!P}'
          - V: !Base64 v
        - !Cidr [10.0.0.0/16, 2, 8]
      Z: !GetAZs
  B: {Type: "AWS::SNS::Topic"}
`
	const long = `{
"Parameters": {"P": {"Type": "String", "Default": "x"}},
"Conditions": {
  "C": {"Fn::And": [{"Condition": "D"}, {"Fn::Equals": [{"Ref": "P"}, "x"]}]},
  "D": {"Fn::Or": [{"Fn::Not": [{"Fn::Equals": [1, 2]}]}, {"Condition": "E"}]},
  "E": {"Fn::Equals": [true, "true"]}},
"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {
  "X": {"Fn::Join": [":", [{"Fn::Sub": "${P}.${B.Arn}"}, {"Fn::GetAtt": ["B", "Arn"]},
    {"Fn::Select": [0, {"Fn::Split": [",", {"Fn::ImportValue": "e"}]}]}]]},
  "Y": {"Fn::If": ["C", {"Fn::Sub": ["${V}${!P}", {"V": {"Fn::Base64": "v"}}]}, {"Fn::Cidr": ["10.0.0.0/16", 2, 8]}]},
  "Z": {"Fn::GetAZs": ""}}},
 "B": {"Type": "AWS::SNS::Topic"}}}`
	a, b := parse(t, short), parse(t, long)
	for i := range a.Conditions {
		if !template.Same(a.Conditions[i].Is, b.Conditions[i].Is) {
			t.Errorf("condition %s differs: %v and %v", a.Conditions[i].Name, a.Conditions[i].Is.Literal(), b.Conditions[i].Is.Literal())
		}
	}
	if x, y := a.Resources[0].Properties, b.Resources[0].Properties; !template.Same(x, y) {
		t.Errorf("properties differ: %v and %v", x.Literal(), y.Literal())
	}
	if p := a.Resources[0].Property("X").Pos; p != (template.Pos{Line: 11, Column: 10}) {
		t.Errorf("X stands at %v", p)
	}
}

// TestScalars: what YAML 1.1 and JSON mean by them.
func TestScalars(t *testing.T) {
	tp := parse(t, `
Resources:
  A:
    Type: AWS::SNS::Topic
    Properties:
      Date: 2012-10-17
      Account: 012345678901
      Octal: 0755
      Port: 80
      Float: 1.50
      Yes: yes
      Quoted: "yes"
      Off: Off
      Hex: 0x10
      Text: !!str 80
      Twice: 1
      Twice: 2
`)
	s, err := tp.In(template.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Properties(&tp.Resources[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, `{"Account":"012345678901","Date":"2012-10-17","Float":1.50,"Hex":"0x10","Octal":"0755","Off":false,"Port":80,"Quoted":"yes","Text":"80","Twice":2,"Yes":true}`)
}

func parse(t testing.TB, text string) *template.Template {
	t.Helper()
	tp, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return tp
}
