package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// scalingLimit is how long a group may take to have its instances.
const scalingLimit = 15 * time.Minute

// scalingAlike are the properties that have the same form in the API, creation and update;
// scalingParts are all that are supported.
var (
	scalingAlike = []string{
		"MixedInstancesPolicy", "AvailabilityZones", "HealthCheckType", "HealthCheckGracePeriod", "TerminationPolicies", "CapacityRebalance",
		"NewInstancesProtectedFromScaleIn", "Context", "DefaultInstanceWarmup", "ServiceLinkedRoleARN", "PlacementGroup", "MaxInstanceLifetime", "InstanceMaintenancePolicy", "LaunchConfigurationName",
	}
	scalingParts = append([]string{
		"AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "Cooldown", "VPCZoneIdentifier", "LaunchTemplate", "LifecycleHookSpecificationList", "TargetGroupARNs", "LoadBalancerNames",
	}, scalingAlike...)
)

// number reads a property that CloudFormation has as a text and the API as a number.
func number(p map[string]any, name string) (*int32, error) {
	if _, ok := p[name]; !ok {
		return nil, nil
	}
	n, err := strconv.ParseInt(text(p, name), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%s must be a number: %q", name, text(p, name))
	}
	small := int32(n)
	return &small, nil
}

func scalingTemplate(p map[string]any) *types.LaunchTemplateSpecification {
	t := object(p, "LaunchTemplate")
	if t == nil {
		return nil
	}
	return &types.LaunchTemplateSpecification{LaunchTemplateId: ptr(t, "LaunchTemplateId"), LaunchTemplateName: ptr(t, "LaunchTemplateName"), Version: ptr(t, "Version")}
}

// sizes are the three of a group, and its cooldown.
func sizes(p map[string]any) (all [4]*int32, err error) {
	for i, name := range []string{"MinSize", "MaxSize", "DesiredCapacity", "Cooldown"} {
		if all[i], err = number(p, name); err != nil {
			return all, err
		}
	}
	return all, nil
}

// normalized has numbers where templates may have texts.
func normalized(p map[string]any) map[string]any {
	p = maps.Clone(p)
	if m := object(p, "MixedInstancesPolicy"); m != nil {
		m = maps.Clone(m)
		if d := object(m, "InstancesDistribution"); d != nil {
			d = maps.Clone(d)
			for _, name := range []string{"OnDemandBaseCapacity", "OnDemandPercentageAboveBaseCapacity", "SpotInstancePools"} {
				if s, ok := d[name].(string); ok {
					d[name] = json.Number(s)
				}
			}
			m["InstancesDistribution"] = d
		}
		p["MixedInstancesPolicy"] = m
	}
	return p
}

func createScaling(ctx context.Context, j *Job) (Made, error) {
	p, name := normalized(j.Properties), j.name("AutoScalingGroupName")
	if j.PhysicalID == "" {
		in := &autoscaling.CreateAutoScalingGroupInput{}
		if err := into(in, p, append([]string{"LifecycleHookSpecificationList", "TargetGroupARNs", "LoadBalancerNames"}, scalingAlike...)...); err != nil {
			return Made{}, err
		}
		n, err := sizes(p)
		if err != nil {
			return Made{}, err
		}
		in.AutoScalingGroupName, in.MinSize, in.MaxSize, in.DesiredCapacity, in.DefaultCooldown = &name, n[0], n[1], n[2], n[3]
		in.LaunchTemplate, in.Tags = scalingTemplate(p), scalingTags(name, p)
		if subnets := list(p, "VPCZoneIdentifier"); subnets != nil {
			in.VPCZoneIdentifier = aws.String(strings.Join(subnets, ","))
		}
		if _, err := call[autoscaling.CreateAutoScalingGroupOutput](ctx, j, "autoscaling", "CreateAutoScalingGroup", in); err != nil {
			found, e := scaling(ctx, j, name)
			if !exists(err) || e != nil || found == nil || !j.mine(found.CreatedTime) {
				return Made{}, err
			}
		}
		j.initiated(name)
	}
	g, err := stable(ctx, j, name, time.Time{})
	if err != nil {
		return Made{ID: name}, err
	}
	return Made{name, map[string]any{"AutoScalingGroupARN": aws.ToString(g.AutoScalingGroupARN)}}, nil
}

func scalingTags(name string, p map[string]any) (tags []types.Tag) {
	for _, t := range objects(p, "Tags") {
		tags = append(tags, types.Tag{Key: ptr(t, "Key"), Value: ptr(t, "Value"), PropagateAtLaunch: flag(t, "PropagateAtLaunch"), ResourceId: &name, ResourceType: aws.String("auto-scaling-group")})
	}
	return tags
}

