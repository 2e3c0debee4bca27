package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/eksact/eksact/internal/store"
)

// VPC is a virtual private cloud.
type VPC struct {
	ID      string         // "vpc-…"
	CIDRs   []netip.Prefix // the first is the primary block
	Default bool
	Tags    map[string]string

	Tenancy    string `json:",omitempty"` // "" is default
	DHCP       string `json:",omitempty"` // "dopt-…", "" is the region's default set
	ACL        string `json:",omitempty"` // "acl-…": the default network ACL
	NoDNS      bool   `json:",omitempty"` // enableDnsSupport is off
	DNSNames   bool   `json:",omitempty"` // enableDnsHostnames
	NAUMetrics bool   `json:",omitempty"` // enableNetworkAddressUsageMetrics
	Runs       bool   `json:",omitempty"` // beside the first one; see Ground
}

// Subnet is a part of a VPC in one zone.
type Subnet struct {
	ID          string // "subnet-…"
	VPC         string
	CIDR        netip.Prefix
	Zone        string // "us-west-2a"
	MapPublicIP bool
	Tags        map[string]string

	NameType string `json:",omitempty"` // of host names: "ip-name" or "resource-name"; "" is the first
	NameA    bool   `json:",omitempty"` // resource names have A records
}

// Instance is a machine.
type Instance struct {
	ID          string // "i-…", 17 hexadecimal digits
	Reservation string // "r-…"
	State       State
	Type        string // "m5.large"
	Image       string // "ami-…", or "" when there is none
	LaunchTime  time.Time
	Arch        string // "x86_64", "arm64"

	VPC        string
	Subnet     string
	Zone       string
	PrivateIP  netip.Addr
	PrivateDNS string // "ip-10-0-64-10.us-west-2.compute.internal"
	PublicIP   netip.Addr
	PublicDNS  string
	Interfaces []Interface // the first is the primary one
	Groups     []string    // security groups

	ProfileARN string // instance profile
	ProfileID  string // "AIPA…"
	HopLimit   int32  // of metadata answers
	TokensOnly bool   // metadata only with a session token (IMDSv2)
	// MetadataOff turns the metadata service off, MetadataTags shows tags in it,
	// MetadataIPv6 has it answer at its IPv6 address too.
	MetadataOff  bool
	MetadataTags bool
	MetadataIPv6 bool `json:",omitempty"`

	Tags map[string]string

	Cluster  string `json:",omitempty"` // whose node it is, whatever its tags say
	UserData string `json:",omitempty"` // in base64
	// AutoPublic says that it has a public address of its own while it runs, unless it
	// has an Elastic one.
	AutoPublic bool      `json:",omitempty"`
	Protected  bool      `json:",omitempty"` // disableApiTermination
	Ended      time.Time `json:",omitzero"`  // when it was terminated
	Reason     string    `json:",omitempty"` // of its last change of state: "User initiated (…)"
}

// Interface is an elastic network interface of an instance.
type Interface struct {
	ID       string // "eni-…"
	MAC      string
	Subnet   string
	IP       netip.Addr
	Prefixes []netip.Prefix // delegated for pods
	Groups   []string
}

// State is an instance's state, spelled as the API spells it.
type State string

const (
	Pending      State = "pending"
	Running      State = "running"
	ShuttingDown State = "shutting-down"
	Terminated   State = "terminated"
	Stopping     State = "stopping"
	Stopped      State = "stopped"
)

// codes of the states (API reference, InstanceState).
var codes = map[State]int32{Pending: 0, Running: 16, ShuttingDown: 32, Terminated: 48, Stopping: 64, Stopped: 80}

// PutVPC creates or replaces a VPC's record, which must have a block.
func (s *Service) PutVPC(ctx context.Context, v VPC) error {
	if len(v.CIDRs) == 0 {
		return fmt.Errorf("VPC %s has no CIDR block", v.ID)
	}
	return put(ctx, s.store, s.vpcs, v.ID, v)
}

// DeleteVPC removes it, if it is there.
func (s *Service) DeleteVPC(ctx context.Context, id string) error {
	return remove(ctx, s.store, s.vpcs, id)
}

// PutSubnet creates or replaces a subnet's record.
func (s *Service) PutSubnet(ctx context.Context, n Subnet) error {
	return put(ctx, s.store, s.subnets, n.ID, n)
}

// PutInstance creates or replaces an instance's record. When it returns its
// interfaces' security groups are enforced.
func (s *Service) PutInstance(ctx context.Context, i Instance) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error { s.instances.In(tx).Put(i.ID, i); return nil })
}

// DeleteInstance removes it, if it is there.
func (s *Service) DeleteInstance(ctx context.Context, id string) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error { s.instances.In(tx).Delete(id); return nil })
}

// Instance returns an instance's record.
func (s *Service) Instance(id string) (Instance, bool) { return s.instances.Get(id) }

// SubnetPlace says where a subnet lies.
func (s *Service) SubnetPlace(id string) (vpc, zone string, ok bool) {
	n, ok := s.subnets.Get(id)
	return n.VPC, n.Zone, ok
}

// VPCRanges are the VPC's IPv4 blocks.
func (s *Service) VPCRanges(id string) ([]netip.Prefix, bool) {
	v, ok := s.vpcs.Get(id)
	return v.CIDRs, ok
}

func put[T any](ctx context.Context, st *store.Store, table *store.Table[T], id string, v T) error {
	return st.Update(ctx, func(tx *store.Tx) error { table.In(tx).Put(id, v); return nil })
}

func remove[T any](ctx context.Context, st *store.Store, table *store.Table[T], id string) error {
	return st.Update(ctx, func(tx *store.Tx) error { table.In(tx).Delete(id); return nil })
}

// Instances returns all instances, by id.
func (s *Service) Instances() []Instance { return values(s.instances.List("")) }
