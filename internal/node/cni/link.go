package cni

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/netns"
	"github.com/eksact/eksact/internal/vpc/ipv6"
)

// gateway is what pods call their node's end; nobody has it as an address.
var gateway = netip.MustParseAddr("169.254.1.1")

// cable is a pod's link and the addresses on it.
type cable struct {
	veth   string // node's end
	ifName string // pod's end
	addr   netip.Addr
	mtu    int

	nodeMAC, podMAC net.HardwareAddr
}

func newCable(container, ifName string, addr netip.Addr) cable {
	sum := sha256.Sum256([]byte(container + "\x00" + ifName))
	return cable{
		veth: vethName(container, ifName), ifName: ifName, addr: addr,
		nodeMAC: mac(sum[0:5]), podMAC: mac(sum[5:10]),
	}
}

func vethName(container, ifName string) string {
	sum := sha256.Sum256([]byte(container + "\x00" + ifName))
	return VethPrefix + hex.EncodeToString(sum[:])[:11]
}

// mac is a locally administered, unicast address.
func mac(b []byte) net.HardwareAddr { return append(net.HardwareAddr{0x02}, b...) }

func onlyHost(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

func handle() (*netlink.Handle, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return h, nil
}

// plug makes the link into the pod's namespace and all that belongs to it. The
// route on the node comes last: the pod is reachable when it is complete.
func (c cable) plug(node *netlink.Handle, podNS string) error {
	ns, err := os.Open(podNS)
	if err != nil {
		return fmt.Errorf("pod's network namespace: %w", err)
	}
	defer ns.Close()
	six := ipv6.Known()
	// The pod's defaults must stand before its link is made.
	var pod *netlink.Handle
	err = netns.Do(podNS, func() (err error) {
		quietIPv6()
		pod, err = handle()
		return err
	})
	if err != nil {
		return err
	}
	defer pod.Close()
	err = node.LinkAdd(&netlink.Veth{
		LinkAttrs:        netlink.LinkAttrs{Name: c.veth, MTU: c.mtu, HardwareAddr: c.nodeMAC, TxQLen: 1000, Flags: net.FlagUp},
		PeerName:         c.ifName,
		PeerHardwareAddr: c.podMAC,
		PeerTxQLen:       1000,
		PeerMTU:          uint32(c.mtu),
		PeerNamespace:    netlink.NsFd(int(ns.Fd())),
	})
	if err != nil {
		return fmt.Errorf("making veth %s: %w", c.veth, err)
	}
	if err := c.setPod(pod); err != nil {
		return fmt.Errorf("pod's end: %w", err)
	}
	if six {
		if err := c.setIPv6(node, pod, podNS); err != nil {
			return fmt.Errorf("the pod's way to instance metadata by IPv6: %w", err)
		}
	}
	if err := c.setNode(node); err != nil {
		return fmt.Errorf("node's end %s: %w", c.veth, err)
	}
	return nil
}

func (c cable) setPod(pod *netlink.Handle) error {
	lo, err := pod.LinkByName("lo")
	if err != nil {
		return err
	}
	eth, err := pod.LinkByName(c.ifName)
	if err != nil {
		return err
	}
	index := eth.Attrs().Index
	for _, step := range []func() error{
		func() error { return pod.LinkSetUp(lo) },
		func() error { return pod.AddrAdd(eth, &netlink.Addr{IPNet: onlyHost(c.addr)}) },
		func() error { return pod.LinkSetUp(eth) },
		func() error {
			return pod.NeighSet(&netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: gateway.AsSlice(), HardwareAddr: c.nodeMAC})
		},
		func() error {
			return pod.RouteAdd(&netlink.Route{LinkIndex: index, Dst: onlyHost(gateway), Scope: netlink.SCOPE_LINK})
		},
		func() error {
			return pod.RouteAdd(&netlink.Route{LinkIndex: index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, Gw: gateway.AsSlice()})
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c cable) setNode(node *netlink.Handle) error {
	veth, err := node.LinkByName(c.veth)
	if err != nil {
		return err
	}
	index := veth.Attrs().Index
	if err := node.NeighSet(&netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: c.addr.AsSlice(), HardwareAddr: c.podMAC}); err != nil {
		return err
	}
	return node.RouteReplace(&netlink.Route{LinkIndex: index, Dst: onlyHost(c.addr), Scope: netlink.SCOPE_LINK})
}

// setIPv6 leads the pod to what has an IPv6 address, and nowhere else. It is no address of
// the pod's to Kubernetes.
func (c cable) setIPv6(node, pod *netlink.Handle, podNS string) error {
	if err := errors.Join(ipv6.Wake(c.veth), netns.Do(podNS, func() error { return ipv6.Wake(c.ifName) })); err != nil {
		return err
	}
	eth, err := pod.LinkByName(c.ifName)
	if err != nil {
		return err
	}
	veth, err := node.LinkByName(c.veth)
	if err != nil {
		return err
	}
	own, inPod, onNode := ipv6.Local(c.addr), eth.Attrs().Index, veth.Attrs().Index
	known := func(index int, a netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
		return &netlink.Neigh{LinkIndex: index, Family: unix.AF_INET6, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac}
	}
	steps := []func() error{
		func() error {
			return pod.AddrAdd(eth, &netlink.Addr{IPNet: onlyHost(own), Flags: unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE})
		},
	}
	for _, a := range []netip.Addr{ipv6.Metadata, ipv6.PodIdentity} {
		steps = append(steps,
			func() error { return pod.NeighSet(known(inPod, a, c.nodeMAC)) },
			func() error {
				return pod.RouteAdd(&netlink.Route{LinkIndex: inPod, Dst: onlyHost(a), Src: own.AsSlice()})
			},
		)
	}
	steps = append(steps,
		func() error { return node.NeighSet(known(onNode, own, c.podMAC)) },
		func() error { return node.RouteReplace(&netlink.Route{LinkIndex: onNode, Dst: onlyHost(own)}) },
	)
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// quietIPv6 keeps IPv6 off the links to come of the thread's namespace; the
// loopback keeps ::1. Kernels without IPv6 have no such setting.
func quietIPv6() {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0o644)
}

// unplug removes the node's end, and with it the pod's and all routes.
func unplug(node *netlink.Handle, veth string) error {
	l, err := node.LinkByName(veth)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := node.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("removing %s: %w", veth, err)
	}
	return nil
}

