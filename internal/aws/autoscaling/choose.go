package autoscaling

import (
	"cmp"
	"slices"
	"strconv"
)

// terminationPolicies are those that groups can have here.
var terminationPolicies = []string{"Default", "OldestInstance", "NewestInstance", "OldestLaunchTemplate", "AllocationStrategy"}

// whereTo orders a group's subnets by where the next instance is best launched: in the
// zone with the fewest, and there in the subnet with the fewest.
func whereTo(g *Group, zoneOf func(subnet string) string) []string {
	inZone, inSubnet := map[string]int{}, map[string]int{}
	for i := range g.Members {
		if m := &g.Members[i]; !m.leaving() {
			inZone[m.Zone]++
			inSubnet[m.Subnet]++
		}
	}
	order := slices.Clone(g.Subnets)
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(inZone[zoneOf(a)], inZone[zoneOf(b)]), cmp.Compare(inSubnet[a], inSubnet[b]))
	})
	return order
}

// victim chooses the instance that a group can do without: unhealthy ones first, then of
// the zone that has the most, by the group's policies. False: all are protected.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
func victim(g *Group) (string, bool) {
	inZone := map[string]int{}
	var candidates []*Member
	for i := range g.Members {
		if m := &g.Members[i]; !m.leaving() {
			inZone[m.Zone]++
			if !m.Protected {
				candidates = append(candidates, m)
			}
		}
	}
	if len(candidates) == 0 {
		return "", false
	}
	slices.SortStableFunc(candidates, func(a, b *Member) int {
		if a.Unhealthy != b.Unhealthy {
			return map[bool]int{true: -1, false: 1}[a.Unhealthy]
		}
		if n := cmp.Compare(inZone[b.Zone], inZone[a.Zone]); n != 0 {
			return n
		}
		for _, p := range g.Policies {
			if n := byPolicy(p, g, a, b); n != 0 {
				return n
			}
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return candidates[0].ID, true
}

func byPolicy(policy string, g *Group, a, b *Member) int {
	oldest := a.Joined.Compare(b.Joined)
	switch policy {
	case "OldestInstance":
		return oldest
	case "NewestInstance":
		return -oldest
	case "OldestLaunchTemplate":
		return byTemplate(g, a, b)
	case "Default":
		return cmp.Or(byTemplate(g, a, b), oldest)
	}
	return 0 // AllocationStrategy: there is one strategy, which all are in accord with
}

// byTemplate puts those of another template first, then those of older versions.
func byTemplate(g *Group, a, b *Member) int {
	rank := func(m *Member) int64 {
		if m.Template.ID != g.Template.ID {
			return -1
		}
		n, _ := strconv.ParseInt(m.Template.Version, 10, 64)
		return n
	}
	return cmp.Compare(rank(a), rank(b))
}
