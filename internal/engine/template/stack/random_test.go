package stack_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// randomTemplate draws a template of up to five resources that may need each other.
func randomTemplate(t *rapid.T) string {
	names := []string{"A", "B", "C", "D", "E"}
	var b strings.Builder
	b.WriteString("Resources:\n")
	order := rapid.Permutation(names).Draw(t, "order")[:rapid.IntRange(1, 5).Draw(t, "size")]
	for i, n := range order {
		fmt.Fprintf(&b, "  %s:\n    Type: AWS::SNS::Topic\n", n)
		if p := rapid.SampledFrom([]string{"", "", "Retain", "RetainExceptOnCreate", "Delete"}).Draw(t, "policy"); p != "" {
			fmt.Fprintf(&b, "    DeletionPolicy: %s\n", p)
		}
		if rapid.Bool().Draw(t, "keep") {
			b.WriteString("    UpdateReplacePolicy: Retain\n")
		}
		fmt.Fprintf(&b, "    Metadata: {M: %d}\n", rapid.IntRange(0, 1).Draw(t, "metadata"))
		b.WriteString("    Properties:\n")
		fmt.Fprintf(&b, "      FifoTopic: %v\n", rapid.Bool().Draw(t, "fifo")) // a change replaces
		if i > 0 && rapid.Bool().Draw(t, "refers") {
			fmt.Fprintf(&b, "      DisplayName: !GetAtt %s.TopicName\n", rapid.SampledFrom(order[:i]).Draw(t, "to"))
		} else {
			fmt.Fprintf(&b, "      DisplayName: d%d\n", rapid.IntRange(0, 1).Draw(t, "display"))
		}
		if i > 0 && rapid.Bool().Draw(t, "depends") {
			fmt.Fprintf(&b, "    DependsOn: %s\n", rapid.SampledFrom(order[:i]).Draw(t, "on"))
		}
	}
	return b.String()
}

// TestRandomLives lives stacks of random templates through creations, updates and
// deletions, in which orders are carried out in any order, some fail, and restarts
// happen anywhere. Whatever happens, the stack comes to rest, knows what exists, and is
// what it says.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		orphans := map[string]bool{}
		seen := 0
		live := func() {
			for range 2000 {
				if rapid.IntRange(0, 4).Draw(rt, "restart") == 0 {
					w.reload()
				}
				if len(w.queue) == 0 {
					break
				}
				if rapid.IntRange(0, 40).Draw(rt, "interrupt") == 0 {
					interrupt(rt, w)
				}
				if len(w.queue) == 0 {
					break
				}
				i := rapid.IntRange(0, len(w.queue)-1).Draw(rt, "next")
				o := w.queue[i]
				w.queue = slices.Delete(w.queue, i, i+1)
				w.fail = map[string]string{}
				if rapid.IntRange(0, 7).Draw(rt, "fails") == 0 {
					verb := map[stack.Action]string{stack.ActCreate: "create", stack.ActReplace: "create", stack.ActUpdate: "update", stack.ActDelete: "delete", stack.ActImport: "import"}[o.Action]
					if verb == "create" && rapid.Bool().Draw(rt, "late") {
						verb = "finish"
					}
					w.fail[verb+" "+o.Logical] = rapid.SampledFrom([]string{"no", "replace"}).Draw(rt, "reason")
				}
				w.do(o)
			}
			if w.m.State().Run != nil {
				rt.Fatalf("the operation does not end:\n%s", w.transcript())
			}
			for _, line := range w.lines[seen:] {
				if f := strings.Fields(line); len(f) > 2 && (f[1] == "DELETE_SKIPPED" || f[1] == "DELETE_FAILED") {
					orphans[f[2]] = true
				}
			}
			seen = len(w.lines)
			inspect(rt, w, orphans)
		}
		must := func(e stack.Effects, err error) {
			if err := w.take(e, err); err != nil {
				rt.Fatalf("%v in %s\n%s", err, w.m.State().Status, w.transcript())
			}
			live()
		}
		start := func() stack.Start {
			s := stack.Start{Seed: "x", DisableRollback: rapid.IntRange(0, 2).Draw(rt, "disable") == 0, DeleteOnFailure: rapid.IntRange(0, 5).Draw(rt, "drop") == 0}
			if name := rapid.SampledFrom([]string{"", "A", "B"}).Draw(rt, "import"); name != "" {
				id := fmt.Sprintf("there-%s-%d", name, len(w.lines))
				w.things[id], orphans[id] = "AWS::SNS::Topic", true
				s.Imports = map[string]string{name: id}
			}
			return s
		}
		must(w.m.Create(deployment(randomTemplate(rt), nil), start()))
		for range rapid.IntRange(0, 4).Draw(rt, "updates") {
			switch w.m.State().Status {
			case stack.CreateComplete, stack.UpdateComplete, stack.UpdateRollbackComplete:
				before := identity(w.m.State())
				d := deployment(randomTemplate(rt), nil)
				e, err := w.m.Update(d, start())
				if err != nil && err.Error() == "No updates are to be performed." {
					continue
				}
				must(e, err)
				switch w.m.State().Status {
				case stack.UpdateComplete:
					if _, err := w.m.Update(d, start()); err == nil || err.Error() != "No updates are to be performed." {
						rt.Fatalf("the same again: %v\n%s", err, w.transcript())
					}
				case stack.UpdateRollbackComplete:
					if after := identity(w.m.State()); after != before {
						rt.Fatalf("rolled back to\n%s\nfrom\n%s\n%s", after, before, w.transcript())
					}
				}
			case stack.UpdateFailed, stack.CreateFailed:
				if rapid.Bool().Draw(rt, "retry") {
					s := start()
					s.DisableRollback = true
					must(w.m.Update(deployment(randomTemplate(rt), nil), s))
				} else {
					must(w.m.Rollback(start()))
				}
			case stack.UpdateRollbackFailed:
				must(w.m.ContinueRollback(start()))
			}
		}
		for range 20 {
			if w.m.State().Status == stack.DeleteComplete {
				break
			}
			must(w.m.Delete(stack.Start{Seed: "x"}))
		}
		if s := w.m.State(); s.Status == stack.DeleteComplete && len(s.Resources) > 0 {
			rt.Fatalf("deleted, but has %v", slices.Collect(maps.Keys(s.Resources)))
		}
	})
}

