package ec2

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// VPCEndpoint leads a VPC to a service without the Internet: by addresses in its
// subnets, or by routes.
type VPCEndpoint struct {
	ID      string // "vpce-…"
	VPC     string
	Service string // "com.amazonaws.us-west-2.sts"
	Type    types.VpcEndpointType
	// Policy is asked of all calls that come through the endpoint; "" lets all pass.
	Policy  string `json:",omitempty"`
	Leaving bool   `json:",omitempty"` // it is being deleted
	Created time.Time
	Tags    map[string]string

	// Of gateway endpoints. Number is its own among those that there are: by it the
	// network knows which endpoint a packet came by.
	Number      uint32   `json:",omitempty"`
	RouteTables []string `json:",omitempty"`

	// Of interface endpoints.
	Interfaces []EndpointInterface `json:",omitempty"` // one for each zone
	Groups     []string            `json:",omitempty"`
	PrivateDNS bool                `json:",omitempty"`
}

// EndpointInterface is what an interface endpoint has in a subnet.
type EndpointInterface struct {
	ID           string // "eni-…"
	Subnet, Zone string
	IP           netip.Addr
}

// Limits of VPC endpoints: of a VPC, of each type; of a policy, in bytes.
// https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-limits-endpoints.html
const (
	maxEndpoints      = 255
	maxEndpointPolicy = 20480
)

var endpointKind = kind{"Vpc Endpoint Id", "Vpc Endpoint Ids", "vpcEndpointIds", "InvalidVpcEndpointId.NotFound", "InvalidVpcEndpointId.Malformed", "vpce-"}

// gateway says whether routes lead to the endpoint, rather than addresses.
func (e VPCEndpoint) gateway() bool { return e.Type == types.VpcEndpointTypeGateway }

// PutVPCEndpoint creates or replaces an endpoint's record.
func (s *Service) PutVPCEndpoint(ctx context.Context, e VPCEndpoint) error {
	return put(ctx, s.store, s.endpointFamily.table, e.ID, e)
}

func (s *Service) addEndpoints(svc *api.Service) {
	add(s, svc, "CreateVpcEndpoint", s.CreateVpcEndpoint, func(in *ec2.CreateVpcEndpointInput) []string {
		return slices.Concat(s.on("vpc-endpoint", made), s.on("vpc", in.VpcId), s.arns("subnet", in.SubnetIds...),
			s.arns("security-group", in.SecurityGroupIds...), s.arns("route-table", in.RouteTableIds...))
	})
	keyed(svc, "CreateVpcEndpoint", s.newEndpointKeys)
	api.WithNeeds(svc, "CreateVpcEndpoint", func(_ context.Context, in *ec2.CreateVpcEndpointInput) []api.Need {
		needs := s.tagging(in.TagSpecifications)
		if in.VpcEndpointType == types.VpcEndpointTypeInterface && (in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled) {
			// https://docs.aws.amazon.com/vpc/latest/privatelink/security_iam_id-based-policy-examples.html
			zones := "arn:" + s.place.Partition + ":route53:::hostedzone/*"
			needs = append(needs, api.Need{Action: "route53:AssociateVPCWithHostedZone", Resources: []string{zones}})
		}
		return needs
	})
	add(s, svc, "ModifyVpcEndpoint", s.ModifyVpcEndpoint, func(in *ec2.ModifyVpcEndpointInput) []string {
		return slices.Concat(s.on("vpc-endpoint", in.VpcEndpointId),
			s.arns("subnet", in.AddSubnetIds...), s.arns("subnet", in.RemoveSubnetIds...),
			s.arns("security-group", in.AddSecurityGroupIds...), s.arns("security-group", in.RemoveSecurityGroupIds...),
			s.arns("route-table", in.AddRouteTableIds...), s.arns("route-table", in.RemoveRouteTableIds...))
	})
	keyed(svc, "ModifyVpcEndpoint", func(in *ec2.ModifyVpcEndpointInput, key string) policy.Values {
		name, values := endpointChange(in)
		return attributeKey(key, name, values...)
	})
	add(s, svc, "DeleteVpcEndpoints", s.DeleteVpcEndpoints, func(in *ec2.DeleteVpcEndpointsInput) []string { return s.arns("vpc-endpoint", in.VpcEndpointIds...) })
	add(s, svc, "DescribeVpcEndpoints", s.DescribeVpcEndpoints, nil)
	add(s, svc, "DescribeVpcEndpointServices", s.DescribeVpcEndpointServices, nil)
}

