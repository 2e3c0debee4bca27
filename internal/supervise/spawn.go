package supervise

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawner starts processes from one thread that never ends: a child's parent
// death signal is bound to the thread that forked it.
type spawner struct{ work chan func() }

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for fn := range s.work {
			fn()
		}
	}()
	return s
}

// start forks and runs spec with the given sockets. Its pid is reported to
// register before anything can reap it: the caller holds the reaper's lock.
func (s *spawner) start(spec Spec, sockets []*os.File) (pid int, err error) {
	done := make(chan struct{})
	s.work <- func() {
		defer close(done)
		pid, err = forkIn(spec, sockets)
	}
	<-done
	return pid, err
}

func forkIn(spec Spec, sockets []*os.File) (int, error) {
	out := os.Stderr
	if spec.Log != "" {
		f, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_CLOEXEC, 0o640)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		out = f
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	if spec.NetNS != "" {
		leave, err := enter(spec.NetNS)
		if err != nil {
			return 0, err
		}
		defer leave()
	}
	files := []uintptr{null.Fd(), out.Fd(), out.Fd()}
	for _, f := range sockets {
		files = append(files, f.Fd())
	}
	attr := &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   spec.Env,
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	if len(sockets) > 0 {
		attr.Env = append(attr.Env[:len(attr.Env):len(attr.Env)], "LISTEN_FDS="+strconv.Itoa(len(sockets)))
	}
	if spec.Sandbox {
		attr.Sys.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID
	}
	pid, err := syscall.ForkExec(spec.Path, spec.Argv, attr)
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", spec.Path, err)
	}
	return pid, nil
}

// enter moves the calling thread into a network namespace until leave is called.
func enter(path string) (leave func(), err error) {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	target, err := os.Open(path)
	if err != nil {
		home.Close()
		return nil, err
	}
	defer target.Close()
	if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
		home.Close()
		return nil, fmt.Errorf("entering network namespace %s: %w", path, err)
	}
	return func() {
		// A thread that can't go home would start later children in the wrong
		// network: better none at all.
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("leaving network namespace %s: %v", path, err))
		}
		home.Close()
	}, nil
}
