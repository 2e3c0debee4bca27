package stack_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// TestOrders looks at what an order carries.
func TestOrders(t *testing.T) {
	w := newWorld(t)
	d := deployment(`
Parameters: {S: {Type: String, NoEcho: true}}
Resources:
  A:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref S, Description: '{{resolve:ssm:/x}}', Tags: {own: o}}
  G:
    Type: AWS::AutoScaling::AutoScalingGroup
    CreationPolicy: {ResourceSignal: {Count: !Ref AWS::Region}}
    UpdatePolicy: {AutoScalingRollingUpdate: {MinInstancesInService: 1}}
    Properties: {MinSize: 1, MaxSize: 2}
`, nil)
	d.Environment.Parameters["S"] = template.Value{Text: "secret", NoEcho: true}
	d.Tags = []spec.Tag{{Key: "t", Value: "v"}, {Key: "own", Value: "stack's"}}
	e, err := w.m.Create(d, stack.Start{Seed: "seed"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(e.Orders)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"properties":{"Description":"{{resolve:ssm:/x}}","Tags":{"own":"o","t":"v"},"Type":"String","Value":"secret"}`,
		`"Tags":[{"Key":"own","PropagateAtLaunch":true,"Value":"stack's"},{"Key":"t","PropagateAtLaunch":true,"Value":"v"}]`,
		`"systemTags":[{"key":"aws:cloudformation:stack-name","value":"s"},{"key":"aws:cloudformation:stack-id","value":"arn:s"},{"key":"aws:cloudformation:logical-id","value":"A"}]`,
		`"creationPolicy":{"ResourceSignal":{"Count":"us-west-2"}}`,
		`"updatePolicy":{"AutoScalingRollingUpdate":{"MinInstancesInService":1}}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if n := e.Orders[0].Name; !strings.HasPrefix(n, "CFN-A-") || len(n) != 18 {
		t.Errorf("A is to be named %q", n)
	}
	if n := e.Orders[1].Name; !strings.HasPrefix(n, "s-G-") || n[4:] == e.Orders[0].Name[6:] {
		t.Errorf("G is to be named %q", n)
	}
	events, _ := json.Marshal(e.Records)
	if strings.Contains(string(events), "secret") || !strings.Contains(string(events), "****") {
		t.Errorf("events show secrets: %s", events)
	}
}

// TestEventProperties: an update's events show what is to be, its cleanup's nothing.
func TestEventProperties(t *testing.T) {
	w := newWorld(t)
	create(t, w, three, stack.Start{})
	e, err := w.m.Update(deployment(three, map[string]string{"P": "y"}), stack.Start{Seed: "seed"})
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Records[1]; r.Status != stack.UpdateInProgress || r.PhysicalID != "a-1" || r.Properties["DisplayName"] != "y" {
		t.Errorf("%+v", r)
	}
	if err := w.take(e, nil); err != nil {
		t.Fatal(err)
	}
	w.run()
	change(t, w, replaced, stack.Start{})
	for _, r := range w.records {
		if r.Status == stack.DeleteInProgress && r.Properties != nil {
			t.Errorf("%+v", r)
		}
	}
	e, err = w.m.Delete(stack.Start{Seed: "seed"})
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Records[1]; r.Status != stack.DeleteInProgress || r.Properties == nil && r.Logical != "D" {
		t.Errorf("%+v", r)
	}
}

// TestRefusals: what is refused leaves the stack as it is.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	create(t, w, three, stack.Start{})
	before, _ := json.Marshal(w.m.State())
	d := func(text string) stack.Deployment { return deployment(text, map[string]string{"P": "x"}) }
	for _, tc := range []struct {
		name, want string
		do         func() (stack.Effects, error)
	}{
		{"again", "Stack:arn:s is in CREATE_COMPLETE state and can not be created.", func() (stack.Effects, error) { return w.m.Create(d(three), stack.Start{}) }},
		{"same", "No updates are to be performed.", func() (stack.Effects, error) { return w.m.Update(d(three), stack.Start{}) }},
		{"cycle", "Circular dependency between resources: [A, B]", func() (stack.Effects, error) {
			return w.m.Update(d("Resources: {A: {Type: 'AWS::SNS::Topic', DependsOn: B}, B: {Type: 'AWS::SNS::Topic', DependsOn: A}}"), stack.Start{})
		}},
		{"type", "Template format error: Unrecognized resource types: [Custom::X]", func() (stack.Effects, error) {
			return w.m.Update(d("Resources: {A: {Type: 'Custom::X'}}"), stack.Start{})
		}},
		{"other type", "Update of resource type is not permitted. The new template modifies resource type of the following resources: [A]", func() (stack.Effects, error) {
			return w.m.Update(d("Resources: {A: {Type: 'AWS::SQS::Queue'}}"), stack.Start{})
		}},
		{"cancel", "CancelUpdateStack cannot be called from current stack status", func() (stack.Effects, error) { return w.m.Cancel() }},
		{"roll back", "Stack:arn:s is in CREATE_COMPLETE state and can not be rolled back.", func() (stack.Effects, error) { return w.m.Rollback(stack.Start{}) }},
		{"retain", "Invalid operation on stack [arn:s]. When you specify RetainResources, the stack must be in the DELETE_FAILED state", func() (stack.Effects, error) {
			return w.m.Delete(stack.Start{Retain: []string{"A"}})
		}},
	} {
		e, err := tc.do()
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.name, err, tc.want)
		}
		if after, _ := json.Marshal(w.m.State()); string(after) != string(before) || len(e.Orders)+len(e.Records) > 0 {
			t.Errorf("%s changed the stack:\n%s\n%s", tc.name, before, after)
		}
	}
}

