package daemon

import (
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"testing"
)

// TestANodesTreeIsWhole: children started by any thread of a node's init belong
// to its memory.
func TestANodesTreeIsWhole(t *testing.T) {
	started, seen := make(chan *exec.Cmd), make(chan struct{})
	defer close(seen)
	for range 4 {
		go func() {
			goruntime.LockOSThread() // a thread for each child, which lives on
			defer goruntime.UnlockOSThread()
			cmd := exec.Command("sleep", "60")
			if err := cmd.Start(); err != nil {
				t.Error(err)
			}
			started <- cmd
			<-seen
		}()
	}
	var children []*exec.Cmd
	for range 4 {
		children = append(children, <-started)
	}
	tree := treeOf(os.Getpid(), "node-i-1")
	for _, cmd := range children {
		if cmd.Process == nil {
			continue
		}
		if !slices.Contains(tree, cmd.Process.Pid) {
			t.Errorf("%d is not in the tree %v", cmd.Process.Pid, tree)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if own := treeOf(os.Getpid(), "etcd"); !slices.Equal(own, []int{os.Getpid()}) {
		t.Errorf("a program of its own counts %v", own)
	}
	if part := treeOf(os.Getpid(), "ip-10-0-0-1/kubelet"); part != nil {
		t.Errorf("a node's program, counted with its node, counts %v again", part)
	}
}
