package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func createVPC(ctx context.Context, j *Job) (Made, error) {
	p, id := j.Properties, j.PhysicalID
	if id == "" && j.unnoted() {
		out, err := call[ec2.DescribeVpcsOutput](ctx, j, "ec2", "DescribeVpcs", &ec2.DescribeVpcsInput{Filters: j.marks()})
		if err != nil {
			return Made{}, err
		}
		if len(out.Vpcs) > 0 {
			id = *out.Vpcs[0].VpcId
			j.initiated(id)
		}
	}
	if id == "" {
		out, err := call[ec2.CreateVpcOutput](ctx, j, "ec2", "CreateVpc", &ec2.CreateVpcInput{
			CidrBlock: ptr(p, "CidrBlock"), InstanceTenancy: types.Tenancy(text(p, "InstanceTenancy")), TagSpecifications: specified(j, types.ResourceTypeVpc),
		})
		if err != nil {
			return Made{}, err
		}
		id = *out.Vpc.VpcId
		j.initiated(id)
	}
	if err := setVPC(ctx, j, id, nil); err != nil {
		return Made{ID: id}, err
	}
	attributes, err := vpcAttributes(ctx, j, id)
	return Made{id, attributes}, err
}

// setVPC sets what differs from before of a VPC's DNS.
func setVPC(ctx context.Context, j *Job, id string, before map[string]any) error {
	for _, name := range []string{"EnableDnsSupport", "EnableDnsHostnames"} {
		now, was := flag(j.Properties, name), flag(before, name)
		if now == nil && was == nil || now != nil && was != nil && *now == *was {
			continue
		}
		on := name == "EnableDnsSupport"
		if now != nil {
			on = *now
		}
		in := &ec2.ModifyVpcAttributeInput{VpcId: &id}
		if name == "EnableDnsSupport" {
			in.EnableDnsSupport = &types.AttributeBooleanValue{Value: &on}
		} else {
			in.EnableDnsHostnames = &types.AttributeBooleanValue{Value: &on}
		}
		if err := do(ctx, j, "ec2", step{"ModifyVpcAttribute", in}); err != nil {
			return err
		}
	}
	return nil
}

