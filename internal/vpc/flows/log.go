package flows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/flowlog"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Of the kernel's include/uapi/linux/netfilter/nfnetlink_log.h.
const (
	messagePacket = 0
	messageConfig = 1

	configCommand = 1
	configMode    = 2
	configTimeout = 4

	commandBind = 1
	copyPacket  = 2

	attrPayload = 9
	attrPrefix  = 10
)

// headerBytes are copied of a packet.
const headerBytes = 96

// place is a namespace to open sockets in.
type place struct {
	netlink.Config
	file *os.File
}

func in(ns string) (place, error) {
	f, err := os.Open(ns)
	if err != nil {
		return place{}, err
	}
	return place{netlink.Config{NetNS: int(f.Fd())}, f}, nil
}

func (p place) close() { _ = p.file.Close() }

// listen opens a socket with room for what comes in bursts.
func (p place) listen() (*netfilter.Conn, error) {
	conn, err := netfilter.Dial(&p.Config)
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadBuffer(buffer); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// bind makes a socket the one that gets a group's packets. There is one in a
// namespace.
func bind(conn *netfilter.Conn, group uint16) error {
	mode := binary.BigEndian.AppendUint32(nil, headerBytes)
	settings := [][]netfilter.Attribute{
		{{Type: configCommand, Data: []byte{commandBind}}},
		{{Type: configMode, Data: append(mode, copyPacket, 0)}, {Type: configTimeout, Data: binary.BigEndian.AppendUint32(nil, 1)}}, // 1/100 s
	}
	for _, attributes := range settings {
		m, err := netfilter.MarshalNetlink(netfilter.Header{
			SubsystemID: netfilter.NFSubsysULOG, MessageType: messageConfig, Family: netfilter.ProtoUnspec, ResourceID: group,
			Flags: netlink.Request | netlink.Acknowledge,
		}, attributes)
		if err != nil {
			return err
		}
		if _, err := conn.Query(m); err != nil {
			return fmt.Errorf("netfilter's log, group %d: %w", group, err)
		}
	}
	return nil
}

// logged is a packet from netfilter's log.
type logged struct {
	packet packet
	prefix string
}

func readLogged(m netlink.Message) (logged, error) {
	var l logged
	h, attributes, err := netfilter.UnmarshalNetlink(m)
	if err != nil || h.SubsystemID != netfilter.NFSubsysULOG || h.MessageType != messagePacket {
		return l, errors.Join(err, errNotPacket)
	}
	for _, a := range attributes {
		switch a.Type {
		case attrPayload:
			if l.packet, err = readPacket(a.Data); err != nil {
				return l, err
			}
		case attrPrefix:
			l.prefix = strings.TrimRight(string(a.Data), "\x00")
		}
	}
	if !l.packet.source.IsValid() {
		return l, errNotPacket
	}
	return l, nil
}

var errNotPacket = errors.New("not a packet of netfilter's log")

func (c *Capture) refused(m netlink.Message) error {
	l, err := readLogged(m)
	if err != nil {
		return err
	}
	r := flowlog.Refused{Tuple: l.packet.tuple(), Proto: l.packet.proto, Bytes: l.packet.size, Flags: l.packet.flags, At: time.Now().Unix()}
	switch l.prefix {
	case nft.RefusedEgress:
		r.Direction = flowlog.Egress
	case nft.RefusedIngress:
		r.Direction = flowlog.Ingress
	default:
		return errNotPacket
	}
	c.sink.Refused(r)
	return nil
}

func (c *Capture) flagged(m netlink.Message) error {
	l, err := readLogged(m)
	if err != nil {
		return err
	}
	c.sink.Flags(l.packet.tuple(), l.packet.flags)
	return nil
}

// packet is what flow logs want of one.
type packet struct {
	source, destination         netip.Addr
	sourcePort, destinationPort uint16
	proto                       uint8
	size                        uint64 // of the whole packet, in bytes
	flags                       uint8  // of TCP, as flowlog.Record has them
}

func (p packet) tuple() flowlog.Tuple {
	return flowlog.Tuple{Source: p.source, Destination: p.destination, SourcePort: p.sourcePort, DestinationPort: p.destinationPort}
}

// readPacket reads the headers of an IPv4 packet.
func readPacket(b []byte) (packet, error) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return packet{}, errNotPacket
	}
	p := packet{
		source: netip.AddrFrom4([4]byte(b[12:16])), destination: netip.AddrFrom4([4]byte(b[16:20])),
		proto: b[9], size: uint64(binary.BigEndian.Uint16(b[2:4])),
	}
	rest := b[min(len(b), int(b[0]&0xf)*4):]
	later := binary.BigEndian.Uint16(b[6:8])&0x1fff != 0 // a fragment without the next header
	if later || len(rest) < 4 || p.proto != unix.IPPROTO_TCP && p.proto != unix.IPPROTO_UDP && p.proto != unix.IPPROTO_SCTP {
		return p, nil
	}
	p.sourcePort, p.destinationPort = binary.BigEndian.Uint16(rest[0:2]), binary.BigEndian.Uint16(rest[2:4])
	if p.proto == unix.IPPROTO_TCP && len(rest) > 13 {
		p.flags = tcpFlags(rest[13])
	}
	return p, nil
}

// tcpFlags are those that flow logs show: FIN, SYN and RST, and ACK with SYN.
func tcpFlags(b byte) uint8 {
	const fin, syn, rst, ack = 1, 2, 4, 16
	f := b & (fin | syn | rst)
	if b&syn != 0 {
		f |= b & ack
	}
	return f
}
