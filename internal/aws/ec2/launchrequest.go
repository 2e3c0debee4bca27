package ec2

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// launch is what a RunInstances asks for, its template included.
type launch struct {
	types.RequestLaunchTemplateData
	least, most int32
	subnet      string
	public      *bool // address; nil: as the subnet says
	groups      []string

	// template is the one that was named, of version number; nil: none.
	template *LaunchTemplate
	number   int64
}

// launchOf lays a request over the template that it names. With an error about subnets
// and interfaces it returns what else is asked for.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
func (s *Service) launchOf(in *ec2.RunInstancesInput) (*launch, error) {
	l := &launch{least: aws.ToInt32(in.MinCount), most: aws.ToInt32(in.MaxCount), subnet: aws.ToString(in.SubnetId)}
	var given types.RequestLaunchTemplateData
	if err := translate(in, &given); err != nil {
		return nil, err
	}
	if spec := in.LaunchTemplate; spec != nil {
		t, v, err := s.templateVersion(spec.LaunchTemplateId, spec.LaunchTemplateName, aws.ToString(spec.Version))
		if err != nil {
			return nil, err
		}
		l.template, l.number, l.RequestLaunchTemplateData = &t, v.Number, v.Data
	}
	tags := joinTags(l.TagSpecifications, given.TagSpecifications)
	if err := overlay(&l.RequestLaunchTemplateData, &given); err != nil {
		return nil, err
	}
	l.TagSpecifications = tags
	return l, l.readNetwork()
}

// templateVersion finds a version of a template; of none that is named, the default one.
func (s *Service) templateVersion(id, name *string, version string) (LaunchTemplate, TemplateVersion, error) {
	t, err := s.template(id, name)
	if err != nil {
		return t, TemplateVersion{}, err
	}
	if version == "" {
		version = "$Default"
	}
	v, err := t.version(version)
	return t, v, err
}

