package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/eksact/eksact/internal/node/gate"
	"github.com/eksact/eksact/internal/vpc/nft"
)

// lease is who has an address. Once Released is set, nobody has.
type lease struct {
	Container string         `json:"container,omitempty"`
	IfName    string         `json:"ifName,omitempty"`
	Pod       string         `json:"pod,omitempty"`   // namespace/name
	UID       string         `json:"uid,omitempty"`   // the pod's
	NetNS     string         `json:"netns,omitempty"` // of the sandbox: a file on the node
	Veth      string         `json:"veth,omitempty"`
	Ports     []nft.HostPort `json:"ports,omitempty"`
	Released  *time.Time     `json:"released,omitempty"`

	addr netip.Addr
}

func (l lease) of(container, ifName string) bool {
	return l.Released == nil && l.Container == container && l.IfName == ifName
}

// leases is the state directory, locked against other calls of the plugin.
type leases struct {
	dir  string
	lock *os.File
	all  map[netip.Addr]lease
}

func openLeases(dir string) (*leases, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	s := &leases{dir: dir, lock: lock}
	if s.all, err = readLeases(dir); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *leases) close() { s.lock.Close() } // which unlocks

func readLeases(dir string) (map[netip.Addr]lease, error) {
	all := map[netip.Addr]lease{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		addr, err := netip.ParseAddr(e.Name())
		if err != nil {
			continue // the lock, or a file half-written at a crash
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // forgotten meanwhile, if the folder isn't locked
		}
		if err != nil {
			return nil, err
		}
		var l lease
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("lease of %s: %w", addr, err)
		}
		l.addr = addr
		all[addr] = l
	}
	return all, nil
}

// Leases are the addresses that pods of a node have or are about to get, read from
// its plugin's state directory without waiting for calls under way.
func Leases(dir string) ([]gate.Request, error) {
	all, err := readLeases(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no pod was ever started
	}
	var out []gate.Request
	for _, l := range all {
		if l.Released == nil {
			out = append(out, l.request())
		}
	}
	return out, err
}

// Sandboxes are the network namespaces of a node's pods, by address: files as they are
// named on the node. They are read as Leases are.
func Sandboxes(dir string) (map[netip.Addr]string, error) {
	all, err := readLeases(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	out := map[netip.Addr]string{}
	for addr, l := range all {
		if l.Released == nil && l.NetNS != "" {
			out[addr] = l.NetNS
		}
	}
	return out, err
}

// request is the lease in the gate's terms.
func (l lease) request() gate.Request {
	namespace, name, _ := strings.Cut(l.Pod, "/")
	return gate.Request{Namespace: namespace, Name: name, UID: l.UID, Container: l.Container, Address: l.addr}
}

// write replaces a lease's file in one step. It is not forced to the disk: after
// a crash of the machine there are no links, so leases mean nothing anyway.
func (s *leases) write(l lease) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, l.addr.String())
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	s.all[l.addr] = l
	return nil
}

// release ends a lease; the address rests from now on.
func (s *leases) release(addr netip.Addr, now time.Time) error {
	return s.write(lease{addr: addr, Released: &now})
}

// forget ends a lease that was never used: its address needs no rest.
func (s *leases) forget(addr netip.Addr) error {
	delete(s.all, addr)
	err := os.Remove(filepath.Join(s.dir, addr.String()))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// held finds the lease of a pod's interface.
func (s *leases) held(container, ifName string) (lease, bool) {
	for _, l := range s.all {
		if l.of(container, ifName) {
			return l, true
		}
	}
	return lease{}, false
}

// ports lists the host ports of all leases, in the order of their addresses.
func (s *leases) ports() []nft.HostPort {
	var out []nft.HostPort
	for _, addr := range s.addrs() {
		out = append(out, s.all[addr].Ports...)
	}
	return out
}

func (s *leases) addrs() []netip.Addr {
	out := make([]netip.Addr, 0, len(s.all))
	for a := range s.all {
		out = append(out, a)
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// errBusy is "try again later" of the spec; the runtime does.
func errBusy(blocks []netip.Prefix, wait time.Duration) error {
	names := make([]string, len(blocks))
	for i, b := range blocks {
		names[i] = b.String()
	}
	msg := fmt.Sprintf("all pod addresses of this node are in use (%s)", strings.Join(names, ", "))
	if wait > 0 {
		msg += fmt.Sprintf("; one is free in %s", wait.Round(time.Second))
	}
	return types.NewError(types.ErrTryAgainLater, msg, "")
}

// choose picks an address to lease: one never used, else the one that rested
// longest, if it rested long enough. wait says for how long none is free, if
// some are resting. Pure.
func choose(blocks []netip.Prefix, all map[netip.Addr]lease, rest time.Duration, now time.Time) (addr netip.Addr, wait time.Duration, ok bool) {
	var oldest time.Time
	for _, b := range blocks {
		for a := b.Addr(); b.Contains(a); a = a.Next() {
			l, used := all[a]
			if !used {
				return a, 0, true
			}
			if l.Released != nil && (!addr.IsValid() || l.Released.Before(oldest)) {
				addr, oldest = a, *l.Released
			}
		}
	}
	if !addr.IsValid() {
		return addr, 0, false
	}
	// A clock that was set back must not make an address rest for ever.
	if rested := now.Sub(oldest); rested >= 0 && rested < rest {
		return netip.Addr{}, rest - rested, false
	}
	return addr, 0, true
}
