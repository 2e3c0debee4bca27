package route53

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/store"
)

// Route 53's default quota of hosted zones, and its largest page.
const (
	maxZones = 500
	maxPage  = 100
)

// CreateHostedZone makes a zone with its SOA and NS records. One with a VPC is
// private.
func (s *Service) CreateHostedZone(ctx context.Context, in *route53.CreateHostedZoneInput) (*route53.CreateHostedZoneOutput, error) {
	name, ok := normalize(aws.ToString(in.Name))
	switch {
	case !ok:
		return nil, &types.InvalidDomainName{Message: aws.String(aws.ToString(in.Name) + " is not a valid domain name")}
	case aws.ToString(in.DelegationSetId) != "":
		return nil, unsupported("DelegationSetId", "there are no reusable delegation sets")
	case in.HostedZoneConfig != nil && in.HostedZoneConfig.PrivateZone && in.VPC == nil:
		return nil, invalidInput("When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion.")
	}
	z := Zone{ID: newID("Z"), Name: name, Reference: aws.ToString(in.CallerReference), CreatedAt: s.Now()}
	if in.HostedZoneConfig != nil {
		z.Comment = aws.ToString(in.HostedZoneConfig.Comment)
	}
	if in.VPC != nil {
		v, err := s.vpcOf(in.VPC)
		if err != nil {
			return nil, err
		}
		z.Private, z.VPCs = true, []VPC{v}
	}
	z.Servers = serversOf(z)
	var change *types.ChangeInfo
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		n := 0
		for _, other := range s.zones.In(tx).List("") {
			if n++; other.Reference == z.Reference {
				return &types.HostedZoneAlreadyExists{Message: aws.String("A hosted zone has already been created with the specified caller reference.")}
			}
			if err := conflict(z, other); err != nil {
				return err
			}
		}
		if n >= maxZones {
			return &types.TooManyHostedZones{Message: aws.String(fmt.Sprintf("Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more hosted zones. Limit: %d", maxZones))}
		}
		s.zones.In(tx).Put(z.ID, z)
		for _, set := range firstSets(z) {
			s.sets.In(tx).Put(setKey(z.ID, set.Name, set.Type), set)
		}
		change = s.note(tx, "")
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &route53.CreateHostedZoneOutput{
		HostedZone: s.view(z), ChangeInfo: change,
		Location: aws.String("https://route53.amazonaws.com/2013-04-01/hostedzone/" + z.ID),
	}
	if z.Private {
		out.VPC = z.VPCs[0].view()
	} else {
		out.DelegationSet = &types.DelegationSet{NameServers: slices.Clone(z.Servers)}
	}
	return out, nil
}

// serversOf are the zone's name servers: four that its id picks, or the reserved ones
// that every private zone names.
func serversOf(z Zone) []string {
	if z.Private {
		return []string{"ns-1536.awsdns-00.co.uk", "ns-0.awsdns-00.com", "ns-1024.awsdns-00.org", "ns-512.awsdns-00.net"}
	}
	n := 0
	for _, c := range z.ID {
		n = (n*36 + int(c)) % 512
	}
	var all []string
	for i, tld := range []string{"com", "net", "org", "co.uk"} {
		all = append(all, fmt.Sprintf("ns-%d.awsdns-%02d.%s", n+512*i, n/8, tld))
	}
	return all
}

// firstSets are the record sets that a zone begins with.
func firstSets(z Zone) []Set {
	ns := Set{Name: z.Name, Type: "NS", TTL: 172800}
	for _, server := range z.Servers {
		ns.Values = append(ns.Values, server+".")
	}
	soa := ns.Values[0] + " awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
	return []Set{ns, {Name: z.Name, Type: "SOA", TTL: 900, Values: []string{soa}}}
}

// find returns the zone of an id.
func (s *Service) find(id *string) (Zone, error) {
	z, ok := s.zones.Get(bare(aws.ToString(id)))
	if !ok {
		return z, noZone(bare(aws.ToString(id)))
	}
	return z, nil
}

func (s *Service) view(z Zone) *types.HostedZone {
	n := int64(0)
	for range s.sets.Shared(z.ID + " ") {
		n++
	}
	v := &types.HostedZone{
		Id: aws.String("/hostedzone/" + z.ID), Name: aws.String(z.Name), CallerReference: aws.String(z.Reference),
		Config: &types.HostedZoneConfig{PrivateZone: z.Private}, ResourceRecordSetCount: aws.Int64(n),
	}
	if z.Comment != "" {
		v.Config.Comment = aws.String(z.Comment)
	}
	return v
}

// GetHostedZone shows a zone.
func (s *Service) GetHostedZone(_ context.Context, in *route53.GetHostedZoneInput) (*route53.GetHostedZoneOutput, error) {
	z, err := s.find(in.Id)
	if err != nil {
		return nil, err
	}
	out := &route53.GetHostedZoneOutput{HostedZone: s.view(z)}
	if !z.Private {
		out.DelegationSet = &types.DelegationSet{NameServers: slices.Clone(z.Servers)}
	}
	for _, v := range z.VPCs {
		out.VPCs = append(out.VPCs, *v.view())
	}
	return out, nil
}

