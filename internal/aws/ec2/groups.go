package ec2

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// SecurityGroup is a named set of interfaces with rules for their traffic.
type SecurityGroup struct {
	ID          string // "sg-…"
	VPC         string
	Name        string
	Description string
	Rules       []Rule
	Tags        map[string]string
}

// Rule lets a protocol's ports through, from or to one peer: exactly one of CIDR,
// Group and PrefixList is set.
type Rule struct {
	ID       string // "sgr-…"
	Egress   bool
	Protocol string // "tcp", "udp", "icmp", "icmpv6", a number, or "-1": all
	// From and To bound the ports; of ICMP they are type and code. -1 is any, and
	// both are -1 where there are no ports.
	From, To    int32
	CIDR        netip.Prefix
	Group       string // id
	PrefixList  string // id
	Description string
	Tags        map[string]string
}

// defaultGroup is the name of the group that each VPC has, which can't be deleted.
const defaultGroup = "default"

// Limits of security groups.
// https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
const (
	maxGroups          = 2500 // of a region
	maxRules           = 60   // of a group, in each direction
	MaxInterfaceGroups = 5    // that an interface is in
)

var everyIPv4 = netip.MustParsePrefix("0.0.0.0/0")

// PutSecurityGroup makes a group that lets its members talk to each other, and
// out. One that is there stays as it is: its rules may have been changed.
func (s *Service) PutSecurityGroup(ctx context.Context, id, vpc, name, description string, tags map[string]string) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		if _, ok := s.groups.In(tx).Get(id); ok {
			return nil
		}
		s.groups.In(tx).Put(id, mutual(id, vpc, name, description, tags))
		return nil
	})
}

// mutual is a group that lets its members talk to each other, and out.
func mutual(id, vpc, name, description string, tags map[string]string) SecurityGroup {
	return SecurityGroup{
		ID: id, VPC: vpc, Name: name, Description: description, Tags: tags,
		Rules: []Rule{
			{ID: newID("sgr-"), Protocol: anyProtocol, From: -1, To: -1, Group: id},
			{ID: newID("sgr-"), Egress: true, Protocol: anyProtocol, From: -1, To: -1, CIDR: everyIPv4},
		},
	}
}

// RestoreGroup creates or replaces a group, as it is given.
func (s *Service) RestoreGroup(ctx context.Context, g SecurityGroup) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error { s.groups.In(tx).Put(g.ID, g); return nil })
}

// PutDefaultGroup makes a VPC's default group, if it is not there, under an id.
func (s *Service) PutDefaultGroup(ctx context.Context, id, vpc string) error {
	return s.PutSecurityGroup(ctx, id, vpc, defaultGroup, defaultDescription, nil)
}

// RemoveSecurityGroup removes a group, if it is there. One that interfaces or other
// groups' rules use stays, as EKS leaves it.
func (s *Service) RemoveSecurityGroup(ctx context.Context, id string) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		if len(s.usersOf(tx, id)) == 0 {
			s.groups.In(tx).Delete(id)
		}
		return nil
	})
}

// SetDescribedRules makes these a group's rules with the descriptions, which all of
// them have; others stay. A rule that another lets through already is left out.
func (s *Service) SetDescribedRules(ctx context.Context, id string, descriptions []string, rules []Rule) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(id)
		if !ok {
			if len(rules) == 0 {
				return nil
			}
			return notThere(groupKind, id)
		}
		kept := slices.DeleteFunc(slices.Clone(g.Rules), func(r Rule) bool {
			return slices.Contains(descriptions, r.Description) && indexOf(rules, r) < 0
		})
		for _, r := range rules {
			if indexOf(kept, r) < 0 {
				r.ID = newID("sgr-")
				kept = append(kept, r)
			}
		}
		if slices.EqualFunc(kept, g.Rules, func(a, b Rule) bool { return a.ID == b.ID }) {
			return nil
		}
		g.Rules = kept
		if err := s.checkQuota(tx, g); err != nil {
			return err
		}
		s.groups.In(tx).Put(id, g)
		return nil
	})
}

