// Package pause is a pod's first container: it does nothing, and by being there
// keeps the pod's namespaces while other containers come and go.
//
// Where a pod's containers share one process namespace it is process 1 of it,
// and so inherits every orphan: it collects them when they end.
package pause

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Main waits until it is told to end, by SIGINT or SIGTERM, and returns then.
func Main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGCHLD)
	reap() // what ended before the line above
	for s := range signals {
		if s != unix.SIGCHLD {
			return
		}
		reap()
	}
}

// reap collects all ended children: one signal may stand for several.
func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
