package proxy

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// signature begins every header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// header is the proxy protocol's announcement of a client, IPv4 over TCP, see
// https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt. Version 0 has none.
func header(version int, client, called netip.AddrPort) []byte {
	switch version {
	case 1:
		return fmt.Appendf(nil, "PROXY TCP4 %s %s %d %d\r\n", client.Addr(), called.Addr(), client.Port(), called.Port())
	case 2:
		out := append([]byte(signature), 0x21, 0x11, 0, 12) // version 2, PROXY; TCP over IPv4; 12 bytes
		out = append(append(out, client.Addr().AsSlice()...), called.Addr().AsSlice()...)
		out = binary.BigEndian.AppendUint16(out, client.Port())
		return binary.BigEndian.AppendUint16(out, called.Port())
	}
	return nil
}
