// Package shim runs containerd's shim for runc: the process beside each pod
// that starts its containers, holds their standard streams and reports their
// ends, so that containerd may restart while they run.
//
// It is containerd's own (io.containerd.runc.v2), in a program without any other
// plugin of containerd's: a shim initialises every plugin linked into it.
package shim

import (
	"context"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task/plugin" // the task service
	"github.com/containerd/containerd/v2/pkg/shim"
)

// Main runs the shim as containerd calls it: its arguments are the process's
// (os.Args), its settings come on standard input. It returns when the last
// container of its pod is gone, or exits the process on an error.
func Main() {
	shim.RunShim(context.Background(), manager.NewShimManager("io.containerd.runc.v2"))
}
