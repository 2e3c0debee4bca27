package autoscaling

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// addGroupKeys registers the condition keys of the calls that make and change groups.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html
func (s *Service) addGroupKeys(svc *api.Service) {
	api.WithKeys(svc, "CreateAutoScalingGroup", func(_ context.Context, in *autoscaling.CreateAutoScalingGroupInput, key string) policy.Values {
		switch key {
		case "autoscaling:loadbalancernames":
			return policy.Many(in.LoadBalancerNames)
		case "autoscaling:targetgrouparns":
			return policy.Many(in.TargetGroupARNs)
		case "autoscaling:trafficsourceidentifiers":
			var ids []string
			for _, t := range in.TrafficSources {
				ids = append(ids, aws.ToString(t.Identifier))
			}
			return policy.Many(ids)
		}
		return stated{in.LaunchTemplate, in.MixedInstancesPolicy, in.LaunchConfigurationName, in.VPCZoneIdentifier, in.MinSize, in.MaxSize, in.CapacityReservationSpecification}.key(key)
	})
	api.WithKeys(svc, "UpdateAutoScalingGroup", func(_ context.Context, in *autoscaling.UpdateAutoScalingGroupInput, key string) policy.Values {
		return stated{in.LaunchTemplate, in.MixedInstancesPolicy, in.LaunchConfigurationName, in.VPCZoneIdentifier, in.MinSize, in.MaxSize, in.CapacityReservationSpecification}.key(key)
	})
	api.WithKeys(svc, "DeleteAutoScalingGroup", func(_ context.Context, in *autoscaling.DeleteAutoScalingGroupInput, key string) policy.Values {
		if key == "autoscaling:forcedelete" && in.ForceDelete != nil {
			return policy.One(strconv.FormatBool(*in.ForceDelete))
		}
		return policy.Values{}
	})
}

// stated are the parameters that have keys.
type stated struct {
	template     *types.LaunchTemplateSpecification
	mixed        *types.MixedInstancesPolicy
	configured   *string
	subnets      *string
	min, max     *int32
	reservations *types.CapacityReservationSpecification
}

func (p stated) key(key string) policy.Values {
	number := func(n *int32) policy.Values {
		if n == nil {
			return policy.Values{}
		}
		return policy.One(strconv.Itoa(int(*n)))
	}
	switch key {
	case "autoscaling:minsize":
		return number(p.min)
	case "autoscaling:maxsize":
		return number(p.max)
	case "autoscaling:launchconfigurationname":
		if p.configured != nil {
			return policy.One(*p.configured)
		}
	case "autoscaling:vpczoneidentifiers":
		if p.subnets != nil {
			return policy.Many(strings.Split(*p.subnets, ","))
		}
	case "autoscaling:launchtemplateversionspecified":
		if t := p.theTemplate(); t != nil {
			return policy.One(strconv.FormatBool(t.Version != nil && !strings.HasPrefix(*t.Version, "$")))
		}
	case "autoscaling:instancetypes":
		return policy.Many(p.types())
	case "autoscaling:capacityreservationids", "autoscaling:capacityreservationresourcegrouparns":
		return p.reserved(key)
	}
	return policy.Values{}
}

func (p stated) theTemplate() *types.LaunchTemplateSpecification {
	if p.template == nil && p.mixed != nil && p.mixed.LaunchTemplate != nil {
		return p.mixed.LaunchTemplate.LaunchTemplateSpecification
	}
	return p.template
}

func (p stated) types() (names []string) {
	if p.mixed == nil || p.mixed.LaunchTemplate == nil {
		return nil
	}
	for _, o := range p.mixed.LaunchTemplate.Overrides {
		if o.InstanceType != nil {
			names = append(names, *o.InstanceType)
		}
	}
	return names
}

func (p stated) reserved(key string) policy.Values {
	if p.reservations == nil || p.reservations.CapacityReservationTarget == nil {
		return policy.Values{}
	}
	if strings.HasSuffix(key, "ids") {
		return policy.Many(p.reservations.CapacityReservationTarget.CapacityReservationIds)
	}
	return policy.Many(p.reservations.CapacityReservationTarget.CapacityReservationResourceGroupArns)
}