func vpcAttributes(ctx context.Context, j *Job, id string) (map[string]any, error) {
	a := map[string]any{"VpcId": id, "CidrBlockAssociations": []any{}, "Ipv6CidrBlocks": []any{}}
	vpcs, err := call[ec2.DescribeVpcsOutput](ctx, j, "ec2", "DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: []string{id}})
	if err != nil {
		return nil, err
	}
	groups, err := call[ec2.DescribeSecurityGroupsOutput](ctx, j, "ec2", "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{where("vpc-id", id), where("group-name", "default")}})
	if err != nil {
		return nil, err
	}
	lists, err := call[ec2.DescribeNetworkAclsOutput](ctx, j, "ec2", "DescribeNetworkAcls", &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{where("vpc-id", id), where("default", "true")}})
	if err != nil {
		return nil, err
	}
	for _, v := range vpcs.Vpcs {
		a["CidrBlock"] = aws.ToString(v.CidrBlock)
		blocks, six := []any{}, []any{}
		for _, b := range v.CidrBlockAssociationSet {
			blocks = append(blocks, aws.ToString(b.AssociationId))
		}
		for _, b := range v.Ipv6CidrBlockAssociationSet {
			six = append(six, aws.ToString(b.Ipv6CidrBlock))
		}
		a["CidrBlockAssociations"], a["Ipv6CidrBlocks"] = blocks, six
	}
	for _, g := range groups.SecurityGroups {
		a["DefaultSecurityGroup"] = aws.ToString(g.GroupId)
	}
	for _, l := range lists.NetworkAcls {
		a["DefaultNetworkAcl"] = aws.ToString(l.NetworkAclId)
	}
	return a, nil
}

func updateVPC(ctx context.Context, j *Job) (Made, error) {
	if text(j.Old, "InstanceTenancy") != text(j.Properties, "InstanceTenancy") {
		return Made{}, ErrReplace
	}
	if err := setVPC(ctx, j, j.PhysicalID, j.Old); err != nil {
		return Made{}, err
	}
	return updateTags(ctx, j)
}

func deleteVPC(ctx context.Context, j *Job) error {
	return whenFree(ctx, j, step{"DeleteVpc", &ec2.DeleteVpcInput{VpcId: &j.PhysicalID}})
}

func createSubnet(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	s, err := newSubnet(ctx, j)
	if err != nil {
		return Made{}, err
	}
	id := *s.SubnetId
	j.initiated(id)
	a := map[string]any{
		"SubnetId": id, "VpcId": aws.ToString(s.VpcId), "AvailabilityZone": aws.ToString(s.AvailabilityZone), "AvailabilityZoneId": aws.ToString(s.AvailabilityZoneId),
		"CidrBlock": aws.ToString(s.CidrBlock), "OutpostArn": "",
	}
	six := []any{}
	for _, b := range s.Ipv6CidrBlockAssociationSet {
		six = append(six, aws.ToString(b.Ipv6CidrBlock))
	}
	a["Ipv6CidrBlocks"] = six
	if aws.ToBool(flag(p, "MapPublicIpOnLaunch")) {
		if err := setSubnet(ctx, j, id, true); err != nil {
			return Made{ID: id}, err
		}
	}
	return Made{id, a}, nil
}

func newSubnet(ctx context.Context, j *Job) (*types.Subnet, error) {
	p := j.Properties
	// A VPC has no two subnets of the same block.
	find := func(filters ...types.Filter) (*types.Subnet, error) {
		out, err := call[ec2.DescribeSubnetsOutput](ctx, j, "ec2", "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: filters})
		if err != nil || len(out.Subnets) == 0 {
			return nil, err
		}
		return &out.Subnets[0], nil
	}
	if j.PhysicalID != "" {
		if s, err := find(where("subnet-id", j.PhysicalID)); err != nil || s != nil {
			return s, err
		}
	}
	out, err := call[ec2.CreateSubnetOutput](ctx, j, "ec2", "CreateSubnet", &ec2.CreateSubnetInput{
		VpcId: ptr(p, "VpcId"), CidrBlock: ptr(p, "CidrBlock"), AvailabilityZone: ptr(p, "AvailabilityZone"), AvailabilityZoneId: ptr(p, "AvailabilityZoneId"),
		Ipv6CidrBlock: ptr(p, "Ipv6CidrBlock"), TagSpecifications: specified(j, types.ResourceTypeSubnet),
	})
	if err == nil {
		return out.Subnet, nil
	}
	if j.Again && api.Code(err) == "InvalidSubnet.Conflict" {
		if s, e := find(where("vpc-id", text(p, "VpcId")), where("cidr-block", text(p, "CidrBlock"))); e == nil && s != nil {
			return s, nil
		}
	}
	return nil, err
}

func setSubnet(ctx context.Context, j *Job, id string, public bool) error {
	return do(ctx, j, "ec2", step{"ModifySubnetAttribute", &ec2.ModifySubnetAttributeInput{SubnetId: &id, MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: &public}}})
}

func updateSubnet(ctx context.Context, j *Job) (Made, error) {
	if text(j.Old, "Ipv6CidrBlock") != text(j.Properties, "Ipv6CidrBlock") {
		return Made{}, ErrReplace
	}
	if public := aws.ToBool(flag(j.Properties, "MapPublicIpOnLaunch")); public != aws.ToBool(flag(j.Old, "MapPublicIpOnLaunch")) {
		if err := setSubnet(ctx, j, j.PhysicalID, public); err != nil {
			return Made{}, err
		}
	}
	return updateTags(ctx, j)
}

func deleteSubnet(ctx context.Context, j *Job) error {
	return whenFree(ctx, j, step{"DeleteSubnet", &ec2.DeleteSubnetInput{SubnetId: &j.PhysicalID}})
}

func createGateway(ctx context.Context, j *Job) (Made, error) {
	if j.unnoted() {
		out, err := call[ec2.DescribeInternetGatewaysOutput](ctx, j, "ec2", "DescribeInternetGateways", &ec2.DescribeInternetGatewaysInput{Filters: j.marks()})
		if err != nil {
			return Made{}, err
		}
		if len(out.InternetGateways) > 0 {
			j.initiated(*out.InternetGateways[0].InternetGatewayId)
		}
	}
	if j.PhysicalID == "" {
		out, err := call[ec2.CreateInternetGatewayOutput](ctx, j, "ec2", "CreateInternetGateway", &ec2.CreateInternetGatewayInput{TagSpecifications: specified(j, types.ResourceTypeInternetGateway)})
		if err != nil {
			return Made{}, err
		}
		j.initiated(*out.InternetGateway.InternetGatewayId)
	}
	return Made{j.PhysicalID, map[string]any{"InternetGatewayId": j.PhysicalID}}, nil
}

func deleteGateway(ctx context.Context, j *Job) error {
	return whenFree(ctx, j, step{"DeleteInternetGateway", &ec2.DeleteInternetGatewayInput{InternetGatewayId: &j.PhysicalID}})
}

func attachGateway(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	err := do(ctx, j, "ec2", step{"AttachInternetGateway", &ec2.AttachInternetGatewayInput{InternetGatewayId: ptr(p, "InternetGatewayId"), VpcId: ptr(p, "VpcId")}})
	if err != nil && !(j.Again && api.Code(err) == "Resource.AlreadyAssociated") {
		return Made{}, err
	}
	a := map[string]any{"AttachmentType": "IGW"}
	return Made{j.physical(a), a}, nil
}

func reattachGateway(ctx context.Context, j *Job) (Made, error) {
	if err := detachGateway(ctx, j); err != nil && api.Code(err) != "Gateway.NotAttached" {
		return Made{}, err
	}
	j.Again = true
	return attachGateway(ctx, j)
}

func detachGateway(ctx context.Context, j *Job) error {
	err := whenFree(ctx, j, step{"DetachInternetGateway", &ec2.DetachInternetGatewayInput{InternetGatewayId: ptr(j.Old, "InternetGatewayId"), VpcId: ptr(j.Old, "VpcId")}})
	if api.Code(err) == "Gateway.NotAttached" {
		return nil
	}
	return err
}
