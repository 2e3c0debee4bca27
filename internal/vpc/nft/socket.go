package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// socket is a netlink socket to the netfilter of one network namespace. A table
// that it owns is changed by no other.
//
// The kernel carries a transaction out while it is being sent: when send returns,
// the answers lie ready.
type socket struct {
	mu   sync.Mutex
	fd   int
	room int // bytes of the largest transaction
	in   []byte
}

const (
	usualRoom = 1 << 20
	// answerRoom is for the answers to a transaction that fails at every command.
	answerRoom = 4 << 20
)

func openSocket(ns string) (*socket, error) {
	s := &socket{fd: -1, in: make([]byte, 1<<16)}
	err := netns.Do(ns, func() (err error) {
		s.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening netfilter: %w", err)
	}
	for _, step := range []func() error{
		func() error { return unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) },
		func() error { return unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1) },
		func() error { return s.grow(usualRoom) },
		func() error { return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, answerRoom) },
	} {
		if err := step(); err != nil {
			s.close()
			return nil, fmt.Errorf("opening netfilter: %w", err)
		}
	}
	return s, nil
}

func (s *socket) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd := s.fd
	s.fd = -1 // the number may soon be another's
	return unix.Close(fd)
}

// port is the socket's address, which is the owner of its tables.
func (s *socket) port() (uint32, error) {
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return 0, err
	}
	return name.(*unix.SockaddrNetlink).Pid, nil
}

// grow makes room for a transaction: it is sent as one message, else it would be
// none.
func (s *socket) grow(room int) error {
	if room <= s.room {
		return nil
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, room); err != nil {
		return err
	}
	s.room = room
	return nil
}

// commit carries a transaction out, all of it or nothing.
func (s *socket) commit(m *messages) error {
	m.finish()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.grow(len(m.buf) + 1<<10); err != nil {
		return fmt.Errorf("making room for %d bytes of packet rules: %w", len(m.buf), err)
	}
	s.drain()
	if err := s.send(m.buf); err != nil {
		return fmt.Errorf("sending %d bytes of packet rules (table %s): %w", len(m.buf), m.table, err)
	}
	if err := s.answers(m); err != nil {
		return fmt.Errorf("writing packet rules (table %s): %w", m.table, err)
	}
	return nil
}

func (s *socket) send(data []byte) error {
	for {
		err := unix.Sendto(s.fd, data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return err
		}
	}
}

// answers reads up to the answer to the last command.
func (s *socket) answers(m *messages) error {
	last := uint32(len(m.starts) - 1)
	var failed []error
	for {
		data, err := s.receive()
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for len(data) >= unix.NLMSG_HDRLEN {
			size := binary.NativeEndian.Uint32(data)
			kind := binary.NativeEndian.Uint16(data[4:])
			number := binary.NativeEndian.Uint32(data[8:])
			if int(size) > len(data) || size < unix.NLMSG_HDRLEN+4 {
				return errors.New("the kernel's answer is cut off")
			}
			if kind == unix.NLMSG_ERROR {
				code := int32(binary.NativeEndian.Uint32(data[unix.NLMSG_HDRLEN:]))
				if code != 0 && len(failed) < 3 {
					failed = append(failed, fmt.Errorf("%s: %w", m.describe(number), unix.Errno(-code)))
				}
				// A transaction that can't be read or carried out as a whole is
				// answered at its first message.
				if number == last || number == 1 && code != 0 {
					s.drain()
					return errors.Join(failed...)
				}
			}
			data = data[min(len(data), (int(size)+3)&^3):]
		}
	}
}

// receive waits for no answer: it is there, or there is none.
func (s *socket) receive() ([]byte, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, s.in, unix.MSG_DONTWAIT)
		switch err {
		case nil:
			return s.in[:n], nil
		case unix.EINTR:
		case unix.EAGAIN:
			return nil, errors.New("the kernel gave no answer")
		default:
			return nil, err
		}
	}
}

// drain throws away what is left of answers.
func (s *socket) drain() {
	for {
		if _, err := s.receive(); err != nil {
			return
		}
	}
}

var commandNames = map[uint16]string{
	unix.NFT_MSG_NEWTABLE: "add table", unix.NFT_MSG_DELTABLE: "delete table",
	unix.NFT_MSG_NEWCHAIN: "add chain", unix.NFT_MSG_DELCHAIN: "delete chain",
	unix.NFT_MSG_NEWRULE: "add rule to", unix.NFT_MSG_DELRULE: "delete rules of",
	unix.NFT_MSG_NEWSET: "add set", unix.NFT_MSG_DELSET: "delete set",
	unix.NFT_MSG_NEWSETELEM: "add elements to", unix.NFT_MSG_DELSETELEM: "delete elements of",
}

// describe names the command of a number: what it does, and to what.
func (m *messages) describe(number uint32) string {
	if number == 0 || int(number) > len(m.starts) {
		return "the transaction"
	}
	message := m.buf[m.starts[number-1]:]
	kind := binary.NativeEndian.Uint16(message[4:])
	name, known := commandNames[kind&0xff]
	if !known || kind>>8 != unix.NFNL_SUBSYS_NFTABLES {
		return "the transaction"
	}
	message = message[unix.NLMSG_HDRLEN+4 : binary.NativeEndian.Uint32(message)]
	first := (int(binary.NativeEndian.Uint16(message)) + 3) &^ 3 // the table's name
	if len(message) < first+4 {
		return name
	}
	second := message[first:]
	return name + " " + unix.ByteSliceToString(second[4:binary.NativeEndian.Uint16(second)])
}
