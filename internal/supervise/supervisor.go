package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Supervisor runs what it was told to. Make one per process: it reaps every
// child of the process it lives in.
type Supervisor struct {
	spawner *spawner
	sockets *socketSet

	mu       sync.Mutex
	children map[string]*child
	pids     map[int]*child
	ending   bool
}

type child struct {
	spec    Spec
	state   State
	started time.Time
	pause   time.Duration
	timer   *time.Timer   // of the next start, while none runs
	gone    chan struct{} // closed when the run that is on has ended
	removed bool          // not to be started again
}

// New makes a Supervisor and begins to reap.
func New() (*Supervisor, error) {
	// Orphans below are ours to reap, as they are pid 1's in its namespace.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("becoming the reaper of orphans: %w", err)
	}
	s := &Supervisor{spawner: newSpawner(), sockets: newSocketSet(), children: map[string]*child{}, pids: map[int]*child{}}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			s.reap()
		}
	}()
	go s.trimLogs()
	return s, nil
}

// Ensure makes spec run. A process that runs by the same spec is left alone, one
// that runs by another is stopped and started anew.
func (s *Supervisor) Ensure(spec Spec) error {
	if spec.Name == "" || spec.Path == "" || len(spec.Argv) == 0 {
		return fmt.Errorf("process %q: a spec needs a name, a path and argv", spec.Name)
	}
	s.mu.Lock()
	old, ok := s.children[spec.Name]
	if ok && old.spec.equal(spec) && !old.removed {
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if ok {
		s.Stop(spec.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return errors.New("the supervisor is shutting down")
	}
	if other, ok := s.children[spec.Name]; ok {
		if other.spec.equal(spec) && !other.removed {
			return nil // another caller was faster
		}
		return fmt.Errorf("process %q: two changes at once", spec.Name)
	}
	c := &child{spec: spec, state: State{Name: spec.Name}}
	if err := s.start(c); err != nil {
		return err
	}
	s.children[spec.Name] = c
	return nil
}

// start is called with mu held, so that the reaper can't see a pid before it is
// known here.
func (s *Supervisor) start(c *child) error {
	files, err := s.sockets.files(c.spec.Sockets)
	if err != nil {
		return fmt.Errorf("process %q: %w", c.spec.Name, err)
	}
	pid, err := s.spawner.start(c.spec, files)
	if err != nil {
		return fmt.Errorf("process %q: %w", c.spec.Name, err)
	}
	c.started = time.Now()
	c.state.Pid, c.state.Started = pid, c.started
	c.gone = make(chan struct{})
	s.pids[pid] = c
	return nil
}

// reap collects every child that has ended.
func (s *Supervisor) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		c, ok := s.pids[pid]
		if !ok {
			continue // an orphan
		}
		delete(s.pids, pid)
		c.state.Pid = 0
		c.state.LastExit = describe(status)
		close(c.gone)
		if c.removed || s.ending {
			continue
		}
		slog.Warn("process ended, starting it again", "process", c.spec.Name, "pid", pid, "exit", c.state.LastExit)
		c.pause = nextPause(c.pause, time.Since(c.started))
		s.schedule(c)
	}
}

func (s *Supervisor) schedule(c *child) {
	c.timer = time.AfterFunc(c.pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.removed || s.ending {
			return
		}
		c.state.Restarts++
		if err := s.start(c); err != nil {
			slog.Error("process can't be started", "process", c.spec.Name, "error", err)
			c.state.LastExit = err.Error()
			c.pause = nextPause(c.pause, 0)
			s.schedule(c)
		}
	})
}

// Stop ends a process and forgets it. It returns when the process is gone. A
// name that is not known is no error.
func (s *Supervisor) Stop(name string) {
	s.mu.Lock()
	c, ok := s.children[name]
	if !ok {
		s.mu.Unlock()
		return
	}
	c.removed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	running, gone := c.state.Pid != 0, c.gone
	s.mu.Unlock()
	if running {
		s.end(c, gone)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.children[name] == c {
		delete(s.children, name)
	}
}

// end asks a process to end, and kills it when it does not.
func (s *Supervisor) end(c *child, gone <-chan struct{}) {
	if c.spec.StopAfter > 0 {
		_ = s.signal(c, syscall.SIGTERM)
		patience := time.NewTimer(c.spec.StopAfter)
		defer patience.Stop()
		select {
		case <-gone:
			return
		case <-patience.C:
			slog.Warn("process does not end, killing it", "process", c.spec.Name, "after", c.spec.StopAfter)
		}
	}
	_ = s.signal(c, syscall.SIGKILL)
	<-gone
}

// signal reaches the process and no other: its pid can't be given away while mu
// is held, for only the reaper frees it.
func (s *Supervisor) signal(c *child, sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state.Pid == 0 {
		return nil // it has ended
	}
	return syscall.Kill(c.state.Pid, sig)
}

// Kill sends a signal to a process that runs; it is started again when it ends.
func (s *Supervisor) Kill(name string, sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.children[name]
	if !ok || c.state.Pid == 0 {
		return fmt.Errorf("process %q does not run", name)
	}
	return syscall.Kill(c.state.Pid, sig)
}

// List tells the state of every process, in no order.
func (s *Supervisor) List() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]State, 0, len(s.children))
	for _, c := range s.children {
		all = append(all, c.state)
	}
	return all
}

// Shutdown stops everything at once and closes all sockets. Nothing can be
// started after it.
func (s *Supervisor) Shutdown() {
	s.mu.Lock()
	s.ending = true
	names := make([]string, 0, len(s.children))
	for name := range s.children {
		names = append(names, name)
	}
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() { s.Stop(name) })
	}
	wg.Wait()
	s.sockets.closeAll()
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
