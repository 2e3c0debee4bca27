package autoscaling

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// DescribeAutoScalingGroups lists groups, by name. Names of none are no error.
func (s *Service) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	names := map[string]bool{}
	for _, n := range in.AutoScalingGroupNames {
		names[nameOf(n)] = true
	}
	match, err := tagMatcher(in.Filters)
	if err != nil {
		return nil, err
	}
	var all []Group
	for name, g := range s.groups.List("") {
		if (len(names) == 0 || names[name]) && match(g.Tags) {
			all = append(all, g)
		}
	}
	rows, next, err := page(all, in.MaxRecords, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []types.AutoScalingGroup{}, NextToken: next}
	for _, g := range rows {
		out.AutoScalingGroups = append(out.AutoScalingGroups, s.view(g, in.IncludeInstances == nil || *in.IncludeInstances))
	}
	return out, nil
}

// tagMatcher reads filters of groups by their tags.
func tagMatcher(filters []types.Filter) (func([]Tag) bool, error) {
	for _, f := range filters {
		name := aws.ToString(f.Name)
		if name != "tag-key" && name != "tag-value" && !strings.HasPrefix(name, "tag:") {
			return nil, invalid("Filter type %s is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>", name)
		}
	}
	return func(tags []Tag) bool {
		return !slices.ContainsFunc(filters, func(f types.Filter) bool {
			return !slices.ContainsFunc(tags, func(t Tag) bool {
				switch name := aws.ToString(f.Name); name {
				case "tag-key":
					return slices.Contains(f.Values, t.Key)
				case "tag-value":
					return slices.Contains(f.Values, t.Value)
				default:
					return name == "tag:"+t.Key && slices.Contains(f.Values, t.Value)
				}
			})
		})
	}, nil
}

// page cuts rows; a token is where the next page begins.
func page[T any](rows []T, most *int32, token *string) ([]T, *string, error) {
	size := int(aws.ToInt32(most))
	if size < 0 || size > 100 {
		return nil, nil, invalid("MaxRecords must be between 1 and 100")
	}
	if size == 0 {
		size = 50
	}
	from := 0
	if aws.ToString(token) != "" {
		raw, err := base64.StdEncoding.DecodeString(*token)
		if err == nil {
			from, err = strconv.Atoi(string(raw))
		}
		if err != nil || from < 0 || from > len(rows) {
			return nil, nil, invalidToken(*token)
		}
	}
	rows = rows[from:]
	if len(rows) <= size {
		return rows, nil, nil
	}
	next := base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(from + size)))
	return rows[:size], &next, nil
}

func invalidToken(token string) error {
	return &types.InvalidNextToken{Message: aws.String("The token '" + token + "' is invalid")}
}

func (s *Service) view(g Group, members bool) types.AutoScalingGroup {
	v := types.AutoScalingGroup{
		AutoScalingGroupName: aws.String(g.Name), AutoScalingGroupARN: aws.String(s.arn(g.ID, g.Name)), CreatedTime: aws.Time(g.Created),
		MinSize: aws.Int32(g.Min), MaxSize: aws.Int32(g.Max), DesiredCapacity: aws.Int32(g.Desired), DefaultCooldown: aws.Int32(g.Cooldown),
		HealthCheckType: aws.String("EC2"), HealthCheckGracePeriod: aws.Int32(g.Grace), VPCZoneIdentifier: aws.String(strings.Join(g.Subnets, ",")),
		TerminationPolicies: g.Policies, NewInstancesProtectedFromScaleIn: aws.Bool(g.ProtectNew), CapacityRebalance: aws.Bool(g.Rebalance),
		ServiceLinkedRoleARN: aws.String(g.Role), AvailabilityZones: s.zonesOf(&g), Instances: []types.Instance{}, SuspendedProcesses: []types.SuspendedProcess{},
		EnabledMetrics: []types.EnabledMetric{}, LoadBalancerNames: []string{}, TargetGroupARNs: []string{}, TrafficSources: []types.TrafficSourceIdentifier{}, Tags: []types.TagDescription{},
	}
	if g.Context != "" {
		v.Context = aws.String(g.Context)
	}
	if g.Warmup >= 0 {
		v.DefaultInstanceWarmup = aws.Int32(g.Warmup)
	}
	if g.Deleting {
		v.Status = aws.String("Delete in progress")
	}
	spec := g.Template.view()
	if v.LaunchTemplate = spec; g.Mixed {
		v.LaunchTemplate = nil
		v.MixedInstancesPolicy = &types.MixedInstancesPolicy{
			InstancesDistribution: &types.InstancesDistribution{
				OnDemandAllocationStrategy: aws.String("prioritized"), OnDemandBaseCapacity: aws.Int32(0), OnDemandPercentageAboveBaseCapacity: aws.Int32(100), SpotAllocationStrategy: aws.String("lowest-price"),
			},
			LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: spec, Overrides: []types.LaunchTemplateOverrides{}},
		}
		for _, kind := range g.Types {
			v.MixedInstancesPolicy.LaunchTemplate.Overrides = append(v.MixedInstancesPolicy.LaunchTemplate.Overrides, types.LaunchTemplateOverrides{InstanceType: aws.String(kind)})
		}
	}
	for _, t := range g.Tags {
		v.Tags = append(v.Tags, tagView(&g, t))
	}
	for _, p := range slices.Sorted(maps.Keys(g.Suspended)) {
		v.SuspendedProcesses = append(v.SuspendedProcesses, types.SuspendedProcess{ProcessName: aws.String(p), SuspensionReason: aws.String(g.Suspended[p])})
	}
	if !members {
		return v
	}
	for _, m := range g.Members {
		v.Instances = append(v.Instances, types.Instance{
			InstanceId: aws.String(m.ID), InstanceType: aws.String(m.Type), AvailabilityZone: aws.String(m.Zone), LifecycleState: m.State,
			HealthStatus: aws.String(m.health()), ProtectedFromScaleIn: aws.Bool(m.Protected), LaunchTemplate: m.Template.view(),
		})
	}
	return v
}

func (m *Member) health() string {
	if m.Unhealthy {
		return "Unhealthy"
	}
	return "Healthy"
}

func (t Template) view() *types.LaunchTemplateSpecification {
	return &types.LaunchTemplateSpecification{LaunchTemplateId: aws.String(t.ID), LaunchTemplateName: aws.String(t.Name), Version: aws.String(t.Version)}
}

// zonesOf are the zones of a group's subnets.
func (s *Service) zonesOf(g *Group) []string {
	var zones []string
	for _, id := range g.Subnets {
		if _, zone, ok := s.Machines.SubnetPlace(id); ok && !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	slices.Sort(zones)
	return zones
}
