package route53

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/eksact/eksact/internal/store"
)

func (v VPC) view() *types.VPC {
	return &types.VPC{VPCId: aws.String(v.ID), VPCRegion: types.VPCRegion(v.Region)}
}

// vpcOf checks a VPC that is to see a zone.
func (s *Service) vpcOf(in *types.VPC) (VPC, error) {
	v := VPC{Region: string(in.VPCRegion), ID: aws.ToString(in.VPCId)}
	if v.Region == "" {
		return v, invalidInput("VPCRegion must be specified.")
	}
	if v.Region != s.Place.Region || !s.VPC(v.ID) {
		return v, &types.InvalidVPCId{Message: aws.String("The VPC: " + v.ID + " in region " + v.Region + " that you provided is not authorized to make the association.")}
	}
	return v, nil
}

// conflict refuses that a VPC sees two private zones of one name.
func conflict(z, other Zone) error {
	if !z.Private || !other.Private || z.ID == other.ID || z.Name != other.Name {
		return nil
	}
	for _, v := range z.VPCs {
		if other.seenBy(v.ID) {
			return &types.ConflictingDomainExists{Message: aws.String("The VPC " + v.ID + " in region " + v.Region +
				" has already been associated with the hosted zone " + other.ID + " with the same domain name.")}
		}
	}
	return nil
}

// AssociateVPCWithHostedZone lets a VPC see a private zone.
func (s *Service) AssociateVPCWithHostedZone(ctx context.Context, in *route53.AssociateVPCWithHostedZoneInput) (*route53.AssociateVPCWithHostedZoneOutput, error) {
	out := &route53.AssociateVPCWithHostedZoneOutput{}
	return out, s.change(ctx, in.HostedZoneId, func(tx *store.Tx, z *Zone) error {
		if !z.Private {
			return &types.PublicZoneVPCAssociation{Message: aws.String("You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC with a public hosted zone.")}
		}
		v, err := s.vpcOf(vpcGiven(in.VPC))
		if err != nil {
			return err
		}
		if !z.seenBy(v.ID) {
			z.VPCs = append(z.VPCs, v)
		}
		for _, other := range s.zones.In(tx).List("") {
			if err := conflict(*z, other); err != nil {
				return err
			}
		}
		out.ChangeInfo = s.note(tx, aws.ToString(in.Comment))
		return nil
	})
}

// DisassociateVPCFromHostedZone hides a private zone from a VPC, unless no other sees
// it.
func (s *Service) DisassociateVPCFromHostedZone(ctx context.Context, in *route53.DisassociateVPCFromHostedZoneInput) (*route53.DisassociateVPCFromHostedZoneOutput, error) {
	out := &route53.DisassociateVPCFromHostedZoneOutput{}
	return out, s.change(ctx, in.HostedZoneId, func(tx *store.Tx, z *Zone) error {
		id := aws.ToString(vpcGiven(in.VPC).VPCId)
		switch {
		case !z.seenBy(id):
			return &types.VPCAssociationNotFound{Message: aws.String("The VPC: " + id + " isn't associated with the hosted zone: " + z.ID)}
		case len(z.VPCs) == 1:
			return &types.LastVPCAssociation{Message: aws.String("Cannot remove last VPC association for the private zone")}
		}
		z.VPCs = slices.DeleteFunc(z.VPCs, func(v VPC) bool { return v.ID == id })
		out.ChangeInfo = s.note(tx, aws.ToString(in.Comment))
		return nil
	})
}

func vpcGiven(in *types.VPC) *types.VPC {
	if in == nil {
		return &types.VPC{}
	}
	return in
}

// ListHostedZonesByVPC lists the private zones that a VPC sees.
func (s *Service) ListHostedZonesByVPC(_ context.Context, in *route53.ListHostedZonesByVPCInput) (*route53.ListHostedZonesByVPCOutput, error) {
	v, err := s.vpcOf(&types.VPC{VPCId: in.VPCId, VPCRegion: in.VPCRegion})
	if err != nil {
		return nil, err
	}
	size, err := pageSize(in.MaxItems)
	if err != nil {
		return nil, err
	}
	from, err := readToken(aws.ToString(in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &route53.ListHostedZonesByVPCOutput{HostedZoneSummaries: []types.HostedZoneSummary{}, MaxItems: aws.Int32(int32(size))}
	for id, z := range s.zones.List("") {
		if !z.seenBy(v.ID) || cmp.Less(id, from) {
			continue
		}
		if len(out.HostedZoneSummaries) == size {
			out.NextToken = writeToken(id)
			break
		}
		out.HostedZoneSummaries = append(out.HostedZoneSummaries, types.HostedZoneSummary{
			HostedZoneId: aws.String(z.ID), Name: aws.String(z.Name), Owner: &types.HostedZoneOwner{OwningAccount: aws.String(s.Place.AccountID)},
		})
	}
	return out, nil
}
