package stack_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// three are resources in a row: C needs B, B needs A.
const three = `
Parameters: {P: {Type: String, Default: x}}
Resources:
  A: {Type: "AWS::SNS::Topic", Properties: {DisplayName: !Ref P}}
  B: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Value: !GetAtt A.TopicName}}
  C: {Type: "AWS::Logs::LogGroup", DependsOn: B}
Outputs:
  O: {Value: !Ref A, Export: {Name: e}}
`

// replaced is three with another topic, which B is updated for, and without C.
const replaced = `
Resources:
  A: {Type: "AWS::SNS::Topic", Properties: {TopicName: other}}
  B: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Value: !GetAtt A.TopicName}}
  D: {Type: "AWS::SQS::Queue", DependsOn: A}
`

// imported has C taken over, before B is made.
const imported = `
Resources:
  A: {Type: "AWS::SNS::Topic"}
  B: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Value: !Ref C}}
  C: {Type: "AWS::Logs::LogGroup", DeletionPolicy: RetainExceptOnCreate, Properties: {LogGroupName: c}}
`

func create(t *testing.T, w *world, text string, start stack.Start) {
	t.Helper()
	start.Seed = "seed"
	if err := w.take(w.m.Create(deployment(text, map[string]string{"P": "x"}), start)); err != nil {
		t.Fatal(err)
	}
	w.run()
}

func change(t *testing.T, w *world, text string, start stack.Start) {
	t.Helper()
	start.Seed = "seed"
	if err := w.take(w.m.Update(deployment(text, map[string]string{"P": "y"}), start)); err != nil {
		t.Fatal(err)
	}
	w.run()
}

