package cloudformation

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
)

// lookups say whether the values of AWS-specific parameters name something, and what SSM
// parameters hold, by calls as the caller. A call that fails otherwise than by not finding it is kept in err:
// what may not be asked is not known.
func (s *Service) lookups(ctx context.Context, err *error) template.Lookups {
	keep := func(failed error) bool {
		if failed != nil && *err == nil {
			*err = failed
		}
		return failed != nil
	}
	return template.Lookups{
		Exists: func(t template.Type, value string) bool {
			found, failed := s.exists(ctx, t, value)
			return keep(failed) || found
		},
		SSM: func(name string) (value, kind string, found bool) {
			p, failed := s.parameter(ctx, name)
			if keep(failed) || p == nil {
				return "", "", failed != nil
			}
			return *p.Value, string(p.Type), true
		},
	}
}

// parameter reads a parameter of Parameter Store as the caller; nil: there is none.
func (s *Service) parameter(ctx context.Context, name string) (*ssmtypes.Parameter, error) {
	who, err := s.actor(ctx, "", kept(api.CallerFrom(ctx)))
	if err != nil {
		return nil, err
	}
	p, err := readParameter(func(operation string, in any) (any, error) { return s.door.Do(ctx, who, "ssm", operation, in) }, name)
	if err != nil {
		return nil, denied(err)
	}
	return p, nil
}

// readParameter reads NAME or NAME:VERSION; nil: there is none.
func readParameter(call func(operation string, in any) (any, error), name string) (*ssmtypes.Parameter, error) {
	out, err := call("GetParameters", &ssm.GetParametersInput{Names: []string{name}})
	if err != nil {
		return nil, err
	}
	if list := out.(*ssm.GetParametersOutput).Parameters; len(list) > 0 {
		return &list[0], nil
	}
	return nil, nil
}

// exists asks for one value. Types that nothing here can be asked about exist.
func (s *Service) exists(ctx context.Context, t template.Type, value string) (bool, error) {
	one := []string{value}
	var operation string
	var in any
	switch t {
	case "AWS::EC2::VPC::Id":
		operation, in = "DescribeVpcs", &ec2.DescribeVpcsInput{VpcIds: one}
	case "AWS::EC2::Subnet::Id":
		operation, in = "DescribeSubnets", &ec2.DescribeSubnetsInput{SubnetIds: one}
	case "AWS::EC2::SecurityGroup::Id":
		operation, in = "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{GroupIds: one}
	case "AWS::EC2::KeyPair::KeyName":
		operation, in = "DescribeKeyPairs", &ec2.DescribeKeyPairsInput{KeyNames: one}
	case "AWS::EC2::Image::Id":
		operation, in = "DescribeImages", &ec2.DescribeImagesInput{ImageIds: one}
	case "AWS::EC2::Instance::Id":
		operation, in = "DescribeInstances", &ec2.DescribeInstancesInput{InstanceIds: one}
	case "AWS::EC2::AvailabilityZone::Name":
		operation, in = "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{ZoneNames: one}
	case "AWS::SSM::Parameter::Name":
		p, err := s.parameter(ctx, value)
		return p != nil, err
	default:
		return true, nil
	}
	who, err := s.actor(ctx, "", kept(api.CallerFrom(ctx)))
	if err != nil {
		return false, err
	}
	_, err = s.door.Do(ctx, who, "ec2", operation, in)
	switch {
	case err == nil:
		return true, nil
	case api.Code(err) == "UnauthorizedOperation":
		return false, api.Errorf(http.StatusForbidden, "AccessDenied", "%s", api.Message(err))
	case api.Code(err) != "":
		return false, nil
	}
	return false, err
}
