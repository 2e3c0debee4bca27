package autoscaling

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

func (s *Service) addMembers(svc *api.Service) {
	api.Add(svc, "DescribeAutoScalingInstances", s.DescribeAutoScalingInstances, nil)
	api.Add(svc, "TerminateInstanceInAutoScalingGroup", s.TerminateInstanceInAutoScalingGroup, func(_ context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput) []string {
		return s.groupOf(in.InstanceId)
	})
	api.Add(svc, "SetInstanceHealth", s.SetInstanceHealth, func(_ context.Context, in *autoscaling.SetInstanceHealthInput) []string {
		return s.groupOf(in.InstanceId)
	})
	api.Add(svc, "SetInstanceProtection", s.SetInstanceProtection, func(_ context.Context, in *autoscaling.SetInstanceProtectionInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "AttachInstances", s.AttachInstances, func(_ context.Context, in *autoscaling.AttachInstancesInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "DetachInstances", s.DetachInstances, func(_ context.Context, in *autoscaling.DetachInstancesInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
}

// groupOf is the ARN of an instance's group; of none, a pattern for any.
func (s *Service) groupOf(instance *string) []string {
	if aws.ToString(instance) == "" {
		return nil
	}
	if g, ok := s.holding(*instance); ok {
		return []string{s.ARN(g.Name)}
	}
	return []string{s.arn("*", *instance)}
}

// holding finds the group of an instance.
func (s *Service) holding(instance string) (Group, bool) {
	for _, g := range s.groups.List("") {
		if _, ok := g.member(instance); ok {
			return g, true
		}
	}
	return Group{}, false
}

// DescribeAutoScalingInstances lists the instances of all groups.
func (s *Service) DescribeAutoScalingInstances(_ context.Context, in *autoscaling.DescribeAutoScalingInstancesInput) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	var all []types.AutoScalingInstanceDetails
	for _, g := range s.groups.List("") {
		for _, m := range g.Members {
			if len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, m.ID) {
				continue
			}
			health := map[bool]string{true: "UNHEALTHY", false: "HEALTHY"}[m.Unhealthy]
			all = append(all, types.AutoScalingInstanceDetails{
				AutoScalingGroupName: aws.String(g.Name), AvailabilityZone: aws.String(m.Zone), HealthStatus: aws.String(health), InstanceId: aws.String(m.ID),
				InstanceType: aws.String(m.Type), LifecycleState: aws.String(string(m.State)), ProtectedFromScaleIn: aws.Bool(m.Protected), LaunchTemplate: m.Template.view(),
			})
		}
	}
	rows, next, err := page(all, in.MaxRecords, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: append([]types.AutoScalingInstanceDetails{}, rows...), NextToken: next}, nil
}

// TerminateInstanceInAutoScalingGroup ends an instance; another takes its place unless the
// desired capacity is decremented.
func (s *Service) TerminateInstanceInAutoScalingGroup(ctx context.Context, in *autoscaling.TerminateInstanceInAutoScalingGroupInput) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	if len(in.InstanceIds) > 0 || in.AutoScalingGroupName != nil {
		return nil, unsupported("A list of instances to terminate")
	}
	id := aws.ToString(in.InstanceId)
	held, ok := s.holding(id)
	if !ok {
		return nil, noInstance(id)
	}
	var a Activity
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		g, ok := s.groups.In(tx).Get(held.Name)
		g = g.copied()
		m, is := g.member(id)
		if !ok || !is || m.leaving() {
			return noInstance(id)
		}
		if aws.ToBool(in.ShouldDecrementDesiredCapacity) {
			if g.Desired-1 < g.Min {
				return invalid("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.Min)
			}
			g.Desired--
		}
		a = s.leave(tx, &g, m, "At "+s.stamp()+" instance "+id+" was taken out of service in response to a user request.")
		s.groups.In(tx).Put(g.Name, g)
		return nil
	})
	if err != nil {
		return nil, err
	}
	view := s.activityView(a)
	return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: &view}, nil
}