// scaling is nil of a group that is not there.
func scaling(ctx context.Context, j *Job, name string) (*types.AutoScalingGroup, error) {
	out, err := call[autoscaling.DescribeAutoScalingGroupsOutput](ctx, j, "autoscaling", "DescribeAutoScalingGroups", &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil || len(out.AutoScalingGroups) == 0 {
		return nil, err
	}
	return &out.AutoScalingGroups[0], nil
}

// stable waits until a group has the instances that it is to have. A launch that fails
// after since is the end of that.
func stable(ctx context.Context, j *Job, name string, since time.Time) (g *types.AutoScalingGroup, err error) {
	return g, until(ctx, scalingLimit, func() (bool, error) {
		if g, err = scaling(ctx, j, name); err != nil {
			return false, err
		}
		if g == nil {
			return false, errors.New("the group " + name + " is gone")
		}
		serving := int32(0)
		for _, i := range g.Instances {
			if i.LifecycleState == types.LifecycleStateInService {
				serving++
			}
		}
		if serving == aws.ToInt32(g.DesiredCapacity) && len(g.Instances) == int(serving) {
			return true, nil
		}
		acts, err := call[autoscaling.DescribeScalingActivitiesOutput](ctx, j, "autoscaling", "DescribeScalingActivities", &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &name, MaxRecords: aws.Int32(1)})
		if err != nil {
			return false, err
		}
		for _, a := range acts.Activities {
			if a.StatusCode == types.ScalingActivityStatusCodeFailed && aws.ToTime(a.StartTime).After(since) {
				return false, errors.New("Group did not stabilize. Last scaling activity: " + aws.ToString(a.StatusMessage))
			}
		}
		return false, nil
	})
}

func updateScaling(ctx context.Context, j *Job) (Made, error) {
	p, name := normalized(j.Properties), j.PhysicalID
	in := &autoscaling.UpdateAutoScalingGroupInput{}
	if err := into(in, p, scalingAlike...); err != nil {
		return Made{}, err
	}
	n, err := sizes(p)
	if err != nil {
		return Made{}, err
	}
	in.AutoScalingGroupName, in.MinSize, in.MaxSize, in.DesiredCapacity, in.DefaultCooldown, in.LaunchTemplate = &name, n[0], n[1], n[2], n[3], scalingTemplate(p)
	if subnets := list(p, "VPCZoneIdentifier"); subnets != nil {
		in.VPCZoneIdentifier = aws.String(strings.Join(subnets, ","))
	}
	// Tags and hooks come first: the update launches, and what it launches is to have them.
	if err := rehook(ctx, j, name); err != nil {
		return Made{}, err
	}
	if set := scalingTags(name, p); len(set) > 0 {
		if err := do(ctx, j, "autoscaling", step{"CreateOrUpdateTags", &autoscaling.CreateOrUpdateTagsInput{Tags: set}}); err != nil {
			return Made{}, err
		}
	}
	if _, less := j.changedTags(); len(less) > 0 {
		drop := &autoscaling.DeleteTagsInput{}
		for _, key := range less {
			drop.Tags = append(drop.Tags, types.Tag{Key: aws.String(key), ResourceId: &name, ResourceType: aws.String("auto-scaling-group")})
		}
		if err := do(ctx, j, "autoscaling", step{"DeleteTags", drop}); err != nil {
			return Made{}, err
		}
	}
	since := time.Now()
	if err := do(ctx, j, "autoscaling", step{"UpdateAutoScalingGroup", in}); err != nil {
		return Made{}, err
	}
	_, err = stable(ctx, j, name, since)
	return Made{}, err
}

// rehook makes a group's lifecycle hooks what the template says.
func rehook(ctx context.Context, j *Job, name string) error {
	var names []string
	for _, h := range objects(j.Properties, "LifecycleHookSpecificationList") {
		in := &autoscaling.PutLifecycleHookInput{}
		if err := into(in, h, slices.Sorted(maps.Keys(h))...); err != nil {
			return err
		}
		in.AutoScalingGroupName = &name
		names = append(names, aws.ToString(in.LifecycleHookName))
		if err := do(ctx, j, "autoscaling", step{"PutLifecycleHook", in}); err != nil {
			return err
		}
	}
	for _, h := range objects(j.Old, "LifecycleHookSpecificationList") {
		if old := text(h, "LifecycleHookName"); !slices.Contains(names, old) {
			if err := do(ctx, j, "autoscaling", step{"DeleteLifecycleHook", &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: &name, LifecycleHookName: &old}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteScaling ends a group with its instances.
func deleteScaling(ctx context.Context, j *Job) error {
	name := j.PhysicalID
	g, err := scaling(ctx, j, name)
	if err != nil || g == nil {
		return err
	}
	if g.Status == nil {
		if err := do(ctx, j, "autoscaling", step{"DeleteAutoScalingGroup", &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &name, ForceDelete: aws.Bool(true)}}); err != nil {
			return err
		}
	}
	return until(ctx, scalingLimit, func() (bool, error) {
		g, err := scaling(ctx, j, name)
		return g == nil && err == nil, err
	})
}