// TestTranscripts holds the events of whole lives against golden files: their order
// and their words are what clients and people read. Each life is lived a second
// time with a restart before every report, and must read the same.
func TestTranscripts(t *testing.T) {
	for _, tc := range []struct {
		name string
		live func(*testing.T, *world)
	}{
		{"create", func(t *testing.T, w *world) { create(t, w, three, stack.Start{}) }},
		{"create-failed", func(t *testing.T, w *world) {
			w.fail["create B"] = "User: arn:aws:iam::111122223333:user/u is not authorized to perform: ssm:PutParameter"
			create(t, w, three, stack.Start{})
		}},
		{"create-failed-parallel", func(t *testing.T, w *world) {
			w.fail["finish B"] = "timed out"
			create(t, w, `
Resources:
  A: {Type: "AWS::SNS::Topic"}
  B: {Type: "AWS::SQS::Queue"}
  C: {Type: "AWS::Logs::LogGroup", DeletionPolicy: Retain}
  D: {Type: "AWS::SNS::Topic", DependsOn: [A, B, C]}
`, stack.Start{})
		}},
		{"create-failed-deleted", func(t *testing.T, w *world) {
			w.fail["create B"] = "no"
			create(t, w, three, stack.Start{DeleteOnFailure: true})
		}},
		{"create-expired", func(t *testing.T, w *world) {
			if err := w.take(w.m.Create(deployment(three, map[string]string{"P": "x"}), stack.Start{Seed: "seed"})); err != nil {
				t.Fatal(err)
			}
			if err := w.take(w.m.Expire()); err != nil {
				t.Fatal(err)
			}
			w.run()
		}},
		{"create-failed-kept", func(t *testing.T, w *world) {
			w.fail["create B"] = "no"
			create(t, w, `
Resources:
  A: {Type: "AWS::SNS::Topic"}
  B: {Type: "AWS::SQS::Queue"}
  C: {Type: "AWS::Logs::LogGroup", DependsOn: A}
  D: {Type: "AWS::SNS::Topic", DependsOn: B}
`, stack.Start{DisableRollback: true})
			delete(w.fail, "create B")
			change(t, w, `
Resources:
  A: {Type: "AWS::SNS::Topic"}
  B: {Type: "AWS::SQS::Queue"}
  C: {Type: "AWS::Logs::LogGroup", DependsOn: A}
  D: {Type: "AWS::SNS::Topic", DependsOn: B}
`, stack.Start{DisableRollback: true})
		}},
		{"create-invalid", func(t *testing.T, w *world) {
			create(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", Properties: {FifoTopic: maybe, Foo: 1}}}`, stack.Start{})
		}},
		{"import-missing", func(t *testing.T, w *world) {
			create(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", Properties: {DisplayName: !ImportValue nobody-s}}}`, stack.Start{})
		}},
		{"import-missing-update", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			change(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", Properties: {DisplayName: !ImportValue nobody-s}}}`, stack.Start{})
		}},
		{"export-taken", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{Exported: map[string]string{"e": "other"}})
		}},
		{"import", func(t *testing.T, w *world) {
			w.things["c"] = "AWS::Logs::LogGroup"
			create(t, w, imported, stack.Start{Imports: map[string]string{"C": "c"}})
			remove(t, w, stack.Start{})
		}},
		{"import-failed", func(t *testing.T, w *world) {
			w.things["c"] = "AWS::Logs::LogGroup"
			w.fail["import C"] = "no"
			create(t, w, imported, stack.Start{Imports: map[string]string{"C": "c"}})
		}},
		{"import-undone", func(t *testing.T, w *world) {
			w.things["c"] = "AWS::Logs::LogGroup"
			create(t, w, `Resources: {A: {Type: "AWS::SNS::Topic"}}`, stack.Start{})
			w.fail["create B"] = "no"
			change(t, w, imported, stack.Start{Imports: map[string]string{"C": "c"}})
		}},
		{"update", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			change(t, w, three, stack.Start{})
		}},
		{"update-replaced", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			change(t, w, replaced, stack.Start{})
		}},
		{"update-retained", func(t *testing.T, w *world) {
			create(t, w, `
Resources:
  A: {Type: "AWS::SNS::Topic", UpdateReplacePolicy: Retain, Properties: {TopicName: a}}
  B: {Type: "AWS::SNS::Topic", DeletionPolicy: Retain}
`, stack.Start{})
			change(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", UpdateReplacePolicy: Retain, Properties: {TopicName: b}}}`, stack.Start{})
		}},
		{"update-cleanup-failed", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["delete C"] = "in use"
			change(t, w, replaced, stack.Start{})
		}},
		{"update-failed", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["create D"] = "no"
			change(t, w, replaced, stack.Start{})
		}},
		{"update-failed-in-place", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["update A"] = "no"
			start := stack.Start{Seed: "seed"}
			if err := w.take(w.m.Update(deployment(three, map[string]string{"P": "y"}), start)); err != nil {
				t.Fatal(err)
			}
			w.do(w.queue[0])
			w.queue = w.queue[1:]
			delete(w.fail, "update A")
			w.run()
		}},
		{"update-rollback-failed", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["update A"] = "no"
			change(t, w, three, stack.Start{})
			if err := w.take(w.m.ContinueRollback(stack.Start{Seed: "seed", Skip: []string{"A"}})); err != nil {
				t.Fatal(err)
			}
			w.run()
		}},
		{"update-cancelled", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			if err := w.take(w.m.Update(deployment(three, map[string]string{"P": "y"}), stack.Start{Seed: "seed"})); err != nil {
				t.Fatal(err)
			}
			if err := w.take(w.m.Cancel()); err != nil {
				t.Fatal(err)
			}
			w.run()
		}},
		{"update-kept", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["update A"] = "no"
			change(t, w, three, stack.Start{DisableRollback: true})
			delete(w.fail, "update A")
			if err := w.take(w.m.Rollback(stack.Start{Seed: "seed"})); err != nil {
				t.Fatal(err)
			}
			w.run()
		}},
		{"update-kept-replacement", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			change(t, w, replaced, stack.Start{DisableRollback: true})
		}},
		{"update-custom-name", func(t *testing.T, w *world) {
			create(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", Properties: {TopicName: a.fifo}}}`, stack.Start{})
			change(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", Properties: {TopicName: a.fifo, FifoTopic: true}}}`, stack.Start{})
		}},
		{"update-needs-replacement", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["update A"] = "replace"
			change(t, w, three, stack.Start{})
		}},
		{"update-tags", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			d := deployment(three, map[string]string{"P": "x"})
			d.Tags = []spec.Tag{{Key: "k", Value: "v"}}
			if err := w.take(w.m.Update(d, stack.Start{Seed: "seed"})); err != nil {
				t.Fatal(err)
			}
			w.run()
		}},
		{"update-export-in-use", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			change(t, w, replaced, stack.Start{Imported: map[string][]string{"e": {"other"}}})
		}},
		{"delete", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			remove(t, w, stack.Start{})
		}},
		{"delete-failed", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			w.fail["delete B"] = "no"
			remove(t, w, stack.Start{})
			remove(t, w, stack.Start{Retain: []string{"B"}})
		}},
		{"delete-retained", func(t *testing.T, w *world) {
			create(t, w, `Resources: {A: {Type: "AWS::SNS::Topic", DeletionPolicy: Retain}, B: {Type: "AWS::SNS::Topic", DeletionPolicy: RetainExceptOnCreate}}`, stack.Start{})
			remove(t, w, stack.Start{})
		}},
		{"delete-export-in-use", func(t *testing.T, w *world) {
			create(t, w, three, stack.Start{})
			remove(t, w, stack.Start{Imported: map[string][]string{"e": {"other"}}})
		}},
		{"delete-while-creating", func(t *testing.T, w *world) {
			if err := w.take(w.m.Create(deployment(three, map[string]string{"P": "x"}), stack.Start{Seed: "seed"})); err != nil {
				t.Fatal(err)
			}
			remove(t, w, stack.Start{})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			tc.live(t, w)
			got := w.transcript() + "left: " + w.rest() + "\n"
			file := filepath.Join("testdata", tc.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			again := newWorld(t)
			again.restart = true
			tc.live(t, again)
			if restarted := again.transcript() + "left: " + again.rest() + "\n"; restarted != string(want) {
				t.Errorf("with restarts\n%swant\n%s", restarted, want)
			}
		})
	}
}

func remove(t *testing.T, w *world, start stack.Start) {
	t.Helper()
	start.Seed = "seed"
	if err := w.take(w.m.Delete(start)); err != nil {
		t.Fatal(err)
	}
	w.run()
}
