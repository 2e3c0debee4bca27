package cni

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
	"github.com/vishvananda/netlink"

	"github.com/eksact/eksact/internal/node/gate"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// Main is the plugin's main: the runtime calls it with the environment and
// standard input that the CNI specification says.
func Main() {
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Del: del, Check: check, GC: gc, Status: status},
		version.PluginSupports("1.0.0", "1.1.0"), Name+": pods with addresses of the VPC")
}

// call is one call of the plugin: its configuration, the leases (locked) and
// the node's links.
type call struct {
	*config
	*leases
	node *netlink.Handle
}

func open(stdin []byte) (*call, error) {
	c, err := parse(stdin)
	if err != nil {
		return nil, err
	}
	s, err := openLeases(c.StateDir)
	if err != nil {
		return nil, types.NewError(types.ErrIOFailure, err.Error(), "")
	}
	node, err := handle()
	if err != nil {
		s.close()
		return nil, err
	}
	return &call{c, s, node}, nil
}

func (c *call) close() {
	c.node.Close()
	c.leases.close()
}

func add(args *skel.CmdArgs) error {
	c, err := open(args.StdinData)
	if err != nil {
		return err
	}
	defer c.close()
	up, err := c.node.LinkByName(c.Uplink)
	if err != nil {
		return fmt.Errorf("the node's link %s: %w", c.Uplink, err)
	}
	l, err := c.lease(args)
	if err != nil {
		return err
	}
	if err := c.pass(l); err != nil {
		return errors.Join(err, c.undo(l))
	}
	wire := newCable(args.ContainerID, args.IfName, l.addr)
	wire.mtu = up.Attrs().MTU
	if err := wire.plug(c.node, args.Netns); err != nil {
		return errors.Join(err, c.undo(l))
	}
	if len(l.Ports) > 0 {
		if err := nft.ApplyHostPorts("", c.ports()); err != nil {
			return errors.Join(err, c.undo(l))
		}
	}
	return types.PrintResult(c.result(args, wire), c.CNIVersion)
}

// lease gives the pod's interface an address and writes that down.
func (c *call) lease(args *skel.CmdArgs) (lease, error) {
	// An earlier ADD of the same that the runtime did not see succeed.
	if old, ok := c.held(args.ContainerID, args.IfName); ok {
		if err := c.undo(old); err != nil {
			return lease{}, err
		}
	}
	addr, err := c.free()
	if err != nil {
		return lease{}, err
	}
	ports, err := c.hostPorts(addr)
	if err != nil {
		return lease{}, err
	}
	if err := c.portsFree(ports); err != nil {
		return lease{}, err
	}
	pod, uid := podOf(args.Args)
	l := lease{
		addr: addr, Container: args.ContainerID, IfName: args.IfName, Pod: pod, UID: uid, NetNS: args.Netns,
		Veth: vethName(args.ContainerID, args.IfName), Ports: ports,
	}
	return l, c.write(l)
}

// pass returns when the pod's network policies are enforced everywhere.
func (c *call) pass(l lease) error {
	if c.Gate == "" {
		return nil
	}
	if err := gate.Ask(c.Gate, l.request(), c.wait); err != nil {
		return types.NewError(types.ErrTryAgainLater, err.Error(), "")
	}
	return nil
}

// leave tells that nobody has the address of a lease any more. Who can't be told reads
// it from the leases later; until then the address rests.
func (c *call) leave(l lease) {
	if c.Gate == "" {
		return
	}
	r := l.request()
	r.Gone = true
	_ = gate.Tell(c.Gate, r)
}

// free finds an address; when there is none, after taking back those of leases
// whose link is gone.
func (c *call) free() (netip.Addr, error) {
	now := time.Now()
	if addr, _, ok := choose(c.Pods, c.all, c.rest, now); ok {
		return addr, nil
	}
	for _, l := range c.all {
		if _, err := c.reclaim(l); err != nil {
			return netip.Addr{}, err
		}
	}
	addr, wait, ok := choose(c.Pods, c.all, c.rest, now)
	if !ok {
		return addr, errBusy(c.Pods, wait)
	}
	return addr, nil
}

// reclaim forgets a lease whose link is gone: its pod died with an earlier life
// of the node, or its ADD died midway.
func (c *call) reclaim(l lease) (gone bool, err error) {
	if l.Released != nil {
		return false, nil
	}
	there, err := linkExists(c.node, l.Veth)
	if err != nil || there {
		return false, err
	}
	return true, c.forget(l.addr)
}

// portsFree refuses a host port that a living pod of this node has.
func (c *call) portsFree(want []nft.HostPort) error {
	for _, l := range c.all {
		for _, have := range l.Ports {
			for _, w := range want {
				same := w.Proto == have.Proto && w.Port == have.Port && (w.Addr == have.Addr || !w.Addr.IsValid() || !have.Addr.IsValid())
				if !same {
					continue
				}
				if gone, err := c.reclaim(l); err != nil {
					return err
				} else if !gone {
					return fmt.Errorf("host port %d is in use by pod %s", w.Port, l.Pod)
				}
			}
		}
	}
	return nil
}

