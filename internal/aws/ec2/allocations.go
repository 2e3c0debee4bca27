package ec2

import (
	"net/netip"

	"github.com/eksact/eksact/internal/store"
)

// Allocation finds an Elastic IP address, and the interface that has it as a load
// balancer's; "" if none has.
func (s *Service) Allocation(id string) (public netip.Addr, eni string, ok bool) {
	a, ok := s.addressFamily.table.Get(id)
	return a.PublicIP, a.Interface, ok
}

// setAllocation gives the interface of a load balancer its Elastic IP address, and
// takes back what it had of others. One that something else has is refused.
func (s *Service) setAllocation(tx *store.Tx, n NetworkInterface) error {
	for _, a := range s.addressFamily.list(tx) {
		if a.Interface == n.ID && a.ID != n.Allocation {
			s.addressFamily.put(tx, a.ID, a.freed())
		}
	}
	if n.Allocation == "" {
		return nil
	}
	a, err := s.addressFamily.find(tx, n.Allocation)
	if err != nil {
		return err
	}
	if a.inUse() && a.Interface != n.ID {
		return refuse("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.ID, a.Association)
	}
	if a.Interface != n.ID {
		a.Association = newID("eipassoc-")
	}
	a.Interface, a.PrivateIP = n.ID, n.IP
	s.addressFamily.put(tx, a.ID, a)
	return nil
}
