package ec2

import (
	"context"
	"net/netip"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// DescribeInstances lists instances, each in its reservation.
func (s *Service) DescribeInstances(_ context.Context, in *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	found, next, err := run(s.instances, instanceKind,
		query{in.DryRun, in.InstanceIds, in.Filters, in.MaxResults, in.NextToken, "DescribeInstances"},
		s.instanceAttributes(), func(i Instance) map[string]string { return i.Tags })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstancesOutput{NextToken: next, Reservations: []types.Reservation{}}
	at := map[string]int{}
	for _, i := range found {
		if s.forgotten(i) {
			continue
		}
		n, ok := at[i.Reservation]
		if !ok {
			n = len(out.Reservations)
			at[i.Reservation] = n
			out.Reservations = append(out.Reservations, types.Reservation{
				ReservationId: aws.String(i.Reservation), OwnerId: aws.String(s.place.AccountID), Groups: []types.GroupIdentifier{},
			})
		}
		out.Reservations[n].Instances = append(out.Reservations[n].Instances, s.instanceView(i))
	}
	return out, nil
}

func (s *Service) instanceAttributes() attributes[Instance] {
	groups := func(i Instance) []string { return i.Groups }
	names := func(i Instance) []string {
		var list []string
		for _, g := range s.identify(i.Groups) {
			list = append(list, *g.GroupName)
		}
		return list
	}
	return attributes[Instance]{
		"instance-id":                    func(i Instance) []string { return []string{i.ID} },
		"instance-state-name":            func(i Instance) []string { return []string{string(i.State)} },
		"instance-state-code":            func(i Instance) []string { return []string{strconv.Itoa(int(codes[i.State]))} },
		"instance-type":                  func(i Instance) []string { return []string{i.Type} },
		"image-id":                       func(i Instance) []string { return optional(i.Image) },
		"hypervisor":                     func(Instance) []string { return []string{"xen"} },
		"virtualization-type":            func(Instance) []string { return []string{"hvm"} },
		"root-device-type":               func(Instance) []string { return []string{"ebs"} },
		"tenancy":                        func(Instance) []string { return []string{"default"} },
		"placement-group-name":           func(Instance) []string { return nil },
		"instance-lifecycle":             func(Instance) []string { return nil }, // of spot instances
		"key-name":                       func(Instance) []string { return nil },
		"platform":                       func(Instance) []string { return nil }, // of Windows
		"platform-details":               func(Instance) []string { return []string{"Linux/UNIX"} },
		"source-dest-check":              func(Instance) []string { return boolean(true) },
		"launch-time":                    func(i Instance) []string { return []string{i.LaunchTime.Format("2006-01-02T15:04:05.000Z")} },
		"metadata-options.http-endpoint": func(Instance) []string { return []string{"enabled"} },
		"metadata-options.http-tokens": func(i Instance) []string {
			if i.TokensOnly {
				return []string{"required"}
			}
			return []string{"optional"}
		},
		"availability-zone-id":        func(i Instance) []string { return []string{zoneID(i.Zone)} },
		"network-interface.subnet-id": func(i Instance) []string { return optional(i.Subnet) },
		"network-interface.vpc-id":    func(i Instance) []string { return optional(i.VPC) },
		"network-interface.group-id":  groups,
		"architecture":                func(i Instance) []string { return []string{i.Arch} },
		"availability-zone":           func(i Instance) []string { return []string{i.Zone} },
		"vpc-id":                      func(i Instance) []string { return optional(i.VPC) },
		"subnet-id":                   func(i Instance) []string { return optional(i.Subnet) },
		"private-ip-address":          func(i Instance) []string { return address(i.PrivateIP) },
		"private-dns-name":            func(i Instance) []string { return optional(i.PrivateDNS) },
		"ip-address":                  func(i Instance) []string { return address(i.PublicIP) },
		"dns-name":                    func(i Instance) []string { return optional(i.PublicDNS) },
		"reservation-id":              func(i Instance) []string { return []string{i.Reservation} },
		"owner-id":                    func(Instance) []string { return []string{s.place.AccountID} },
		"iam-instance-profile.arn":    func(i Instance) []string { return optional(i.ProfileARN) },
		"iam-instance-profile.id":     func(i Instance) []string { return optional(i.ProfileID) },
		"instance.group-id":           groups,
		"group-id":                    groups,
		"instance.group-name":         names,
		"group-name":                  names,
		"network-interface.network-interface-id": func(i Instance) []string {
			var ids []string
			for _, n := range i.Interfaces {
				ids = append(ids, n.ID)
			}
			return ids
		},
		"network-interface.addresses.private-ip-address": func(i Instance) []string {
			var list []string
			for _, n := range i.Interfaces {
				list = append(list, address(n.IP)...)
			}
			return list
		},
	}
}

func (s *Service) instanceView(i Instance) types.Instance {
	view := types.Instance{
		InstanceId:               aws.String(i.ID),
		InstanceType:             types.InstanceType(i.Type),
		ImageId:                  pointer(i.Image),
		LaunchTime:               aws.Time(i.LaunchTime),
		Architecture:             types.ArchitectureValues(i.Arch),
		AmiLaunchIndex:           aws.Int32(0),
		State:                    &types.InstanceState{Name: types.InstanceStateName(i.State), Code: aws.Int32(codes[i.State])},
		Placement:                &types.Placement{AvailabilityZone: aws.String(i.Zone), AvailabilityZoneId: aws.String(zoneID(i.Zone)), Tenancy: types.TenancyDefault},
		VpcId:                    pointer(i.VPC),
		SubnetId:                 pointer(i.Subnet),
		PrivateDnsName:           aws.String(i.PrivateDNS),
		PublicDnsName:            aws.String(i.PublicDNS),
		Monitoring:               &types.Monitoring{State: types.MonitoringStateDisabled},
		PlatformDetails:          aws.String("Linux/UNIX"),
		SecurityGroups:           s.identify(i.Groups),
		NetworkInterfaces:        []types.InstanceNetworkInterface{},
		Tags:                     tags(i.Tags),
		StateTransitionReason:    aws.String(i.Reason),
		BlockDeviceMappings:      []types.InstanceBlockDeviceMapping{},
		ProductCodes:             []types.ProductCode{},
		ClientToken:              aws.String(""),
		EbsOptimized:             aws.Bool(false),
		EnaSupport:               aws.Bool(true),
		Hypervisor:               types.HypervisorTypeXen, // as AWS says of Nitro too
		VirtualizationType:       types.VirtualizationTypeHvm,
		RootDeviceName:           aws.String(rootDevice),
		RootDeviceType:           types.DeviceTypeEbs,
		SourceDestCheck:          aws.Bool(true),
		UsageOperation:           aws.String("RunInstances"),
		UsageOperationUpdateTime: aws.Time(i.LaunchTime),
		CpuOptions:               cpuOf(i.Type),
		EnclaveOptions:           &types.EnclaveOptions{Enabled: aws.Bool(false)},
		HibernationOptions:       &types.HibernationOptions{Configured: aws.Bool(false)},
		MaintenanceOptions:       &types.InstanceMaintenanceOptions{AutoRecovery: types.InstanceAutoRecoveryStateDefault},
		CapacityReservationSpecification: &types.CapacityReservationSpecificationResponse{
			CapacityReservationPreference: types.CapacityReservationPreferenceOpen,
		},
		MetadataOptions: i.metadata().view(types.InstanceMetadataOptionsStateApplied),
	}
	if i.PrivateIP.IsValid() {
		view.PrivateIpAddress = aws.String(i.PrivateIP.String())
	}
	if i.PublicIP.IsValid() {
		view.PublicIpAddress = aws.String(i.PublicIP.String())
	}
	if i.Reason != "" {
		view.StateReason = &types.StateReason{Code: aws.String("Client.UserInitiatedShutdown"), Message: aws.String("Client.UserInitiatedShutdown: User initiated shutdown")}
	}
	if i.ProfileARN != "" {
		view.IamInstanceProfile = &types.IamInstanceProfile{Arn: aws.String(i.ProfileARN), Id: aws.String(i.ProfileID)}
	}
	for index, n := range i.Interfaces {
		view.NetworkInterfaces = append(view.NetworkInterfaces, s.interfaceView(i, n, int32(index)))
	}
	return view
}

func (s *Service) interfaceView(i Instance, n Interface, index int32) types.InstanceNetworkInterface {
	view := types.InstanceNetworkInterface{
		NetworkInterfaceId: aws.String(n.ID),
		InterfaceType:      aws.String("interface"),
		MacAddress:         aws.String(n.MAC),
		OwnerId:            aws.String(s.place.AccountID),
		SubnetId:           aws.String(n.Subnet),
		VpcId:              aws.String(i.VPC),
		Status:             types.NetworkInterfaceStatusInUse,
		Groups:             s.identify(n.Groups),
		Attachment: &types.InstanceNetworkInterfaceAttachment{
			AttachmentId: aws.String("eni-attach-0" + digestOf(n.ID)[:16]), NetworkCardIndex: aws.Int32(0),
			AttachTime: aws.Time(i.LaunchTime), DeleteOnTermination: aws.Bool(true), DeviceIndex: aws.Int32(index), Status: types.AttachmentStatusAttached,
		},
	}
	if n.IP.IsValid() {
		view.PrivateIpAddress = aws.String(n.IP.String())
		view.PrivateDnsName, view.SourceDestCheck = aws.String(i.PrivateDNS), aws.Bool(true)
		if index == 0 && i.PublicIP.IsValid() {
			view.Association = &types.InstanceNetworkInterfaceAssociation{
				IpOwnerId: aws.String(s.place.AccountID), PublicDnsName: aws.String(i.PublicDNS), PublicIp: aws.String(i.PublicIP.String()),
			}
		}
		view.PrivateIpAddresses = []types.InstancePrivateIpAddress{{
			Primary: aws.Bool(true), PrivateIpAddress: view.PrivateIpAddress, PrivateDnsName: view.PrivateDnsName, Association: view.Association,
		}}
	}
	for _, p := range n.Prefixes {
		view.Ipv4Prefixes = append(view.Ipv4Prefixes, types.InstanceIpv4Prefix{Ipv4Prefix: aws.String(p.String())})
	}
	return view
}

// identify adds the names of groups to their ids.
func (s *Service) identify(ids []string) []types.GroupIdentifier {
	list := []types.GroupIdentifier{}
	for _, id := range ids {
		g, _ := s.groups.Get(id)
		list = append(list, types.GroupIdentifier{GroupId: aws.String(id), GroupName: aws.String(g.Name)})
	}
	return list
}

func optional(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func address(a netip.Addr) []string {
	if !a.IsValid() {
		return nil
	}
	return []string{a.String()}
}

func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