// interrupt changes one's mind in the middle.
func interrupt(t *rapid.T, w *world) {
	e, err := stack.Effects{}, error(nil)
	switch w.m.State().Status {
	case stack.UpdateInProgress:
		e, err = w.m.Cancel()
	case stack.CreateInProgress:
		if rapid.Bool().Draw(t, "expire") {
			e, err = w.m.Expire()
		} else {
			e, err = w.m.Delete(stack.Start{Seed: "x"})
		}
	}
	if err := w.take(e, err); err != nil {
		t.Fatal(err)
	}
	if len(w.queue) == 0 {
		w.queue = w.m.Resume()
	}
}

// inspect compares what a stack at rest knows with what exists.
func inspect(t *rapid.T, w *world, orphans map[string]bool) {
	s := w.m.State()
	known := map[string]bool{}
	for name, r := range s.Resources {
		if r.PhysicalID == "" {
			if r.Status != stack.CreateFailed {
				t.Fatalf("%s is %s without an id\n%s", name, r.Status, w.transcript())
			}
			continue
		}
		known[r.PhysicalID] = true
		if w.things[r.PhysicalID] == "" {
			t.Fatalf("%s does not exist\n%s", r.PhysicalID, w.transcript())
		}
		if r.Status.InProgress() {
			t.Fatalf("%s is %s at rest\n%s", name, r.Status, w.transcript())
		}
	}
	for _, d := range s.Leftovers {
		known[d.Resource.PhysicalID] = true
	}
	if s.Before != nil {
		for _, r := range s.Before.Resources {
			known[r.PhysicalID] = true
		}
	}
	for id := range w.things {
		if !known[id] && !orphans[id] {
			t.Fatalf("%s is nobody's\n%s", id, w.transcript())
		}
	}
	if s.Status != stack.CreateComplete && s.Status != stack.UpdateComplete {
		return
	}
	tp, err := template.Parse(s.Deployed.Template)
	if err != nil {
		t.Fatal(err)
	}
	if len(tp.Resources) != len(s.Resources) {
		t.Fatalf("%s with %d resources of %d\n%s", s.Status, len(s.Resources), len(tp.Resources), w.transcript())
	}
}

// identity is what a rollback has to bring back.
func identity(s *stack.State) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		r := s.Resources[name]
		fmt.Fprintf(&b, "%s %s %v %v\n", name, r.PhysicalID, r.Properties, r.Metadata)
	}
	return b.String()
}
