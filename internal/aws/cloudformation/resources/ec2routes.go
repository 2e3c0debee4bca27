package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func createTable(ctx context.Context, j *Job) (Made, error) {
	if j.PhysicalID == "" {
		out, err := call[ec2.CreateRouteTableOutput](ctx, j, "ec2", "CreateRouteTable", &ec2.CreateRouteTableInput{
			VpcId: ptr(j.Properties, "VpcId"), ClientToken: j.token(), TagSpecifications: specified(j, types.ResourceTypeRouteTable),
		})
		if err != nil {
			return Made{}, err
		}
		j.initiated(*out.RouteTable.RouteTableId)
	}
	return Made{j.PhysicalID, map[string]any{"RouteTableId": j.PhysicalID}}, nil
}

func deleteTable(ctx context.Context, j *Job) error {
	return whenFree(ctx, j, step{"DeleteRouteTable", &ec2.DeleteRouteTableInput{RouteTableId: &j.PhysicalID}})
}

// routeParts are the properties that CreateRoute takes as they are.
var routeParts = []string{
	"RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", "EgressOnlyInternetGatewayId", "GatewayId", "InstanceId",
	"NatGatewayId", "NetworkInterfaceId", "TransitGatewayId", "VpcEndpointId", "VpcPeeringConnectionId",
}

func createRoute(ctx context.Context, j *Job) (Made, error) {
	in := &ec2.CreateRouteInput{}
	if err := into(in, j.Properties, routeParts...); err != nil {
		return Made{}, err
	}
	// A table has one route to a destination.
	if err := do(ctx, j, "ec2", step{"CreateRoute", in}); err != nil && !(j.Again && api.Code(err) == "RouteAlreadyExists") {
		return Made{}, err
	}
	return Made{j.physical(nil), map[string]any{"CidrBlock": text(j.Properties, "DestinationCidrBlock")}}, nil
}

func replaceRoute(ctx context.Context, j *Job) (Made, error) {
	in := &ec2.ReplaceRouteInput{}
	if err := into(in, j.Properties, routeParts...); err != nil {
		return Made{}, err
	}
	return Made{}, do(ctx, j, "ec2", step{"ReplaceRoute", in})
}

func deleteRoute(ctx context.Context, j *Job) error {
	in := &ec2.DeleteRouteInput{}
	if err := into(in, j.Old, routeParts[:4]...); err != nil {
		return err
	}
	return do(ctx, j, "ec2", step{"DeleteRoute", in})
}

func createTableAssociation(ctx context.Context, j *Job) (Made, error) {
	p, id := j.Properties, j.PhysicalID
	if id == "" {
		out, err := call[ec2.AssociateRouteTableOutput](ctx, j, "ec2", "AssociateRouteTable", &ec2.AssociateRouteTableInput{RouteTableId: ptr(p, "RouteTableId"), SubnetId: ptr(p, "SubnetId")})
		switch {
		case err == nil:
			id = *out.AssociationId
		case j.Again && api.Code(err) == "Resource.AlreadyAssociated":
			if id = associationOf(ctx, j); id == "" {
				return Made{}, err
			}
		default:
			return Made{}, err
		}
		j.initiated(id)
	}
	return Made{id, map[string]any{"Id": id}}, nil
}

// associationOf finds the association of a subnet with a table.
func associationOf(ctx context.Context, j *Job) string {
	out, err := call[ec2.DescribeRouteTablesOutput](ctx, j, "ec2", "DescribeRouteTables", &ec2.DescribeRouteTablesInput{RouteTableIds: []string{text(j.Properties, "RouteTableId")}})
	if err != nil {
		return ""
	}
	for _, t := range out.RouteTables {
		for _, a := range t.Associations {
			if aws.ToString(a.SubnetId) == text(j.Properties, "SubnetId") {
				return aws.ToString(a.RouteTableAssociationId)
			}
		}
	}
	return ""
}

func deleteTableAssociation(ctx context.Context, j *Job) error {
	return do(ctx, j, "ec2", step{"DisassociateRouteTable", &ec2.DisassociateRouteTableInput{AssociationId: &j.PhysicalID}})
}

