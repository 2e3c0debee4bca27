package ec2

import (
	"context"
	"net/netip"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/store"
)

var noAddress netip.Addr

// DescribeInstanceAttribute shows one attribute of an instance.
func (s *Service) DescribeInstanceAttribute(_ context.Context, in *ec2.DescribeInstanceAttributeInput) (*ec2.DescribeInstanceAttributeOutput, error) {
	i, err := s.instanceFamily.seek(aws.ToString(in.InstanceId))
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceAttributeOutput{InstanceId: aws.String(i.ID)}
	switch in.Attribute {
	case types.InstanceAttributeNameInstanceType:
		out.InstanceType = &types.AttributeValue{Value: aws.String(i.Type)}
	case types.InstanceAttributeNameDisableApiTermination:
		out.DisableApiTermination = flag(i.Protected)
	case types.InstanceAttributeNameDisableApiStop:
		out.DisableApiStop = flag(false)
	case types.InstanceAttributeNameInstanceInitiatedShutdownBehavior:
		out.InstanceInitiatedShutdownBehavior = &types.AttributeValue{Value: aws.String("stop")}
	case types.InstanceAttributeNameSourceDestCheck:
		out.SourceDestCheck = flag(true)
	case types.InstanceAttributeNameEbsOptimized:
		out.EbsOptimized = flag(false)
	case types.InstanceAttributeNameEnaSupport:
		out.EnaSupport = flag(true)
	case types.InstanceAttributeNameSriovNetSupport:
		out.SriovNetSupport = &types.AttributeValue{}
	case types.InstanceAttributeNameUserData:
		out.UserData = &types.AttributeValue{Value: pointer(i.UserData)}
	case types.InstanceAttributeNameGroupSet:
		out.Groups = s.identify(i.Groups)
	case types.InstanceAttributeNameRootDeviceName:
		out.RootDeviceName = &types.AttributeValue{Value: aws.String(rootDevice)}
	case types.InstanceAttributeNameBlockDeviceMapping:
		out.BlockDeviceMappings = []types.InstanceBlockDeviceMapping{}
	case types.InstanceAttributeNameProductCodes:
		out.ProductCodes = []types.ProductCode{}
	case types.InstanceAttributeNameKernel, types.InstanceAttributeNameRamdisk:
	case types.InstanceAttributeNameEnclaveOptions:
		out.EnclaveOptions = &types.EnclaveOptions{Enabled: aws.Bool(false)}
	default:
		return nil, invalid("Value (%s) for parameter attribute is invalid. Unknown attribute.", in.Attribute)
	}
	return out, nil
}

// rootDevice is the name of the root device of Amazon Linux.
const rootDevice = "/dev/xvda"

// ModifyInstanceAttribute gives an instance other security groups, or protects it
// from TerminateInstances. What else AWS can change has no effect here, and is
// refused.
func (s *Service) ModifyInstanceAttribute(ctx context.Context, in *ec2.ModifyInstanceAttributeInput) (*ec2.ModifyInstanceAttributeOutput, error) {
	switch name, _ := instanceChange(in); name {
	case "":
		return nil, refuse("InvalidParameterCombination", "No attributes specified.")
	case "GroupSet":
		return &ec2.ModifyInstanceAttributeOutput{}, s.SetInstanceGroups(ctx, aws.ToString(in.InstanceId), in.Groups, nil)
	case "DisableApiTermination":
	default:
		return nil, unsupported("A change of the instance attribute %s", name)
	}
	return &ec2.ModifyInstanceAttributeOutput{}, s.store.Update(ctx, func(tx *store.Tx) error {
		i, err := s.instanceFamily.find(tx, aws.ToString(in.InstanceId))
		if err != nil {
			return err
		}
		if i.Protected, err = in.DisableApiTermination.Value != nil && *in.DisableApiTermination.Value, nil; in.Attribute != "" {
			i.Protected = aws.ToString(in.Value) == "true"
		}
		s.instances.In(tx).Put(i.ID, i)
		return nil
	})
}

// instanceChange is which attribute a call changes: by its own parameter, or by
// Attribute and Value.
func instanceChange(in *ec2.ModifyInstanceAttributeInput) (name string, value *string) {
	if in.Attribute != "" {
		return upperFirst(string(in.Attribute)), in.Value
	}
	for _, a := range []struct {
		name  string
		value *types.AttributeBooleanValue
	}{
		{"DisableApiTermination", in.DisableApiTermination}, {"DisableApiStop", in.DisableApiStop}, {"EbsOptimized", in.EbsOptimized},
		{"EnaSupport", in.EnaSupport}, {"SourceDestCheck", in.SourceDestCheck},
	} {
		if a.value != nil {
			return a.name, aws.String(strconv.FormatBool(aws.ToBool(a.value.Value)))
		}
	}
	for _, a := range []struct {
		name  string
		value *types.AttributeValue
	}{
		{"InstanceType", in.InstanceType}, {"InstanceInitiatedShutdownBehavior", in.InstanceInitiatedShutdownBehavior}, {"Kernel", in.Kernel},
		{"Ramdisk", in.Ramdisk}, {"SriovNetSupport", in.SriovNetSupport},
	} {
		if a.value != nil {
			return a.name, a.value.Value
		}
	}
	switch {
	case in.UserData != nil:
		return "UserData", nil
	case len(in.Groups) > 0:
		return "GroupSet", nil
	case len(in.BlockDeviceMappings) > 0:
		return "BlockDeviceMapping", nil
	}
	return "", nil
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]&^0x20) + s[1:]
}