// SecurityGroup returns a group.
func (s *Service) SecurityGroup(id string) (SecurityGroup, bool) { return s.groups.Get(id) }

// SecurityGroupVPC is the VPC of a security group.
func (s *Service) SecurityGroupVPC(id string) (vpc string, ok bool) {
	g, ok := s.groups.Get(id)
	return g.VPC, ok
}

// SecurityGroups returns all groups, by id.
func (s *Service) SecurityGroups() []SecurityGroup { return values(s.groups.List("")) }

// DefaultGroup is the id of a VPC's default group.
func (s *Service) DefaultGroup(vpc string) (id string, ok bool) {
	for _, g := range s.groups.List("") {
		if g.VPC == vpc && g.Name == defaultGroup {
			return g.ID, true
		}
	}
	return "", false
}

// changeGroups makes a change of what packets are let through in one transaction,
// and returns when it is enforced. A dry run tries it and keeps nothing.
func (s *Service) changeGroups(ctx context.Context, dryRun *bool, fn func(tx *store.Tx) error) error {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return (query{dryRun: dryRun}).check(kind{})
	})
	if err != nil || s.Enforce == nil {
		return err
	}
	return s.Enforce(ctx)
}

// groupIn reads the group that a call names, by its id or, in a default VPC, its
// name.
func (s *Service) groupIn(tx *store.Tx, id, name *string) (SecurityGroup, error) {
	switch {
	case aws.ToString(id) != "":
		return s.knownGroup(tx, *id)
	case aws.ToString(name) == "":
		return SecurityGroup{}, absent("groupId")
	}
	vpc, err := s.defaultVPC()
	if err != nil {
		return SecurityGroup{}, err
	}
	for _, g := range s.groups.In(tx).List("") {
		if g.VPC == vpc && g.Name == *name {
			return g, nil
		}
	}
	return SecurityGroup{}, api.Errorf(http.StatusBadRequest, "InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC '%s'", *name, vpc)
}

func (s *Service) knownGroup(tx *store.Tx, id string) (SecurityGroup, error) {
	if !strings.HasPrefix(id, groupKind.prefix) {
		return SecurityGroup{}, malformedID(groupKind, id)
	}
	g, ok := s.groups.In(tx).Get(id)
	if !ok {
		return SecurityGroup{}, notThere(groupKind, id)
	}
	return g, nil
}

// checkGroupsOf checks the groups that an interface of a VPC is to have.
func (s *Service) checkGroupsOf(tx *store.Tx, vpc string, ids []string) error {
	if len(ids) == 0 {
		return absent("groupId")
	}
	if len(ids) > MaxInterfaceGroups {
		return api.Errorf(http.StatusBadRequest, "SecurityGroupsPerInterfaceLimitExceeded", "You have exceeded the maximum number of security groups per interface, %d.", MaxInterfaceGroups)
	}
	for _, id := range ids {
		g, err := s.knownGroup(tx, id)
		if err != nil {
			return err
		}
		if g.VPC != vpc {
			return invalidGroupNetwork()
		}
	}
	return nil
}

func (s *Service) defaultVPC() (string, error) {
	for _, v := range s.vpcs.List("") {
		if v.Default {
			return v.ID, nil
		}
	}
	return "", api.Errorf(http.StatusBadRequest, "VPCIdNotSpecified", "No default VPC for this user")
}

// usersOf names what keeps a group from being deleted: interfaces that are in it,
// groups whose rules name it.
func (s *Service) usersOf(tx *store.Tx, id string) (users []string) {
	for _, n := range s.interfacesIn(tx) {
		if slices.Contains(n.Groups, id) {
			users = append(users, n.ID)
		}
	}
	for _, g := range s.groups.In(tx).List("") {
		if g.ID != id && slices.ContainsFunc(g.Rules, func(r Rule) bool { return r.Group == id }) {
			users = append(users, g.ID)
		}
	}
	return users
}

func invalidGroupNetwork() error {
	return api.Errorf(http.StatusBadRequest, "InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
}

func limitOfRules() error {
	return api.Errorf(http.StatusBadRequest, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
}
