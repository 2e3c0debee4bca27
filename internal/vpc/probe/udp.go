package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// datagram sends a datagram of random bytes, by which it is known again.
func (f *Flow) datagram(ctx context.Context, from string) (arrival, string, error) {
	mark := make([]byte, 16)
	if _, err := rand.Read(mark); err != nil {
		return unknown, "", err
	}
	var seen chan error
	if f.End != "" {
		w, err := watch(f.End)
		if err != nil {
			return unknown, "", err
		}
		defer w.Close()
		seen = make(chan error, 1)
		go func() { seen <- await(w, mark) }()
	}
	conn, err := netns.Dial(from)(ctx, "udp", f.To.String())
	if err != nil {
		return f.failed(err)
	}
	defer conn.Close()
	answered := make(chan error, 1)
	go func() { answered <- exchange(ctx, conn, mark) }()
	select {
	case err := <-seen:
		if err != nil {
			return unknown, "", fmt.Errorf("watching %s: %w", f.To.Addr(), err)
		}
		return arrived, "seen at its end", nil
	case err := <-answered:
		if err == nil {
			return arrived, "answered", nil
		}
		what, how, err := f.failed(err)
		if what == lost && f.End == "" {
			what, how = unknown, how+", as of a datagram that arrives and is not answered"
		}
		return what, how, err
	}
}

// exchange sends a datagram twice in its time, and waits for an answer.
func exchange(ctx context.Context, conn net.Conn, mark []byte) error {
	end, _ := ctx.Deadline()
	for _, until := range []time.Time{time.Now().Add(time.Until(end) / 2), end} {
		if _, err := conn.Write(mark); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(until); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1<<16))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return os.ErrDeadlineExceeded
}

// watch opens a socket that gets all that comes into a namespace.
func watch(ns string) (w *os.File, err error) {
	err = netns.Do(ns, func() error {
		everything := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8 // in the network's order
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(everything))
		if err != nil {
			return fmt.Errorf("packet socket: %w", err)
		}
		w = os.NewFile(uintptr(fd), "packets")
		return nil
	})
	return w, err
}

// await returns when a packet with the mark comes in, not when one leaves.
func await(w *os.File, mark []byte) error {
	raw, err := w.SyscallConn()
	if err != nil {
		return err
	}
	packet := make([]byte, 1<<16)
	for {
		var n int
		var from unix.Sockaddr
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), packet, 0)
			return failed != unix.EAGAIN
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if ok && link.Pkttype != unix.PACKET_OUTGOING && bytes.Contains(packet[:n], mark) {
			return nil
		}
	}
}
