package daemon

import (
	"slices"
	"testing"
	"time"

	"github.com/eksact/eksact/internal/kube/controlplane"
	kubenode "github.com/eksact/eksact/internal/kube/node"
	"github.com/eksact/eksact/internal/kube/pki"
	"github.com/eksact/eksact/internal/supervise"
)

// specs are those of a daemon with one cluster named "a" and one node.
func specs(t *testing.T) []supervise.Spec {
	t.Helper()
	c := Default(t.TempDir(), t.TempDir())
	program := func(name string) string { return "/bin/" + name }
	plane := controlplane.Config{Name: "a", Dir: t.TempDir(), Program: program}
	plane.Private = append(plane.Private, c.VPC.Addr())
	all := []supervise.Spec{daemonSpec(c, "/bin/eksact"), kubenode.Config{ID: "i-0a"}.Spec()}
	etcd, err := (&Daemon{config: c}).etcdSpec()
	if err != nil {
		t.Fatal(err)
	}
	return append(append(all, etcd), plane.Specs(&pki.Bundle{})...)
}

// stageOf is the place of a process in stages, or -1.
func stageOf(process string) int {
	for i, s := range stages {
		if slices.Contains(s.programs, programOf(process)) {
			return i
		}
	}
	return -1
}

func TestEveryProgramIsStoppedInItsStage(t *testing.T) {
	want := map[string]int{
		"eksact": 0, "node-i-0a": 1, "kube-controller-manager@a": 1, "kube-scheduler@a": 1, "kube-apiserver@a": 2, "etcd": 3,
	}
	for _, s := range specs(t) {
		stage, ok := want[s.Name]
		if got := stageOf(s.Name); !ok || got != stage {
			t.Errorf("%s is stopped in stage %d, want %d (known: %v)", s.Name, got, stage, ok)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("no specs of %v", want)
	}
	if stageOf("etcd-relay") != 3 {
		t.Error("the relay is not stopped with etcd")
	}
}

// Even when no program heeds SIGTERM, `down` ends in the time that is promised.
func TestPatienceAddsUpToLessThanFifteenSeconds(t *testing.T) {
	longest := make([]time.Duration, len(stages))
	for _, s := range specs(t) {
		longest[stageOf(s.Name)] = max(longest[stageOf(s.Name)], s.StopAfter)
	}
	var sum time.Duration
	for _, d := range longest {
		sum += d
	}
	if sum == 0 || sum > 14*time.Second {
		t.Errorf("stages take up to %v: %v in all", longest, sum)
	}
}