// TestTemplates lives stacks of the templates that eksctl and people write: created with
// restarts, updated in vain, deleted. Nothing may be left that no policy keeps.
func TestTemplates(t *testing.T) {
	files, err := filepath.Glob("../testdata/templates/*")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tp, err := template.Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			d := deployment(string(text), nil)
			d.Environment.Exports = map[string]string{"eksctl-c-cluster::VPC": "v", "eksctl-c-cluster::SharedNodeSecurityGroup": "g", "eksctl-c-cluster::SubnetsPublic": "a,b"}
			if d.Environment.Parameters, err = tp.Values(nil, nil, template.Lookups{
				SSM: func(string) (string, string, bool) { return "ami-1", "String", true },
			}); err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			w.restart = true
			if err := w.take(w.m.Create(d, stack.Start{Seed: "seed"})); err != nil {
				t.Fatal(err)
			}
			w.run()
			if s := w.m.State(); s.Status != stack.CreateComplete || len(s.Outputs) == 0 {
				t.Fatalf("%s\n%s", s.Status, w.transcript())
			}
			if _, err := w.m.Update(d, stack.Start{}); err == nil || err.Error() != "No updates are to be performed." {
				t.Errorf("updated with the same: %v", err)
			}
			remove(t, w, stack.Start{})
			if left := w.rest(); left != "" && left != "workshop-pods" { // which is retained
				t.Errorf("left: %s", left)
			}
		})
	}
}

