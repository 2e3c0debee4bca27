package ec2

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// InternetGateway leads a VPC to public addresses.
type InternetGateway struct {
	ID   string // "igw-…"
	VPC  string // "" while it is detached
	Tags map[string]string
}

func (s *Service) addInternetGateways(svc *api.Service) {
	add(s, svc, "CreateInternetGateway", s.CreateInternetGateway, func(*ec2.CreateInternetGatewayInput) []string { return s.on("internet-gateway", made) })
	add(s, svc, "AttachInternetGateway", s.AttachInternetGateway, func(in *ec2.AttachInternetGatewayInput) []string {
		return append(s.on("internet-gateway", in.InternetGatewayId), s.on("vpc", in.VpcId)...)
	})
	add(s, svc, "DetachInternetGateway", s.DetachInternetGateway, func(in *ec2.DetachInternetGatewayInput) []string {
		return append(s.on("internet-gateway", in.InternetGatewayId), s.on("vpc", in.VpcId)...)
	})
	add(s, svc, "DeleteInternetGateway", s.DeleteInternetGateway, func(in *ec2.DeleteInternetGatewayInput) []string {
		return s.on("internet-gateway", in.InternetGatewayId)
	})
	add(s, svc, "DescribeInternetGateways", s.DescribeInternetGateways, nil)
}

// CreateInternetGateway makes a gateway of no VPC yet.
func (s *Service) CreateInternetGateway(ctx context.Context, in *ec2.CreateInternetGatewayInput) (*ec2.CreateInternetGatewayOutput, error) {
	tags, err := tagsFor(ctx, types.ResourceTypeInternetGateway, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	g := InternetGateway{ID: newID("igw-"), Tags: tags}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if len(s.gatewayFamily.list(tx)) >= maxVPCs {
			return refuse("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")
		}
		s.gatewayFamily.put(tx, g.ID, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	view := s.gatewayView(g)
	return &ec2.CreateInternetGatewayOutput{InternetGateway: &view}, nil
}

// AttachInternetGateway gives a gateway to a VPC that has none.
func (s *Service) AttachInternetGateway(ctx context.Context, in *ec2.AttachInternetGatewayInput) (*ec2.AttachInternetGatewayOutput, error) {
	vpc := aws.ToString(in.VpcId)
	return &ec2.AttachInternetGatewayOutput{}, s.change(ctx, func(tx *store.Tx) error {
		g, err := s.gatewayFamily.find(tx, aws.ToString(in.InternetGatewayId))
		if err != nil {
			return err
		}
		if _, err := s.vpcFamily.find(tx, vpc); err != nil {
			return err
		}
		if g.VPC != "" {
			return refuse("Resource.AlreadyAssociated", "resource %s is already attached to network %s", g.ID, g.VPC)
		}
		if slices.ContainsFunc(s.gatewayFamily.list(tx), func(other InternetGateway) bool { return other.VPC == vpc }) {
			return invalid("Network %s already has an internet gateway attached", vpc)
		}
		g.VPC = vpc
		s.gatewayFamily.put(tx, g.ID, g)
		return nil
	}, vpc)
}

// DetachInternetGateway takes the gateway from a VPC without public addresses.
// Routes to it stay, as blackholes.
func (s *Service) DetachInternetGateway(ctx context.Context, in *ec2.DetachInternetGatewayInput) (*ec2.DetachInternetGatewayOutput, error) {
	vpc := aws.ToString(in.VpcId)
	return &ec2.DetachInternetGatewayOutput{}, s.change(ctx, func(tx *store.Tx) error {
		g, err := s.gatewayFamily.find(tx, aws.ToString(in.InternetGatewayId))
		if err != nil {
			return err
		}
		if _, err := s.vpcFamily.find(tx, vpc); err != nil {
			return err
		}
		if g.VPC != vpc {
			return refuse("Gateway.NotAttached", "resource %s is not attached to network %s", g.ID, vpc)
		}
		mapped := slices.ContainsFunc(s.natFamily.list(tx), func(n NATGateway) bool { return n.VPC == vpc && n.living() && n.PublicIP.IsValid() }) ||
			slices.ContainsFunc(values(s.instances.In(tx).List("")), func(i Instance) bool { return i.VPC == vpc && i.PublicIP.IsValid() })
		if mapped {
			return refuse("DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpc)
		}
		g.VPC = ""
		s.gatewayFamily.put(tx, g.ID, g)
		return nil
	}, vpc)
}

// DeleteInternetGateway deletes a detached gateway.
func (s *Service) DeleteInternetGateway(ctx context.Context, in *ec2.DeleteInternetGatewayInput) (*ec2.DeleteInternetGatewayOutput, error) {
	return &ec2.DeleteInternetGatewayOutput{}, s.store.Update(ctx, func(tx *store.Tx) error {
		g, err := s.gatewayFamily.find(tx, aws.ToString(in.InternetGatewayId))
		if err != nil {
			return err
		}
		if g.VPC != "" {
			return dependent("internetGateway", g.ID)
		}
		s.gatewayFamily.drop(tx, g.ID)
		return nil
	})
}

// DescribeInternetGateways lists internet gateways.
func (s *Service) DescribeInternetGateways(_ context.Context, in *ec2.DescribeInternetGatewaysInput) (*ec2.DescribeInternetGatewaysOutput, error) {
	found, next, err := s.gatewayFamily.describe(query{nil, in.InternetGatewayIds, in.Filters, in.MaxResults, in.NextToken, "DescribeInternetGateways"},
		attributes[InternetGateway]{
			"internet-gateway-id": func(g InternetGateway) []string { return []string{g.ID} },
			"attachment.vpc-id":   func(g InternetGateway) []string { return optional(g.VPC) },
			"attachment.state": func(g InternetGateway) []string {
				if g.VPC == "" {
					return nil
				}
				return []string{"available"}
			},
			"owner-id": func(InternetGateway) []string { return []string{s.place.AccountID} },
		})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInternetGatewaysOutput{NextToken: next, InternetGateways: []types.InternetGateway{}}
	for _, g := range found {
		out.InternetGateways = append(out.InternetGateways, s.gatewayView(g))
	}
	return out, nil
}

func (s *Service) gatewayView(g InternetGateway) types.InternetGateway {
	view := types.InternetGateway{
		InternetGatewayId: aws.String(g.ID), OwnerId: aws.String(s.place.AccountID), Attachments: []types.InternetGatewayAttachment{}, Tags: tags(g.Tags),
	}
	if g.VPC != "" {
		view.Attachments = append(view.Attachments, types.InternetGatewayAttachment{VpcId: aws.String(g.VPC), State: "available"})
	}
	return view
}

func gatewayKey(g InternetGateway, key string) string {
	if key == "ec2:internetgatewayid" {
		return g.ID
	}
	return ""
}
