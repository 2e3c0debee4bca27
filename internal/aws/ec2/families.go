package ec2

import "github.com/eksact/eksact/internal/store"

// What errors call the kinds of resources.
var (
	tableKind    = kind{"routeTable ID", "routeTable IDs", "routeTableIds", "InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed", "rtb-"}
	gatewayKind  = kind{"internetGateway ID", "internetGateway IDs", "internetGatewayIdSet", "InvalidInternetGatewayID.NotFound", "InvalidInternetGatewayId.Malformed", "igw-"}
	natKind      = kind{"Nat Gateway", "Nat Gateways", "natGatewayIds", "NatGatewayNotFound", "NatGatewayMalformed", "nat-"}
	addressKind  = kind{"allocation ID", "allocation IDs", "allocationIds", "InvalidAllocationID.NotFound", "", "eipalloc-"}
	aclKind      = kind{"networkAcl ID", "networkAcl IDs", "networkAclIds", "InvalidNetworkAclID.NotFound", "InvalidNetworkAclId.Malformed", "acl-"}
	templateKind = kind{"launch template ID", "launch template IDs", "launchTemplateIds", "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.Malformed", "lt-"}
	keyKind      = kind{"key pair ID", "key pair IDs", "keyPairIds", "InvalidKeyPair.NotFound", "", "key-"}
)

// makeFamilies registers the kinds of resources. Those whose tables are of another
// file are named here too, for tags and condition keys.
func (s *Service) makeFamilies(st *store.Store) {
	s.vpcFamily = &family[VPC]{vpcKind, "vpc", s.vpcs, func(v *VPC) *map[string]string { return &v.Tags }, vpcKey}
	s.subnetFamily = &family[Subnet]{subnetKind, "subnet", s.subnets, func(n *Subnet) *map[string]string { return &n.Tags }, s.subnetKey}
	s.groupFamily = &family[SecurityGroup]{groupKind, "security-group", s.groups, func(g *SecurityGroup) *map[string]string { return &g.Tags }, s.groupKey}
	s.instanceFamily = &family[Instance]{instanceKind, "instance", s.instances, func(i *Instance) *map[string]string { return &i.Tags }, s.instanceKey}
	s.tableFamily = &family[RouteTable]{tableKind, "route-table", store.NewTable[RouteTable](st, "ec2/route-table"),
		func(t *RouteTable) *map[string]string { return &t.Tags }, s.tableKey}
	s.gatewayFamily = &family[InternetGateway]{gatewayKind, "internet-gateway", store.NewTable[InternetGateway](st, "ec2/internet-gateway"),
		func(g *InternetGateway) *map[string]string { return &g.Tags }, gatewayKey}
	s.natFamily = &family[NATGateway]{natKind, "natgateway", store.NewTable[NATGateway](st, "ec2/nat-gateway"),
		func(g *NATGateway) *map[string]string { return &g.Tags }, s.natKey}
	s.addressFamily = &family[Address]{addressKind, "elastic-ip", store.NewTable[Address](st, "ec2/address"),
		func(a *Address) *map[string]string { return &a.Tags }, addressKey}
	s.aclFamily = &family[NetworkACL]{aclKind, "network-acl", store.NewTable[NetworkACL](st, "ec2/network-acl"),
		func(a *NetworkACL) *map[string]string { return &a.Tags }, s.aclKey}
	s.templateFamily = &family[LaunchTemplate]{templateKind, "launch-template", store.NewTable[LaunchTemplate](st, "ec2/launch-template"),
		func(t *LaunchTemplate) *map[string]string { return &t.Tags }, nil}
	s.keyFamily = &family[KeyPair]{keyKind, "key-pair", store.NewTable[KeyPair](st, "ec2/key-pair"),
		func(k *KeyPair) *map[string]string { return &k.Tags }, keyPairKey}
	s.listFamily = &family[PrefixList]{listKind, "prefix-list", s.lists, func(l *PrefixList) *map[string]string { return &l.Tags }, nil}
	s.eniFamily = &family[NetworkInterface]{interfaceKind, "network-interface", s.enis, func(n *NetworkInterface) *map[string]string { return &n.Tags }, nil}
	s.flowFamily = &family[FlowLog]{flowLogKind, "vpc-flow-log", s.flowLogs, func(f *FlowLog) *map[string]string { return &f.Tags }, nil}
	s.endpointFamily = &family[VPCEndpoint]{endpointKind, "vpc-endpoint", store.NewTable[VPCEndpoint](st, "ec2/vpc-endpoint"),
		func(e *VPCEndpoint) *map[string]string { return &e.Tags }, s.endpointKey}
	s.families = []relatives{
		s.listFamily, s.eniFamily, s.flowFamily, s.endpointFamily, ruleFamily{s},
		s.templateFamily, s.keyFamily, s.vpcFamily, s.subnetFamily, s.groupFamily, s.instanceFamily, s.tableFamily, s.gatewayFamily, s.natFamily, s.addressFamily, s.aclFamily,
	}
}

func (s *Service) groupKey(g SecurityGroup, key string) string {
	switch key {
	case "ec2:securitygroupid":
		return g.ID
	case "ec2:vpc":
		return s.arn("vpc", g.VPC)
	}
	return ""
}

// instanceKey: what follows from an instance's record.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html#amazonec2-instance
func (s *Service) instanceKey(i Instance, key string) string {
	if v := i.metadata().key(key); v.Len() > 0 {
		return v.At(0)
	}
	return map[string]string{
		"ec2:instanceid":         i.ID,
		"ec2:instancetype":       i.Type,
		"ec2:instanceprofile":    i.ProfileARN,
		"ec2:availabilityzone":   i.Zone,
		"ec2:availabilityzoneid": zoneID(i.Zone),
		"ec2:ebsoptimized":       "false",
		"ec2:instancemarkettype": "on-demand",
		"ec2:rootdevicetype":     "ebs",
		"ec2:tenancy":            "default",
	}[key]
}
