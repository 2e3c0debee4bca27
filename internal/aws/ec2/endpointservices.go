package ec2

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// endpointServiceOwner is who has AWS's own services.
const endpointServiceOwner = "amazon"

// endpointService is a service that endpoints lead to.
type endpointService struct {
	name    string // the last part: "sts"
	signing string // as signatures name it
	kind    types.ServiceType
	// private is the name in a region that an interface endpoint takes over in its VPC:
	// "sts.%.amazonaws.com".
	private string
}

// endpointServices are those that AWS offers in each region, of the services that there
// are here. IAM's and Route 53's endpoints are in us-east-1 alone.
// https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
var endpointServices = []endpointService{
	{"cloudtrail", "cloudtrail", types.ServiceTypeInterface, "cloudtrail.%.amazonaws.com"},
	{"ec2", "ec2", types.ServiceTypeInterface, "ec2.%.amazonaws.com"},
	{"eks", "eks", types.ServiceTypeInterface, "eks.%.amazonaws.com"},
	{"eks-auth", "eks-auth", types.ServiceTypeInterface, "eks-auth.%.api.aws"},
	{"elasticloadbalancing", "elasticloadbalancing", types.ServiceTypeInterface, "elasticloadbalancing.%.amazonaws.com"},
	{"logs", "logs", types.ServiceTypeInterface, "logs.%.amazonaws.com"},
	{"s3", "s3", types.ServiceTypeGateway, ""},
	{"sts", "sts", types.ServiceTypeInterface, "sts.%.amazonaws.com"},
}

func (s *Service) serviceName(e endpointService) string {
	return "com.amazonaws." + s.place.Region + "." + e.name
}

// offered are the services that endpoints can be made for.
func (s *Service) offered() []endpointService {
	return slices.DeleteFunc(slices.Clone(endpointServices), func(e endpointService) bool { return s.Serves != nil && !s.Serves(e.signing) })
}

// servicesNamed are those of a name: of some there are two types.
func (s *Service) servicesNamed(name string) (list []endpointService) {
	for _, e := range s.offered() {
		if s.serviceName(e) == name {
			list = append(list, e)
		}
	}
	return list
}

func errServiceName(name string) error {
	return refuse("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", name)
}

// DescribeVpcEndpointServices lists the services that endpoints can be made for.
func (s *Service) DescribeVpcEndpointServices(_ context.Context, in *ec2.DescribeVpcEndpointServicesInput) (*ec2.DescribeVpcEndpointServicesOutput, error) {
	for _, name := range in.ServiceNames {
		if len(s.servicesNamed(name)) == 0 {
			return nil, errServiceName(name)
		}
	}
	match, err := matcher(in.Filters, attributes[endpointService]{
		"owner":                      func(endpointService) []string { return []string{endpointServiceOwner} },
		"service-name":               func(e endpointService) []string { return []string{s.serviceName(e)} },
		"service-region":             func(endpointService) []string { return []string{s.place.Region} },
		"service-type":               func(e endpointService) []string { return []string{string(e.kind)} },
		"supported-ip-address-types": func(endpointService) []string { return []string{string(types.ServiceConnectivityTypeIpv4)} },
	}, func(endpointService) map[string]string { return nil })
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(s.offered(), func(e endpointService) bool {
		return len(in.ServiceNames) > 0 && !slices.Contains(in.ServiceNames, s.serviceName(e)) ||
			len(in.ServiceRegions) > 0 && !slices.Contains(in.ServiceRegions, s.place.Region) || !match(e)
	})
	page, next, err := pagedFrom(1, query{max: in.MaxResults, next: in.NextToken, ids: in.ServiceNames, filters: in.Filters, call: "DescribeVpcEndpointServices"},
		found, func(e endpointService) string { return e.name + "/" + string(e.kind) })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcEndpointServicesOutput{NextToken: next, ServiceNames: []string{}, ServiceDetails: []types.ServiceDetail{}}
	for _, e := range page {
		out.ServiceDetails = append(out.ServiceDetails, s.serviceDetail(e))
		if name := s.serviceName(e); !slices.Contains(out.ServiceNames, name) {
			out.ServiceNames = append(out.ServiceNames, name)
		}
	}
	return out, nil
}

func (s *Service) serviceDetail(e endpointService) types.ServiceDetail {
	d := types.ServiceDetail{
		ServiceName: aws.String(s.serviceName(e)), ServiceId: aws.String("vpce-svc-0" + digestOf(s.serviceName(e) + string(e.kind))[:16]),
		ServiceType: []types.ServiceTypeDetail{{ServiceType: e.kind}}, ServiceRegion: aws.String(s.place.Region), Owner: aws.String(endpointServiceOwner),
		AvailabilityZones: s.zones, BaseEndpointDnsNames: []string{e.name + "." + s.place.Region + ".amazonaws.com"},
		AcceptanceRequired: aws.Bool(false), ManagesVpcEndpoints: aws.Bool(false), VpcEndpointPolicySupported: aws.Bool(true),
		SupportedIpAddressTypes: []types.ServiceConnectivityType{types.ServiceConnectivityTypeIpv4}, Tags: []types.Tag{},
	}
	for _, z := range s.zones {
		d.AvailabilityZoneIds = append(d.AvailabilityZoneIds, zoneID(z))
	}
	if e.kind == types.ServiceTypeInterface {
		d.BaseEndpointDnsNames = []string{s.vpceZone(e)}
		d.PrivateDnsName = aws.String(s.privateNameOf(e))
		d.PrivateDnsNames = []types.PrivateDnsDetails{{PrivateDnsName: d.PrivateDnsName}}
		d.PrivateDnsNameVerificationState = types.DnsNameStateVerified
	}
	return d
}

// vpceZone is what the names of a service's interface endpoints end in.
func (s *Service) vpceZone(e endpointService) string {
	return e.name + "." + s.place.Region + ".vpce.amazonaws.com"
}

func (s *Service) privateNameOf(e endpointService) string {
	return strings.Replace(e.private, "%", s.place.Region, 1)
}