// TestList: what is being deleted is listed as long as it is there.
func TestList(t *testing.T) {
	w := newWorld(t)
	create(t, w, three, stack.Start{})
	if err := w.take(w.m.Update(deployment(replaced, map[string]string{"P": "x"}), stack.Start{Seed: "seed"})); err != nil {
		t.Fatal(err)
	}
	for w.m.State().Status != stack.UpdateCleanup {
		o := w.queue[0]
		w.queue = w.queue[1:]
		w.do(o)
	}
	list := func() string {
		var b strings.Builder
		for _, l := range w.m.State().List() {
			fmt.Fprintf(&b, "%s %s %s\n", l.Logical, l.PhysicalID, l.Status)
		}
		return b.String()
	}
	if got, want := list(), "A other UPDATE_COMPLETE\nB b-2 UPDATE_COMPLETE\nC c-3 DELETE_IN_PROGRESS\nD d-6 CREATE_COMPLETE\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	w.run()
	if got, want := list(), "A other UPDATE_COMPLETE\nB b-2 UPDATE_COMPLETE\nD d-6 CREATE_COMPLETE\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestReportTwice: a report that comes again changes nothing.
func TestReportTwice(t *testing.T) {
	w := newWorld(t)
	if err := w.take(w.m.Create(deployment(three, map[string]string{"P": "x"}), stack.Start{Seed: "seed"})); err != nil {
		t.Fatal(err)
	}
	r := stack.Report{Token: w.queue[0].Token, What: stack.Done, PhysicalID: "a", Attributes: map[string]any{"TopicName": "n"}}
	w.report(r)
	n := len(w.lines)
	w.report(r)
	if len(w.lines) != n {
		t.Errorf("recorded twice:\n%s", w.transcript())
	}
}

// BenchmarkLargest lives the largest stack, 500 resources in rows of ten: created, updated,
// deleted; the state is stored after each report.
func BenchmarkLargest(b *testing.B) {
	var t strings.Builder
	t.WriteString("Parameters: {P: {Type: String}}\nResources:\n")
	for i := range 500 {
		fmt.Fprintf(&t, "  R%d: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: !Ref P", i)
		if i >= 50 {
			fmt.Fprintf(&t, ", KmsMasterKeyId: !GetAtt R%d.TopicName", i-50)
		}
		t.WriteString("}}\n")
	}
	for _, stored := range []bool{false, true} {
		b.Run(fmt.Sprintf("stored=%v", stored), func(b *testing.B) {
			for b.Loop() {
				w := newWorld(b)
				w.store = stored
				for i, p := range []string{"x", "y"} {
					d := deployment(t.String(), map[string]string{"P": p})
					begin := w.m.Create
					if i == 1 {
						begin = w.m.Update
					}
					if err := w.take(begin(d, stack.Start{})); err != nil {
						b.Fatal(err)
					}
					w.run()
				}
				if err := w.take(w.m.Delete(stack.Start{})); err != nil {
					b.Fatal(err)
				}
				w.run()
				if len(w.things) > 0 {
					b.Fatal(w.rest())
				}
				b.ReportMetric(float64(w.size), "largest-state-bytes")
				b.ReportMetric(float64(len(w.lines)), "events")
			}
		})
	}
}

// TestWhatAResourceMayHave: after an update and its rollback both failed, orders carry all
// properties that the resource may have, and as its old ones those that differ from what it
// is to be.
func TestWhatAResourceMayHave(t *testing.T) {
	w := newWorld(t)
	topic := func(display, signature string) string {
		return fmt.Sprintf(`Resources: {A: {Type: "AWS::SNS::Topic", Properties: {TopicName: a, DisplayName: %s, SignatureVersion: %q}}}`, display, signature)
	}
	create(t, w, topic("one", "1"), stack.Start{})
	w.fail["update A"] = "no"
	change(t, w, topic("two", "1"), stack.Start{DisableRollback: true})
	change(t, w, topic("three", "2"), stack.Start{DisableRollback: true})
	orders := func(e stack.Effects, err error) stack.Order {
		t.Helper()
		if err := w.take(e, err); err != nil || len(w.queue) != 1 {
			t.Fatalf("%v, %+v", err, w.queue)
		}
		o := w.queue[0]
		w.reload() // what is stored is the same
		if got, want := fmt.Sprint(w.queue[0].Old, w.queue[0].May), fmt.Sprint(o.Old, o.May); got != want {
			t.Errorf("stored is %s, ordered was %s", got, want)
		}
		return o
	}
	all := "map[DisplayName:one SignatureVersion:1 TopicName:a] map[DisplayName:two SignatureVersion:1 TopicName:a] map[DisplayName:three SignatureVersion:2 TopicName:a]"
	is := func(what string, o stack.Order, old, may string) {
		t.Helper()
		if fmt.Sprint(o.Old) != old || fmt.Sprint(o.May) != "["+may+"]" {
			t.Errorf("%s: %v, of %v", what, o.Old, o.May)
		}
	}
	// The same again: what it was first differs, and so it is set.
	o := orders(w.m.Update(deployment(topic("three", "2"), nil), stack.Start{Seed: "seed", DisableRollback: true}))
	is("again", o, "map[DisplayName:two SignatureVersion:1 TopicName:a]", all)
	w.run()
	o = orders(w.m.Rollback(stack.Start{Seed: "seed"}))
	is("the rollback", o, "map[DisplayName:three SignatureVersion:2 TopicName:a]", all)
	w.run()
	if s := w.m.State().Status; s != stack.UpdateRollbackFailed {
		t.Fatalf("it is %s", s)
	}
	o = orders(w.m.Delete(stack.Start{Seed: "seed"}))
	one := "map[DisplayName:one SignatureVersion:1 TopicName:a]"
	is("the deletion", o, one, all+" "+one)

	// An update that ends well knows what there is.
	w = newWorld(t)
	create(t, w, topic("one", "1"), stack.Start{})
	w.fail["update A"] = "no"
	change(t, w, topic("two", "1"), stack.Start{DisableRollback: true})
	delete(w.fail, "update A")
	change(t, w, topic("three", "1"), stack.Start{DisableRollback: true})
	is("after all", orders(w.m.Delete(stack.Start{Seed: "seed"})), "map[DisplayName:three SignatureVersion:1 TopicName:a]", "")
}

// TestSkipped: a rollback that goes on leaves only what it failed with.
func TestSkipped(t *testing.T) {
	w := newWorld(t)
	create(t, w, three, stack.Start{})
	w.fail["update A"] = "no"
	change(t, w, three, stack.Start{})
	if got := w.m.State().Status; got != stack.UpdateRollbackFailed {
		t.Fatalf("the stack is %s", got)
	}
	for name, text := range map[string]string{
		"Q": "Stack [s] does not contain resource Q",
		"B": "Resource B of stack [s] cannot be skipped: it is not in UPDATE_FAILED state because a rollback failed",
	} {
		e, err := w.m.ContinueRollback(stack.Start{Seed: "seed", Skip: []string{"A", name}})
		if err == nil || err.Error() != text || len(e.Records) > 0 || w.m.State().Status != stack.UpdateRollbackFailed {
			t.Errorf("%s: %v, %+v, the stack is %s", name, err, e, w.m.State().Status)
		}
	}
	// What failed for another reason is UPDATE_FAILED too.
	a := w.m.State().Resources["A"]
	a.Reason = "Resource update cancelled"
	if _, err := w.m.ContinueRollback(stack.Start{Seed: "seed", Skip: []string{"A"}}); err == nil {
		t.Error("an update that was cancelled can be skipped")
	}
}
