package ec2

import (
	"context"
	"net/netip"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// NATGateway lets subnets without public addresses reach public ones, from its own.
type NATGateway struct {
	ID         string // "nat-…"
	VPC        string
	Subnet     string
	State      string // as the API spells it
	PrivateIP  netip.Addr
	PublicIP   netip.Addr
	Allocation string // "eipalloc-…"
	Created    time.Time
	Deleted    time.Time `json:",omitzero"`
	Failure    string    `json:",omitempty"` // code, of one that failed
	Why        string    `json:",omitempty"`
	Tags       map[string]string
}

// deletedFor is how long a deleted or failed NAT gateway is still shown.
// https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
const deletedFor = time.Hour

func (n NATGateway) living() bool {
	return n.State == string(types.NatGatewayStateAvailable) || n.State == string(types.NatGatewayStatePending)
}

func (s *Service) addNATGateways(svc *api.Service) {
	add(s, svc, "CreateNatGateway", s.CreateNatGateway, func(in *ec2.CreateNatGatewayInput) []string {
		return append(append(s.on("natgateway", made), s.on("elastic-ip", in.AllocationId)...), s.on("subnet", in.SubnetId)...)
	})
	add(s, svc, "DeleteNatGateway", s.DeleteNatGateway, func(in *ec2.DeleteNatGatewayInput) []string { return s.on("natgateway", in.NatGatewayId) })
	add(s, svc, "DescribeNatGateways", s.DescribeNatGateways, nil)
}

// CreateNatGateway makes a public NAT gateway. It is answered as pending, and then
// available; or failed, without an internet gateway.
func (s *Service) CreateNatGateway(ctx context.Context, in *ec2.CreateNatGatewayInput) (*ec2.CreateNatGatewayOutput, error) {
	switch {
	case in.ConnectivityType == types.ConnectivityTypePrivate:
		return nil, unsupported("A private NAT gateway")
	case in.AvailabilityMode == types.AvailabilityModeRegional || in.VpcId != nil || len(in.AvailabilityZoneAddresses) > 0:
		return nil, unsupported("A regional NAT gateway")
	case len(in.SecondaryAllocationIds) > 0 || len(in.SecondaryPrivateIpAddresses) > 0 || in.SecondaryPrivateIpAddressCount != nil || in.PrivateIpAddress != nil:
		return nil, unsupported("A NAT gateway with chosen or secondary addresses")
	case in.SubnetId == nil:
		return nil, absent("subnetId")
	case in.AllocationId == nil:
		return nil, absent("allocationId")
	}
	tags, err := tagsFor(ctx, types.ResourceTypeNatgateway, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	n, err := s.subnetFamily.seek(*in.SubnetId)
	if err != nil {
		return nil, err
	}
	g := NATGateway{
		ID: newID("nat-"), VPC: n.VPC, Subnet: n.ID, State: string(types.NatGatewayStateAvailable), Allocation: *in.AllocationId, Created: s.Now().UTC(), Tags: tags,
	}
	if s.runs(g.VPC) {
		if g.PrivateIP, err = s.ground.Take(ctx, n.ID, "nat/"+g.ID); err != nil {
			return nil, refuse("InsufficientFreeAddressesInSubnet", "Subnet %s has insufficient free addresses to create this NAT gateway", n.ID)
		}
	} else if g.PrivateIP, err = s.spare(n); err != nil {
		return nil, err
	}
	id := g.ID
	err = s.change(ctx, func(tx *store.Tx) error {
		g, err = s.openNAT(tx, in, g)
		return err
	}, n.VPC)
	if err != nil || g.ID != id || !g.living() {
		s.giveBack(ctx, id, n.VPC)
	}
	if err != nil {
		return nil, err
	}
	view := s.natView(g)
	if g.living() {
		view.State = types.NatGatewayStatePending
	}
	return &ec2.CreateNatGatewayOutput{NatGateway: &view, ClientToken: in.ClientToken}, nil
}

// openNAT puts the record of a new gateway, or finds the one that the client's
// token made.
func (s *Service) openNAT(tx *store.Tx, in *ec2.CreateNatGatewayInput, g NATGateway) (NATGateway, error) {
	if id, err := s.repeated(tx, "CreateNatGateway", in.ClientToken, in); err != nil {
		return g, err
	} else if id != "" {
		return s.findNAT(tx, id)
	}
	a, err := s.addressFamily.find(tx, g.Allocation)
	if err != nil {
		return g, err
	}
	if a.inUse() {
		return g, refuse("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", g.Allocation)
	}
	count, attached := 0, false
	place, _ := s.subnetFamily.table.In(tx).Get(g.Subnet)
	for _, other := range s.natFamily.list(tx) {
		if n, _ := s.subnetFamily.table.Get(other.Subnet); n.Zone == place.Zone && other.living() {
			count++
		}
		if !other.living() && s.Now().Sub(other.Deleted) > deletedFor {
			s.natFamily.drop(tx, other.ID)
		}
	}
	for _, i := range s.gatewayFamily.list(tx) {
		attached = attached || i.VPC == g.VPC
	}
	switch {
	case count >= maxNATGateways:
		return g, refuse("NatGatewayLimitExceeded", "Performing this operation would exceed the limit of %d NAT gateways", maxNATGateways)
	case !attached:
		g.State, g.Deleted = string(types.NatGatewayStateFailed), g.Created
		g.Failure, g.Why = "Gateway.NotAttached", "Network "+g.VPC+" has no Internet gateway attached"
		g.PrivateIP = netip.Addr{}
	default:
		g.PublicIP = a.PublicIP
		a.Association, a.NAT, a.PrivateIP = newID("eipassoc-"), g.ID, g.PrivateIP
		s.addressFamily.put(tx, a.ID, a)
	}
	s.natFamily.put(tx, g.ID, g)
	s.remember(tx, "CreateNatGateway", in.ClientToken, in, g.ID)
	return g, nil
}

// giveBack returns the private address of a gateway that is none.
func (s *Service) giveBack(ctx context.Context, id, vpc string) {
	if s.runs(vpc) {
		_ = s.ground.Release(ctx, "nat/"+id) // what stays taken is one address, until the subnet goes
	}
}

// spare is a free address of a subnet in a VPC that is records only.
func (s *Service) spare(n Subnet) (netip.Addr, error) {
	taken := map[netip.Addr]bool{}
	for _, a := range s.taken(n.ID) {
		taken[a] = true
	}
	a := n.CIDR.Addr()
	for range 4 {
		a = a.Next()
	}
	for ; n.CIDR.Contains(a.Next()); a = a.Next() {
		if !taken[a] {
			return a, nil
		}
	}
	return a, refuse("InsufficientFreeAddressesInSubnet", "Subnet %s has insufficient free addresses to create this NAT gateway", n.ID)
}

// DeleteNatGateway deletes a gateway. Its Elastic IP address stays the account's,
// routes to it become blackholes.
func (s *Service) DeleteNatGateway(ctx context.Context, in *ec2.DeleteNatGatewayInput) (*ec2.DeleteNatGatewayOutput, error) {
	id := aws.ToString(in.NatGatewayId)
	g, err := s.seekNAT(id)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, func(tx *store.Tx) error {
		g, err := s.findNAT(tx, id)
		if err != nil || g.State == string(types.NatGatewayStateDeleted) {
			return err
		}
		if a, ok := s.addressFamily.table.In(tx).Get(g.Allocation); ok && a.NAT == id {
			s.addressFamily.put(tx, a.ID, a.freed())
		}
		g.State, g.Deleted = string(types.NatGatewayStateDeleted), s.Now().UTC()
		s.natFamily.put(tx, id, g)
		return nil
	}, g.VPC)
	if err != nil {
		return nil, err
	}
	s.giveBack(ctx, id, g.VPC)
	return &ec2.DeleteNatGatewayOutput{NatGatewayId: aws.String(id)}, nil
}

func (s *Service) findNAT(tx *store.Tx, id string) (NATGateway, error) {
	g, ok := s.natFamily.table.In(tx).Get(id)
	if !ok {
		return g, errNoNAT(id)
	}
	return g, nil
}

func (s *Service) seekNAT(id string) (NATGateway, error) {
	g, ok := s.natFamily.table.Get(id)
	if !ok {
		return g, errNoNAT(id)
	}
	return g, nil
}

func errNoNAT(id string) error {
	return refuse("NatGatewayNotFound", "The Nat Gateway %s was not found", id)
}

// DescribeNatGateways lists NAT gateways, for an hour also those that are no more.
func (s *Service) DescribeNatGateways(_ context.Context, in *ec2.DescribeNatGatewaysInput) (*ec2.DescribeNatGatewaysOutput, error) {
	for _, id := range in.NatGatewayIds {
		if _, err := s.seekNAT(id); err != nil {
			return nil, err
		}
	}
	found, next, err := s.natFamily.describe(query{nil, in.NatGatewayIds, in.Filter, in.MaxResults, in.NextToken, "DescribeNatGateways"},
		attributes[NATGateway]{
			"nat-gateway-id": func(g NATGateway) []string { return []string{g.ID} },
			"state":          func(g NATGateway) []string { return []string{g.State} },
			"subnet-id":      func(g NATGateway) []string { return []string{g.Subnet} },
			"vpc-id":         func(g NATGateway) []string { return []string{g.VPC} },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNatGatewaysOutput{NextToken: next, NatGateways: []types.NatGateway{}}
	for _, g := range found {
		if g.living() || s.Now().Sub(g.Deleted) <= deletedFor {
			out.NatGateways = append(out.NatGateways, s.natView(g))
		}
	}
	return out, nil
}

func (s *Service) natView(g NATGateway) types.NatGateway {
	view := types.NatGateway{
		NatGatewayId: aws.String(g.ID), VpcId: aws.String(g.VPC), SubnetId: aws.String(g.Subnet), State: types.NatGatewayState(g.State),
		ConnectivityType: types.ConnectivityTypePublic, CreateTime: aws.Time(g.Created), FailureCode: pointer(g.Failure), FailureMessage: pointer(g.Why),
		AvailabilityMode: types.AvailabilityModeZonal, NatGatewayAddresses: []types.NatGatewayAddress{}, Tags: tags(g.Tags),
	}
	if !g.Deleted.IsZero() {
		view.DeleteTime = aws.Time(g.Deleted)
	}
	if g.PrivateIP.IsValid() {
		a, _ := s.addressFamily.table.Get(g.Allocation)
		address := types.NatGatewayAddress{
			AllocationId: aws.String(g.Allocation), NetworkInterfaceId: aws.String(interfaceID(g.ID)), IsPrimary: aws.Bool(true),
			PrivateIp: aws.String(g.PrivateIP.String()), PublicIp: aws.String(g.PublicIP.String()),
		}
		if a.NAT == g.ID {
			address.AssociationId, address.Status = pointer(a.Association), types.NatGatewayAddressStatusSucceeded
		}
		view.NatGatewayAddresses = append(view.NatGatewayAddresses, address)
	}
	return view
}

// interfaceID is that of the interface that a gateway has in its subnet.
func interfaceID(of string) string { return "eni-0" + digestOf(of)[:16] }

func (s *Service) natKey(g NATGateway, key string) string {
	if key == "ec2:vpc" {
		return s.arn("vpc", g.VPC)
	}
	return ""
}