func linkExists(node *netlink.Handle, name string) (bool, error) {
	_, err := node.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return false, nil
	}
	return err == nil, err
}

// check compares both ends with what they should be.
func (c cable) check(node *netlink.Handle, podNS string) error {
	veth, err := node.LinkByName(c.veth)
	if err != nil {
		return fmt.Errorf("node's end %s: %w", c.veth, err)
	}
	routes, err := node.RouteListFiltered(unix.AF_INET, &netlink.Route{LinkIndex: veth.Attrs().Index, Dst: onlyHost(c.addr)}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_DST)
	if err != nil {
		return err
	}
	if len(routes) == 0 {
		return fmt.Errorf("the node has no route to %s by %s", c.addr, c.veth)
	}
	return netns.Do(podNS, func() error {
		pod, err := handle()
		if err != nil {
			return err
		}
		defer pod.Close()
		eth, err := pod.LinkByName(c.ifName)
		if err != nil {
			return fmt.Errorf("pod's end %s: %w", c.ifName, err)
		}
		if eth.Attrs().Flags&net.FlagUp == 0 {
			return fmt.Errorf("pod's end %s is down", c.ifName)
		}
		addrs, err := pod.AddrList(eth, unix.AF_INET)
		if err != nil {
			return err
		}
		if len(addrs) != 1 || addrs[0].IPNet.String() != onlyHost(c.addr).String() {
			return fmt.Errorf("pod's end %s has addresses %v, want %s/32", c.ifName, addrs, c.addr)
		}
		defaults, err := pod.RouteListFiltered(unix.AF_INET, &netlink.Route{LinkIndex: eth.Attrs().Index, Gw: gateway.AsSlice()}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_GW)
		if err != nil {
			return err
		}
		if len(defaults) == 0 {
			return fmt.Errorf("the pod has no default route by %s", gateway)
		}
		return nil
	})
}
