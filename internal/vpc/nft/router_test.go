package nft

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
)

// routerTables are those that fillRouter writes, with their families.
var routerTables = map[string]string{
	edgeTable: "ip", endpointTable: "ip", routeTable: "ip", listenerTable: "ip", idleTable: "ip", flagsTable: "ip", MetadataTable: "ip6",
}

// fillRouter writes one of each table of a router.
func fillRouter(t *testing.T, r *Router) {
	t.Helper()
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	for _, err := range []error{
		r.ApplyEdge(Edge{
			HostLink: "internet", Public: p("198.18.0.0/16"), Front: a("198.18.0.2"), S3: a("198.18.0.5"), Names: a("198.18.0.53"),
			Resolvers: []netip.Addr{a("10.0.0.2")}, Metadata: a("169.254.169.254"), API: p("198.18.1.0/24"), Balancers: p("198.18.2.0/23"),
			Elastic: p("198.18.4.0/24"), Proxy: netip.MustParseAddrPort("198.18.0.254:4610"),
		}),
		r.ApplyEndpoints(p("198.18.1.0/24"), []Endpoint{{Addrs: []netip.Addr{a("198.18.1.0")}, Sources: []netip.Prefix{p("192.0.2.0/24")}}}),
		r.ApplyRoutes(Routes{
			HostLink: "internet", VPCs: []VPC{{Range: p("10.0.0.0/16"), Open: true}}, Public: p("198.18.0.0/16"), Balancers: p("198.18.2.0/23"),
			Elastic: p("198.18.4.0/24"), Subnets: []SubnetRoutes{{Subnet: p("10.0.0.0/19"), Exits: []Exit{{To: p("0.0.0.0/0"), Source: a("198.18.0.9")}}}},
			Addresses: map[netip.Addr]netip.Addr{a("10.0.0.4"): a("198.18.4.1")},
		}),
		r.ApplyListeners([]Listener{{
			Addr: a("198.18.2.1"), Proto: TCP, Port: 80, Sources: prefixes("0.0.0.0/0"), Targets: []netip.AddrPort{netip.MustParseAddrPort("10.0.64.4:30080")},
			Idle: time.Minute,
		}}),
		r.LogFlags(),
		r.ApplyRouter6(Metadata6{Service: a("fd00:ec2::254"), Clients: p("fe80::/10"), HostLink: "internet"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func routerNamespace(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("writes packet rules in a namespace: run the tests as root")
	}
	ns := filepath.Join(t.TempDir(), "ns")
	if err := netns.Create(ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netns.Delete(ns) })
	return ns
}

func openTestRouter(t *testing.T, ns string, flags uint32) *Router {
	t.Helper()
	r, err := openRouter(ns, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// rules are a namespace's as the kernel has them, each with what it is made of: nft can't
// read all of them. They are in an order of their own, without their numbers.
func rules(t *testing.T, ns string) string {
	t.Helper()
	var all []string
	err := netns.Do(ns, func() error {
		conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		listed, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE, Flags: netlink.Request | netlink.Dump},
			Data:   []byte{unix.NFPROTO_UNSPEC, unix.NFNETLINK_V0, 0, 0},
		})
		for _, m := range listed {
			attributes, err := netlink.UnmarshalAttributes(m.Data[4:])
			if err != nil {
				return err
			}
			names := []any{m.Data[0]}
			for _, a := range attributes {
				switch a.Type {
				case unix.NFTA_RULE_TABLE, unix.NFTA_RULE_CHAIN:
					names = append(names, unix.ByteSliceToString(a.Data))
				case unix.NFTA_RULE_EXPRESSIONS:
					names = append(names, len(a.Data))
				}
			}
			all = append(all, fmt.Sprintln(names...))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// What a router has written nobody else can open, by any means, while it lives. Without
// it the rules stay, and its successor takes them over as they are.
func TestNobodyElseOpensTheRouter(t *testing.T) {
	ns := routerNamespace(t)
	r := openTestRouter(t, ns, tableOwner|tablePersist)
	if r.flags == 0 {
		t.Skip("the kernel has no owned tables that persist")
	}
	fillRouter(t, r)
	before := rules(t, ns)
	for table, family := range routerTables {
		if !strings.Contains(before, " "+table+" ") {
			t.Fatalf("table %s is not there:\n%s", table, before)
		}
		for _, verb := range []string{"delete", "flush"} {
			if out, err := tool(ns, verb, "table", family, table); err == nil {
				t.Errorf("nft %s table %s worked: %s", verb, table, out)
			}
		}
	}
	if out, err := tool(ns, "flush", "ruleset"); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	if after := rules(t, ns); after != before {
		t.Errorf("flushing by hand changed:\n%s\nto:\n%s", before, after)
	}
	if err := openTestRouter(t, ns, tableOwner|tablePersist).LogFlags(); err == nil {
		t.Error("another router could write beside it")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if after := rules(t, ns); after != before {
		t.Errorf("without owner:\n%s\nbefore:\n%s", after, before)
	}
	next := openTestRouter(t, ns, tableOwner|tablePersist)
	fillRouter(t, next)
	if out, err := tool(ns, "delete", "table", "ip", edgeTable); err == nil {
		t.Errorf("the table that was taken over could be deleted: %s", out)
	}
	if err := next.UnlogFlags(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(rules(t, ns), flagsTable) {
		t.Error("the table for flow logs is still there")
	}
}

// Tables as earlier versions made them, without owner, become its own.
func TestTheRouterTakesOverSharedTables(t *testing.T) {
	ns := routerNamespace(t)
	old := openTestRouter(t, ns, 0)
	fillRouter(t, old)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	r := openTestRouter(t, ns, tableOwner|tablePersist)
	if r.flags == 0 {
		t.Skip("the kernel has no owned tables that persist")
	}
	fillRouter(t, r)
	if out, err := tool(ns, "flush", "ruleset"); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	there, err := Tables(ns)
	if err != nil {
		t.Fatal(err)
	}
	for table := range routerTables {
		if !there[table] {
			t.Errorf("table %s could be flushed", table)
		}
	}
}

// Where the kernel keeps no table for its owner, what others do to the router is undone.
func TestASharedRouterIsMended(t *testing.T) {
	ns := routerNamespace(t)
	r := openTestRouter(t, ns, 0)
	fillRouter(t, r)
	before := rules(t, ns)
	for _, args := range []string{"flush ruleset", "delete table ip " + routeTable, "flush chain ip eksact forward", "flush table ip6 " + MetadataTable} {
		if out, err := tool(ns, strings.Fields(args)...); err != nil {
			t.Fatalf("nft %s: %s%v", args, out, err)
		}
		eventually(t, "nft "+args+" is undone", func() bool { return rules(t, ns) == before })
	}
	// Its own changes are not another's.
	mended := atRest(t, &r.watch.rewritten)
	for range 5 {
		fillRouter(t, r)
	}
	if err := r.UnlogFlags(); err != nil {
		t.Fatal(err)
	}
	if n := r.watch.rewritten.Load() - mended; n != 0 {
		t.Errorf("written anew %d times for its own changes", n)
	}
	if out, err := tool(ns, "flush", "ruleset"); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	want := maps.Clone(routerTables)
	delete(want, flagsTable)
	eventually(t, "what was removed before does not come back", func() bool {
		there, err := Tables(ns)
		return err == nil && slices.Equal(slices.Sorted(maps.Keys(there)), slices.Sorted(maps.Keys(want)))
	})
}
