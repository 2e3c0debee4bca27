package autoscaling

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// mostGroups is the quota of an account.
const mostGroups = 500

func (s *Service) addGroups(svc *api.Service) {
	about := func(name *string) []string { return s.arns(name) }
	api.Add(svc, "CreateAutoScalingGroup", s.CreateAutoScalingGroup, func(_ context.Context, in *autoscaling.CreateAutoScalingGroupInput) []string {
		return about(in.AutoScalingGroupName)
	})
	api.Add(svc, "UpdateAutoScalingGroup", s.UpdateAutoScalingGroup, func(_ context.Context, in *autoscaling.UpdateAutoScalingGroupInput) []string {
		return about(in.AutoScalingGroupName)
	})
	api.Add(svc, "DeleteAutoScalingGroup", s.DeleteAutoScalingGroup, func(_ context.Context, in *autoscaling.DeleteAutoScalingGroupInput) []string {
		return about(in.AutoScalingGroupName)
	})
	api.Add(svc, "SetDesiredCapacity", s.SetDesiredCapacity, func(_ context.Context, in *autoscaling.SetDesiredCapacityInput) []string {
		return about(in.AutoScalingGroupName)
	})
	api.Add(svc, "DescribeAutoScalingGroups", s.DescribeAutoScalingGroups, nil)
	s.addGroupKeys(svc)
}

// CreateAutoScalingGroup records a group; Run launches its instances.
func (s *Service) CreateAutoScalingGroup(ctx context.Context, in *autoscaling.CreateAutoScalingGroupInput) (*autoscaling.CreateAutoScalingGroupOutput, error) {
	g, err := s.draft(ctx, in)
	if err != nil {
		return nil, err
	}
	return &autoscaling.CreateAutoScalingGroupOutput{}, s.Store.Update(ctx, func(tx *store.Tx) error {
		groups, n := s.groups.In(tx), 0
		for name := range groups.List("") {
			if n++; name == g.Name {
				return &types.AlreadyExistsFault{Message: aws.String("AutoScalingGroup by this name already exists - A group with the name " + g.Name + " already exists")}
			}
		}
		if n >= mostGroups {
			return &types.LimitExceededFault{Message: aws.String("AutoScalingGroup limit exceeded. You've reached the maximum number of AutoScalingGroups.")}
		}
		groups.Put(g.Name, g)
		return nil
	})
}

