package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// SCTP without sockets of it, which many kernels lack: association setup by hand,
// on a raw socket at each end (RFC 9260, 5.1). To every packet filter in between,
// connection tracking and address translation included, INIT and INIT ACK are what
// a kernel's would be.
const (
	protocolSCTP = "ip4:132"
	chunkInit    = 1
	chunkInitAck = 2
	headerSize   = 12
	initSize     = 20
	cookieParam  = 7 // State Cookie, which an INIT ACK must have
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// setup is a packet that holds an INIT or INIT ACK alone.
type setup struct {
	from, to uint16
	verify   uint32 // verification tag
	kind     byte
	tag      uint32 // initiate tag
}

func (s setup) packet() []byte {
	chunk := make([]byte, initSize)
	chunk[0] = s.kind
	binary.BigEndian.PutUint32(chunk[4:], s.tag)
	binary.BigEndian.PutUint32(chunk[8:], 65536) // receiver window
	binary.BigEndian.PutUint16(chunk[12:], 1)    // streams out
	binary.BigEndian.PutUint16(chunk[14:], 1)    // streams in
	binary.BigEndian.PutUint32(chunk[16:], s.tag)
	if s.kind == chunkInitAck {
		chunk = append(chunk, 0, cookieParam, 0, 8, 'c', 'y', 'c', 'l')
	}
	binary.BigEndian.PutUint16(chunk[2:], uint16(len(chunk)))
	p := make([]byte, headerSize, headerSize+len(chunk))
	binary.BigEndian.PutUint16(p, s.from)
	binary.BigEndian.PutUint16(p[2:], s.to)
	binary.BigEndian.PutUint32(p[4:], s.verify)
	p = append(p, chunk...)
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p, castagnoli))
	return p
}

// parse reads a packet that begins with an INIT or INIT ACK.
func parse(p []byte) (s setup, ok bool) {
	if len(p) < headerSize+initSize || p[headerSize] != chunkInit && p[headerSize] != chunkInitAck {
		return s, false
	}
	sum := binary.LittleEndian.Uint32(p[8:])
	zeroed := append([]byte{}, p...)
	copy(zeroed[8:], []byte{0, 0, 0, 0})
	if crc32.Checksum(zeroed, castagnoli) != sum {
		return s, false
	}
	return setup{
		from: binary.BigEndian.Uint16(p), to: binary.BigEndian.Uint16(p[2:]), verify: binary.BigEndian.Uint32(p[4:]),
		kind: p[headerSize], tag: binary.BigEndian.Uint32(p[headerSize+4:]),
	}, true
}

// associate sends an INIT and waits for the INIT ACK to it.
func associate(ip string, port int) error {
	c, err := net.ListenPacket(protocolSCTP, "0.0.0.0")
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	sent := setup{from: uint16(32768 + rand.IntN(28000)), to: uint16(port), kind: chunkInit, tag: rand.Uint32() | 1}
	if _, err := c.WriteTo(sent.packet(), &net.IPAddr{IP: net.ParseIP(ip)}); err != nil {
		return err
	}
	buf := make([]byte, 1500)
	for {
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		// The source may be the pod behind a Service, translated back or not: the tag
		// tells whose answer it is.
		if got, ok := parse(buf[:n]); ok && got.kind == chunkInitAck && got.verify == sent.tag && got.to == sent.from {
			return nil
		}
	}
}

// agnhost takes agnhost's place in cyclonus's pods. As porter it answers SCTP on
// the port that SERVE_SCTP_PORT_N names; everything else is upstream's program.
func agnhost() error {
	if len(os.Args) < 2 || os.Args[1] != "porter" {
		return syscall.Exec("/agnhost-upstream", append([]string{"/agnhost-upstream"}, os.Args[1:]...), os.Environ())
	}
	for _, v := range os.Environ() {
		if name, found := strings.CutPrefix(v, "SERVE_SCTP_PORT_"); found {
			number, _, _ := strings.Cut(name, "=")
			port, err := strconv.ParseUint(number, 10, 16)
			if err != nil {
				return fmt.Errorf("variable %s: %w", v, err)
			}
			return answer(uint16(port))
		}
	}
	return errors.New("no variable SERVE_SCTP_PORT_N is set")
}

func answer(port uint16) error {
	c, err := net.ListenPacket(protocolSCTP, "0.0.0.0")
	if err != nil {
		return err
	}
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return err
		}
		if got, ok := parse(buf[:n]); ok && got.kind == chunkInit && got.to == port && got.verify == 0 {
			reply := setup{from: port, to: got.from, verify: got.tag, kind: chunkInitAck, tag: rand.Uint32() | 1}
			c.WriteTo(reply.packet(), from) // who is gone asks no more
		}
	}
}
