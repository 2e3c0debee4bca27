package ec2

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Service answers the EC2 API.
type Service struct {
	store *store.Store
	place api.Place
	// zones are the zones of the region that there are, "us-west-2a", in order.
	zones []string
	// Now is the clock.
	Now func() time.Time

	ground   Ground   // nil: all VPCs are records
	profiles Profiles // nil: there are none

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
	once       *store.Table[Once]

	// Serves says whether a service is there, by the name that signatures have. It is
	// set before the first call. Nil: all that endpoints are offered for.
	Serves   func(signing string) bool
	changing sync.Mutex // of endpoints, one at a time

	vpcFamily      *family[VPC]
	subnetFamily   *family[Subnet]
	groupFamily    *family[SecurityGroup]
	instanceFamily *family[Instance]
	tableFamily    *family[RouteTable]
	gatewayFamily  *family[InternetGateway]
	natFamily      *family[NATGateway]
	addressFamily  *family[Address]
	aclFamily      *family[NetworkACL]
	templateFamily *family[LaunchTemplate]
	keyFamily      *family[KeyPair]
	listFamily     *family[PrefixList]
	eniFamily      *family[NetworkInterface]
	flowFamily     *family[FlowLog]
	endpointFamily *family[VPCEndpoint]
	families       []relatives
}

// New makes the service. Its tables are registered in st, which is loaded
// afterwards.
func New(st *store.Store, place api.Place, zones ...string) *Service {
	s := &Service{
		store:     st,
		place:     place,
		zones:     slices.Compact(slices.Sorted(slices.Values(zones))),
		Now:       time.Now,
		vpcs:      store.NewTable[VPC](st, "ec2/vpc"),
		subnets:   store.NewTable[Subnet](st, "ec2/subnet"),
		groups:    store.NewTable[SecurityGroup](st, "ec2/security-group"),
		instances: store.NewTable[Instance](st, "ec2/instance"),
		lists:     store.NewTable[PrefixList](st, "ec2/prefix-list"),
		enis:      store.NewTable[NetworkInterface](st, "ec2/network-interface"),

		metadataDefaults: store.NewTable[MetadataDefaults](st, "ec2/metadata-defaults"),
		flowLogs:         store.NewTable[FlowLog](st, "ec2/flow-log"),
		once:             store.NewTable[Once](st, "ec2/token"),
	}
	s.makeFamilies(st)
	return s
}

// Service lists the operations for the front door. EC2's Describe calls touch no
// resources that a policy could name.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "ec2", Action: "ec2", Resource: s.ofResource}
	s.addVPCs(svc)
	s.addSubnets(svc)
	s.addRouteTables(svc)
	s.addRoutes(svc)
	s.addInternetGateways(svc)
	s.addNATGateways(svc)
	s.addAddresses(svc)
	s.addDHCP(svc)
	s.addZones(svc)
	s.addTags(svc)
	s.addMachines(svc)
	s.addTypes(svc)
	s.addLaunchTemplates(svc)
	s.addKeyPairs(svc)
	s.addImages(svc)
	s.addGroupCalls(svc)
	s.addMetadata(svc)
	s.addFlowLogs(svc)
	s.addEndpoints(svc)
	return svc
}

// ofResource answers for the condition keys of a resource: its tags, and what it
// is and where.
func (s *Service) ofResource(arn, key string) policy.Values {
	if v, ours := s.ofGroups(arn, key); ours {
		return v
	}
	kind, id, _ := strings.Cut(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	if kind == "key-pair" { // the one kind whose ARNs have names
		if k, ok := s.keyPair("", id); ok {
			return s.keyFamily.answer(k.ID, key)
		}
	}
	f, ok := s.familyNamed(kind)
	if !ok || arn != s.arn(kind, id) {
		return policy.Values{}
	}
	return f.answer(id, key)
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
