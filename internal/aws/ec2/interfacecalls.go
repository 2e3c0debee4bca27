package ec2

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// DescribeNetworkInterfaces lists interfaces.
func (s *Service) DescribeNetworkInterfaces(_ context.Context, in *ec2.DescribeNetworkInterfacesInput) (*ec2.DescribeNetworkInterfacesOutput, error) {
	found, next, err := runOver(s.NetworkInterfaces(), func(n NetworkInterface) string { return n.ID }, interfaceKind,
		query{in.DryRun, in.NetworkInterfaceIds, in.Filters, in.MaxResults, in.NextToken, "DescribeNetworkInterfaces"},
		s.eniAttributes(), func(n NetworkInterface) map[string]string { return n.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNetworkInterfacesOutput{NextToken: next, NetworkInterfaces: []types.NetworkInterface{}}
	for _, n := range found {
		out.NetworkInterfaces = append(out.NetworkInterfaces, s.eniView(n))
	}
	return out, nil
}

func (s *Service) eniAttributes() attributes[NetworkInterface] {
	attached := func(value func(NetworkInterface) string) func(NetworkInterface) []string {
		return func(n NetworkInterface) []string {
			if n.InstanceOwner == "" {
				return nil
			}
			return optional(value(n))
		}
	}
	addresses := func(n NetworkInterface) []string {
		list := address(n.IP)
		for _, a := range n.Secondary {
			list = append(list, a.String())
		}
		return list
	}
	public := func(n NetworkInterface) []string { return address(n.PublicIP) }
	return attributes[NetworkInterface]{
		"network-interface-id":            func(n NetworkInterface) []string { return []string{n.ID} },
		"interface-type":                  func(n NetworkInterface) []string { return []string{string(n.Type)} },
		"description":                     func(n NetworkInterface) []string { return []string{n.Description} },
		"vpc-id":                          func(n NetworkInterface) []string { return []string{n.VPC} },
		"subnet-id":                       func(n NetworkInterface) []string { return []string{n.Subnet} },
		"availability-zone":               func(n NetworkInterface) []string { return []string{n.Zone} },
		"availability-zone-id":            func(n NetworkInterface) []string { return []string{zoneID(n.Zone)} },
		"mac-address":                     func(n NetworkInterface) []string { return []string{n.MAC} },
		"owner-id":                        func(NetworkInterface) []string { return []string{s.place.AccountID} },
		"private-ip-address":              addresses,
		"addresses.private-ip-address":    addresses,
		"addresses.primary":               primaries,
		"private-dns-name":                func(n NetworkInterface) []string { return optional(n.PrivateDNS) },
		"association.public-ip":           public,
		"addresses.association.public-ip": public,
		"group-id":                        func(n NetworkInterface) []string { return n.Groups },
		"requester-id":                    func(n NetworkInterface) []string { return optional(n.Requester) },
		"requester-managed":               func(n NetworkInterface) []string { return boolean(n.Requester != "") },
		"source-dest-check":               func(n NetworkInterface) []string { return boolean(n.checked()) },
		"status":                          func(n NetworkInterface) []string { return []string{string(n.status())} },
		"attachment.attachment-id":        attached(attachmentID),
		"attachment.instance-id":          attached(func(n NetworkInterface) string { return n.Instance }),
		"attachment.instance-owner-id":    attached(func(n NetworkInterface) string { return n.InstanceOwner }),
		"attachment.device-index":         attached(func(n NetworkInterface) string { return strconv.Itoa(int(n.Device)) }),
		"attachment.status":               attached(func(NetworkInterface) string { return "attached" }),
		"attachment.attach-time":          attached(func(n NetworkInterface) string { return n.Attached.UTC().Format(time.RFC3339) }),
		"attachment.delete-on-termination": attached(func(n NetworkInterface) string {
			return strconv.FormatBool(n.Instance != "")
		}),
	}
}

// primaries are the values of addresses.primary of an interface's addresses.
func primaries(n NetworkInterface) []string {
	if len(n.Secondary) > 0 {
		return []string{"true", "false"}
	}
	return []string{"true"}
}

func (n NetworkInterface) status() types.NetworkInterfaceStatus {
	if n.InstanceOwner == "" && n.Trunk == "" {
		return types.NetworkInterfaceStatusAvailable
	}
	return types.NetworkInterfaceStatusInUse
}

// checked is whether the interface's packets must be its own: a NAT gateway's
// are others'.
func (n NetworkInterface) checked() bool {
	return n.Type != types.NetworkInterfaceTypeNatGateway && n.Type != types.NetworkInterfaceTypeNetworkLoadBalancer
}

// attachmentID is the stable id of an interface's attachment.
func attachmentID(n NetworkInterface) string {
	return "eni-attach-" + n.ID[min(len(n.ID), len("eni-")):]
}

func (s *Service) eniView(n NetworkInterface) types.NetworkInterface {
	view := types.NetworkInterface{
		NetworkInterfaceId: aws.String(n.ID),
		InterfaceType:      n.Type,
		Description:        aws.String(n.Description),
		VpcId:              aws.String(n.VPC),
		SubnetId:           aws.String(n.Subnet),
		AvailabilityZone:   aws.String(n.Zone),
		AvailabilityZoneId: aws.String(zoneID(n.Zone)),
		MacAddress:         aws.String(n.MAC),
		OwnerId:            aws.String(s.place.AccountID),
		PrivateDnsName:     pointer(n.PrivateDNS),
		RequesterId:        pointer(n.Requester),
		RequesterManaged:   aws.Bool(n.Requester != ""),
		SourceDestCheck:    aws.Bool(n.checked()),
		Status:             n.status(),
		Groups:             s.identify(n.Groups),
		Ipv6Addresses:      []types.NetworkInterfaceIpv6Address{},
		TagSet:             tags(n.Tags),
	}
	if n.PublicIP.IsValid() {
		view.Association = &types.NetworkInterfaceAssociation{PublicIp: aws.String(n.PublicIP.String()), IpOwnerId: aws.String("amazon")}
	}
	if n.Allocation != "" {
		a, _ := s.addressFamily.table.Get(n.Allocation)
		view.Association.AllocationId, view.Association.AssociationId, view.Association.IpOwnerId = aws.String(n.Allocation), pointer(a.Association), aws.String(s.place.AccountID)
	}
	for i, a := range append(valid(n.IP), n.Secondary...) {
		shown := types.NetworkInterfacePrivateIpAddress{PrivateIpAddress: aws.String(a.String()), Primary: aws.Bool(i == 0)}
		if i == 0 {
			view.PrivateIpAddress, shown.PrivateDnsName, shown.Association = shown.PrivateIpAddress, view.PrivateDnsName, view.Association
		}
		view.PrivateIpAddresses = append(view.PrivateIpAddresses, shown)
	}
	for _, p := range n.Prefixes {
		view.Ipv4Prefixes = append(view.Ipv4Prefixes, types.Ipv4PrefixSpecification{Ipv4Prefix: aws.String(p.String())})
	}
	if n.InstanceOwner != "" {
		view.Attachment = &types.NetworkInterfaceAttachment{
			AttachmentId: aws.String(attachmentID(n)), AttachTime: aws.Time(n.Attached), DeleteOnTermination: aws.Bool(n.Instance != ""),
			DeviceIndex: aws.Int32(n.Device), InstanceId: pointer(n.Instance), InstanceOwnerId: aws.String(n.InstanceOwner),
			NetworkCardIndex: aws.Int32(0), Status: types.AttachmentStatusAttached,
		}
	}
	return view
}

func valid(a netip.Addr) []netip.Addr {
	if !a.IsValid() {
		return nil
	}
	return []netip.Addr{a}
}

// interfaceIn reads the interface that a call names.
func (s *Service) interfaceIn(tx *store.Tx, id *string) (NetworkInterface, error) {
	if aws.ToString(id) == "" {
		return NetworkInterface{}, absent("networkInterfaceId")
	}
	all := s.interfacesIn(tx)
	i := slices.IndexFunc(all, func(n NetworkInterface) bool { return n.ID == *id })
	if i < 0 {
		return NetworkInterface{}, notThere(interfaceKind, *id)
	}
	return all[i], nil
}

// DescribeNetworkInterfaceAttribute shows one attribute of an interface.
func (s *Service) DescribeNetworkInterfaceAttribute(ctx context.Context, in *ec2.DescribeNetworkInterfaceAttributeInput) (*ec2.DescribeNetworkInterfaceAttributeOutput, error) {
	found, err := s.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{aws.ToString(in.NetworkInterfaceId)}, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	n := found.NetworkInterfaces[0]
	out := &ec2.DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: n.NetworkInterfaceId}
	switch in.Attribute {
	case types.NetworkInterfaceAttributeDescription:
		out.Description = &types.AttributeValue{Value: n.Description}
	case types.NetworkInterfaceAttributeGroupSet:
		out.Groups = n.Groups
	case types.NetworkInterfaceAttributeSourceDestCheck:
		out.SourceDestCheck = &types.AttributeBooleanValue{Value: n.SourceDestCheck}
	case types.NetworkInterfaceAttributeAttachment:
		out.Attachment = n.Attachment
	default:
		return nil, invalid("Value (%s) for parameter attribute is invalid. Unknown network interface attribute", in.Attribute)
	}
	return out, nil
}

// ModifyNetworkInterfaceAttribute gives an interface other security groups. Its
// other attributes can't be changed.
func (s *Service) ModifyNetworkInterfaceAttribute(ctx context.Context, in *ec2.ModifyNetworkInterfaceAttributeInput) (*ec2.ModifyNetworkInterfaceAttributeOutput, error) {
	for name, given := range map[string]bool{
		"Attachment": in.Attachment != nil, "Description": in.Description != nil, "SourceDestCheck": in.SourceDestCheck != nil,
		"AssociatePublicIpAddress": in.AssociatePublicIpAddress != nil, "AssociatedSubnetIds": len(in.AssociatedSubnetIds) > 0,
		"ConnectionTrackingSpecification": in.ConnectionTrackingSpecification != nil, "EnaSrdSpecification": in.EnaSrdSpecification != nil,
		"EnablePrimaryIpv6": in.EnablePrimaryIpv6 != nil,
	} {
		if given {
			return nil, api.Errorf(http.StatusBadRequest, "UnsupportedOperation", "%s of a network interface can't be modified here: only its security groups.", name)
		}
	}
	err := s.changeGroups(ctx, in.DryRun, func(tx *store.Tx) error {
		n, err := s.interfaceIn(tx, in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		if n.Requester != "" {
			return api.Errorf(http.StatusForbidden, "AuthFailure", "You do not have permission to access the specified resource.")
		}
		return s.setInterfaceGroups(tx, n, in.Groups)
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyNetworkInterfaceAttributeOutput{}, nil
}

// DeleteNetworkInterface refuses: all interfaces here are of instances, gateways, load
// balancers, endpoints and clusters, which they come and go with.
func (s *Service) DeleteNetworkInterface(_ context.Context, in *ec2.DeleteNetworkInterfaceInput) (*ec2.DeleteNetworkInterfaceOutput, error) {
	id := aws.ToString(in.NetworkInterfaceId)
	if id == "" {
		return nil, absent("networkInterfaceId")
	}
	if aws.ToBool(in.DryRun) {
		return nil, errDryRun()
	}
	if _, there := s.NetworkInterface(id); !there {
		return nil, notThere(interfaceKind, id)
	}
	return nil, invalid("Network interface '%s' is currently in use.", id)
}

// SetInstanceGroups gives an instance with one interface other security groups, as
// ModifyInstanceAttribute does.
func (s *Service) SetInstanceGroups(ctx context.Context, id string, groups []string, dryRun *bool) error {
	return s.changeGroups(ctx, dryRun, func(tx *store.Tx) error {
		i, ok := s.instances.In(tx).Get(id)
		switch {
		case !ok:
			return notThere(instanceKind, id)
		case len(i.Interfaces) != 1:
			return api.Errorf(http.StatusBadRequest, "InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.", id)
		}
		return s.setInterfaceGroups(tx, s.interfacesOf(i)[0], groups)
	})
}
