package ec2

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/store"
)

const anyProtocol = "-1"

// protocolNames are the protocols that are known by name, by their numbers.
var protocolNames = map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}

// protocolOf brings a protocol into the form that it is kept in. All is "-1".
func protocolOf(given *string) (string, error) {
	name := strings.ToLower(aws.ToString(given))
	switch name {
	case "":
		return "", absent("ipProtocol")
	case "tcp", "udp", "icmp", "icmpv6", anyProtocol:
		return name, nil
	case "all":
		return anyProtocol, nil
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		return "", invalid("Invalid value '%s' for IP protocol. Unknown protocol.", aws.ToString(given))
	}
	if known := protocolNames[strconv.FormatUint(n, 10)]; known != "" {
		return known, nil
	}
	return strconv.FormatUint(n, 10), nil
}

// setPorts checks the ports, or type and code, that a rule is given. Protocols
// without either, and all of them together, have none, whatever is given.
func (r *Rule) setPorts(from, to *int32) error {
	r.From, r.To = -1, -1
	switch r.Protocol {
	case "tcp", "udp":
		if from == nil || to == nil {
			return invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
		}
		for _, port := range []int32{*from, *to} {
			if port < 0 || port > 65535 {
				return invalid("TCP/UDP port (%d) out of range", port)
			}
		}
		if *from > *to {
			return invalid("Invalid TCP/UDP port range (%d:%d)", *from, *to)
		}
		r.From, r.To = *from, *to
	case "icmp", "icmpv6":
		if r.Protocol == "icmp" && (from == nil || to == nil) {
			return invalid("Invalid value 'Must specify both type and code with ICMP.' for portRange.")
		}
		kind, code := orAny(from), orAny(to)
		switch {
		case kind < -1 || kind > 255:
			return invalid("ICMP type (%d) out of range", kind)
		case code < -1 || code > 255:
			return invalid("ICMP code (%d) out of range", code)
		case kind == -1 && code != -1:
			return invalid("ICMP code (%d) requires type to be set", code)
		}
		r.From, r.To = kind, code
	}
	return nil
}

func orAny(n *int32) int32 {
	if n == nil {
		return -1
	}
	return *n
}

// setCIDR reads a block of one family. Bits beyond the prefix are dropped.
func (r *Rule) setCIDR(text *string, v6 bool) error {
	p, err := netip.ParsePrefix(aws.ToString(text))
	if err != nil || p.Addr().Is4() == v6 || p.Addr().Is4In6() {
		return invalid("CIDR block %s is malformed", aws.ToString(text))
	}
	r.CIDR = p.Masked()
	return nil
}

func (r *Rule) describe(text *string) error {
	r.Description = aws.ToString(text)
	if len(r.Description) > maxGroupText || !groupText.MatchString(r.Description) {
		return invalid("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	}
	return nil
}

// Same is whether two rules let the same through, in the same direction.
func (r Rule) Same(o Rule) bool {
	return r.Egress == o.Egress && r.Protocol == o.Protocol && r.From == o.From && r.To == o.To &&
		r.CIDR == o.CIDR && r.Group == o.Group && r.PrefixList == o.PrefixList
}

// peer is the rule's other end, as texts name it.
func (r Rule) peer() string {
	if r.CIDR.IsValid() {
		return r.CIDR.String()
	}
	return r.Group + r.PrefixList
}

// String is the rule as EC2's errors show it.
func (r Rule) String() string {
	number := func(n int32) string {
		if n == -1 {
			return "ALL"
		}
		return strconv.Itoa(int(n))
	}
	switch r.Protocol {
	case anyProtocol:
		return "peer: " + r.peer() + ", ALL, ALLOW"
	case "tcp", "udp":
		return "peer: " + r.peer() + ", " + strings.ToUpper(r.Protocol) + ", from port: " + number(r.From) + ", to port: " + number(r.To) + ", ALLOW"
	case "icmp", "icmpv6":
		return "peer: " + r.peer() + ", " + strings.ToUpper(r.Protocol) + ", type: " + number(r.From) + ", code: " + number(r.To) + ", ALLOW"
	}
	return "peer: " + r.peer() + ", protocol: " + r.Protocol + ", ALLOW"
}

// flat is a rule as the calls' older parameters write it.
type flat struct {
	protocol   *string
	from, to   *int32
	cidr       *string
	group      *string // name
	groupOwner *string
}

func (f flat) given() bool {
	return f.protocol != nil || f.from != nil || f.to != nil || f.cidr != nil || f.group != nil || f.groupOwner != nil
}

// rulesOf reads the rules that a call gives for a group.
func (s *Service) rulesOf(tx *store.Tx, g SecurityGroup, egress bool, list []types.IpPermission, f flat) ([]Rule, error) {
	if f.given() {
		if len(list) > 0 {
			return nil, invalidCombination("The parameter ipPermissions may not be used in combination with other rule parameters")
		}
		p := types.IpPermission{IpProtocol: f.protocol, FromPort: f.from, ToPort: f.to}
		if f.cidr != nil {
			p.IpRanges = []types.IpRange{{CidrIp: f.cidr}}
		}
		if f.group != nil {
			// The older form is of all protocols.
			if p.IpProtocol == nil {
				p.IpProtocol = aws.String(anyProtocol)
			}
			p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupName: f.group, UserId: f.groupOwner}}
		}
		list = []types.IpPermission{p}
	}
	if len(list) == 0 {
		return nil, absent("ipPermissions")
	}
	var rules []Rule
	for _, p := range list {
		of, err := s.rulesOfPermission(tx, g, egress, p)
		if err != nil {
			return nil, err
		}
		rules = append(rules, of...)
	}
	return rules, nil
}

