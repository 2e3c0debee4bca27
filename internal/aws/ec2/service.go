package ec2

import (
	"context"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Service answers the read calls of EC2.
type Service struct {
	store *store.Store
	place api.Place
	// zones are the zones of the region that there are, "us-west-2a", in order.
	zones []string

	vpcs      *store.Table[VPC]
	subnets   *store.Table[Subnet]
	groups    *store.Table[SecurityGroup]
	instances *store.Table[Instance]
	lists     *store.Table[PrefixList]
	enis      *store.Table[NetworkInterface] // that are no instance's

	// Enforce makes the network let through what security groups now do, and
	// returns when no packet is met by what was before. Nil: nothing is enforced.
	Enforce func(context.Context) error

	metadataDefaults *store.Table[MetadataDefaults]

	flowLogs *store.Table[FlowLog]
	// Deliveries is where flow logs are delivered to. It is set before the first call.
	Deliveries Deliveries

	// AvailableAddresses counts a subnet's free addresses. While it is nil
	// DescribeSubnets leaves the number out.
	AvailableAddresses func(subnet string) int
}

// New makes the service. Its tables are registered in st, which is loaded
// afterwards.
func New(st *store.Store, place api.Place, zones ...string) *Service {
	return &Service{
		store:     st,
		place:     place,
		zones:     zones,
		vpcs:      store.NewTable[VPC](st, "ec2/vpc"),
		subnets:   store.NewTable[Subnet](st, "ec2/subnet"),
		groups:    store.NewTable[SecurityGroup](st, "ec2/security-group"),
		instances: store.NewTable[Instance](st, "ec2/instance"),
		lists:     store.NewTable[PrefixList](st, "ec2/prefix-list"),
		enis:      store.NewTable[NetworkInterface](st, "ec2/network-interface"),

		metadataDefaults: store.NewTable[MetadataDefaults](st, "ec2/metadata-defaults"),
		flowLogs:         store.NewTable[FlowLog](st, "ec2/flow-log"),
	}
}

// Service lists the operations for the front door. EC2's Describe calls touch no
// resources that a policy could name.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "ec2", Action: "ec2", Resource: s.ofResource}
	api.Add(svc, "DescribeVpcs", s.DescribeVpcs, nil)
	api.Add(svc, "DescribeSubnets", s.DescribeSubnets, nil)
	api.Add(svc, "DescribeAvailabilityZones", s.DescribeAvailabilityZones, nil)
	api.Add(svc, "DescribeInstances", s.DescribeInstances, nil)
	s.addGroupCalls(svc)
	s.addMetadata(svc)
	s.addFlowLogs(svc)
	return svc
}

// ofResource answers for the condition keys of a resource: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	if v, ours := s.ofGroups(arn, key); ours {
		return v
	}
	tag, isTag := strings.CutPrefix(key, "aws:resourcetag/")
	kind, id, _ := strings.Cut(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	if i, ok := s.instances.Get(id); ok && kind == "instance" && !isTag {
		return i.metadata().key(key)
	}
	if !isTag || arn != s.arn(kind, id) {
		return policy.Values{}
	}
	switch kind {
	case "vpc":
		v, _ := s.vpcs.Get(id)
		return api.TagValue(v.Tags, tag)
	case "subnet":
		n, _ := s.subnets.Get(id)
		return api.TagValue(n.Tags, tag)
	case "instance":
		i, _ := s.instances.Get(id)
		return api.TagValue(i.Tags, tag)
	case "vpc-flow-log":
		f, _ := s.flowLogs.Get(id)
		return api.TagValue(f.Tags, tag)
	}
	return policy.Values{}
}

func (s *Service) arn(kind, id string) string {
	return "arn:" + s.place.Partition + ":ec2:" + s.place.Region + ":" + s.place.AccountID + ":" + kind + "/" + id
}

// zoneID is a zone's id: us-west-2a is usw2-az1. On AWS the letters are shuffled
// for each account; here they are in order.
func zoneID(zone string) string {
	parts := strings.Split(zone, "-")
	if len(parts) != 3 || len(parts[2]) < 2 {
		return zone
	}
	short := map[string]string{
		"north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
		"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
	}[parts[1]]
	number, letter := parts[2][:len(parts[2])-1], parts[2][len(parts[2])-1]
	return parts[0] + short + number + "-az" + string('1'+letter-'a')
}
