package vpc_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/engine/ruleset"
	"github.com/eksact/eksact/internal/engine/secgroup"
	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// startPod gives a node a pod with an address, as its CNI plugin does, that serves
// port 80, and returns its namespace.
func startPod(t *testing.T, node string, addr netip.Addr) string {
	t.Helper()
	ns := filepath.Join(t.TempDir(), "pod")
	mustNil(t, netns.Create(ns))
	t.Cleanup(func() { mustNil(t, netns.Delete(ns)) })
	file, err := os.Open(ns)
	mustNil(t, err)
	defer file.Close()
	name := fmt.Sprintf("p%d", addr.As4()[3])
	gateway := net.IPv4(169, 254, 1, 1)
	var mac net.HardwareAddr
	whole := func(a netip.Addr) *net.IPNet { return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)} }
	withHandle(t, node, func(h *netlink.Handle) error {
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(file.Fd()))}
		mustNil(t, h.LinkAdd(veth))
		l, err := h.LinkByName(name)
		mustNil(t, err)
		mac = l.Attrs().HardwareAddr
		mustNil(t, h.LinkSetUp(l))
		return h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: whole(addr), Scope: netlink.SCOPE_LINK})
	})
	withHandle(t, ns, func(h *netlink.Handle) error {
		l, err := h.LinkByName("eth0")
		mustNil(t, err)
		mustNil(t, h.AddrAdd(l, &netlink.Addr{IPNet: whole(addr)}))
		mustNil(t, h.LinkSetUp(l))
		mustNil(t, h.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: gateway, HardwareAddr: mac}))
		mustNil(t, h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: &net.IPNet{IP: gateway, Mask: net.CIDRMask(32, 32)}, Scope: netlink.SCOPE_LINK}))
		return h.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway})
	})
	vpctest.Serve(t, ns, ":80", "pod")
	return ns
}

// A pod with an interface of its own is held to its groups, also against pods of its
// own node and the node, which are not held against each other.
func TestGroupsOfPods(t *testing.T) {
	c, g, s := grouped(t)
	_, pods := vpctest.Private(c.Config, 0)
	at2 := func(n int) netip.Addr { // the first is on the node's loopback
		a := pods.Addr()
		for range n {
			a = a.Next()
		}
		return a
	}
	branch, plain, other := at2(1), at2(2), at2(3)
	branchNS, plainNS, otherNS := startPod(t, c.nodes[0], branch), startPod(t, c.nodes[0], plain), startPod(t, c.nodes[0], other)

	node, err := c.OpenNodeGroups("i-0")
	mustNil(t, err)
	t.Cleanup(func() { node.Close() })
	// The database is on the other node, a listener that one group may reach.
	vpctest.Serve(t, c.nodes[1], ":5432", "db")
	s.Groups = append(s.Groups,
		secgroup.Group{ID: "app", Rules: []secgroup.Rule{{ID: "out", Egress: true, Any: true, Block: netip.MustParsePrefix("0.0.0.0/0")}}},
	)
	db := secgroup.Rule{ID: "db", Proto: ruleset.TCP, First: 5432, Last: 5432, Group: "app"}
	s.Groups[0].Rules = append(s.Groups[0].Rules[1:], db) // in place of the rule for itself
	s.Interfaces = append(s.Interfaces, secgroup.Interface{ID: "branch", Addresses: []netip.Addr{branch}, Groups: []string{"app"}})
	set := func() {
		t.Helper()
		mustNil(t, node.Set(s, "branch", c.nodes[0]))
		mustNil(t, g.Set(s))
	}
	set()

	connects(t, "the pod to the database", branchNS, at(c.addr[1], 5432), true)
	connects(t, "another pod to the database", plainNS, at(c.addr[1], 5432), false)
	connects(t, "the node to the database", c.nodes[0], at(c.addr[1], 5432), false)
	connects(t, "pod to pod of one node", plainNS, at(other, 80), true)
	connects(t, "pod to its node", plainNS, at(c.addr[0], 8080), true)
	connects(t, "node to its pod", c.nodes[0], at(plain, 80), true)
	connects(t, "pod to the pod with groups", otherNS, at(branch, 80), false)
	connects(t, "node to the pod with groups", c.nodes[0], at(branch, 80), false)
	connects(t, "the pod with groups to another", branchNS, at(plain, 80), false)
	connects(t, "the pod with groups to its node", branchNS, at(c.addr[0], 8080), false)

	// The node's group may reach the pod: kubelet's probes, as AWS asks for them.
	s.Groups[2].Rules = append(s.Groups[2].Rules, secgroup.Rule{ID: "probe", Proto: ruleset.TCP, First: 80, Last: 80, Group: "cluster"})
	set()
	connects(t, "node to the pod that lets it in", c.nodes[0], at(branch, 80), true)
	connects(t, "pod to the pod that lets it in", plainNS, at(branch, 80), true)

	// Without its interface it is a pod as others are.
	s.Interfaces = s.Interfaces[:len(s.Interfaces)-1]
	mustNil(t, node.Set(s))
	mustNil(t, g.Set(s))
	connects(t, "a pod without groups to another", branchNS, at(plain, 80), true)
	connects(t, "a pod without groups to the database", branchNS, at(c.addr[1], 5432), false)
}
