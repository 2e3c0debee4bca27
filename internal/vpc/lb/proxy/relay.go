package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// relay carries a TCP connection to a target of the listener.
func (p *Proxy) relay(client *net.TCPConn, called, seenAs netip.AddrPort) {
	s := &session{client: client}
	defer s.close()
	l, c, target := p.connect(s, called, seenAs)
	if c == nil {
		_ = client.SetLinger(0)
		return
	}
	defer p.release(called, c)
	if hello := header(l.ProxyProtocol, seenAs, called); hello != nil {
		if _, err := target.Write(hello); err != nil {
			_ = client.SetLinger(0)
			return
		}
	}
	s.carry(target, l.Idle)
}

// connect finds a target that accepts, and nil when none does.
func (p *Proxy) connect(s *session, called, seenAs netip.AddrPort) (Listener, *connection, *net.TCPConn) {
	tried := map[netip.AddrPort]bool{}
	for {
		l, c, ok := p.claim(called, seenAs.Addr(), tried, s.close)
		if !ok {
			return l, nil, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		conn, err := p.dial(ctx, l.Source, c.target)
		cancel()
		if err == nil {
			if !s.hold(conn) { // ended while it was made
				p.release(called, c)
				return l, nil, nil
			}
			return l, c, conn
		}
		tried[c.target] = true
		p.release(called, c)
	}
}

// session is a client's connection and a target's.
type session struct {
	client *net.TCPConn
	target atomic.Pointer[net.TCPConn]
	ended  atomic.Bool
	heard  atomic.Int64 // when bytes came last, Unix nanoseconds
}

// hold makes conn end with the session; false: it has ended.
func (s *session) hold(conn *net.TCPConn) bool {
	s.target.Store(conn)
	if s.ended.Load() {
		conn.Close()
		return false
	}
	return true
}

// close ends both connections.
func (s *session) close() {
	s.ended.Store(true)
	s.client.Close()
	if t := s.target.Load(); t != nil {
		t.Close()
	}
}

// carry copies both ways until both ends are done, one breaks, or both were
// silent for too long.
func (s *session) carry(target *net.TCPConn, idle time.Duration) {
	s.heard.Store(time.Now().UnixNano())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.pump(target, s.client, idle)
	}()
	s.pump(s.client, target, idle)
	<-done
}

// looks is how often silence is looked for within the time allowed.
const looks = 8

func (s *session) pump(to, from *net.TCPConn, idle time.Duration) {
	for {
		if from.SetReadDeadline(time.Now().Add(idle/looks)) != nil {
			return // closed
		}
		n, err := io.Copy(to, from) // spliced; a deadline loses no byte
		now := time.Now()
		if n > 0 {
			s.heard.Store(now.UnixNano())
		}
		switch {
		case err == nil:
			if to.CloseWrite() != nil {
				s.close()
			}
			return
		case !errors.Is(err, os.ErrDeadlineExceeded), now.Sub(time.Unix(0, s.heard.Load())) >= idle:
			s.close()
			return
		}
	}
}
