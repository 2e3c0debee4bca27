package ec2

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Address is an Elastic IP address.
type Address struct {
	ID       string // "eipalloc-…"
	PublicIP netip.Addr
	Tags     map[string]string

	Association string     `json:",omitempty"` // "eipassoc-…"
	Instance    string     `json:",omitempty"` // that has it
	NAT         string     `json:",omitempty"` // or the NAT gateway
	Interface   string     `json:",omitempty"` // or the interface of a load balancer
	PrivateIP   netip.Addr `json:",omitzero"`  // that it stands for
}

func (a Address) inUse() bool { return a.Association != "" }

// byService is whether what has the address is not the caller's to take it from.
func (a Address) byService() bool { return a.NAT != "" || a.Interface != "" }

// freed is the address without its association.
func (a Address) freed() Address {
	a.Association, a.Instance, a.NAT, a.Interface, a.PrivateIP = "", "", "", "", netip.Addr{}
	return a
}

// maxAddresses is what fits the pool.
const maxAddresses = 200

func (s *Service) addAddresses(svc *api.Service) {
	add(s, svc, "AllocateAddress", s.AllocateAddress, func(*ec2.AllocateAddressInput) []string { return s.on("elastic-ip", made) })
	add(s, svc, "ReleaseAddress", s.ReleaseAddress, func(in *ec2.ReleaseAddressInput) []string { return s.on("elastic-ip", in.AllocationId) })
	add(s, svc, "AssociateAddress", s.AssociateAddress, func(in *ec2.AssociateAddressInput) []string {
		return append(append(s.on("elastic-ip", in.AllocationId), s.on("instance", in.InstanceId)...), s.on("network-interface", in.NetworkInterfaceId)...)
	})
	add(s, svc, "DisassociateAddress", s.DisassociateAddress, func(in *ec2.DisassociateAddressInput) []string {
		a, ok := s.addressBy(aws.ToString(in.AssociationId), aws.ToString(in.PublicIp))
		if !ok {
			return s.on("elastic-ip", made)
		}
		return s.on("elastic-ip", &a.ID)
	})
	add(s, svc, "DescribeAddresses", s.DescribeAddresses, nil)
}

