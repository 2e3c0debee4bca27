package uplink

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// watch notes every frame that arrives outside, until the test ends.
func (h *Host) watch(outside string) error {
	everything := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	var fd int
	err := netns.Do(outside, func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(everything))
		return err
	})
	if err != nil {
		return err
	}
	// A read wakes up now and then to see whether it is to end.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		return err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	h.t.Cleanup(func() { close(stop); <-done; unix.Close(fd) })
	go func() {
		defer close(done)
		for buf := make([]byte, 64<<10); ; {
			select {
			case <-stop:
				return
			default:
			}
			n, from, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				continue
			}
			if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype != unix.PACKET_OUTGOING {
				h.note(describe(buf[:n]))
			}
		}
	}()
	return nil
}

var protocols = map[byte]string{1: "icmp", 6: "tcp", 17: "udp"}

// describe puts an Ethernet frame into words: "udp to 192.0.2.1:53, asking for
// example.com.".
func describe(frame []byte) string {
	if len(frame) < 14 {
		return fmt.Sprintf("a frame of %d bytes", len(frame))
	}
	kind, packet := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	if kind != unix.ETH_P_IP || len(packet) < 20 || len(packet) < int(packet[0]&15)*4 {
		return fmt.Sprintf("a frame of type %#04x", kind)
	}
	to, _ := netip.AddrFromSlice(packet[16:20])
	name, ok := protocols[packet[9]]
	if !ok {
		name = fmt.Sprintf("protocol %d", packet[9])
	}
	rest := packet[int(packet[0]&15)*4:]
	if name == "icmp" || !ok || len(rest) < 8 {
		return fmt.Sprintf("%s to %v", name, to)
	}
	port := binary.BigEndian.Uint16(rest[2:])
	text := fmt.Sprintf("%s to %v", name, netip.AddrPortFrom(to, port))
	if name == "udp" && port == 53 {
		text += ", " + question(rest[8:])
	}
	return text
}

// question reads what a DNS query asks for.
func question(message []byte) string {
	var p dnsmessage.Parser
	if _, err := p.Start(message); err != nil {
		return "no DNS query"
	}
	all, err := p.AllQuestions()
	if err != nil || len(all) == 0 {
		return "an empty DNS query"
	}
	var names []string
	for _, q := range all {
		names = append(names, q.Name.String())
	}
	return "asking for " + strings.Join(names, ", ")
}
