package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/ec2"
	"github.com/eksact/eksact/internal/engine/secgroup"
)

// Load balancers' own security groups. What they say of clients is enforced where
// their listeners are (package lb), for the router sees a load balancer's target, not
// its address. A target's rule that names such a group lets the group's clients
// through, whose addresses the router sees until it sends the packets on.

// admits are who security groups let connect to a port.
func (d *Daemon) admits(groups []string, proto uint8, port uint16) (all []netip.Prefix) {
	interfaces := d.ec2.NetworkInterfaces()
	for _, id := range groups {
		g, _ := d.ec2.SecurityGroup(id)
		for _, r := range g.Rules {
			rule, err := groupRule(r)
			if err != nil || rule.Egress || !rule.Any && (rule.Proto != proto || port < rule.First || port > rule.Last) {
				continue
			}
			all = append(all, d.peers(r, interfaces)...)
		}
	}
	return all
}

// peers are the addresses that a rule lets through.
func (d *Daemon) peers(r ec2.Rule, interfaces []ec2.NetworkInterface) (all []netip.Prefix) {
	switch {
	case r.CIDR.IsValid():
		return []netip.Prefix{r.CIDR}
	case r.PrefixList != "":
		for _, l := range d.ec2.PrefixLists() {
			if l.ID == r.PrefixList {
				for _, e := range l.Entries() {
					all = append(all, e.CIDR)
				}
			}
		}
	}
	for _, n := range interfaces {
		if r.Group == "" || !slices.Contains(n.Groups, r.Group) {
			continue
		}
		of := groupInterface(n)
		for _, a := range of.Addresses {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
		all = append(all, of.Prefixes...)
	}
	return all
}

// letClients adds to rules that name a group of load balancers' the group's clients.
func letClients(s *secgroup.State, of func(group string) []netip.Prefix) {
	clients := map[string][]netip.Prefix{}
	for i, g := range s.Groups {
		for _, r := range g.Rules {
			if r.Egress || r.Group == "" {
				continue
			}
			if _, known := clients[r.Group]; !known {
				clients[r.Group] = of(r.Group)
			}
			for _, block := range clients[r.Group] {
				r.Group, r.Block = "", block
				s.Groups[i].Rules = append(s.Groups[i].Rules, r)
			}
		}
	}
}

// groupsNamed are a VPC's security groups that are given by id or by their tag Name.
// https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/networking/security_group_resolver.go
func (d *Daemon) groupsNamed(ctx context.Context, in string, given []string) (ids []string, err error) {
	if len(given) == 0 {
		return nil, nil
	}
	all, err := d.ec2.DescribeSecurityGroups(ctx, &awsec2.DescribeSecurityGroupsInput{
		Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{in}}},
	})
	if err != nil {
		return nil, err
	}
	asked, found := map[string][]string{}, map[string][]string{}
	for _, wanted := range given {
		kind := "names"
		if strings.HasPrefix(wanted, "sg-") {
			kind = "ids"
		}
		asked[kind] = append(asked[kind], wanted)
		for _, g := range all.SecurityGroups {
			named := slices.ContainsFunc(g.Tags, func(t ec2types.Tag) bool { return aws.ToString(t.Key) == "Name" && aws.ToString(t.Value) == wanted })
			if id := aws.ToString(g.GroupId); named && kind == "names" || id == wanted {
				ids = append(ids, id)
				if !slices.Contains(found[kind], wanted) {
					found[kind] = append(found[kind], wanted)
				}
			}
		}
	}
	var missing []string
	for _, kind := range []string{"ids", "names"} {
		if len(asked[kind]) != len(found[kind]) {
			missing = append(missing, fmt.Sprintf("requested %s [%s] but found [%s]", kind, strings.Join(asked[kind], ", "), strings.Join(found[kind], ", ")))
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("couldn't find all security groups: %s", strings.Join(missing, ", ")) // as AWS's controller says it
	}
	return ids, nil
}
