package ec2

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/store"
)

// NetworkInterface is an elastic network interface. Those of instances are kept
// with their instance; others (a control plane's, a load balancer's, a NAT
// gateway's, a pod's) are put by what they belong to.
type NetworkInterface struct {
	ID          string // "eni-…"
	Type        types.NetworkInterfaceType
	Description string
	VPC         string
	Subnet      string
	Zone        string
	MAC         string
	IP          netip.Addr     // primary private address
	Secondary   []netip.Addr   // private addresses beside it
	Prefixes    []netip.Prefix // delegated for pods
	PublicIP    netip.Addr
	Allocation  string `json:",omitempty"` // of an Elastic IP address, if PublicIP is one
	PrivateDNS  string
	Groups      []string
	// Requester is the account or service that made the interface for its own use
	// and manages it; "" of those that the account made.
	Requester string

	// Instance and what follows say what it is attached to.
	Instance      string
	InstanceOwner string // account id, or a service's alias
	Device        int32
	Attached      time.Time
	// Trunk is the id of a branch interface's trunk, an instance's.
	Trunk string
	// Pod is the unique id of the pod that a branch interface is of.
	Pod string
	// Endpoint is the id of the VPC endpoint that the interface is of.
	Endpoint string `json:",omitempty"`

	Tags map[string]string
}

// addresses are all of the interface's private ones, those of its prefixes too.
func (n NetworkInterface) Addresses() []netip.Addr {
	var all []netip.Addr
	if n.IP.IsValid() {
		all = append(all, n.IP)
	}
	all = append(all, n.Secondary...)
	for _, p := range n.Prefixes {
		for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
			all = append(all, a)
		}
	}
	return all
}

// PutNetworkInterface creates or replaces an interface that is no instance's.
func (s *Service) PutNetworkInterface(ctx context.Context, n NetworkInterface) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		if old, ok := s.enis.In(tx).Get(n.ID); ok {
			n.Tags = old.Tags // may have been changed
		}
		if err := s.setAllocation(tx, n); err != nil {
			return err
		}
		s.enis.In(tx).Put(n.ID, n)
		return nil
	})
}

// PutBranch gives a pod an interface of its own, of which a trunk has up to limit,
// and takes those away that had its address before. An interface without groups is
// only taken away.
func (s *Service) PutBranch(ctx context.Context, n NetworkInterface, limit int) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		count := 0
		for _, old := range s.enis.In(tx).List("") {
			switch {
			case old.Pod == "" || old.ID == n.ID && len(n.Groups) > 0:
			case old.IP == n.IP:
				s.enis.In(tx).Delete(old.ID)
			case old.Trunk == n.Trunk:
				count++
			}
		}
		if len(n.Groups) == 0 {
			return nil
		}
		if count >= limit {
			return fmt.Errorf("trunk interface %s has %d branch interfaces, as many as its instance may have", n.Trunk, count)
		}
		if err := s.checkGroupsOf(tx, n.VPC, n.Groups); err != nil {
			return err
		}
		s.enis.In(tx).Put(n.ID, n)
		return nil
	})
}

// DeleteInterfaces removes interfaces that are no instance's, those that are there.
func (s *Service) DeleteInterfaces(ctx context.Context, ids ...string) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		for _, id := range ids {
			n, ok := s.enis.In(tx).Get(id)
			if !ok {
				continue
			}
			n.Allocation = ""
			if err := s.setAllocation(tx, n); err != nil {
				return err
			}
			s.enis.In(tx).Delete(id)
		}
		return nil
	})
}

// NetworkInterfaces returns all interfaces, by id.
func (s *Service) NetworkInterfaces() []NetworkInterface {
	return s.interfacesAmong(s.instances.List(""), s.enis.List(""))
}

// NetworkInterface returns an interface.
func (s *Service) NetworkInterface(id string) (NetworkInterface, bool) {
	if n, ok := s.enis.Get(id); ok {
		return n, true
	}
	for _, i := range s.instances.List("") {
		for _, n := range s.interfacesOf(i) {
			if n.ID == id {
				return n, true
			}
		}
	}
	return NetworkInterface{}, false
}

func (s *Service) interfacesIn(tx *store.Tx) []NetworkInterface {
	return s.interfacesAmong(s.instances.In(tx).List(""), s.enis.In(tx).List(""))
}

func (s *Service) interfacesAmong(instances iter.Seq2[string, Instance], others iter.Seq2[string, NetworkInterface]) []NetworkInterface {
	all := values(others)
	for _, i := range instances {
		all = append(all, s.interfacesOf(i)...)
	}
	return byID(all)
}

func byID(all []NetworkInterface) []NetworkInterface {
	slices.SortFunc(all, func(a, b NetworkInterface) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// interfacesOf are an instance's own. One whose end has begun keeps them until it
// is gone.
func (s *Service) interfacesOf(i Instance) (all []NetworkInterface) {
	if i.State == Terminated {
		return nil
	}
	for index, n := range i.Interfaces {
		eni := NetworkInterface{
			ID: n.ID, Type: types.NetworkInterfaceTypeInterface, VPC: i.VPC, Subnet: n.Subnet, Zone: i.Zone, MAC: n.MAC,
			IP: n.IP, Prefixes: n.Prefixes, Groups: n.Groups,
			Instance: i.ID, InstanceOwner: s.place.AccountID, Device: int32(index), Attached: i.LaunchTime,
		}
		if index == 0 {
			eni.PublicIP, eni.PrivateDNS = i.PublicIP, i.PrivateDNS
		}
		all = append(all, eni)
	}
	return all
}

// setInterfaceGroups gives an interface other groups.
func (s *Service) setInterfaceGroups(tx *store.Tx, n NetworkInterface, groups []string) error {
	if err := s.checkGroupsOf(tx, n.VPC, groups); err != nil {
		return err
	}
	if n.Instance == "" || n.Trunk != "" {
		n.Groups = groups
		s.enis.In(tx).Put(n.ID, n)
		return nil
	}
	i, ok := s.instances.In(tx).Get(n.Instance)
	if !ok {
		return notThere(instanceKind, n.Instance)
	}
	i.Interfaces = slices.Clone(i.Interfaces)
	for index := range i.Interfaces {
		if i.Interfaces[index].ID == n.ID {
			i.Interfaces[index].Groups = groups
			if index == 0 {
				i.Groups = groups
			}
		}
	}
	s.instances.In(tx).Put(i.ID, i)
	return nil
}
