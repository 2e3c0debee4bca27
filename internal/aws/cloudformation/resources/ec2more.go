package resources

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func createTemplate(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	name := j.name("LaunchTemplateName")
	if j.PhysicalID == "" {
		in := &ec2.CreateLaunchTemplateInput{ClientToken: j.token()}
		if err := into(in, p, "LaunchTemplateData", "VersionDescription", "TagSpecifications"); err != nil {
			return Made{}, err
		}
		in.LaunchTemplateName = &name
		out, err := call[ec2.CreateLaunchTemplateOutput](ctx, j, "ec2", "CreateLaunchTemplate", in)
		if err != nil {
			return Made{}, err
		}
		j.initiated(*out.LaunchTemplate.LaunchTemplateId)
	}
	attributes, err := templateAttributes(ctx, j)
	return Made{j.PhysicalID, attributes}, err
}

func templateAttributes(ctx context.Context, j *Job) (map[string]any, error) {
	out, err := call[ec2.DescribeLaunchTemplatesOutput](ctx, j, "ec2", "DescribeLaunchTemplates", &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{j.PhysicalID}})
	if err != nil {
		return nil, err
	}
	a := map[string]any{"LaunchTemplateId": j.PhysicalID}
	for _, t := range out.LaunchTemplates {
		a["LatestVersionNumber"] = strconv.FormatInt(aws.ToInt64(t.LatestVersionNumber), 10)
		a["DefaultVersionNumber"] = strconv.FormatInt(aws.ToInt64(t.DefaultVersionNumber), 10)
	}
	return a, nil
}

// updateTemplate makes another version.
func updateTemplate(ctx context.Context, j *Job) (Made, error) {
	in := &ec2.CreateLaunchTemplateVersionInput{ClientToken: j.token()}
	if err := into(in, j.Properties, "LaunchTemplateData", "VersionDescription"); err != nil {
		return Made{}, err
	}
	in.LaunchTemplateId = &j.PhysicalID
	if err := do(ctx, j, "ec2", step{"CreateLaunchTemplateVersion", in}); err != nil {
		return Made{}, err
	}
	attributes, err := templateAttributes(ctx, j)
	return Made{Attributes: attributes}, err
}

func deleteTemplate(ctx context.Context, j *Job) error {
	return do(ctx, j, "ec2", step{"DeleteLaunchTemplate", &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: &j.PhysicalID}})
}

func createEndpoint(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	if j.PhysicalID == "" {
		in := &ec2.CreateVpcEndpointInput{ClientToken: j.token(), PolicyDocument: document(p, "PolicyDocument"), TagSpecifications: specified(j, types.ResourceTypeVpcEndpoint)}
		err := into(in, p, "VpcId", "ServiceName", "VpcEndpointType", "RouteTableIds", "SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled", "IpAddressType", "DnsOptions")
		if err != nil {
			return Made{}, err
		}
		out, err := call[ec2.CreateVpcEndpointOutput](ctx, j, "ec2", "CreateVpcEndpoint", in)
		if err != nil {
			return Made{}, err
		}
		j.initiated(*out.VpcEndpoint.VpcEndpointId)
	}
	var e *types.VpcEndpoint
	err := until(ctx, ec2Limit, func() (done bool, err error) {
		e, err = endpoint(ctx, j)
		return e != nil && strings.EqualFold(string(e.State), string(types.StateAvailable)), err
	})
	if err != nil {
		return Made{ID: j.PhysicalID}, err
	}
	return Made{j.PhysicalID, endpointAttributes(e)}, nil
}

// endpoint is nil of one that is not there.
func endpoint(ctx context.Context, j *Job) (*types.VpcEndpoint, error) {
	out, err := call[ec2.DescribeVpcEndpointsOutput](ctx, j, "ec2", "DescribeVpcEndpoints", &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{j.PhysicalID}})
	if err != nil || len(out.VpcEndpoints) == 0 {
		return nil, err
	}
	return &out.VpcEndpoints[0], nil
}

func endpointAttributes(e *types.VpcEndpoint) map[string]any {
	names, interfaces := []any{}, []any{}
	for _, n := range e.DnsEntries {
		names = append(names, aws.ToString(n.HostedZoneId)+":"+aws.ToString(n.DnsName))
	}
	for _, id := range e.NetworkInterfaceIds {
		interfaces = append(interfaces, id)
	}
	return map[string]any{
		"Id": aws.ToString(e.VpcEndpointId), "CreationTimestamp": aws.ToTime(e.CreationTimestamp).UTC().Format(time.RFC3339),
		"DnsEntries": names, "NetworkInterfaceIds": interfaces,
	}
}

func updateEndpoint(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	difference := func(name string) (add, remove []string) {
		return dropped(list(p, name), list(j.Old, name)), dropped(list(j.Old, name), list(p, name))
	}
	in := &ec2.ModifyVpcEndpointInput{VpcEndpointId: &j.PhysicalID, PolicyDocument: document(p, "PolicyDocument")}
	if in.PolicyDocument == nil && document(j.Old, "PolicyDocument") != nil {
		in.ResetPolicy = aws.Bool(true)
	}
	if err := into(in, p, "PrivateDnsEnabled", "IpAddressType", "DnsOptions"); err != nil {
		return Made{}, err
	}
	in.AddRouteTableIds, in.RemoveRouteTableIds = difference("RouteTableIds")
	in.AddSubnetIds, in.RemoveSubnetIds = difference("SubnetIds")
	in.AddSecurityGroupIds, in.RemoveSecurityGroupIds = difference("SecurityGroupIds")
	if err := do(ctx, j, "ec2", step{"ModifyVpcEndpoint", in}); err != nil {
		return Made{}, err
	}
	if err := retagEC2(ctx, j, j.PhysicalID); err != nil {
		return Made{}, err
	}
	e, err := endpoint(ctx, j)
	if err != nil || e == nil {
		return Made{}, err
	}
	return Made{Attributes: endpointAttributes(e)}, nil
}

func deleteEndpoint(ctx context.Context, j *Job) error {
	out, err := call[ec2.DeleteVpcEndpointsOutput](ctx, j, "ec2", "DeleteVpcEndpoints", &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{j.PhysicalID}})
	if err != nil {
		return err
	}
	for _, u := range out.Unsuccessful {
		if u.Error != nil && aws.ToString(u.Error.Code) != "InvalidVpcEndpoint.NotFound" && aws.ToString(u.Error.Code) != "InvalidVpcEndpointId.NotFound" {
			return errState("VPCEndpoint", aws.ToString(u.Error.Message))
		}
	}
	return until(ctx, ec2Limit, func() (bool, error) {
		e, err := endpoint(ctx, j)
		return e == nil && (err == nil || gone(err)), skipGone(err)
	})
}
