package cloudformation

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/template"
)

// lookups say whether the values of AWS-specific parameters name something, by calls of
// EC2 as the caller. A call that fails otherwise than by not finding it is kept in err:
// what may not be asked is not known.
func (s *Service) lookups(ctx context.Context, err *error) template.Lookups {
	return template.Lookups{Exists: func(t template.Type, value string) bool {
		found, failed := s.exists(ctx, t, value)
		if failed != nil && *err == nil {
			*err = failed
		}
		return found || failed != nil
	}}
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
	default:
		return true, nil
	}
	who, err := s.actor(ctx, "", kept(api.CallerFrom(ctx)))
	if err != nil {
		return false, err
	}
	_, err = s.door.Do(ctx, who, "ec2", operation, in)
	var said interface{ ErrorCode() string }
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &said) && said.ErrorCode() == "UnauthorizedOperation":
		return false, api.Errorf(http.StatusForbidden, "AccessDenied", "%s", message(err))
	case errors.As(err, &said):
		return false, nil
	}
	return false, err
}
