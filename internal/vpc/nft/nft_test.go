package nft

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"pgregory.net/rapid"

	"github.com/eksact/eksact/internal/netns"
)

func prefixes(text string) (out []netip.Prefix) {
	for _, p := range strings.Fields(text) {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestMerge(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "[]",
		"0.0.0.0/0":                        "[{0.0.0.0 255.255.255.255}]",
		"0.0.0.0/1 128.0.0.0/1":            "[{0.0.0.0 255.255.255.255}]",
		"0.0.0.1/32 0.0.0.3/32":            "[{0.0.0.1 0.0.0.1} {0.0.0.3 0.0.0.3}]",
		"0.0.0.3/32 0.0.0.2/32":            "[{0.0.0.2 0.0.0.3}]",
		"0.0.0.0/24 0.0.0.16/28":           "[{0.0.0.0 0.0.0.255}]",
		"0.0.0.5/24 fd00::/8":              "[{0.0.0.0 0.0.0.255}]",
		"255.255.255.255/32 1.0.0.0/8":     "[{1.0.0.0 1.255.255.255} {255.255.255.255 255.255.255.255}]",
		"0.0.0.8/30 0.0.0.0/29 0.0.1.0/32": "[{0.0.0.0 0.0.0.11} {0.0.1.0 0.0.1.0}]",
	} {
		texts := []string{}
		for _, b := range merge(ipv4, slices.Values(prefixes(in))) {
			texts = append(texts, fmt.Sprintf("{%s %s}", b.first, b.last))
		}
		if got := fmt.Sprint(texts); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// Whatever the prefixes: ranges are in order and apart, and hold an address if
// and only if a prefix does.
func TestMergeProperties(t *testing.T) {
	for _, f := range []*family{ipv4, ipv6} {
		at := func(last byte) netip.Addr {
			bytes := make([]byte, f.size)
			bytes[f.size-1] = last
			a, _ := netip.AddrFromSlice(bytes)
			return a
		}
		rapid.Check(t, func(t *rapid.T) {
			var in []netip.Prefix
			for range rapid.IntRange(0, 8).Draw(t, "n") {
				in = append(in, netip.PrefixFrom(at(rapid.Byte().Draw(t, "last")), int(8*f.size)-rapid.IntRange(0, 8).Draw(t, "free")))
			}
			out := merge(f, slices.Values(in))
			for i := 1; i < len(out); i++ {
				if out[i].first.Compare(out[i-1].last.Next()) <= 0 {
					t.Fatalf("%v touch", out)
				}
			}
			for last := range 256 {
				a, got := at(byte(last)), false
				for _, b := range out {
					got = got || b.first.Compare(a) <= 0 && a.Compare(b.last) <= 0
				}
				if want := slices.ContainsFunc(in, func(p netip.Prefix) bool { return p.Contains(a) }); got != want {
					t.Fatalf("%v of %v: address %s is in: %v, want %v", out, in, a, got, want)
				}
			}
		})
	}
}

// The kernel takes what we write, any number of times, and a failed transaction
// leaves what was there.
func TestTables(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("writes packet rules in a namespace: run the tests as root")
	}
	ns := filepath.Join(t.TempDir(), "ns")
	if err := netns.Create(ns); err != nil {
		t.Fatal(err)
	}
	defer netns.Delete(ns)
	r, err := OpenRouter(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	target := []netip.AddrPort{netip.MustParseAddrPort("10.0.64.4:30080"), netip.MustParseAddrPort("10.0.64.5:30080")}
	var many []Listener
	for i := range 300 {
		many = append(many, Listener{
			Addr: netip.AddrFrom4([4]byte{198, 18, 2 + byte(i/256), byte(i)}), Proto: TCP, Port: 80,
			Sources: prefixes("10.0.0.0/8 192.0.2.0/24"), Targets: target,
		})
	}
	for _, all := range [][]Listener{nil, many[:1], many, many[:2], nil} {
		if err := r.ApplyListeners(all); err != nil {
			t.Fatalf("%d listeners: %v", len(all), err)
		}
		// A chain for each, and the one at the hook.
		if got := chains(t, ns, listenerTable); got != len(all)+1 {
			t.Fatalf("%d chains for %d listeners", got, len(all))
		}
	}
	if err := r.ApplyListeners(many[:3]); err != nil {
		t.Fatal(err)
	}
	wrong := Listener{Addr: netip.MustParseAddr("fd00::1"), Proto: TCP, Port: 80, Sources: prefixes("0.0.0.0/0"), Targets: target}
	if err := r.ApplyListeners(append(many[:1:1], wrong)); err == nil {
		t.Error("a listener with an IPv6 address was taken")
	}
	if got := chains(t, ns, listenerTable); got != 4 {
		t.Errorf("the failed transaction left %d chains, want the 4 of before", got)
	}
	ports := []HostPort{
		{Proto: TCP, Port: 80, Pod: target[0]}, {Proto: UDP, Port: 80, Pod: target[0]},
		{Proto: TCP, Port: 80, Pod: target[1]}, // the first stands
		{Addr: netip.MustParseAddr("10.0.64.9"), Proto: TCP, Port: 80, Pod: target[1]},
	}
	for _, all := range [][]HostPort{ports, ports[:1], nil, nil} {
		if err := ApplyHostPorts(ns, all); err != nil {
			t.Fatal(err)
		}
	}
	if got := chains(t, ns, hostPortTable); got != 0 {
		t.Errorf("%d chains are left without host ports", got)
	}
}

func chains(t *testing.T, ns, table string) (n int) {
	t.Helper()
	err := netns.Do(ns, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		all, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
		for _, c := range all {
			if c.Table.Name == table {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
