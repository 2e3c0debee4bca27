package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

func stackOf(t *testing.T, text string, given map[string]string, tags ...spec.Tag) plan.Stack {
	t.Helper()
	tp, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]template.Given{}
	for k, v := range given {
		values[k] = template.Given{Value: v}
	}
	env := template.Environment{AccountID: "111122223333", Region: "us-west-2", Partition: "aws", StackName: "s"}
	if env.Parameters, err = tp.Values(values, nil, template.Lookups{}); err != nil {
		t.Fatal(err)
	}
	s, err := tp.In(env)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Stack{Scope: s, Tags: tags}
}

// deployed makes a stack's resources: ids and attributes are made of logical ids.
func deployed(t *testing.T, s plan.Stack) plan.Stack {
	t.Helper()
	s.Resources = map[string]plan.Resource{}
	look := func(name string) (template.Made, bool) {
		r, found := s.Resources[name]
		return template.Made{PhysicalID: r.PhysicalID, Attributes: r.Attributes}, found
	}
	g, err := s.Scope.Graph()
	if err != nil {
		t.Fatal(err)
	}
	there := func(n string) bool { _, found := s.Resources[n]; return found }
	for len(s.Resources) < len(g.Names()) {
		for _, name := range g.Ready(there, there) {
			r, _ := s.Scope.Template.Resource(name)
			kind, _ := spec.Find(r.Type)
			properties, err := s.Scope.Properties(r, look)
			if err != nil {
				t.Fatal(err)
			}
			if properties, err = kind.Coerce(name, properties); err != nil {
				t.Fatal(err)
			}
			made := plan.Resource{Type: r.Type, PhysicalID: strings.ToLower(name) + "-1", Properties: properties, Attributes: map[string]any{}}
			for _, a := range kind.Attributes {
				made.Attributes[a.Name] = made.PhysicalID + "." + a.Name
			}
			s.Resources[name] = made
		}
	}
	if s.Outputs, err = s.Scope.Outputs(look); err != nil {
		t.Fatal(err)
	}
	return s
}

