package vpc

import (
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Marked is a listener of the router's whose connections know by which gateway
// endpoint they came: their local address is an Arrival.
func Marked(l net.Listener) net.Listener { return marked{l} }

// Arrival is where a connection came to, and the mark that the routes gave it: 0 of
// one that came by no gateway endpoint.
type Arrival struct {
	net.Addr
	Mark uint32
}

type marked struct{ net.Listener }

func (l marked) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if mark, err := markOf(c); err == nil {
			return arrived{c, Arrival{c.LocalAddr(), mark}}, nil
		}
		c.Close() // it has gone again; the next may not have
	}
}

type arrived struct {
	net.Conn
	at Arrival
}

func (c arrived) LocalAddr() net.Addr { return c.at }

// CloseWrite ends one direction, as of what it wraps.
func (c arrived) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// markOf is the mark of a connection's socket.
func markOf(c net.Conn) (mark uint32, err error) {
	raw, ok := c.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("a connection of type %T has no socket", c)
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = control.Control(func(fd uintptr) {
		var n int
		n, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK)
		mark = uint32(n)
	})
	if err != nil {
		return 0, err
	}
	return mark, failed
}