// draft is the group that a request asks for.
func (s *Service) draft(ctx context.Context, in *autoscaling.CreateAutoScalingGroupInput) (Group, error) {
	g := Group{
		Name: aws.ToString(in.AutoScalingGroupName), ID: uuid.NewString(), Created: s.Now(), Cooldown: 300, Warmup: -1, Policies: []string{"Default"},
		Role: s.linkedARN(), ProtectNew: aws.ToBool(in.NewInstancesProtectedFromScaleIn), Rebalance: aws.ToBool(in.CapacityRebalance), Context: aws.ToString(in.Context),
	}
	if g.Name == "" || strings.ContainsAny(g.Name, ":") {
		return g, invalid("Group name %q is not one that a group can have", g.Name)
	}
	if what := unsupportedIn(in); what != "" {
		return g, unsupported(what)
	}
	if in.LaunchTemplate == nil && in.MixedInstancesPolicy == nil {
		return g, invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	if aws.ToString(in.VPCZoneIdentifier) == "" {
		return g, invalid("At least one Availability Zone or VPC Subnet is required.")
	}
	if err := s.change(&g, changes{
		template: in.LaunchTemplate, mixed: in.MixedInstancesPolicy, subnets: in.VPCZoneIdentifier, zones: in.AvailabilityZones,
		min: in.MinSize, max: in.MaxSize, desired: cmp.Or(in.DesiredCapacity, in.MinSize), cooldown: in.DefaultCooldown, warmup: in.DefaultInstanceWarmup,
		grace: in.HealthCheckGracePeriod, policies: in.TerminationPolicies, check: in.HealthCheckType,
	}); err != nil {
		return g, err
	}
	for _, t := range in.Tags {
		if err := g.setTag(t); err != nil {
			return g, err
		}
	}
	g.setSystemTags(api.SystemTags(ctx))
	for _, h := range in.LifecycleHookSpecificationList {
		hook, err := hookOf(h)
		if err != nil {
			return g, err
		}
		g.Hooks = append(g.Hooks, hook)
	}
	return g, s.checkRights(ctx, &g, in.ServiceLinkedRoleARN)
}

// unsupportedIn names what a request asks for and isn't there.
func unsupportedIn(in *autoscaling.CreateAutoScalingGroupInput) string {
	for _, part := range []struct {
		name  string
		given bool
	}{
		{"LaunchConfigurationName", in.LaunchConfigurationName != nil}, {"InstanceId", in.InstanceId != nil},
		{"LoadBalancerNames", len(in.LoadBalancerNames) > 0}, {"TargetGroupARNs", len(in.TargetGroupARNs) > 0}, {"TrafficSources", len(in.TrafficSources) > 0},
		{"PlacementGroup", in.PlacementGroup != nil}, {"MaxInstanceLifetime", aws.ToInt32(in.MaxInstanceLifetime) != 0},
		{"InstanceMaintenancePolicy", in.InstanceMaintenancePolicy != nil}, {"InstanceLifecyclePolicy", in.InstanceLifecyclePolicy != nil},
		{"CapacityReservationSpecification", in.CapacityReservationSpecification != nil}, {"AvailabilityZoneDistribution", in.AvailabilityZoneDistribution != nil},
		{"AvailabilityZoneImpairmentPolicy", in.AvailabilityZoneImpairmentPolicy != nil}, {"AvailabilityZoneIds", len(in.AvailabilityZoneIds) > 0},
		{"DeletionProtection", in.DeletionProtection != "" && in.DeletionProtection != types.DeletionProtectionNone}, {"Operator", in.Operator != nil},
		{"DesiredCapacityType " + aws.ToString(in.DesiredCapacityType), in.DesiredCapacityType != nil && *in.DesiredCapacityType != "units"},
	} {
		if part.given {
			return part.name
		}
	}
	return ""
}

// changes are the parameters that creation and update share; nil ones stay.
type changes struct {
	template                                   *types.LaunchTemplateSpecification
	mixed                                      *types.MixedInstancesPolicy
	subnets                                    *string
	zones, policies                            []string
	min, max, desired, cooldown, warmup, grace *int32
	check                                      *string
}

func (s *Service) change(g *Group, c changes) error {
	for _, n := range []struct{ to, from *int32 }{{&g.Min, c.min}, {&g.Max, c.max}, {&g.Cooldown, c.cooldown}, {&g.Warmup, c.warmup}, {&g.Grace, c.grace}} {
		if n.from != nil {
			*n.to = *n.from
		}
	}
	switch {
	case g.Min > g.Max:
		return invalid("Max bound, %d, must be greater than or equal to min bound, %d", g.Max, g.Min)
	case g.Min < 0:
		return invalid("Min bound, %d, must be greater than or equal to 0", g.Min)
	case c.desired == nil: // it follows its bounds
		g.Desired = min(max(g.Desired, g.Min), g.Max)
	case *c.desired < g.Min || *c.desired > g.Max:
		return invalid("Desired capacity:%d must be between the specified min size:%d and max size:%d", *c.desired, g.Min, g.Max)
	default:
		g.Desired = *c.desired
	}
	if c.check != nil && *c.check != "EC2" {
		return unsupported("HealthCheckType " + *c.check)
	}
	if len(c.policies) > 0 {
		for _, p := range c.policies {
			if !slices.Contains(terminationPolicies, p) {
				return invalid("Termination policy %s is not supported by eksact: there are %s", p, strings.Join(terminationPolicies, ", "))
			}
		}
		g.Policies = c.policies
	}
	if err := s.setTemplate(g, c); err != nil {
		return err
	}
	return s.setSubnets(g, c.subnets, c.zones)
}

func (s *Service) setTemplate(g *Group, c changes) (err error) {
	switch {
	case c.template != nil && c.mixed != nil:
		return invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	case c.template != nil:
		g.Template, err = s.templateOf(c.template)
		g.Types, g.Mixed = nil, false
	case c.mixed != nil:
		return s.setMixed(g, c.mixed)
	}
	return err
}

func (s *Service) templateOf(spec *types.LaunchTemplateSpecification) (Template, error) {
	id, name, version := aws.ToString(spec.LaunchTemplateId), aws.ToString(spec.LaunchTemplateName), cmp.Or(aws.ToString(spec.Version), "$Default")
	if (id == "") == (name == "") {
		return Template{}, invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
	}
	id, name, err := s.Machines.TemplateNames(id, name, version)
	if err != nil {
		return Template{}, invalid("%s", api.Message(err))
	}
	return Template{id, name, version}, nil
}

// setMixed takes a policy of several types of instances, on demand.
func (s *Service) setMixed(g *Group, m *types.MixedInstancesPolicy) (err error) {
	if m.LaunchTemplate == nil || m.LaunchTemplate.LaunchTemplateSpecification == nil {
		return invalid("MixedInstancesPolicy needs a LaunchTemplate")
	}
	if g.Template, err = s.templateOf(m.LaunchTemplate.LaunchTemplateSpecification); err != nil {
		return err
	}
	if d := m.InstancesDistribution; d != nil {
		switch {
		case d.OnDemandPercentageAboveBaseCapacity != nil && *d.OnDemandPercentageAboveBaseCapacity != 100:
			return unsupported("Spot capacity, OnDemandPercentageAboveBaseCapacity other than 100,")
		case aws.ToString(d.OnDemandAllocationStrategy) == "lowest-price":
			return unsupported("OnDemandAllocationStrategy lowest-price")
		case len(d.DistributionSegments) > 0:
			return unsupported("DistributionSegments")
		}
	}
	g.Types, g.Mixed = nil, true
	for _, o := range m.LaunchTemplate.Overrides {
		if o.InstanceRequirements != nil || o.LaunchTemplateSpecification != nil || o.WeightedCapacity != nil || o.ImageId != nil || o.InstanceType == nil {
			return unsupported("An override of anything but InstanceType")
		}
		g.Types = append(g.Types, *o.InstanceType)
	}
	return nil
}

func (s *Service) setSubnets(g *Group, list *string, zones []string) error {
	if list == nil {
		if len(zones) > 0 {
			return unsupported("AvailabilityZones without VPCZoneIdentifier, in an account without a default VPC,")
		}
		return nil
	}
	g.Subnets = nil
	network := ""
	for id := range strings.SplitSeq(*list, ",") {
		id = strings.TrimSpace(id)
		vpc, zone, ok := s.Machines.SubnetPlace(id)
		switch {
		case !ok:
			return invalid("The subnet ID '%s' does not exist", id)
		case network != "" && vpc != network:
			return invalid("Subnets specified must be in the same VPC")
		case len(zones) > 0 && !slices.Contains(zones, zone):
			return invalid("The availability zones of the specified subnets and the Auto Scaling group do not match")
		}
		network = vpc
		g.Subnets = append(g.Subnets, id)
	}
	return nil
}

// UpdateAutoScalingGroup changes a group; instances that run stay as they are.
func (s *Service) UpdateAutoScalingGroup(ctx context.Context, in *autoscaling.UpdateAutoScalingGroupInput) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	if what := unsupportedIn(&autoscaling.CreateAutoScalingGroupInput{
		LaunchConfigurationName: in.LaunchConfigurationName, PlacementGroup: in.PlacementGroup, MaxInstanceLifetime: in.MaxInstanceLifetime,
		InstanceMaintenancePolicy: in.InstanceMaintenancePolicy, InstanceLifecyclePolicy: in.InstanceLifecyclePolicy, CapacityReservationSpecification: in.CapacityReservationSpecification,
		AvailabilityZoneDistribution: in.AvailabilityZoneDistribution, AvailabilityZoneImpairmentPolicy: in.AvailabilityZoneImpairmentPolicy, AvailabilityZoneIds: in.AvailabilityZoneIds,
		DeletionProtection: in.DeletionProtection, DesiredCapacityType: in.DesiredCapacityType,
	}); what != "" {
		return nil, unsupported(what)
	}
	g, err := s.find(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	changed := changes{
		template: in.LaunchTemplate, mixed: in.MixedInstancesPolicy, subnets: in.VPCZoneIdentifier, zones: in.AvailabilityZones, policies: in.TerminationPolicies,
		min: in.MinSize, max: in.MaxSize, desired: in.DesiredCapacity, cooldown: in.DefaultCooldown, warmup: in.DefaultInstanceWarmup, grace: in.HealthCheckGracePeriod, check: in.HealthCheckType,
	}
	apply := func(g *Group) error {
		if err := s.change(g, changed); err != nil {
			return err
		}
		for _, b := range []struct{ to, from *bool }{{&g.ProtectNew, in.NewInstancesProtectedFromScaleIn}, {&g.Rebalance, in.CapacityRebalance}} {
			if b.from != nil {
				*b.to = *b.from
			}
		}
		if in.Context != nil {
			g.Context = *in.Context
		}
		return nil
	}
	if in.LaunchTemplate != nil || in.MixedInstancesPolicy != nil || in.ServiceLinkedRoleARN != nil {
		if err := apply(&g); err != nil {
			return nil, err
		}
		if err := s.checkRights(ctx, &g, in.ServiceLinkedRoleARN); err != nil {
			return nil, err
		}
	}
	return &autoscaling.UpdateAutoScalingGroupOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(now *Group) error {
		now.Role = g.Role
		return apply(now)
	})
}

