package stack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// world carries out orders: what physical resources exist, and what is to fail.
type world struct {
	t      testing.TB
	m      *stack.Machine
	things map[string]string // type by physical id
	fail   map[string]string // reason, by "action Logical"
	queue  []stack.Order
	lines  []string // the transcript
	// records are what the transcript was made of.
	records []stack.Record
	tokens  map[string]bool
	// restart stores and loads the state before each order.
	restart bool
	// store marshals the state before each order, as a driver would.
	store bool
	size  int // of the largest state stored
}

func newWorld(t testing.TB) *world {
	return &world{t: t, things: map[string]string{}, fail: map[string]string{}, tokens: map[string]bool{}, m: load(t, &stack.State{Name: "s", ID: "arn:s"})}
}

func load(t testing.TB, s *stack.State) *stack.Machine {
	t.Helper()
	m, err := stack.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reload is a restart: all that is not in the state is lost.
func (w *world) reload() {
	w.t.Helper()
	text, err := json.Marshal(w.m.State())
	if err != nil {
		w.t.Fatal(err)
	}
	var s stack.State
	if err := json.Unmarshal(text, &s); err != nil {
		w.t.Fatal(err)
	}
	again, err := json.Marshal(&s)
	if err != nil || string(again) != string(text) {
		w.t.Fatalf("the state reads back as another: %v\n%s\n%s", err, text, again)
	}
	w.m = load(w.t, &s)
	w.queue = w.m.Resume()
}

func (w *world) take(e stack.Effects, err error) error {
	w.records = append(w.records, e.Records...)
	for _, r := range e.Records {
		line := fmt.Sprintf("%s %s", r.Logical, r.Status)
		if r.PhysicalID != "" && r.Logical != "s" {
			line += " " + r.PhysicalID
		}
		if r.Reason != "" {
			line += " | " + r.Reason
		}
		w.lines = append(w.lines, line)
	}
	for _, o := range e.Orders {
		if w.tokens[o.Token] {
			w.t.Fatalf("token %s was given twice", o.Token)
		}
		w.tokens[o.Token] = true
	}
	w.queue = append(w.queue, e.Orders...)
	for i := range w.queue {
		w.queue[i].Cancelled = w.queue[i].Cancelled || slices.Contains(e.Cancel, w.queue[i].Token)
	}
	return err
}

// run carries out orders, first come first served, until none is left.
func (w *world) run() {
	w.t.Helper()
	for range 10000 {
		if w.restart {
			w.reload()
		}
		if len(w.queue) == 0 {
			break
		}
		if w.store {
			text, err := json.Marshal(w.m.State())
			if err != nil {
				w.t.Fatal(err)
			}
			w.size = max(w.size, len(text))
		}
		o := w.queue[0]
		w.queue = w.queue[1:]
		w.do(o)
	}
	if run := w.m.State().Run; run != nil {
		w.t.Fatalf("the operation does not end: %+v\n%s", run, w.transcript())
	}
}

// do carries out one order; doing it again does nothing more.
func (w *world) do(o stack.Order) {
	w.t.Helper()
	report := stack.Report{Token: o.Token, What: stack.Done, PhysicalID: o.PhysicalID, Attributes: map[string]any{}}
	kind, _ := spec.Find(o.Type)
	switch o.Action {
	case stack.ActCreate, stack.ActReplace:
		if o.Cancelled && o.PhysicalID == "" {
			w.report(stack.Report{Token: o.Token, What: stack.Failed, Reason: "cancelled"})
			return
		}
		if o.PhysicalID == "" {
			if reason, bad := w.fail["create "+o.Logical]; bad {
				w.report(stack.Report{Token: o.Token, What: stack.Failed, Reason: reason})
				return
			}
			report.PhysicalID = strings.ToLower(o.Logical) + "-" + o.Token[strings.LastIndexByte(o.Token, '-')+1:]
			if name, ok := o.Properties[kind.NameProperty()].(string); ok {
				report.PhysicalID = name
			}
			if w.things[report.PhysicalID] != "" {
				w.report(stack.Report{Token: o.Token, What: stack.Failed, Reason: report.PhysicalID + " already exists"})
				return
			}
			w.things[report.PhysicalID] = o.Type
			w.report(stack.Report{Token: o.Token, What: stack.Initiated, PhysicalID: report.PhysicalID})
		}
		if reason, bad := w.fail["finish "+o.Logical]; bad {
			w.report(stack.Report{Token: o.Token, What: stack.Failed, Reason: reason})
			return
		}
	case stack.ActImport:
		if reason, bad := w.fail["import "+o.Logical]; bad {
			w.report(stack.Report{Token: o.Token, What: stack.Failed, Reason: reason})
			return
		}
	case stack.ActUpdate:
		if w.things[o.PhysicalID] == "" {
			w.t.Fatalf("an update of %s, which is not there:\n%s", o.PhysicalID, w.transcript())
		}
		if reason, bad := w.fail["update "+o.Logical]; bad {
			report = stack.Report{Token: o.Token, What: stack.Failed, Reason: reason}
			if reason == "replace" {
				report = stack.Report{Token: o.Token, What: stack.NeedsReplacement}
			}
		}
	case stack.ActDelete:
		if reason, bad := w.fail["delete "+o.Logical]; bad {
			report = stack.Report{Token: o.Token, What: stack.Failed, Reason: reason}
			break
		}
		delete(w.things, o.PhysicalID)
	}
	for _, a := range kind.Attributes {
		if report.What != stack.Done {
			break
		}
		report.Attributes[a.Name] = report.PhysicalID + "." + a.Name
		if v, given := o.Properties[a.Name]; given {
			report.Attributes[a.Name] = v
		}
	}
	w.report(report)
}

func (w *world) report(r stack.Report) {
	w.t.Helper()
	if err := w.take(w.m.Handle(r)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) transcript() string { return strings.Join(w.lines, "\n") + "\n" }

// rest returns what exists, and checks that the stack knows all of it.
func (w *world) rest() string {
	var list []string
	for id := range w.things {
		list = append(list, id)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func deployment(text string, parameters map[string]string) stack.Deployment {
	d := stack.Deployment{Template: text, Environment: template.Environment{
		AccountID: "111122223333", Region: "us-west-2", Partition: "aws", URLSuffix: "amazonaws.com", StackName: "s", StackID: "arn:s",
		Parameters: map[string]template.Value{},
	}}
	for k, v := range parameters {
		d.Environment.Parameters[k] = template.Value{Text: v}
	}
	return d
}