// AllocateAddress draws an Elastic IP address of the network's public pool.
func (s *Service) AllocateAddress(ctx context.Context, in *ec2.AllocateAddressInput) (*ec2.AllocateAddressOutput, error) {
	switch {
	case in.Domain == types.DomainTypeStandard:
		return nil, unsupported("An address of EC2-Classic")
	case in.Address != nil || in.CustomerOwnedIpv4Pool != nil || in.IpamPoolId != nil || in.PublicIpv4Pool != nil && *in.PublicIpv4Pool != "amazon":
		return nil, unsupported("An address of one's own, or of another pool than Amazon's,")
	case in.NetworkBorderGroup != nil && *in.NetworkBorderGroup != s.place.Region:
		return nil, invalid("Value (%s) for parameter networkBorderGroup is invalid.", *in.NetworkBorderGroup)
	}
	tags, err := tagsFor(ctx, types.ResourceTypeElasticIp, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	a := Address{ID: newID("eipalloc-"), Tags: tags}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if len(s.addressFamily.list(tx)) >= maxAddresses {
			return refuse("AddressLimitExceeded", "The maximum number of addresses has been reached.")
		}
		var err error
		if a.PublicIP, err = s.freePublic(tx); err != nil {
			return err
		}
		s.addressFamily.put(tx, a.ID, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.AllocateAddressOutput{
		AllocationId: aws.String(a.ID), PublicIp: aws.String(a.PublicIP.String()), Domain: types.DomainTypeVpc,
		NetworkBorderGroup: aws.String(s.place.Region), PublicIpv4Pool: aws.String("amazon"),
	}, nil
}

// freePublic finds a public address that nothing has.
func (s *Service) freePublic(tx *store.Tx) (netip.Addr, error) {
	taken := map[netip.Addr]bool{}
	for _, a := range s.addressFamily.list(tx) {
		taken[a.PublicIP] = true
	}
	for _, i := range s.instances.In(tx).List("") {
		taken[i.PublicIP] = true
	}
	pool := s.publicPool()
	a := pool.Addr().Next()
	for taken[a] {
		a = a.Next()
	}
	if !pool.Contains(a) {
		return a, api.Errorf(http.StatusBadRequest, "InsufficientAddressCapacity", "There are not enough addresses in the pool.")
	}
	return a, nil
}

// publicPool is where public addresses are of; without a network, a range that is
// for documentation (RFC 5737).
func (s *Service) publicPool() netip.Prefix {
	if s.ground == nil {
		return netip.MustParsePrefix("203.0.113.0/24")
	}
	return s.ground.PublicPool()
}

// ReleaseAddress gives an address back that nothing has.
func (s *Service) ReleaseAddress(ctx context.Context, in *ec2.ReleaseAddressInput) (*ec2.ReleaseAddressOutput, error) {
	if in.AllocationId == nil {
		if in.PublicIp != nil {
			return nil, refuse("InvalidParameterCombination", "You must specify an allocation id when releasing a VPC elastic IP address")
		}
		return nil, absent("allocationId")
	}
	return &ec2.ReleaseAddressOutput{}, s.store.Update(ctx, func(tx *store.Tx) error {
		a, err := s.addressFamily.find(tx, *in.AllocationId)
		if err != nil {
			return err
		}
		if a.inUse() {
			return refuse("InvalidIPAddress.InUse", "Address %s is in use.", a.PublicIP)
		}
		s.addressFamily.drop(tx, a.ID)
		return nil
	})
}

// AssociateAddress gives an instance an address: it is reached by it and goes out
// by it, as far as its subnet's routes lead to an internet gateway.
func (s *Service) AssociateAddress(ctx context.Context, in *ec2.AssociateAddressInput) (*ec2.AssociateAddressOutput, error) {
	if in.AllocationId == nil {
		return nil, absent("allocationId")
	}
	i, err := s.addressed(aws.ToString(in.InstanceId), aws.ToString(in.NetworkInterfaceId), aws.ToString(in.PrivateIpAddress))
	if err != nil {
		return nil, err
	}
	var a Address
	err = s.change(ctx, func(tx *store.Tx) error {
		now, ok := s.instances.In(tx).Get(i.ID)
		if !ok || now.State != Running && now.State != Stopped && now.State != Pending {
			return refuse("IncorrectInstanceState", "The instance '%s' is not in the 'running' or 'stopped' state.", i.ID)
		}
		if a, err = s.addressFamily.find(tx, *in.AllocationId); err != nil {
			return err
		}
		if a.Instance == i.ID {
			return nil
		}
		if a.byService() || a.inUse() && in.AllowReassociation != nil && !*in.AllowReassociation {
			return refuse("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.ID, a.Association)
		}
		s.withdraw(tx, a.Instance)
		for _, other := range s.addressFamily.list(tx) {
			if other.Instance == i.ID && other.ID != a.ID {
				s.addressFamily.put(tx, other.ID, other.freed())
			}
		}
		a.Association, a.Instance, a.PrivateIP = newID("eipassoc-"), i.ID, i.PrivateIP
		now.PublicIP, now.PublicDNS = a.PublicIP, publicName(a.PublicIP, s.place.Region)
		s.addressFamily.put(tx, a.ID, a)
		s.instances.In(tx).Put(i.ID, now)
		return nil
	}, i.VPC)
	if err != nil {
		return nil, err
	}
	return &ec2.AssociateAddressOutput{AssociationId: aws.String(a.Association)}, nil
}

// addressed is the instance that an address is for: by itself, or by its interface.
func (s *Service) addressed(instance, eni, private string) (Instance, error) {
	if instance == "" && eni == "" {
		return Instance{}, refuse("MissingParameter", "Either 'instanceId' or 'networkInterfaceId' must be specified")
	}
	for _, i := range s.Instances() {
		if len(i.Interfaces) == 0 { // terminated
			continue
		}
		if instance != "" && i.ID != instance || eni != "" && !slices.ContainsFunc(i.Interfaces[:1], func(n Interface) bool { return n.ID == eni }) {
			continue
		}
		if private != "" && private != i.PrivateIP.String() {
			return i, unsupported("A public address for another private address than an instance's primary one")
		}
		return i, nil
	}
	if instance != "" {
		return Instance{}, refuse(instanceKind.notFound, "The instance ID '%s' does not exist", instance)
	}
	return Instance{}, refuse("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist, or is not an instance's", eni)
}

// withdraw takes the public address from an instance's record.
func (s *Service) withdraw(tx *store.Tx, instance string) {
	if i, ok := s.instances.In(tx).Get(instance); ok {
		i.PublicIP, i.PublicDNS = netip.Addr{}, ""
		s.instances.In(tx).Put(instance, i)
	}
}

// DisassociateAddress takes an address from its instance.
func (s *Service) DisassociateAddress(ctx context.Context, in *ec2.DisassociateAddressInput) (*ec2.DisassociateAddressOutput, error) {
	id := aws.ToString(in.AssociationId)
	if id == "" && in.PublicIp == nil {
		return nil, absent("associationId")
	}
	a, ok := s.addressBy(id, aws.ToString(in.PublicIp))
	switch {
	case !ok:
		return nil, refuse("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
	case a.byService():
		return nil, api.Errorf(http.StatusBadRequest, "AuthFailure", "You do not have permission to access the specified resource.")
	}
	return &ec2.DisassociateAddressOutput{}, s.change(ctx, func(tx *store.Tx) error {
		now, err := s.addressFamily.find(tx, a.ID)
		if err != nil {
			return err
		}
		s.withdraw(tx, now.Instance)
		s.addressFamily.put(tx, a.ID, now.freed())
		return nil
	}, s.vpcOf(a.Instance))
}

func (s *Service) vpcOf(instance string) string {
	i, _ := s.instances.Get(instance)
	return i.VPC
}

// addressBy finds an associated address.
func (s *Service) addressBy(association, public string) (Address, bool) {
	for _, a := range s.addressFamily.all() {
		if a.inUse() && (a.Association == association || association == "" && a.PublicIP.String() == public) {
			return a, true
		}
	}
	return Address{}, false
}

// DescribeAddresses lists Elastic IP addresses. This call has no pages.
func (s *Service) DescribeAddresses(_ context.Context, in *ec2.DescribeAddressesInput) (*ec2.DescribeAddressesOutput, error) {
	for _, ip := range in.PublicIps {
		if !slices.ContainsFunc(s.addressFamily.all(), func(a Address) bool { return a.PublicIP.String() == ip }) {
			return nil, refuse("InvalidAddress.NotFound", "Address '%s' not found.", ip)
		}
	}
	filters := in.Filters
	if len(in.PublicIps) > 0 {
		filters = append(slices.Clone(filters), types.Filter{Name: aws.String("public-ip"), Values: in.PublicIps})
	}
	found, _, err := s.addressFamily.describe(query{nil, in.AllocationIds, filters, nil, nil, "DescribeAddresses"},
		attributes[Address]{
			"allocation-id":        func(a Address) []string { return []string{a.ID} },
			"association-id":       func(a Address) []string { return optional(a.Association) },
			"domain":               func(Address) []string { return []string{"vpc"} },
			"instance-id":          func(a Address) []string { return optional(a.Instance) },
			"network-border-group": func(Address) []string { return []string{s.place.Region} },
			"network-interface-id": func(a Address) []string { return optional(s.interfaceOf(a)) },
			"network-interface-owner-id": func(a Address) []string {
				if !a.inUse() {
					return nil
				}
				return []string{s.place.AccountID}
			},
			"private-ip-address": func(a Address) []string { return address(a.PrivateIP) },
			"public-ip":          func(a Address) []string { return address(a.PublicIP) },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeAddressesOutput{Addresses: []types.Address{}}
	for _, a := range found {
		view := types.Address{
			AllocationId: aws.String(a.ID), PublicIp: aws.String(a.PublicIP.String()), Domain: types.DomainTypeVpc,
			NetworkBorderGroup: aws.String(s.place.Region), PublicIpv4Pool: aws.String("amazon"),
			AssociationId: pointer(a.Association), InstanceId: pointer(a.Instance), NetworkInterfaceId: pointer(s.interfaceOf(a)), Tags: tags(a.Tags),
		}
		if a.inUse() {
			view.PrivateIpAddress, view.NetworkInterfaceOwnerId = aws.String(a.PrivateIP.String()), aws.String(s.place.AccountID)
		}
		out.Addresses = append(out.Addresses, view)
	}
	return out, nil
}

// interfaceOf is the interface that has an address.
func (s *Service) interfaceOf(a Address) string {
	switch i, ok := s.instances.Get(a.Instance); {
	case a.Interface != "":
		return a.Interface
	case a.NAT != "":
		return interfaceID(a.NAT)
	case ok && len(i.Interfaces) > 0:
		return i.Interfaces[0].ID
	}
	return ""
}

func addressKey(a Address, key string) string {
	switch key {
	case "ec2:allocationid":
		return a.ID
	case "ec2:domain":
		return "vpc"
	case "ec2:publicipaddress":
		return a.PublicIP.String()
	}
	return ""
}