// GetHostedZoneCount counts the zones.
func (s *Service) GetHostedZoneCount(context.Context, *route53.GetHostedZoneCountInput) (*route53.GetHostedZoneCountOutput, error) {
	return &route53.GetHostedZoneCountOutput{HostedZoneCount: aws.Int64(int64(s.zones.Len()))}, nil
}

// ListHostedZones lists the zones by id. A marker is the first id of the next page.
func (s *Service) ListHostedZones(_ context.Context, in *route53.ListHostedZonesInput) (*route53.ListHostedZonesOutput, error) {
	if aws.ToString(in.DelegationSetId) != "" {
		return nil, unsupported("DelegationSetId", "there are no reusable delegation sets")
	}
	size, err := pageSize(in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &route53.ListHostedZonesOutput{HostedZones: []types.HostedZone{}, Marker: in.Marker, MaxItems: aws.Int32(int32(size))}
	for id, z := range s.zones.List("") {
		if id < bare(aws.ToString(in.Marker)) || in.HostedZoneType == types.HostedZoneTypePrivateHostedZone && !z.Private {
			continue
		}
		if len(out.HostedZones) == size {
			out.IsTruncated, out.NextMarker = true, aws.String(id)
			break
		}
		out.HostedZones = append(out.HostedZones, *s.view(z))
	}
	return out, nil
}

// ListHostedZonesByName lists the zones by name, its labels from the right.
func (s *Service) ListHostedZonesByName(_ context.Context, in *route53.ListHostedZonesByNameInput) (*route53.ListHostedZonesByNameOutput, error) {
	size, err := pageSize(in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &route53.ListHostedZonesByNameOutput{HostedZones: []types.HostedZone{}, DNSName: in.DNSName, HostedZoneId: in.HostedZoneId, MaxItems: aws.Int32(int32(size))}
	from := ""
	if given := aws.ToString(in.DNSName); given != "" {
		name, ok := normalize(given)
		if !ok {
			return nil, &types.InvalidDomainName{Message: aws.String(given + " is not a valid domain name")}
		}
		from = reversed(name) + " " + bare(aws.ToString(in.HostedZoneId))
	}
	byName := func(z Zone) string { return reversed(z.Name) + " " + z.ID }
	all := slices.SortedFunc(maps.Values(maps.Collect(s.zones.List(""))), func(a, b Zone) int { return cmp.Compare(byName(a), byName(b)) })
	for _, z := range all {
		if byName(z) < from {
			continue
		}
		if len(out.HostedZones) == size {
			out.IsTruncated, out.NextDNSName, out.NextHostedZoneId = true, aws.String(z.Name), aws.String(z.ID)
			break
		}
		out.HostedZones = append(out.HostedZones, *s.view(z))
	}
	return out, nil
}

func pageSize(asked *int32) (int, error) {
	if asked == nil {
		return maxPage, nil
	}
	if *asked < 1 {
		return 0, invalidInput("MaxItems must be at least 1: %s", strconv.Itoa(int(*asked)))
	}
	return min(int(*asked), maxPage), nil
}

// UpdateHostedZoneComment changes a zone's comment.
func (s *Service) UpdateHostedZoneComment(ctx context.Context, in *route53.UpdateHostedZoneCommentInput) (*route53.UpdateHostedZoneCommentOutput, error) {
	var z Zone
	err := s.change(ctx, in.Id, func(_ *store.Tx, now *Zone) error {
		now.Comment = aws.ToString(in.Comment)
		z = *now
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &route53.UpdateHostedZoneCommentOutput{HostedZone: s.view(z)}, nil
}

// change rewrites a zone's record.
func (s *Service) change(ctx context.Context, id *string, fn func(*store.Tx, *Zone) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		z, ok := s.zones.In(tx).Get(bare(aws.ToString(id)))
		if !ok {
			return noZone(bare(aws.ToString(id)))
		}
		z.VPCs = slices.Clone(z.VPCs)
		if err := fn(tx, &z); err != nil {
			return err
		}
		s.zones.In(tx).Put(z.ID, z)
		return nil
	})
}

// DeleteHostedZone removes a zone that has no records but those it began with.
func (s *Service) DeleteHostedZone(ctx context.Context, in *route53.DeleteHostedZoneInput) (*route53.DeleteHostedZoneOutput, error) {
	out := &route53.DeleteHostedZoneOutput{}
	return out, s.Store.Update(ctx, func(tx *store.Tx) error {
		z, ok := s.zones.In(tx).Get(bare(aws.ToString(in.Id)))
		if !ok {
			return noZone(bare(aws.ToString(in.Id)))
		}
		for key, set := range s.sets.In(tx).List(z.ID + " ") {
			if set.Name != z.Name || set.Type != "NS" && set.Type != "SOA" {
				return &types.HostedZoneNotEmpty{Message: aws.String("The specified hosted zone contains non-required resource record sets and so cannot be deleted.")}
			}
			s.sets.In(tx).Delete(key)
		}
		s.zones.In(tx).Delete(z.ID)
		out.ChangeInfo = s.note(tx, "")
		return nil
	})
}