// rulesOfPermission makes a rule for each peer of a permission.
func (s *Service) rulesOfPermission(tx *store.Tx, g SecurityGroup, egress bool, p types.IpPermission) ([]Rule, error) {
	base := Rule{Egress: egress}
	var err error
	if base.Protocol, err = protocolOf(p.IpProtocol); err != nil {
		return nil, err
	}
	if err := base.setPorts(p.FromPort, p.ToPort); err != nil {
		return nil, err
	}
	var rules []Rule
	add := func(description *string, set func(*Rule) error) {
		r := base
		if err == nil {
			err = set(&r)
		}
		if err == nil {
			err = r.describe(description)
		}
		rules = append(rules, r)
	}
	for _, ip := range p.IpRanges {
		add(ip.Description, func(r *Rule) error { return r.setCIDR(ip.CidrIp, false) })
	}
	for _, ip := range p.Ipv6Ranges {
		add(ip.Description, func(r *Rule) error { return r.setCIDR(ip.CidrIpv6, true) })
	}
	for _, l := range p.PrefixListIds {
		add(l.Description, func(r *Rule) (err error) {
			r.PrefixList = aws.ToString(l.PrefixListId)
			_, err = s.knownList(tx, r.PrefixList)
			return err
		})
	}
	for _, pair := range p.UserIdGroupPairs {
		add(pair.Description, func(r *Rule) (err error) {
			r.Group, err = s.pairIn(tx, g, pair)
			return err
		})
	}
	if err == nil && len(rules) == 0 {
		return nil, absent("ipPermissions.1.ipRanges, ipv6Ranges, prefixListIds or groups")
	}
	return rules, err
}

// pairIn finds the group that a rule names.
func (s *Service) pairIn(tx *store.Tx, g SecurityGroup, pair types.UserIdGroupPair) (string, error) {
	if owner := aws.ToString(pair.UserId); owner != "" && owner != s.place.AccountID {
		return "", notThere(groupKind, aws.ToString(pair.GroupId)+aws.ToString(pair.GroupName))
	}
	if pair.GroupId == nil && pair.GroupName != nil {
		for _, o := range s.groups.In(tx).List("") {
			if o.VPC == g.VPC && o.Name == *pair.GroupName {
				return o.ID, nil
			}
		}
		return "", notThere(groupKind, *pair.GroupName)
	}
	other, err := s.knownGroup(tx, aws.ToString(pair.GroupId))
	if err != nil {
		return "", err
	}
	if other.VPC != g.VPC {
		return "", invalidGroupNetwork()
	}
	return other.ID, nil
}

// ruleOf reads one rule as ModifySecurityGroupRules writes it.
func (s *Service) ruleOf(tx *store.Tx, g SecurityGroup, egress bool, in *types.SecurityGroupRuleRequest) (Rule, error) {
	if in == nil {
		return Rule{}, absent("SecurityGroupRule")
	}
	if p, err := protocolOf(in.IpProtocol); err == nil && p == anyProtocol && (orAny(in.FromPort) != -1 || orAny(in.ToPort) != -1) {
		return Rule{}, invalid("You may not specify all protocols and specific ports. Please specify each protocol and port range combination individually, or all protocols and no port range.")
	}
	p := types.IpPermission{IpProtocol: in.IpProtocol, FromPort: in.FromPort, ToPort: in.ToPort}
	peers := 0
	if in.CidrIpv4 != nil {
		p.IpRanges = []types.IpRange{{CidrIp: in.CidrIpv4, Description: in.Description}}
		peers++
	}
	if in.CidrIpv6 != nil {
		p.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: in.CidrIpv6, Description: in.Description}}
		peers++
	}
	if in.PrefixListId != nil {
		p.PrefixListIds = []types.PrefixListId{{PrefixListId: in.PrefixListId, Description: in.Description}}
		peers++
	}
	if in.ReferencedGroupId != nil {
		p.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: in.ReferencedGroupId, Description: in.Description}}
		peers++
	}
	if peers != 1 {
		return Rule{}, invalidCombination("Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be specified.")
	}
	rules, err := s.rulesOfPermission(tx, g, egress, p)
	if err != nil {
		return Rule{}, err
	}
	return rules[0], nil
}

// checkQuota refuses a group with more rules than it may have. A prefix list
// counts as many as it may hold.
func (s *Service) checkQuota(tx *store.Tx, g SecurityGroup) error {
	for _, egress := range []bool{false, true} {
		count := 0
		for _, r := range g.Rules {
			switch {
			case r.Egress != egress:
			case r.PrefixList != "":
				l, _ := s.lists.In(tx).Get(r.PrefixList)
				count += int(l.MaxEntries)
			default:
				count++
			}
		}
		if count > maxRules {
			return limitOfRules()
		}
	}
	return nil
}

// indexOf finds the rule that lets the same through as r; -1 without one.
func indexOf(rules []Rule, r Rule) int { return slices.IndexFunc(rules, r.Same) }
