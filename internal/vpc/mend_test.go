package vpc_test

import (
	"errors"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/nft"
	"github.com/eksact/eksact/internal/vpc/vpctest"
)

// A node's own rules that somebody deleted are written anew, others are left alone.
func TestMendNode(t *testing.T) {
	c := build(t)
	_, pods := vpctest.Private(c.Config, 0)
	own := []string{nft.NodeTable, nft.MetadataTable}
	for _, test := range []struct {
		by   []string
		want []string
	}{
		{[]string{"list", "ruleset"}, nil},
		{[]string{"flush", "ruleset"}, own},
		{[]string{"delete", "table", "ip", nft.NodeTable}, own[:1]},
	} {
		mustNil(t, netns.Do(c.nodes[0], exec.Command("nft", test.by...).Run))
		there, err := nft.Tables(c.nodes[0])
		mustNil(t, err)
		mended, err := c.MendNode(c.nodes[0], pods, there)
		if err != nil || !slices.Equal(mended, test.want) {
			t.Errorf("after nft %v: mended %v, %v; want %v", test.by, mended, err, test.want)
		}
		if there, err = nft.Tables(c.nodes[0]); err != nil || !there[own[0]] || !there[own[1]] {
			t.Errorf("after nft %v: %v, %v", test.by, there, err)
		}
	}
}

// Routes of the router and the host that somebody deleted are back at once, but not those
// of what was detached.
func TestRoutesComeBack(t *testing.T) {
	c := build(t)
	routes := func(ns string) (all []netlink.Route) {
		withHandle(t, ns, func(h *netlink.Handle) (err error) {
			for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
				var some []netlink.Route
				some, err = h.RouteList(nil, family)
				all = append(all, some...)
			}
			return err
		})
		if ns == "" { // the others are the machine's
			all = slices.DeleteFunc(all, func(r netlink.Route) bool { return r.Dst == nil || r.Dst.String() != c.Public.String() })
		}
		return slices.DeleteFunc(all, func(r netlink.Route) bool { return r.Protocol == unix.RTPROT_KERNEL })
	}
	told := func(all []netlink.Route) (texts []string) {
		for _, r := range all {
			texts = append(texts, r.String())
		}
		slices.Sort(texts)
		return texts
	}
	for name, ns := range map[string]string{"router": c.World(), "host": ""} {
		before := routes(ns)
		if len(before) == 0 {
			t.Fatalf("%s: no routes", name)
		}
		withHandle(t, ns, func(h *netlink.Handle) (err error) {
			for _, r := range before {
				err = errors.Join(err, h.RouteDel(&r))
			}
			return err
		})
		for end := time.Now().Add(10 * time.Second); !slices.Equal(told(routes(ns)), told(before)); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: there are\n%v\nand there were\n%v", name, told(routes(ns)), told(before))
			}
		}
	}
	dial(t, "", at(c.api[1], 443))
	dial(t, c.shell, at(c.addr[0], 8080))

	mustNil(t, c.Detach(t.Context(), "i-0"))
	fewer := told(routes(c.World()))
	time.Sleep(300 * time.Millisecond)
	if now := told(routes(c.World())); !slices.Equal(now, fewer) {
		t.Errorf("after a node was detached there are\n%v\nand then\n%v", fewer, now)
	}
}