// newEndpointKeys are the condition keys of an endpoint that is asked for.
func (s *Service) newEndpointKeys(in *ec2.CreateVpcEndpointInput, key string) policy.Values {
	if o := in.DnsOptions; o != nil {
		switch {
		case key == "ec2:vpceprivatednspreference" && o.PrivateDnsPreference != nil:
			return policy.One(*o.PrivateDnsPreference)
		case key == "ec2:vpceprivatednsspecifieddomains":
			return policy.Many(o.PrivateDnsSpecifiedDomains)
		}
	}
	if in.ServiceName == nil {
		return policy.Values{}
	}
	if v := s.serviceKey(*in.ServiceName, key); v != "" {
		return policy.One(v)
	}
	return policy.Values{}
}

func (s *Service) endpointKey(e VPCEndpoint, key string) string { return s.serviceKey(e.Service, key) }

// serviceKey is the value of a condition key of an endpoint of a service.
func (s *Service) serviceKey(service, key string) string {
	switch key {
	case "ec2:vpceservicename":
		return service
	case "ec2:vpceserviceowner":
		return endpointServiceOwner
	case "ec2:vpceserviceregion":
		return s.place.Region
	case "ec2:vpcemultiregion":
		return "false"
	}
	return ""
}

// endpointChange is what a call changes, as condition keys name it: the first of the
// parameters that are given.
func endpointChange(in *ec2.ModifyVpcEndpointInput) (name string, values []string) {
	for _, a := range []struct {
		name  string
		value *string
	}{{"PolicyDocument", in.PolicyDocument}, {"PrivateDnsEnabled", text(in.PrivateDnsEnabled)}, {"ResetPolicy", text(in.ResetPolicy)}} {
		if a.value != nil {
			return a.name, []string{*a.value}
		}
	}
	for _, a := range []struct {
		name   string
		values []string
	}{
		{"AddRouteTableIds", in.AddRouteTableIds}, {"RemoveRouteTableIds", in.RemoveRouteTableIds},
		{"AddSubnetIds", in.AddSubnetIds}, {"RemoveSubnetIds", in.RemoveSubnetIds},
		{"AddSecurityGroupIds", in.AddSecurityGroupIds}, {"RemoveSecurityGroupIds", in.RemoveSecurityGroupIds},
	} {
		if len(a.values) > 0 {
			return a.name, a.values
		}
	}
	return "", nil
}

func text(b *bool) *string {
	if b == nil {
		return nil
	}
	return aws.String(boolean(*b)[0])
}

// gatewaysOf are the gateway endpoints that a route table leads to, by id.
func (s *Service) gatewaysOf(table string) (list []VPCEndpoint) {
	for _, e := range s.endpointFamily.all() {
		if e.gateway() && !e.Leaving && slices.Contains(e.RouteTables, table) {
			list = append(list, e)
		}
	}
	return list
}

// listOf is the prefix list of a service that routes lead to.
func (s *Service) listOf(service string) PrefixList {
	for _, l := range s.lists.List("") {
		if l.Owner == ownerAWS && l.Name == service {
			return l
		}
	}
	return PrefixList{}
}

// forgetTable takes a route table that is deleted from the endpoints that had it.
func (s *Service) forgetTable(tx *store.Tx, table string) {
	for _, e := range s.endpointFamily.list(tx) {
		if i := slices.Index(e.RouteTables, table); i >= 0 {
			e.RouteTables = slices.Delete(slices.Clone(e.RouteTables), i, i+1)
			s.endpointFamily.put(tx, e.ID, e)
		}
	}
}

// errEndpointRoute refuses to change an endpoint's route in its table: only the
// endpoint can be.
func (s *Service) errEndpointRoute(table, list string) error {
	for _, e := range s.gatewaysOf(table) {
		if list != "" && s.listOf(e.Service).ID == list {
			return invalid("cannot remove VPC endpoint route %s in route table %s", list, table)
		}
	}
	return nil
}
