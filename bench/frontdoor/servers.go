package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// The servers measured.
const (
	frontDoor = "front door"
	openDoor  = "front door, all allowed"
	bare      = "bare net/http, same bytes"
	moto      = "moto_server"
)

// server is one that listens, as a process of its own.
type server struct {
	name    string
	address string
	calls   []call
	cmd     *exec.Cmd
	stdin   io.Closer
}

// start starts the servers and fills their accounts.
func (b *bench) start(ctx context.Context, only string) error {
	for _, name := range []string{frontDoor, openDoor} {
		if only != "" && only != name {
			continue
		}
		s, admin, err := b.spawn(name, nil)
		if err != nil {
			return err
		}
		if err := s.furnish(ctx, admin); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if only == "" || only == bare {
		if err := b.startBare(ctx); err != nil {
			return err
		}
	}
	if only == "" || only == moto {
		return b.startMoto(ctx)
	}
	return nil
}

// furnish fills the server's account and signs the calls to it.
func (s *server) furnish(ctx context.Context, admin aws.Credentials) error {
	who, err := furnish(ctx, s.address, admin)
	if err != nil {
		return err
	}
	s.calls, err = callsOf(ctx, s.address, who)
	return err
}

// startBare starts a bare server for each call, for it does not look at what is
// asked.
func (b *bench) startBare(ctx context.Context) error {
	door := b.servers[0]
	for _, c := range door.calls {
		says, err := firstAnswer(door.address, c)
		if err != nil {
			return err
		}
		s, _, err := b.spawn(bare, says)
		if err != nil {
			return err
		}
		s.calls = []call{c}
	}
	return nil
}

// spawn starts this program as one of the servers. It ends with its standard
// input.
func (b *bench) spawn(name string, input any) (*server, aws.Credentials, error) {
	var hello greeting
	fail := func(err error) (*server, aws.Credentials, error) {
		return nil, aws.Credentials{}, fmt.Errorf("starting %s: %w", name, err)
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	args := []string{"-serve", name}
	if b.profile != "" {
		args = append(args, "-profile", fmt.Sprintf("%s.%d", b.profile, len(b.servers)))
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "GOGC=200") // as the daemon is started
	in, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	s := &server{name: name, cmd: cmd, stdin: in}
	b.servers = append(b.servers, s)
	if err := json.NewEncoder(in).Encode(input); err != nil {
		return fail(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return fail(err)
	}
	if err := json.Unmarshal(line, &hello); err != nil {
		return fail(err)
	}
	s.address = hello.Address
	return s, aws.Credentials{AccessKeyID: hello.Key, SecretAccessKey: hello.Secret}, nil
}

// greeting is what a server says when it listens.
type greeting struct{ Address, Key, Secret string }

// startMoto starts moto_server where it is installed.
func (b *bench) startMoto(ctx context.Context) error {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		fmt.Printf("moto_server is not measured: %v (pip install 'moto[server]')\n\n", err)
		return nil
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	s := &server{name: moto, address: address, cmd: exec.Command(path, "-H", "127.0.0.1", "-p", port)}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	b.servers = append(b.servers, s)
	if err := s.await(ctx, 30*time.Second); err != nil {
		return fmt.Errorf("moto_server does not listen on %s: %w", address, err)
	}
	return s.furnish(ctx, aws.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"})
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// await returns when the server takes connections.
func (s *server) await(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", s.address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// end ends the server: ours when their input ends, moto by a signal to its group.
func (s *server) end() {
	if s.stdin != nil {
		s.stdin.Close()
	} else {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	}
	kill := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	_ = s.cmd.Wait() // how it ended is of no interest any more
}