// SetInstanceHealth says how an instance is; an unhealthy one is replaced.
func (s *Service) SetInstanceHealth(ctx context.Context, in *autoscaling.SetInstanceHealthInput) (*autoscaling.SetInstanceHealthOutput, error) {
	health := aws.ToString(in.HealthStatus)
	if health != "Healthy" && health != "Unhealthy" {
		return nil, invalid("Valid instance health states are: [Healthy, Unhealthy].")
	}
	g, ok := s.holding(aws.ToString(in.InstanceId))
	if !ok {
		return nil, noInstance(aws.ToString(in.InstanceId))
	}
	return &autoscaling.SetInstanceHealthOutput{}, s.rewrite(ctx, &g.Name, func(g *Group) error {
		m, ok := g.member(*in.InstanceId)
		if !ok {
			return noInstance(*in.InstanceId)
		}
		early := s.Now().Sub(m.Joined).Seconds() < float64(g.Grace)
		if health == "Healthy" || !early || in.ShouldRespectGracePeriod != nil && !*in.ShouldRespectGracePeriod {
			m.Unhealthy = health == "Unhealthy"
		}
		return nil
	})
}

// SetInstanceProtection protects instances from scaling in, or no more.
func (s *Service) SetInstanceProtection(ctx context.Context, in *autoscaling.SetInstanceProtectionInput) (*autoscaling.SetInstanceProtectionOutput, error) {
	return &autoscaling.SetInstanceProtectionOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(g *Group) error {
		for _, id := range in.InstanceIds {
			m, ok := g.member(id)
			if !ok {
				return invalid("The instance %s is not part of Auto Scaling group %s.", id, g.Name)
			}
			m.Protected = aws.ToBool(in.ProtectedFromScaleIn)
		}
		return nil
	})
}

// AttachInstances takes running instances into a group, which wants so many more then.
func (s *Service) AttachInstances(ctx context.Context, in *autoscaling.AttachInstancesInput) (*autoscaling.AttachInstancesOutput, error) {
	for _, id := range in.InstanceIds {
		m, ok := s.Machines.Machine(id)
		if g, held := s.holding(id); held {
			return nil, invalid("Instance %s is already part of AutoScalingGroup:%s.", id, g.Name)
		}
		if !ok || m.State != "running" {
			return nil, invalid("Invalid Instance ID(s): [%s] specified: it is not running", id)
		}
	}
	return &autoscaling.AttachInstancesOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(g *Group) error {
		if g.Desired += int32(len(in.InstanceIds)); g.Desired > g.Max {
			return invalid("AutoScalingGroup:%s has min-size=%d, max-size=%d, and desired-size=%d.  To attach %d more instances, please update the AutoScalingGroup sizes appropriately.",
				g.Name, g.Min, g.Max, g.Desired-int32(len(in.InstanceIds)), len(in.InstanceIds))
		}
		for _, id := range in.InstanceIds {
			m, _ := s.Machines.Machine(id)
			g.Members = append(g.Members, s.memberOf(m, g, types.LifecycleStateInService))
		}
		return nil
	})
}

// DetachInstances lets instances go, which run on.
func (s *Service) DetachInstances(ctx context.Context, in *autoscaling.DetachInstancesInput) (*autoscaling.DetachInstancesOutput, error) {
	out := &autoscaling.DetachInstancesOutput{Activities: []types.Activity{}}
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		out.Activities = []types.Activity{}
		g, ok := s.groups.In(tx).Get(nameOf(aws.ToString(in.AutoScalingGroupName)))
		if !ok {
			return noGroup(aws.ToString(in.AutoScalingGroupName))
		}
		g = g.copied()
		for _, id := range in.InstanceIds {
			m, ok := g.member(id)
			if !ok || m.leaving() {
				return invalid("The instance %s is not part of Auto Scaling group %s.", id, g.Name)
			}
			a := s.newActivity(&g, "Detaching EC2 instance: "+id, "At "+s.stamp()+" instance "+id+" was detached in response to a user request.")
			a.End, a.Status = s.Now(), types.ScalingActivityStatusCodeSuccessful
			s.putActivity(tx, a)
			out.Activities = append(out.Activities, s.activityView(a))
			g.Members = slices.DeleteFunc(g.Members, func(m Member) bool { return m.ID == id })
		}
		if aws.ToBool(in.ShouldDecrementDesiredCapacity) {
			if g.Desired -= int32(len(in.InstanceIds)); g.Desired < g.Min {
				return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To detach %d instances please specify a valid min size", g.Name, g.Min, g.Max, g.Desired+int32(len(in.InstanceIds)), len(in.InstanceIds))
			}
		}
		s.groups.In(tx).Put(g.Name, g)
		return nil
	})
	return out, err
}
