package supervise

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// request is one line to a supervisor; exactly one field is set.
type request struct {
	Ensure   *Spec      `json:",omitempty"`
	Stop     string     `json:",omitempty"`
	Kill     *killOrder `json:",omitempty"`
	Listen   *Socket    `json:",omitempty"`
	Close    string     `json:",omitempty"`
	List     bool       `json:",omitempty"`
	Shutdown bool       `json:",omitempty"`
}

// patience is how long a caller waits for the answer: what ends processes takes
// as long as these are given, all else is done at once.
func (r request) patience() time.Duration {
	if r.List || r.Kill != nil {
		return 3 * time.Second
	}
	return 20 * time.Second
}

type killOrder struct {
	Name   string
	Signal int
}

// answer is one line back. A socket's file descriptor comes beside it.
type answer struct {
	Error  string  `json:",omitempty"`
	States []State `json:",omitempty"`
}

// Serve answers control connections on l until l is closed or a caller asked
// for Shutdown, which it carries out before it returns.
func (s *Supervisor) Serve(l *net.UnixListener) error {
	shutdown := make(chan struct{}, 1)
	go func() {
		if _, ok := <-shutdown; ok {
			l.Close()
		}
	}()
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			// Out of file descriptors, most likely. To return would be the end of
			// all that is supervised.
			slog.Error("the control socket can't accept", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go s.serve(conn, shutdown)
	}
}

func (s *Supervisor) serve(conn *net.UnixConn, shutdown chan<- struct{}) {
	defer conn.Close()
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var req request
		a, file := answer{}, (*os.File)(nil)
		if err := json.Unmarshal(line, &req); err != nil {
			a.Error = err.Error()
		} else {
			a, file = s.do(req)
		}
		if send(conn, a, file) != nil {
			return
		}
		if req.Shutdown {
			select {
			case shutdown <- struct{}{}:
			default:
			}
			return
		}
	}
}

func (s *Supervisor) do(req request) (a answer, file *os.File) {
	var err error
	switch {
	case req.Ensure != nil:
		err = s.Ensure(*req.Ensure)
	case req.Stop != "":
		s.Stop(req.Stop)
	case req.Kill != nil:
		err = s.Kill(req.Kill.Name, syscall.Signal(req.Kill.Signal))
	case req.Listen != nil:
		file, err = s.sockets.listen(*req.Listen)
	case req.Close != "":
		s.sockets.close(req.Close)
	case req.List:
		a.States = s.List()
	case req.Shutdown:
		s.Shutdown()
	default:
		err = errors.New("an empty request")
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a, file
}

func send(conn *net.UnixConn, a answer, file *os.File) error {
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	line = append(line, '\n')
	// Rights go with the first bytes; the rest of a long answer follows.
	n, _, err := conn.WriteMsgUnix(line, rights, nil)
	if err == nil && n < len(line) {
		_, err = conn.Write(line[n:])
	}
	return err
}

// Client speaks to a Supervisor. It connects for each call: calls are rare, and
// the supervisor may have been replaced in between.
type Client struct{ Path string }

func (c Client) call(req request) (answer, *os.File, error) {
	fail := func(err error) (answer, *os.File, error) {
		return answer{}, nil, fmt.Errorf("supervisor at %s: %w", c.Path, err)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: c.Path, Net: "unix"})
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(req.patience())); err != nil {
		return fail(err)
	}
	line, err := json.Marshal(req)
	if err != nil {
		return fail(err)
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return fail(err)
	}
	a, file, err := receive(conn)
	if err != nil {
		return fail(err)
	}
	if a.Error != "" {
		return a, nil, errors.New(a.Error)
	}
	return a, file, nil
}

func receive(conn *net.UnixConn) (a answer, file *os.File, err error) {
	var line []byte
	buf, oob := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	for len(line) == 0 || line[len(line)-1] != '\n' {
		n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
		if err != nil {
			return a, nil, err
		}
		if n == 0 {
			return a, nil, errors.New("closed without an answer")
		}
		line = append(line, buf[:n]...)
		if oobn > 0 {
			if file, err = passedFile(oob[:oobn]); err != nil {
				return a, nil, err
			}
		}
	}
	return a, file, json.Unmarshal(line, &a)
}

func passedFile(oob []byte) (*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("reading a passed socket: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("reading a passed socket: %v", err)
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "socket"), nil
}

// Ensure makes spec run; see Supervisor.Ensure.
func (c Client) Ensure(spec Spec) error { _, _, err := c.call(request{Ensure: &spec}); return err }

// Stop ends a process and returns when it is gone.
func (c Client) Stop(name string) error { _, _, err := c.call(request{Stop: name}); return err }

// Kill signals a process, which is started again when that ends it.
func (c Client) Kill(name string, sig syscall.Signal) error {
	_, _, err := c.call(request{Kill: &killOrder{name, int(sig)}})
	return err
}

// List tells the state of all processes.
func (c Client) List() ([]State, error) {
	a, _, err := c.call(request{List: true})
	return a.States, err
}

// Shutdown ends all processes and the supervisor with them.
func (c Client) Shutdown() error { _, _, err := c.call(request{Shutdown: true}); return err }

// Keep opens a socket in the supervisor, for a Spec to name, if it is not open.
func (c Client) Keep(want Socket) error {
	_, f, err := c.call(request{Listen: &want})
	if f != nil {
		f.Close()
	}
	return err
}

// Close closes a kept socket.
func (c Client) Close(name string) error { _, _, err := c.call(request{Close: name}); return err }

// Listen opens a stream socket in the supervisor, if it is not open, and
// returns it. Closing the listener leaves the socket open there.
func (c Client) Listen(want Socket) (net.Listener, error) {
	_, f, err := c.call(request{Listen: &want})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l, err
}

// ListenPacket is Listen for a packet socket.
func (c Client) ListenPacket(want Socket) (net.PacketConn, error) {
	_, f, err := c.call(request{Listen: &want})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FilePacketConn(f)
}
