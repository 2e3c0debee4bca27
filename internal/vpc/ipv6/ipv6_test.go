package ipv6

import (
	"net/netip"
	"testing"
)

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.65.3": "fd65:6b73:6163::a00:4103", "0.0.0.0": "fd65:6b73:6163::", "255.255.255.255": "fd65:6b73:6163::ffff:ffff",
	} {
		a := netip.MustParseAddr(in)
		if got := Local(a); got.String() != want || Owner(got) != a {
			t.Errorf("%s: %s of %s, want %s", in, got, Owner(got), want)
		}
	}
	for _, other := range []string{"10.0.65.3", "fd00:ec2::254", "fd65:6b73:6163:0:0:1::", "::1", "::ffff:10.0.65.3"} {
		if a := netip.MustParseAddr(other); Owner(a) != a {
			t.Errorf("%s is of %s", other, Owner(a))
		}
	}
	if got := Block(netip.MustParsePrefix("10.0.65.32/27")); got != netip.MustParsePrefix("fd65:6b73:6163::10.0.65.32/123") {
		t.Errorf("block %s", got)
	}
}