// SetDesiredCapacity says how many instances a group is to have.
func (s *Service) SetDesiredCapacity(ctx context.Context, in *autoscaling.SetDesiredCapacityInput) (*autoscaling.SetDesiredCapacityOutput, error) {
	want := aws.ToInt32(in.DesiredCapacity)
	return &autoscaling.SetDesiredCapacityOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(g *Group) error {
		switch {
		case want > g.Max:
			return invalid("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", want, g.Max)
		case want < g.Min:
			return invalid("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", want, g.Min)
		}
		g.Desired = want
		return nil
	})
}

// DeleteAutoScalingGroup deletes a group without instances, and with ForceDelete one with
// them, which end first.
func (s *Service) DeleteAutoScalingGroup(ctx context.Context, in *autoscaling.DeleteAutoScalingGroupInput) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
	return &autoscaling.DeleteAutoScalingGroupOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(g *Group) error {
		if len(g.Members) > 0 && !aws.ToBool(in.ForceDelete) {
			return inUse("You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
		}
		g.Deleting, g.Min, g.Desired = true, 0, 0
		return nil
	})
}

// find returns a group that is not being deleted.
func (s *Service) find(name *string) (Group, error) {
	g, ok := s.groups.Get(nameOf(aws.ToString(name)))
	if !ok {
		return g, noGroup(aws.ToString(name))
	}
	return g.copied(), nil
}

// rewrite changes a group's record.
func (s *Service) rewrite(ctx context.Context, name *string, fn func(*Group) error) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(nameOf(aws.ToString(name)))
		if !ok {
			return noGroup(aws.ToString(name))
		}
		if g.Deleting {
			return &types.ScalingActivityInProgressFault{Message: aws.String("AutoScalingGroup " + g.Name + " is being deleted")}
		}
		g = g.copied()
		if err := fn(&g); err != nil {
			return err
		}
		s.groups.In(tx).Put(g.Name, g)
		return nil
	})
}