func createAddress(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	var allocation string
	if j.unnoted() {
		out, err := call[ec2.DescribeAddressesOutput](ctx, j, "ec2", "DescribeAddresses", &ec2.DescribeAddressesInput{Filters: j.marks()})
		if err != nil {
			return Made{}, err
		}
		if len(out.Addresses) > 0 {
			j.initiated(*out.Addresses[0].PublicIp)
		}
	}
	if j.PhysicalID == "" {
		out, err := call[ec2.AllocateAddressOutput](ctx, j, "ec2", "AllocateAddress", &ec2.AllocateAddressInput{
			Domain: types.DomainType(text(p, "Domain")), Address: ptr(p, "Address"), TagSpecifications: specified(j, types.ResourceTypeElasticIp),
		})
		if err != nil {
			return Made{}, err
		}
		allocation = *out.AllocationId
		j.initiated(*out.PublicIp)
	} else {
		var err error
		if allocation, err = allocationOf(ctx, j); err != nil {
			return Made{}, err
		}
	}
	made := Made{j.PhysicalID, map[string]any{"PublicIp": j.PhysicalID, "AllocationId": allocation}}
	if instance := text(p, "InstanceId"); instance != "" {
		return made, do(ctx, j, "ec2", step{"AssociateAddress", &ec2.AssociateAddressInput{AllocationId: &allocation, InstanceId: &instance}})
	}
	return made, nil
}

// allocationOf is the id of an Elastic IP address.
func allocationOf(ctx context.Context, j *Job) (string, error) {
	out, err := call[ec2.DescribeAddressesOutput](ctx, j, "ec2", "DescribeAddresses", &ec2.DescribeAddressesInput{PublicIps: []string{j.PhysicalID}})
	if err != nil || len(out.Addresses) == 0 {
		return "", err
	}
	return aws.ToString(out.Addresses[0].AllocationId), nil
}

func updateAddress(ctx context.Context, j *Job) (Made, error) {
	if text(j.Old, "InstanceId") != text(j.Properties, "InstanceId") {
		return Made{}, ErrReplace
	}
	return Made{}, retagEC2(ctx, j, text(j.After.Attributes, "AllocationId"))
}

func deleteAddress(ctx context.Context, j *Job) error {
	allocation, err := allocationOf(ctx, j)
	if err != nil || allocation == "" {
		return err
	}
	if text(j.Old, "InstanceId") != "" {
		if err := undo(ctx, j, "ec2", step{"DisassociateAddress", &ec2.DisassociateAddressInput{PublicIp: &j.PhysicalID}}); err != nil {
			return err
		}
	}
	return whenFree(ctx, j, step{"ReleaseAddress", &ec2.ReleaseAddressInput{AllocationId: &allocation}})
}

func createNAT(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	if j.PhysicalID == "" {
		out, err := call[ec2.CreateNatGatewayOutput](ctx, j, "ec2", "CreateNatGateway", &ec2.CreateNatGatewayInput{
			SubnetId: ptr(p, "SubnetId"), AllocationId: ptr(p, "AllocationId"), ConnectivityType: types.ConnectivityType(text(p, "ConnectivityType")),
			ClientToken: j.token(), TagSpecifications: specified(j, types.ResourceTypeNatgateway),
		})
		if err != nil {
			return Made{}, err
		}
		j.initiated(*out.NatGateway.NatGatewayId)
	}
	made := Made{j.PhysicalID, map[string]any{"NatGatewayId": j.PhysicalID}}
	return made, until(ctx, ec2Limit, func() (bool, error) {
		state, err := natState(ctx, j)
		if state == types.NatGatewayStateFailed || state == types.NatGatewayStateDeleted {
			return false, errState("NatGateway", string(state))
		}
		return state == types.NatGatewayStateAvailable, err
	})
}

func natState(ctx context.Context, j *Job) (types.NatGatewayState, error) {
	out, err := call[ec2.DescribeNatGatewaysOutput](ctx, j, "ec2", "DescribeNatGateways", &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{j.PhysicalID}})
	if err != nil {
		return "", err
	}
	if len(out.NatGateways) == 0 {
		return types.NatGatewayStateDeleted, nil
	}
	return out.NatGateways[0].State, nil
}

func deleteNAT(ctx context.Context, j *Job) error {
	if err := do(ctx, j, "ec2", step{"DeleteNatGateway", &ec2.DeleteNatGatewayInput{NatGatewayId: &j.PhysicalID}}); err != nil {
		return err
	}
	return until(ctx, ec2Limit, func() (bool, error) {
		state, err := natState(ctx, j)
		return state == types.NatGatewayStateDeleted || gone(err), skipGone(err)
	})
}

func skipGone(err error) error {
	if gone(err) {
		return nil
	}
	return err
}
