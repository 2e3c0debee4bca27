package supervise

import (
	"reflect"
	"time"
)

// Spec says what should run.
type Spec struct {
	// Name identifies the process to its supervisor: "etcd", "node-i-0abc".
	Name string
	// Path is the program, Argv its arguments, Argv[0] included.
	Path string
	Argv []string
	Env  []string
	Dir  string
	// NetNS is the file that names the network namespace to run in; "" is the
	// supervisor's own.
	NetNS string
	// Sandbox gives the process mount, uts, ipc and pid namespaces of its own,
	// in which it is pid 1.
	Sandbox bool
	// Log is the file that standard output and error are appended to; "" is the
	// supervisor's own standard error.
	Log string
	// Sockets name sockets opened before by Listen, passed as fd 3, 4, ….
	Sockets []string
	// StopAfter is how long the process may take to end after SIGTERM before it
	// is killed. 0 kills at once.
	StopAfter time.Duration
}

func (s Spec) equal(other Spec) bool { return reflect.DeepEqual(s, other) }

// State is what became of a Spec.
type State struct {
	Name    string
	Pid     int // 0 while not running
	Started time.Time
	// Restarts counts the starts after the first.
	Restarts int
	// LastExit says how the last run ended: "exit status 1", "signal: killed".
	LastExit string `json:",omitempty"`
}

// Socket is a listening socket to keep.
type Socket struct {
	Name    string
	NetNS   string
	Network string // "tcp", "tcp4", "udp", "unix", …
	Address string
	// Mode is the permission of a unix socket's file.
	Mode uint32 `json:",omitempty"`
}

// Pauses between restarts double from the first to the last, and start over
// after a run that held for Steady.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 10 * time.Second
	steady     = 10 * time.Second
)

func nextPause(pause, ran time.Duration) time.Duration {
	if ran >= steady || pause == 0 {
		return firstPause
	}
	return min(2*pause, lastPause)
}