// undo takes everything of a lease away; its address was hardly used.
func (c *call) undo(l lease) error {
	if err := unplug(c.node, l.Veth); err != nil {
		return err // the lease stays: its link is still there
	}
	c.leave(l)
	return errors.Join(c.forget(l.addr), c.portsGone(l))
}

func (c *call) portsGone(l lease) error {
	if len(l.Ports) == 0 {
		return nil
	}
	return nft.ApplyHostPorts("", c.ports())
}

func (c *call) result(args *skel.CmdArgs, w cable) *current.Result {
	inPod := 1
	return &current.Result{
		CNIVersion: c.CNIVersion,
		Interfaces: []*current.Interface{
			{Name: w.veth, Mac: w.nodeMAC.String(), Mtu: w.mtu},
			{Name: w.ifName, Mac: w.podMAC.String(), Mtu: w.mtu, Sandbox: args.Netns},
		},
		IPs:    []*current.IPConfig{{Address: *onlyHost(w.addr), Gateway: gateway.AsSlice(), Interface: &inPod}},
		Routes: []*types.Route{{Dst: net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, GW: gateway.AsSlice()}},
		DNS:    c.DNS,
	}
}

// del removes the pod's link and ends its lease. It never fails because
// something is gone already.
func del(args *skel.CmdArgs) error {
	c, err := open(args.StdinData)
	if err != nil {
		return err
	}
	defer c.close()
	if err := unplug(c.node, vethName(args.ContainerID, args.IfName)); err != nil {
		return err
	}
	l, ok := c.held(args.ContainerID, args.IfName)
	if !ok {
		return nil
	}
	defer c.leave(l)
	return errors.Join(c.release(l.addr, time.Now()), c.portsGone(l))
}

// gc removes what belongs to none of the attachments that the runtime knows.
func gc(args *skel.CmdArgs) error {
	c, err := open(args.StdinData)
	if err != nil {
		return err
	}
	defer c.close()
	valid := map[types.GCAttachment]bool{}
	for _, a := range c.ValidAttachments {
		valid[a] = true
	}
	var errs []error
	for _, addr := range c.addrs() {
		l := c.all[addr]
		if l.Released != nil || valid[types.GCAttachment{ContainerID: l.Container, IfName: l.IfName}] {
			continue
		}
		if err := unplug(c.node, l.Veth); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, c.release(addr, time.Now()), c.portsGone(l))
		c.leave(l)
	}
	return errors.Join(errs...)
}

// check says whether the pod's network is what ADD made.
func check(args *skel.CmdArgs) error {
	c, err := open(args.StdinData)
	if err != nil {
		return err
	}
	defer c.close()
	l, ok := c.held(args.ContainerID, args.IfName)
	if !ok {
		return types.NewError(types.ErrUnknownContainer, "no address is leased to "+args.ContainerID, "")
	}
	if c.PrevResult != nil {
		prev, err := current.NewResultFromResult(c.PrevResult)
		if err != nil {
			return types.NewError(types.ErrDecodingFailure, "prevResult: "+err.Error(), "")
		}
		if len(prev.IPs) != 1 || prev.IPs[0].Address.String() != onlyHost(l.addr).String() {
			return fmt.Errorf("prevResult does not have the leased address %s", l.addr)
		}
	}
	return newCable(args.ContainerID, args.IfName, l.addr).check(c.node, args.Netns)
}

// status says whether ADD can work: the node has its link and its state can be
// written. A node whose addresses are all in use is not broken.
func status(args *skel.CmdArgs) error {
	c, err := open(args.StdinData)
	if err != nil {
		return unavailable(err)
	}
	defer c.close()
	up, err := c.node.LinkByName(c.Uplink)
	if err != nil {
		return unavailable(fmt.Errorf("the node's link %s: %w", c.Uplink, err))
	}
	if up.Attrs().Flags&net.FlagUp == 0 {
		return unavailable(fmt.Errorf("the node's link %s is down", c.Uplink))
	}
	return unavailable(os.WriteFile(c.lock.Name(), nil, 0o600))
}

// unavailable is code 50 of the specification: "the plugin is not available".
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return types.NewError(types.ErrPluginNotAvailable, err.Error(), "")
}

// podOf reads the pod's name, with its namespace, and its UID from CNI_ARGS, where
// Kubernetes' runtimes put them.
func podOf(args string) (name, uid string) {
	var namespace string
	for _, pair := range strings.Split(args, ";") {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "K8S_POD_NAMESPACE":
			namespace = value
		case "K8S_POD_NAME":
			name = value
		case "K8S_POD_UID":
			uid = value
		}
	}
	if name == "" {
		return "", uid
	}
	return namespace + "/" + name, uid
}
