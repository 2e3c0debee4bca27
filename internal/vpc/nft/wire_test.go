package nft

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/netns"
)

// wire is a router between two namespaces that have no addresses: what is sent at
// one end is caught at the other, or it was dropped.
type wire struct {
	t      testing.TB
	router string
	west   *tap
	east   *tap
	sent   uint16
	flags  byte // of TCP packets
}

// tap is a packet socket on one end of a veth to the router.
type tap struct {
	ns    string
	fd    int
	index int
	mac   net.HardwareAddr // of the router's end
	own   net.HardwareAddr
}

// Networks of the two sides.
var (
	west = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("fd01::/64")}
	east = []netip.Prefix{netip.MustParsePrefix("10.2.0.0/24"), netip.MustParsePrefix("fd02::/64")}
)

// namespace is one that goes with the test, its loopback up.
func namespace(t testing.TB, name string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("sends packets through namespaces: run the tests as root")
	}
	ns := filepath.Join(t.TempDir(), name)
	if err := netns.Create(ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netns.Delete(ns) })
	return ns
}

func newWire(t testing.TB) *wire {
	t.Helper()
	w := &wire{t: t, router: namespace(t, "router"), sent: 1024, flags: 0x02}
	err := netns.Do(w.router, func() error {
		for name, value := range map[string]string{"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0"} {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.west = w.attach("west", west)
	w.east = w.attach("east", east)
	// The kernel drops what is sent before it has noticed that a link is up.
	eventually(t, "the links carry packets", func() bool {
		return w.arrives(w.west, w.east) && w.arrives(w.east, w.west)
	})
	return w
}

// arrives is whether a packet that nothing restricts comes through.
func (w *wire) arrives(from, to *tap) bool {
	w.t.Helper()
	w.send(from, marker(w, from, to), w.sent)
	w.sent++
	for {
		switch port, err := w.receive(to, unix.MSG_DONTWAIT); {
		case err == unix.EAGAIN:
			return false
		case err != nil:
			w.t.Fatal(err)
		case port >= 1024 && port < w.sent:
			return true
		}
	}
}

// marker is the first packet of a flow between addresses that no test restricts.
func marker(w *wire, from, to *tap) ruleset.Packet {
	p := ruleset.Packet{Source: netip.MustParseAddr("10.1.0.250"), Destination: netip.MustParseAddr("10.2.0.250"), Proto: unix.IPPROTO_UDP, Port: 9}
	if to == w.west {
		p.Source, p.Destination = p.Destination, p.Source
	}
	if from == to {
		p.Source, p.Destination = netip.MustParseAddr("10.1.0.250"), netip.MustParseAddr("10.1.0.251")
	}
	return p
}

// attach makes a side, and leads its networks there.
func (w *wire) attach(name string, networks []netip.Prefix) *tap {
	w.t.Helper()
	far := namespace(w.t, name)
	file, err := os.Open(far)
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	side := &tap{ns: far, mac: net.HardwareAddr{2, 0, 0, 0, 0, name[0]}, own: net.HardwareAddr{2, 0, 0, 0, 1, name[0]}}
	err = netns.Do(w.router, func() error {
		veth := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: side.mac}, PeerName: "tap", PeerHardwareAddr: side.own, PeerNamespace: netlink.NsFd(int(file.Fd())),
		}
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		// Without an address no gateway would be valid.
		if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 9, 9, name[0]).To4(), Mask: net.CIDRMask(32, 32)}}); err != nil {
			return err
		}
		for i, gateway := range []string{"169.254.0.1", "fe80::1"} {
			ip, family := net.ParseIP(gateway), []int{unix.AF_INET, unix.AF_INET6}[i]
			if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, Family: family, State: netlink.NUD_PERMANENT, IP: ip, HardwareAddr: side.own}); err != nil {
				return fmt.Errorf("neighbour: %w", err)
			}
			p := networks[i]
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: ip, Flags: int(netlink.FLAG_ONLINK),
				Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
			if err := netlink.RouteAdd(route); err != nil {
				return fmt.Errorf("route to %s: %w", p, err)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	err = netns.Do(far, func() error {
		link, err := netlink.LinkByName("tap")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		side.index = link.Attrs().Index
		side.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		if err != nil {
			return err
		}
		return unix.SetsockoptTimeval(side.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { unix.Close(side.fd) })
	return side
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

// pass sends the first packets of flows, each with a source port of its own, and
// tells which came through. A last one, between addresses that no test restricts,
// says that all have had their chance.
func (w *wire) pass(from, to *tap, packets []ruleset.Packet) []bool {
	w.t.Helper()
	through := make([]bool, len(packets))
	first := w.sent
	for _, p := range packets {
		w.send(from, p, w.sent)
		w.sent++
	}
	w.send(from, marker(w, from, to), w.sent)
	for {
		port, ok := w.catch(to)
		if ok && port == w.sent {
			break
		}
		if ok && port >= first && int(port-first) < len(packets) {
			through[port-first] = true
		}
	}
	w.sent++
	return through
}

func (w *wire) send(from *tap, p ruleset.Packet, port uint16) {
	w.t.Helper()
	data := append(append(append([]byte{}, from.mac...), from.own...), frame(p, port, w.flags)...)
	to := &unix.SockaddrLinklayer{Ifindex: from.index, Protocol: htons(unix.ETH_P_IP)}
	if err := unix.Sendto(from.fd, data, 0, to); err != nil {
		w.t.Fatal(err)
	}
}

// catch waits for the next packet that the router sent, and gives the source port or
// what stands for it.
func (w *wire) catch(at *tap) (uint16, bool) {
	w.t.Helper()
	port, err := w.receive(at, 0)
	if err != nil {
		w.t.Fatalf("waiting for packets: %v", err)
	}
	return port, port != 0
}

// receive is catch with an error; 0 is no packet of the router's.
func (w *wire) receive(at *tap, flags int) (uint16, error) {
	buf := make([]byte, 2048)
	n, _, err := unix.Recvfrom(at.fd, buf, flags)
	for err == unix.EINTR {
		n, _, err = unix.Recvfrom(at.fd, buf, flags)
	}
	if err != nil {
		return 0, err
	}
	if buf = buf[:n]; n < 34 || string(buf[6:12]) != string(at.mac) {
		return 0, nil // our own
	}
	ip := buf[14:]
	switch binary.BigEndian.Uint16(buf[12:]) {
	case unix.ETH_P_IP:
		if ip[9] == unix.IPPROTO_ICMP {
			return binary.BigEndian.Uint16(ip[24:]), nil
		}
		return binary.BigEndian.Uint16(ip[20:]), nil
	case unix.ETH_P_IPV6:
		if ip[6] == unix.IPPROTO_ICMPV6 {
			return binary.BigEndian.Uint16(ip[44:]), nil
		}
		return binary.BigEndian.Uint16(ip[40:]), nil
	}
	return 0, nil
}

// frame writes a packet of a flow, behind its ethertype.
func frame(p ruleset.Packet, port uint16, tcpFlags byte) []byte {
	be := binary.BigEndian
	var l4 []byte
	checksumAt := -1
	switch p.Proto {
	case unix.IPPROTO_TCP:
		l4 = make([]byte, 20)
		l4[12], l4[13] = 5<<4, tcpFlags
		be.PutUint16(l4[14:], 65535)
		checksumAt = 16
	case unix.IPPROTO_UDP:
		l4 = make([]byte, 8)
		be.PutUint16(l4[4:], 8)
		checksumAt = 6
	case unix.IPPROTO_SCTP:
		l4 = make([]byte, 32)
		l4[12] = 1 // INIT
		be.PutUint16(l4[14:], 20)
		be.PutUint32(l4[16:], 1)
		be.PutUint32(l4[20:], 65535)
		be.PutUint16(l4[24:], 1)
		be.PutUint16(l4[26:], 1)
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		l4 = make([]byte, 8)
		l4[0] = 8
		if p.Proto == unix.IPPROTO_ICMPV6 {
			l4[0] = 128
		}
		be.PutUint16(l4[4:], port)
		checksumAt = 2
	default:
		panic(fmt.Sprintf("protocol %d", p.Proto))
	}
	if p.Proto != unix.IPPROTO_ICMP && p.Proto != unix.IPPROTO_ICMPV6 {
		be.PutUint16(l4, port)
		be.PutUint16(l4[2:], p.Port)
	}
	if p.Proto == unix.IPPROTO_SCTP {
		binary.LittleEndian.PutUint32(l4[8:], crc32.Checksum(l4, crc32.MakeTable(crc32.Castagnoli)))
	}
	var pseudo uint32
	if p.Proto != unix.IPPROTO_ICMP {
		pseudo = sum(p.Source.AsSlice()) + sum(p.Destination.AsSlice()) + uint32(p.Proto) + uint32(len(l4))
	}
	if checksumAt >= 0 {
		be.PutUint16(l4[checksumAt:], fold(pseudo+sum(l4)))
	}
	if p.Source.Is4() {
		h := make([]byte, 22)
		be.PutUint16(h, unix.ETH_P_IP)
		ip := h[2:]
		ip[0], ip[8], ip[9] = 0x45, 64, p.Proto
		be.PutUint16(ip[2:], uint16(20+len(l4)))
		copy(ip[12:], p.Source.AsSlice())
		copy(ip[16:], p.Destination.AsSlice())
		be.PutUint16(ip[10:], fold(sum(ip)))
		return append(h, l4...)
	}
	h := make([]byte, 42)
	be.PutUint16(h, unix.ETH_P_IPV6)
	ip := h[2:]
	ip[0], ip[6], ip[7] = 0x60, p.Proto, 64
	be.PutUint16(ip[4:], uint16(len(l4)))
	copy(ip[8:], p.Source.AsSlice())
	copy(ip[24:], p.Destination.AsSlice())
	return append(h, l4...)
}

func sum(b []byte) (s uint32) {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it didn't happen", what)
		}
	}
}
