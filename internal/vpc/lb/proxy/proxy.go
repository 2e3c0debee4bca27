package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects from an address to another.
type Dial func(ctx context.Context, from netip.Addr, to netip.AddrPort) (*net.TCPConn, error)

// Proxy serves what its Config says. Safe for concurrent use.
type Proxy struct {
	dial Dial
	web  *web

	mu     sync.Mutex
	config Config
	at     map[netip.AddrPort]*listener
}

// listener is a Listener at work.
type listener struct {
	Listener
	next  int // of its targets
	conns map[*connection]struct{}
}

// connection is what may have to end with its target.
type connection struct {
	target netip.AddrPort
	end    func()
	timer  *time.Timer // of its end
}

// connectTimeout is how long a target may take to accept.
const connectTimeout = 5 * time.Second

// New makes a proxy that serves nothing yet. A nil dial is the process's own.
func New(dial Dial) *Proxy {
	if dial == nil {
		dial = func(ctx context.Context, from netip.Addr, to netip.AddrPort) (*net.TCPConn, error) {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
			conn, err := d.DialContext(ctx, "tcp4", to.String())
			if err != nil {
				return nil, err
			}
			return conn.(*net.TCPConn), nil
		}
	}
	p := &Proxy{dial: dial, at: map[netip.AddrPort]*listener{}}
	p.web = newWeb(p)
	return p
}

// Apply makes the proxy serve c from now on. Connections that c leaves their
// target go on.
func (p *Proxy) Apply(c Config) error {
	if err := c.check(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[netip.AddrPort]*listener{}
	for _, l := range c.Listeners {
		now := &listener{Listener: l, conns: map[*connection]struct{}{}}
		if was := p.at[l.Addr]; was != nil {
			now.conns, now.next = was.conns, was.next
			delete(p.at, l.Addr)
		}
		next[l.Addr] = now
	}
	gone := p.at
	p.config, p.at = c, next
	for _, l := range gone {
		l.Listener = Listener{} // whose targets are none
		l.settle()
	}
	for _, l := range next {
		l.settle()
	}
	return nil
}

// settle ends, now or later, the connections whose target the listener has not
// any more.
func (l *listener) settle() {
	for c := range l.conns {
		until, lives := l.fate(c.target)
		if c.timer != nil {
			c.timer.Stop()
			c.timer = nil
		}
		switch {
		case !lives:
			c.end()
		case !until.IsZero():
			c.timer = time.AfterFunc(time.Until(until), c.end)
		}
	}
}

// Serve accepts connections until l is closed.
func (p *Proxy) Serve(l *net.TCPListener) error {
	go p.web.serve()
	defer p.web.close()
	for {
		conn, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			slog.Error("load balancer: accepting", "error", err) // out of file descriptors, most likely
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go p.take(conn)
	}
}

// take serves one client.
func (p *Proxy) take(client *net.TCPConn) {
	called, err := originalDestination(client)
	if err != nil {
		client.Close() // nobody called: a connection to the socket itself
		return
	}
	p.mu.Lock()
	l, inside := p.at[called], p.config.seenAs(addrPort(client.RemoteAddr()), called)
	http := l != nil && l.HTTP
	p.mu.Unlock()
	switch {
	case l == nil:
		reset(client)
	case http:
		p.web.take(client, called, inside)
	default:
		p.relay(client, called, inside)
	}
}

// claim draws a target for a new connection to a listener and notes the
// connection, which end must be able to end. Targets tried before are passed over.
func (p *Proxy) claim(called netip.AddrPort, from netip.Addr, tried map[netip.AddrPort]bool, end func()) (Listener, *connection, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.at[called]
	if l == nil {
		return Listener{}, nil, false
	}
	n := len(l.Targets)
	first := l.next
	if l.Sticky {
		first = spread(from)
	}
	for i := range n {
		target := l.Targets[(first+i)%n]
		if tried[target] {
			continue
		}
		l.next = (first + i + 1) % n
		c := &connection{target: target, end: end}
		l.conns[c] = struct{}{}
		return l.Listener, c, true
	}
	return l.Listener, nil, false
}

// release forgets a connection that has ended.
func (p *Proxy) release(called netip.AddrPort, c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	if l := p.at[called]; l != nil {
		delete(l.conns, c)
	}
}

// spread is a number that an address always has.
func spread(a netip.Addr) int {
	sum := uint32(2166136261) // FNV-1a
	for _, b := range a.AsSlice() {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return int(sum >> 1)
}

// originalDestination is whom the client called, before the router's rules led it
// here.
func originalDestination(c *net.TCPConn) (netip.AddrPort, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	var found netip.AddrPort
	var failed error
	err = raw.Control(func(fd uintptr) {
		// The option fills a sockaddr_in, which fits into the first of an
		// IPv6Mreq's 20 bytes.
		m, err := unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, unix.SO_ORIGINAL_DST)
		if err != nil {
			failed = fmt.Errorf("whom a client called: %w", err)
			return
		}
		b := m.Multiaddr
		found = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3]))
	})
	return found, errors.Join(err, failed)
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// reset closes a connection as a closed port would.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}