// text writes a plan down, a line for each change and detail.
func text(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintln(&b, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s %s", c.Action, c.Logical, c.PhysicalID, c.Replacement, c.Policy, strings.Join(c.Scope, ","))), " "))
		for _, d := range c.Details {
			fmt.Fprint(&b, "  ", strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s %s %s", d.Attribute, d.Name, d.Recreation, d.Evaluation, d.Source, d.Cause, d.Kind)), " "))
			for _, v := range d.Values {
				before, _ := json.Marshal(v.Before)
				after, _ := json.Marshal(v.After)
				fmt.Fprintf(&b, " %s %s→%s", strings.TrimPrefix(v.Path, "/Properties/"+d.Name), before, after)
			}
			fmt.Fprintln(&b)
		}
	}
	if p.Outputs {
		fmt.Fprintln(&b, "outputs")
	}
	if p.Tags {
		fmt.Fprintln(&b, "tags")
	}
	return b.String()
}

const base = `
Parameters:
  P: {Type: String, Default: p}
  Secret: {Type: String, Default: s1, NoEcho: true}
Conditions: {C: !Equals [!Ref P, p]}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {}, Description: !Ref P}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !GetAtt Role.RoleId}
  Profile:
    Type: AWS::IAM::InstanceProfile
    Properties: {Path: !Sub '/${Role.RoleId}/', Roles: [!Ref Role]}
  Param:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Secret}
Outputs: {O: {Value: !Ref Topic}}
`

func TestChanges(t *testing.T) {
	for _, tc := range []struct {
		name  string
		edit  [2]string // in base
		given map[string]string
		tags  []spec.Tag
		want  string
	}{
		{name: "none", want: ""},
		{name: "other words", edit: [2]string{"!Sub '/${Role.RoleId}/'", "!Join ['', [/, !GetAtt Role.RoleId, /]]"}, want: ""},
		{name: "deletion policy", edit: [2]string{"    Type: AWS::SNS::Topic\n", "    Type: AWS::SNS::Topic\n    DeletionPolicy: Retain\n"}, want: ""},
		{name: "metadata", edit: [2]string{"    Type: AWS::SNS::Topic\n", "    Type: AWS::SNS::Topic\n    Metadata: {a: b}\n"},
			want: "Modify Topic topic-1 False Metadata\n  Metadata Never Static DirectModification\n"},
		{name: "literal", edit: [2]string{"Description: !Ref P", "Description: x"},
			want: `Modify Role role-1 False Properties
  Properties Description Never Static DirectModification Modify  "p"→"x"
Modify Topic topic-1 False Properties
  Properties DisplayName Never Dynamic ResourceAttribute Role.RoleId Modify  "role-1.RoleId"→"{{changeSet:KNOWN_AFTER_APPLY}}"
Modify Profile profile-1 Conditional ReplaceAndDelete Properties
  Properties Path Always Dynamic ResourceAttribute Role.RoleId Modify  "/role-1.RoleId/"→"{{changeSet:KNOWN_AFTER_APPLY}}"
`},
		{name: "parameter", given: map[string]string{"P": "q"}, edit: [2]string{"{DisplayName: !GetAtt Role.RoleId}", "{}"},
			want: `Modify Role role-1 False Properties
  Properties Description Never Static ParameterReference P Modify  "p"→"q"
  Properties Description Never Dynamic DirectModification Modify  "p"→"q"
Modify Topic topic-1 False Properties
  Properties DisplayName Never Static DirectModification Remove  "role-1.RoleId"→null
Modify Profile profile-1 Conditional ReplaceAndDelete Properties
  Properties Path Always Dynamic ResourceAttribute Role.RoleId Modify  "/role-1.RoleId/"→"{{changeSet:KNOWN_AFTER_APPLY}}"
`},
		{name: "replacement", edit: [2]string{"{AssumeRolePolicyDocument: {}, ", "{AssumeRolePolicyDocument: {}, Path: /a/, "},
			want: `Modify Role role-1 True ReplaceAndDelete Properties
  Properties Path Always Static DirectModification Add  null→"/a/"
Modify Topic topic-1 False Properties
  Properties DisplayName Never Dynamic ResourceAttribute Role.RoleId Modify  "role-1.RoleId"→"{{changeSet:KNOWN_AFTER_APPLY}}"
Modify Profile profile-1 Conditional ReplaceAndDelete Properties
  Properties Path Always Dynamic ResourceAttribute Role.RoleId Modify  "/role-1.RoleId/"→"{{changeSet:KNOWN_AFTER_APPLY}}"
  Properties Roles Never Dynamic ResourceReference Role Modify /0 "role-1"→"{{changeSet:KNOWN_AFTER_APPLY}}"
`},
		{name: "secret", given: map[string]string{"Secret": "s2"},
			want: `Modify Param param-1 False Properties
  Properties Value Never Static ParameterReference Secret Modify
  Properties Value Never Dynamic DirectModification Modify
`},
		{name: "added and removed", edit: [2]string{"  Param:\n", "  Param2:\n    DeletionPolicy: Retain\n"},
			want: "Add Param2\nRemove Param param-1 Delete\n"},
		{name: "condition", given: map[string]string{"P": "q"}, edit: [2]string{"  Param:\n", "  Param:\n    Condition: C\n"},
			want: `Modify Role role-1 False Properties
  Properties Description Never Static ParameterReference P Modify  "p"→"q"
  Properties Description Never Dynamic DirectModification Modify  "p"→"q"
Modify Topic topic-1 False Properties
  Properties DisplayName Never Dynamic ResourceAttribute Role.RoleId Modify  "role-1.RoleId"→"{{changeSet:KNOWN_AFTER_APPLY}}"
Modify Profile profile-1 Conditional ReplaceAndDelete Properties
  Properties Path Always Dynamic ResourceAttribute Role.RoleId Modify  "/role-1.RoleId/"→"{{changeSet:KNOWN_AFTER_APPLY}}"
Remove Param param-1 Delete
`},
		{name: "output", edit: [2]string{"O: {Value: !Ref Topic}", "O: {Value: x}"}, want: "outputs\n"},
		{name: "tags", tags: []spec.Tag{{Key: "k", Value: "v"}},
			want: `Modify Role role-1 False Tags
  Tags Never Static DirectModification
Modify Topic topic-1 False Tags
  Tags Never Static DirectModification
Modify Param param-1 False Tags
  Tags Never Static DirectModification
tags
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			edited := base
			if tc.edit[0] != "" {
				if edited = strings.Replace(base, tc.edit[0], tc.edit[1], 1); edited == base {
					t.Fatal("nothing was edited")
				}
			}
			p, err := plan.Make(deployed(t, stackOf(t, base, nil)), stackOf(t, edited, tc.given, tc.tags...))
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, p); got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
			if p.Empty() != (tc.want == "") {
				t.Errorf("empty: %v", p.Empty())
			}
		})
	}
}

// TestValues: what changes within properties, at its place.
func TestValues(t *testing.T) {
	const text = `Resources: {R: {Type: "AWS::EKS::Nodegroup", Properties: {ClusterName: c, NodeRole: r, Subnets: [a], Labels: {keep: x, a/b: "1", gone: x}, ScalingConfig: {MinSize: 1}, Taints: [{Key: k}]}}}`
	const edited = `Resources: {R: {Type: "AWS::EKS::Nodegroup", Properties: {ClusterName: c, NodeRole: r, Subnets: [a], Labels: {keep: x, a/b: "2"}, ScalingConfig: {MinSize: 1, MaxSize: 2}, Taints: [{Key: k}, {Key: l}]}}}`
	p, err := plan.Make(deployed(t, stackOf(t, text, nil)), stackOf(t, edited, nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range p.Changes[0].Details {
		for _, v := range d.Values {
			got = append(got, fmt.Sprintf("%s %s %v %v", v.Kind, v.Path, v.Before, v.After))
		}
	}
	const want = `Modify /Properties/Labels/a~1b 1 2
Remove /Properties/Labels/gone x <nil>
Add /Properties/ScalingConfig/MaxSize <nil> 2
Add /Properties/Taints/1 <nil> map[Key:l]`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func TestCreation(t *testing.T) {
	p, err := plan.Make(plan.Stack{}, stackOf(t, base, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, p), "Add Role\nAdd Topic\nAdd Profile\nAdd Param\noutputs\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	after, err := json.Marshal(p.Changes[3].After)
	if err != nil || string(after) != `{"Type":"String","Value":"****"}` {
		t.Errorf("a secret is shown: %s, %v", after, err)
	}
}

func TestTypeChange(t *testing.T) {
	before := deployed(t, stackOf(t, base, nil))
	_, err := plan.Make(before, stackOf(t, strings.Replace(base, "Type: AWS::SNS::Topic\n    Properties: {DisplayName: !GetAtt Role.RoleId}", "Type: AWS::SQS::Queue", 1), nil))
	const want = "Update of resource type is not permitted. The new template modifies resource type of the following resources: [Topic]"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
