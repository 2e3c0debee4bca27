package cgroup

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestAGroupHoldsItsProcessesAndTakesThemAlong(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make control groups: run the tests as root")
	}
	tree, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	const top = "/eksact-cgroup-test"
	defer tree.Remove(top, time.Second)
	for range 2 { // again is no error
		if err := tree.Make(top + "/a"); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := tree.Enter(top+"/a", cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if got := tree.Processes(top); !slices.Equal(got, []int{cmd.Process.Pid}) {
		t.Errorf("processes %v, want %d", got, cmd.Process.Pid)
	}
	if err := tree.Remove(top, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(60 * time.Second):
		t.Error("the process lives on")
	}
	if got := tree.Processes(top); len(got) != 0 {
		t.Errorf("processes %v", got)
	}
	for _, root := range tree.roots {
		if _, err := os.Stat(root + top); err == nil {
			t.Errorf("%s%s is still there", root, top)
		}
	}
}

func TestNoControlGroupsIsAnError(t *testing.T) {
	if _, err := openAt("/nonexistent"); err == nil {
		t.Error("no error")
	}
}
