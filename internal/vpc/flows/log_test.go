package flows

import (
	"net/netip"
	"testing"
)

func header(proto byte, fragment uint16, rest ...byte) []byte {
	b := []byte{0x45, 0, 0, 60, 0, 0, byte(fragment >> 8), byte(fragment), 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	return append(b, rest...)
}

func TestReadPacket(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	tcp := []byte{0x0f, 0xa0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12}
	for name, test := range map[string]struct {
		raw  []byte
		want packet
	}{
		"SYN-ACK":        {header(6, 0, tcp...), packet{a, b, 4000, 80, 6, 60, 18}},
		"UDP":            {header(17, 0, tcp[:8]...), packet{a, b, 4000, 80, 17, 60, 0}},
		"ICMP":           {header(1, 0, tcp[:8]...), packet{a, b, 0, 0, 1, 60, 0}},
		"later fragment": {header(6, 100, tcp...), packet{a, b, 0, 0, 6, 60, 0}},
		"cut":            {header(6, 0), packet{a, b, 0, 0, 6, 60, 0}},
	} {
		if got, err := readPacket(test.raw); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
	for name, raw := range map[string][]byte{"nothing": nil, "short": header(6, 0)[:19], "IPv6": append([]byte{0x60}, make([]byte, 60)...)} {
		if p, err := readPacket(raw); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestFlags(t *testing.T) {
	for raw, want := range map[byte]uint8{0x02: 2, 0x12: 18, 0x11: 1, 0x14: 4, 0x10: 0, 0x18: 0, 0x04: 4} {
		if got := tcpFlags(raw); got != want {
			t.Errorf("%#x: %d, want %d", raw, got, want)
		}
	}
}

func FuzzReadPacket(f *testing.F) {
	f.Add(header(6, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := readPacket(raw); err == nil && !p.source.Is4() {
			t.Errorf("%x: %+v", raw, p)
		}
	})
}
