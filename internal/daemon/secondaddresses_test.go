package daemon

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/vpc/ipv6"
)

type noted struct{ egress, ingress map[netip.Addr]string }

func (n *noted) Load(p *ruleset.Program) error { n.egress, n.ingress = p.Egress, p.Ingress; return nil }
func (n *noted) Apply(d ...*ruleset.Delta) error {
	n.egress, n.ingress = d[0].Egress, d[0].Ingress
	return nil
}

func TestSecondAddressesAreRestrictedToo(t *testing.T) {
	pod, other := netip.MustParseAddr("10.0.65.3"), netip.MustParseAddr("fd00::1")
	egress := map[netip.Addr]string{pod: "c", other: "d"}
	want := map[netip.Addr]string{pod: "c", ipv6.Local(pod): "c", other: "d"}
	for name, by := range map[string]func(secondAddresses) error{
		"all":    func(s secondAddresses) error { return s.Load(&ruleset.Program{Egress: egress, Ingress: egress}) },
		"change": func(s secondAddresses) error { return s.Apply(&ruleset.Delta{Egress: egress, Ingress: egress}) },
	} {
		n := &noted{}
		if err := by(secondAddresses{n}); err != nil || !maps.Equal(n.egress, want) || !maps.Equal(n.ingress, egress) || len(egress) != 2 {
			t.Errorf("%s: %v, egress %v, ingress %v", name, err, n.egress, n.ingress)
		}
	}
	// One that is restricted no more is in neither form.
	n := &noted{}
	_ = secondAddresses{n}.Apply(&ruleset.Delta{Egress: map[netip.Addr]string{pod: ""}})
	if chain, ok := n.egress[ipv6.Local(pod)]; !ok || chain != "" {
		t.Errorf("set free: %v", n.egress)
	}
}
