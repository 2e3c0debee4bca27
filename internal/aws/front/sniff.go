package front

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// Sniffer is a listener that serves TLS and plain connections on one port: it
// looks at the first byte of each (a TLS handshake begins with 0x16, which
// begins no HTTP method) and returns a *tls.Conn for the former.
//
// A connection that says nothing holds up no other: each is looked at by a
// goroutine of its own, for at most Patience.
type Sniffer struct {
	inner    net.Listener
	config   *tls.Config
	patience time.Duration

	ready chan net.Conn
	fatal chan error
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	waiting map[net.Conn]struct{}
	looking sync.WaitGroup
}

// Patience is how long a new connection may take to send its first byte.
const Patience = 10 * time.Second

// firstOfTLS is the record type of a handshake.
const firstOfTLS = 0x16

// NewSniffer listens on inner. config's NextProtos should be h2, http/1.1.
func NewSniffer(inner net.Listener, config *tls.Config) *Sniffer {
	s := &Sniffer{
		inner: inner, config: config, patience: Patience,
		ready: make(chan net.Conn), fatal: make(chan error, 1), done: make(chan struct{}),
		waiting: map[net.Conn]struct{}{},
	}
	s.looking.Go(s.accept)
	return s
}

// accept takes connections until the listener is closed.
func (s *Sniffer) accept() {
	for delay := time.Duration(0); ; {
		conn, err := s.inner.Accept()
		if err != nil {
			var passing net.Error
			if errors.As(err, &passing) && passing.Timeout() {
				continue
			}
			select {
			case <-s.done:
				return
			default:
			}
			if !errors.Is(err, net.ErrClosed) && delay < time.Second {
				// Out of file descriptors, most likely: net/http waits too.
				delay = max(2*delay, 5*time.Millisecond)
				select {
				case <-time.After(delay):
				case <-s.done:
					return
				}
				continue
			}
			s.fatal <- err
			return
		}
		delay = 0
		if !s.add(conn) {
			conn.Close()
			return
		}
		s.looking.Go(func() { s.look(conn) })
	}
}

func (s *Sniffer) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		return false
	}
	s.waiting[conn] = struct{}{}
	return true
}

// look reads one byte of a connection and passes it on.
func (s *Sniffer) look(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.waiting, conn)
		s.mu.Unlock()
	}()
	first := &firstByte{Conn: conn}
	conn.SetReadDeadline(time.Now().Add(s.patience))
	if _, err := conn.Read(first.byte[:]); err != nil {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	var out net.Conn = first
	if first.byte[0] == firstOfTLS {
		out = tls.Server(first, s.config)
	}
	select {
	case s.ready <- out:
	case <-s.done:
		conn.Close()
	}
}

// Accept returns the next connection that has spoken.
func (s *Sniffer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.ready:
		return conn, nil
	case err := <-s.fatal:
		s.fatal <- err
		return nil, err
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close closes the listener, and the connections that have not spoken yet.
func (s *Sniffer) Close() error {
	var err error
	s.once.Do(func() {
		close(s.done)
		err = s.inner.Close()
		s.mu.Lock()
		for conn := range s.waiting {
			conn.Close()
		}
		s.waiting = nil
		s.mu.Unlock()
		s.looking.Wait()
	})
	return err
}

// Addr is the listener's address.
func (s *Sniffer) Addr() net.Addr { return s.inner.Addr() }

// firstByte is a connection whose first byte was read before.
type firstByte struct {
	net.Conn
	byte   [1]byte
	served bool
}

// CloseWrite lets net/http end what it sends before it closes: a client that is
// refused for its headers has more to send, and a connection closed with that unread
// is reset, which takes the answer back.
func (c *firstByte) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *firstByte) Read(p []byte) (int, error) {
	if c.served || len(p) == 0 {
		return c.Conn.Read(p)
	}
	c.served = true
	p[0] = c.byte[0]
	return 1, nil
}