// translate copies the members that two structs of the SDK have alike.
func translate(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// joinTags lays tags over those of a template, by kind and key.
func joinTags(under, over []types.LaunchTemplateTagSpecificationRequest) []types.LaunchTemplateTagSpecificationRequest {
	all := map[types.ResourceType]map[string]string{}
	for _, spec := range slices.Concat(under, over) {
		if all[spec.ResourceType] == nil {
			all[spec.ResourceType] = map[string]string{}
		}
		for _, t := range spec.Tags {
			all[spec.ResourceType][aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	var out []types.LaunchTemplateTagSpecificationRequest
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		out = append(out, types.LaunchTemplateTagSpecificationRequest{ResourceType: kind, Tags: tags(all[kind])})
	}
	return out
}

// readNetwork finds subnet, groups and public address where they stand: beside the
// interface, or in it.
func (l *launch) readNetwork() error {
	if l.groups = l.SecurityGroupIds; len(l.NetworkInterfaces) == 0 {
		return nil
	}
	n := l.NetworkInterfaces[0]
	switch {
	case l.subnet != "" && n.SubnetId == nil && len(l.groups) == 0 && l.template != nil:
		// An Auto Scaling group names the subnet beside its template's interface.
		l.groups, l.public = n.Groups, n.AssociatePublicIpAddress
		return nil
	case l.subnet != "":
		return invalidCombination("Network interfaces and an instance-level subnet ID may not be specified on the same request")
	case len(l.groups) > 0:
		return invalidCombination("Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	l.subnet, l.groups, l.public = aws.ToString(n.SubnetId), n.Groups, n.AssociatePublicIpAddress
	return nil
}

// unsupportedIn names what a launch asks for and machines here don't have; "" if there
// is nothing such. A disk of a machine is a part of the host's: the root volume's size
// and kind are taken and mean nothing, more volumes are refused.
func (l *launch) unsupportedIn(in *ec2.RunInstancesInput) string {
	for _, part := range []struct {
		name  string
		given bool
	}{
		{"KernelId", l.KernelId != nil}, {"RamDiskId", l.RamDiskId != nil || in.RamdiskId != nil},
		{"KeyName: there is no SSH on nodes, so KeyName", l.KeyName != nil},
		{"SecurityGroup by name", len(l.SecurityGroups) > 0},
		{"InstanceMarketOptions", l.InstanceMarketOptions != nil}, {"InstanceRequirements", l.InstanceRequirements != nil},
		{"CpuOptions", l.CpuOptions != nil}, {"CreditSpecification", l.CreditSpecification != nil}, {"LicenseSpecifications", len(l.LicenseSpecifications) > 0},
		//lint:ignore SA1019 what callers still send is refused by name
		{"ElasticGpuSpecifications", len(l.ElasticGpuSpecifications) > 0}, {"ElasticInferenceAccelerators", len(l.ElasticInferenceAccelerators) > 0},
		{"SecondaryInterfaces", len(l.SecondaryInterfaces) > 0}, {"NetworkPerformanceOptions", l.NetworkPerformanceOptions != nil}, {"Operator", l.Operator != nil},
		{"EbsOptimized", aws.ToBool(l.EbsOptimized)}, {"DisableApiStop", aws.ToBool(l.DisableApiStop)},
		{"Monitoring", l.Monitoring != nil && aws.ToBool(l.Monitoring.Enabled)},
		{"EnclaveOptions", l.EnclaveOptions != nil && aws.ToBool(l.EnclaveOptions.Enabled)},
		{"HibernationOptions", l.HibernationOptions != nil && aws.ToBool(l.HibernationOptions.Configured)},
		{"MaintenanceOptions", l.MaintenanceOptions != nil && l.MaintenanceOptions.AutoRecovery == types.LaunchTemplateAutoRecoveryStateDisabled},
		{"InstanceInitiatedShutdownBehavior terminate", l.InstanceInitiatedShutdownBehavior == types.ShutdownBehaviorTerminate},
		{"CapacityReservationSpecification", l.CapacityReservationSpecification != nil && (l.CapacityReservationSpecification.CapacityReservationTarget != nil ||
			l.CapacityReservationSpecification.CapacityReservationPreference == types.CapacityReservationPreferenceCapacityReservationsOnly)},
		{"PrivateDnsNameOptions", l.PrivateDnsNameOptions != nil && (l.PrivateDnsNameOptions.HostnameType == types.HostnameTypeResourceName ||
			aws.ToBool(l.PrivateDnsNameOptions.EnableResourceNameDnsARecord) || aws.ToBool(l.PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord))},
		{"PrivateIpAddress", in.PrivateIpAddress != nil}, {"AdditionalInfo", in.AdditionalInfo != nil},
		{"An IPv6 address", in.Ipv6AddressCount != nil || len(in.Ipv6Addresses) > 0 || aws.ToBool(in.EnablePrimaryIpv6)},
	} {
		if part.given {
			return part.name
		}
	}
	if name := unsupportedPlacement(l.Placement); name != "" {
		return name
	}
	if name := unsupportedInterface(l.NetworkInterfaces); name != "" {
		return name
	}
	for _, b := range l.BlockDeviceMappings {
		if aws.ToString(b.DeviceName) != rootDevice || b.VirtualName != nil || b.Ebs != nil && b.Ebs.SnapshotId != nil {
			return "BlockDeviceMapping " + aws.ToString(b.DeviceName)
		}
	}
	return ""
}

func unsupportedPlacement(p *types.LaunchTemplatePlacementRequest) string {
	switch {
	case p == nil:
	case p.GroupName != nil || p.GroupId != nil || p.PartitionNumber != nil:
		return "A placement group"
	case p.HostId != nil || p.HostResourceGroupArn != nil || p.Affinity != nil || p.SpreadDomain != nil || p.Tenancy != "" && p.Tenancy != types.TenancyDefault:
		return "A host or tenancy of one's own"
	}
	return ""
}

// unsupportedInterface: a machine has one interface, which is made for it.
func unsupportedInterface(all []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest) string {
	if len(all) > 1 {
		return "More than one network interface"
	}
	for _, n := range all {
		n.DeviceIndex, n.NetworkCardIndex = aws.Int32(aws.ToInt32(n.DeviceIndex)), aws.Int32(aws.ToInt32(n.NetworkCardIndex))
		switch {
		case *n.DeviceIndex != 0 || *n.NetworkCardIndex != 0:
			return "Network interface " + strconv.Itoa(int(*n.DeviceIndex))
		case n.NetworkInterfaceId != nil:
			return "An existing network interface"
		case n.DeleteOnTermination != nil && !*n.DeleteOnTermination:
			return "A network interface that outlives its instance"
		case n.InterfaceType != nil && *n.InterfaceType != "interface":
			return "Network interface type " + *n.InterfaceType
		case n.PrivateIpAddress != nil || len(n.PrivateIpAddresses) > 0 || n.SecondaryPrivateIpAddressCount != nil || n.Ipv4PrefixCount != nil || len(n.Ipv4Prefixes) > 0:
			return "A chosen address"
		case n.Ipv6AddressCount != nil || len(n.Ipv6Addresses) > 0 || n.Ipv6PrefixCount != nil || len(n.Ipv6Prefixes) > 0 || aws.ToBool(n.PrimaryIpv6):
			return "An IPv6 address"
		case aws.ToBool(n.AssociateCarrierIpAddress) || n.EnaSrdSpecification != nil || n.ConnectionTrackingSpecification != nil || n.EnaQueueCount != nil:
			return "An option of a network interface"
		}
	}
	return ""
}

// mostUserData is in bytes, before base64.
const mostUserData = 16 << 10

// userDataOf is the user data that a launch or a template gives in base64.
func userDataOf(d *types.RequestLaunchTemplateData) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(aws.ToString(d.UserData))
	switch {
	case err != nil:
		return nil, refuse("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	case len(data) > mostUserData:
		return nil, refuse("InvalidUserData.Malformed", "User data is limited to %d bytes", mostUserData)
	}
	return data, nil
}

// tagsOf are the tags of one kind.
func (l *launch) tagsOf(kind types.ResourceType) map[string]string {
	all := map[string]string{}
	for _, spec := range l.TagSpecifications {
		if spec.ResourceType == kind {
			for _, t := range spec.Tags {
				all[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
		}
	}
	return all
}
