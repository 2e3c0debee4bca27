package template_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

// imports are what the templates of testdata import, parameters what they read.
var (
	imports = map[string]string{
		"eksctl-c-cluster::VPC": "vpc-1", "eksctl-c-cluster::SharedNodeSecurityGroup": "sg-1", "eksctl-c-cluster::SubnetsPublic": "subnet-1,subnet-2",
	}
	lookups = template.Lookups{
		SSM:    func(string) (string, string, bool) { return "ami-1", "String", true },
		Exists: func(template.Type, string) bool { return true },
	}
)

// deploy makes a template's resources one after the other, as a stack would, and
// returns what each is made of and what the stack shows.
func deploy(tp *template.Template) (any, error) {
	if err := spec.Check(tp); err != nil {
		return nil, err
	}
	env := world
	env.Exports = imports
	var err error
	if env.Parameters, err = tp.Values(nil, nil, lookups); err != nil {
		return nil, err
	}
	s, err := tp.In(env)
	if err != nil {
		return nil, err
	}
	if err := s.CheckRules(lookups); err != nil {
		return nil, err
	}
	g, err := s.Graph()
	if err != nil {
		return nil, err
	}
	there := map[string]template.Made{}
	look := func(n string) (template.Made, bool) { m, found := there[n]; return m, found }
	has := func(n string) bool { _, found := there[n]; return found }
	type made struct {
		Logical    string
		ID         string
		Properties map[string]any
	}
	out := struct {
		Imports   []string
		Resources []made
		Outputs   []template.OutputValue
	}{}
	if out.Imports, err = s.Imports(); err != nil {
		return nil, err
	}
	for len(there) < len(g.Names()) {
		ready := g.Ready(has, has)
		if len(ready) == 0 {
			return nil, fmt.Errorf("nothing is ready of %v", g.Names())
		}
		for _, name := range ready {
			r, _ := tp.Resource(name)
			properties, err := s.Properties(r, look)
			if err != nil {
				return nil, err
			}
			kind, _ := spec.Find(r.Type)
			if properties, err = kind.Coerce(name, properties); err != nil {
				return nil, err
			}
			if _, err := template.DynamicReferences(properties); err != nil {
				return nil, err
			}
			m := template.Made{Attributes: map[string]any{}}
			for _, a := range kind.Attributes {
				m.Attributes[a.Name] = strings.ToLower(name) + "." + a.Name
			}
			if name == "VPC" {
				m.Attributes["CidrBlock"] = properties["CidrBlock"]
			}
			if n := kind.NameProperty(); n != "" && properties[n] == nil {
				m.Attributes[n] = kind.PhysicalName(env.StackName, name, "Abcdefghij12")
			}
			for _, n := range []string{"Id", "GroupId", "AttachmentType"} { // ids that services make
				if m.Attributes[n] == nil {
					m.Attributes[n] = strings.ToLower(name)
				}
			}
			var whole bool
			if m.PhysicalID, whole = kind.PhysicalID(properties, m.Attributes); !whole {
				m.PhysicalID = kind.PhysicalName(env.StackName, name, "Abcdefghij12")
			}
			there[name] = m
			out.Resources = append(out.Resources, made{name, m.PhysicalID, properties})
		}
	}
	out.Outputs, err = s.Outputs(look)
	return out, err
}

// TestTemplates deploys templates of the shapes that eksctl and people write, and
// holds what comes of them against golden files.
func TestTemplates(t *testing.T) {
	files, err := filepath.Glob("testdata/templates/*")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out, err := deploy(parse(t, string(text)))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(out); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "made", strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))+".json")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

// BenchmarkTemplate reads and evaluates a cluster's template.
func BenchmarkTemplate(b *testing.B) {
	text, err := os.ReadFile("testdata/templates/cluster.json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := template.Parse(string(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
	tp := parse(b, string(text))
	b.Run("evaluate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := deploy(tp); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// FuzzTemplate: whatever text comes, reading and evaluating it ends, without a
// panic and without taking more memory than is allowed. What was read reads the
// same from its literal form.
func FuzzTemplate(f *testing.F) {
	files, err := filepath.Glob("testdata/templates/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: '{{resolve:secretsmanager:a:SecretString:k::v}}{{resolve:ssm:arn:1}}'}}}")
	f.Add("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nResources: *c\n")
	f.Add("Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Sub ['${V}${V}', {V: !Sub ['${V}${V}', {V: x}]}]}}}")
	f.Add("Resources: {A: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Join [',', !Cidr ['2001:db8::/32', 256, 8]]}}}")
	f.Add("Conditions: {A: !Or [!Condition B, !Equals [1, 1]], B: !Not [!Equals ['', !Select [0, !Split [',', 'a,b']]]]}\n" + topic)
	f.Add(`{"Resources":{"A":{"Type":"AWS::SNS::Topic","Properties":{"Fn::If":[]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		tp, err := template.Parse(text)
		if err != nil {
			return
		}
		for i := range tp.Resources {
			if e := tp.Resources[i].Properties; e != nil {
				again, err := json.Marshal(map[string]any{"Resources": map[string]any{"A": map[string]any{"Type": "T", "Metadata": e.Literal()}}})
				if err != nil {
					t.Fatal(err)
				}
				second, err := template.Parse(string(again))
				if err == nil && !template.Same(e, second.Resources[0].Metadata) && len(e.References()) == 0 {
					t.Errorf("%s reads back as another", again)
				}
			}
		}
		out, err := deploy(tp)
		if err != nil {
			return
		}
		if made, err := json.Marshal(out); err != nil || len(made) > 64<<20 {
			t.Errorf("%d bytes of %d, %v", len(made), len(text), err)
		}
	})
}
