package ec2

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/store"
)

// ModifyVpcEndpoint changes an endpoint. The change is in force when the call returns.
func (s *Service) ModifyVpcEndpoint(ctx context.Context, in *ec2.ModifyVpcEndpointInput) (*ec2.ModifyVpcEndpointOutput, error) {
	switch {
	case in.IpAddressType != "" && in.IpAddressType != types.IpAddressTypeIpv4:
		return nil, unsupported("A VPC endpoint with IPv6")
	case len(in.SubnetConfigurations) > 0:
		return nil, unsupported("A VPC endpoint with chosen addresses")
	case in.PolicyDocument != nil && aws.ToBool(in.ResetPolicy):
		return nil, invalidCombination("The parameters PolicyDocument and ResetPolicy may not be used together")
	}
	if err := checkDNSOptions(in.DnsOptions); err != nil {
		return nil, err
	}
	if err := checkEndpointPolicy(in.PolicyDocument); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	e, err := s.endpointFamily.seek(aws.ToString(in.VpcEndpointId))
	if err != nil {
		return nil, err
	}
	if e.Leaving {
		return nil, s.endpointFamily.missing(e.ID)
	}
	if e.gateway() {
		err = onlyOf(types.VpcEndpointTypeInterface, map[string]bool{
			"Subnet IDs are":         len(in.AddSubnetIds)+len(in.RemoveSubnetIds) > 0,
			"Security group IDs are": len(in.AddSecurityGroupIds)+len(in.RemoveSecurityGroupIds) > 0, "Private DNS is": in.PrivateDnsEnabled != nil,
		})
	} else {
		err = onlyOf(types.VpcEndpointTypeGateway, map[string]bool{"Route table IDs are": len(in.AddRouteTableIds)+len(in.RemoveRouteTableIds) > 0})
	}
	if err != nil {
		return nil, err
	}
	if err := s.alter(ctx, in, e); err != nil {
		return nil, err
	}
	return &ec2.ModifyVpcEndpointOutput{Return: aws.Bool(true)}, s.TidyEndpoints(ctx)
}

// alter makes the changes. Addresses of subnets that are added are taken before.
func (s *Service) alter(ctx context.Context, in *ec2.ModifyVpcEndpointInput, e VPCEndpoint) error {
	for _, id := range in.RemoveSubnetIds {
		at := slices.IndexFunc(e.Interfaces, func(i EndpointInterface) bool { return i.Subnet == id })
		if at < 0 {
			return invalidEndpoint("The subnet %s is not one of %s", id, e.ID)
		}
		e.Interfaces = slices.Delete(slices.Clone(e.Interfaces), at, at+1)
	}
	kept := len(e.Interfaces)
	interfaces, err := s.located(ctx, e, in.AddSubnetIds)
	if err != nil {
		return err
	}
	err = s.changeEndpoint(ctx, e.VPC, func(tx *store.Tx) error {
		e, err := s.endpointFamily.find(tx, e.ID)
		if err != nil {
			return err
		}
		e.Interfaces = interfaces
		if aws.ToBool(in.ResetPolicy) {
			e.Policy = ""
		}
		if in.PolicyDocument != nil {
			e.Policy = *in.PolicyDocument
		}
		if in.PrivateDnsEnabled != nil {
			e.PrivateDNS = *in.PrivateDnsEnabled
		}
		if e.RouteTables, err = without(e.RouteTables, in.RemoveRouteTableIds, "route table", e.ID); err != nil {
			return err
		}
		if e.Groups, err = without(e.Groups, in.RemoveSecurityGroupIds, "security group", e.ID); err != nil {
			return err
		}
		if e.gateway() {
			err = s.leadTables(tx, &e, in.AddRouteTableIds)
		} else {
			e.Groups = slices.Compact(slices.Sorted(slices.Values(append(e.Groups, in.AddSecurityGroupIds...))))
			if len(e.Groups) == 0 {
				return invalidEndpoint("A VPC endpoint needs a security group: %s would have none", e.ID)
			}
			err = s.guard(tx, &e)
		}
		if err != nil {
			return err
		}
		s.endpointFamily.put(tx, e.ID, e)
		return nil
	})
	if now, _ := s.endpointFamily.table.Get(e.ID); err != nil {
		s.releaseAll(ctx, e.VPC, slices.DeleteFunc(interfaces[kept:], func(i EndpointInterface) bool { return slices.Contains(now.Interfaces, i) }))
	}
	return err
}

// without are the ids of a list that are not taken away.
func without(list, ids []string, what, of string) ([]string, error) {
	list = slices.Clone(list)
	for _, id := range ids {
		at := slices.Index(list, id)
		if at < 0 {
			return nil, invalidEndpoint("The %s %s is not one of %s", what, id, of)
		}
		list = slices.Delete(list, at, at+1)
	}
	return list, nil
}

// DeleteVpcEndpoints deletes endpoints: those that it can, and says why not the others.
func (s *Service) DeleteVpcEndpoints(ctx context.Context, in *ec2.DeleteVpcEndpointsInput) (*ec2.DeleteVpcEndpointsOutput, error) {
	if len(in.VpcEndpointIds) == 0 {
		return nil, absent("VpcEndpointId")
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	out := &ec2.DeleteVpcEndpointsOutput{Unsuccessful: []types.UnsuccessfulItem{}}
	vpcs := map[string][]string{}
	for _, id := range in.VpcEndpointIds {
		e, err := s.endpointFamily.seek(id)
		if err != nil {
			out.Unsuccessful = append(out.Unsuccessful, unsuccessfulItem(id, err))
			continue
		}
		vpcs[e.VPC] = append(vpcs[e.VPC], id)
	}
	for vpc, ids := range vpcs {
		err := s.change(ctx, func(tx *store.Tx) error {
			for _, id := range ids {
				e, err := s.endpointFamily.find(tx, id)
				if err != nil {
					return err
				}
				e.Leaving = true
				s.endpointFamily.put(tx, id, e)
			}
			return nil
		}, vpc)
		if err != nil {
			return nil, err
		}
	}
	return out, s.TidyEndpoints(ctx)
}

func unsuccessfulItem(id string, err error) types.UnsuccessfulItem {
	said := &types.UnsuccessfulItemError{}
	if e, ok := err.(interface {
		ErrorCode() string
		ErrorMessage() string
	}); ok {
		said.Code, said.Message = aws.String(e.ErrorCode()), aws.String(e.ErrorMessage())
	}
	return types.UnsuccessfulItem{ResourceId: aws.String(id), Error: said}
}

// TidyEndpoints forgets endpoints that were deleted and interfaces that they no longer
// have. The network must have followed: an interface without a record is not guarded.
// At a start it finishes what a crash has left.
func (s *Service) TidyEndpoints(ctx context.Context) error {
	var gone []NetworkInterface
	err := s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		kept := map[string]bool{}
		gone = nil
		for _, e := range s.endpointFamily.list(tx) {
			if e.Leaving {
				s.endpointFamily.drop(tx, e.ID)
				continue
			}
			for _, i := range e.Interfaces {
				kept[i.ID] = true
			}
		}
		for id, n := range s.enis.In(tx).List("") {
			if n.Endpoint != "" && !kept[id] {
				gone = append(gone, n)
			}
		}
		for _, n := range gone {
			s.enis.In(tx).Delete(n.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range gone {
		s.releaseAll(ctx, n.VPC, []EndpointInterface{{ID: n.ID}})
	}
	return nil
}
