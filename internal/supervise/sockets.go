package supervise

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/netns"
)

// socketSet keeps open sockets by name.
type socketSet struct {
	mu   sync.Mutex
	open map[string]*keptSocket
}

type keptSocket struct {
	Socket
	file *os.File
}

func newSocketSet() *socketSet { return &socketSet{open: map[string]*keptSocket{}} }

// listen opens a socket, or finds the one open under the name, and returns a
// file that stays the set's.
func (s *socketSet) listen(want Socket) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.open[want.Name]; ok {
		if have.Socket == want {
			return have.file, nil
		}
		have.file.Close()
		delete(s.open, want.Name)
	}
	file, err := openSocket(want)
	if err != nil {
		return nil, err
	}
	s.open[want.Name] = &keptSocket{want, file}
	return file, nil
}

// openSocket returns the socket as a file: a duplicate, after which the
// original can be closed.
func openSocket(want Socket) (*os.File, error) {
	filer := func(s any, close func() error) (*os.File, error) {
		defer close()
		return s.(interface{ File() (*os.File, error) }).File()
	}
	if strings.HasPrefix(want.Network, "udp") {
		c, err := netns.ListenPacket(want.NetNS, want.Network, want.Address)
		if err != nil {
			return nil, err
		}
		return filer(c, c.Close)
	}
	if want.Network == "unix" {
		if err := os.Remove(want.Address); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	l, err := netns.Listen(want.NetNS, want.Network, want.Address)
	if err != nil {
		return nil, err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		if want.Mode != 0 {
			if err := os.Chmod(want.Address, os.FileMode(want.Mode)); err != nil {
				u.Close()
				return nil, err
			}
		}
	}
	return filer(l, l.Close)
}

func (s *socketSet) files(names []string) ([]*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []*os.File
	for _, name := range names {
		k, ok := s.open[name]
		if !ok {
			return nil, fmt.Errorf("no socket %q is open", name)
		}
		files = append(files, k.file)
	}
	return files, nil
}

func (s *socketSet) close(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.open[name]; ok {
		k.file.Close()
		if k.Network == "unix" {
			os.Remove(k.Address)
		}
		delete(s.open, name)
	}
}

func (s *socketSet) closeAll() {
	s.mu.Lock()
	names := make([]string, 0, len(s.open))
	for name := range s.open {
		names = append(names, name)
	}
	s.mu.Unlock()
	for _, name := range names {
		s.close(name)
	}
}
