package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/google/uuid"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Processes of a group. Those that nothing here runs can be suspended all the same.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
const (
	processLaunch    = "Launch"
	processTerminate = "Terminate"
	processHealth    = "HealthCheck"
	processReplace   = "ReplaceUnhealthy"
)

var processes = []string{"AZRebalance", "AddToLoadBalancer", "AlarmNotification", processHealth, "InstanceRefresh", processLaunch, processReplace, "ScheduledActions", processTerminate}

func (s *Service) addLists(svc *api.Service) {
	api.Add(svc, "DescribeScalingActivities", s.DescribeScalingActivities, nil)
	api.Add(svc, "SuspendProcesses", s.SuspendProcesses, func(_ context.Context, in *autoscaling.SuspendProcessesInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "ResumeProcesses", s.ResumeProcesses, func(_ context.Context, in *autoscaling.ResumeProcessesInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "DescribeScalingProcessTypes", s.DescribeScalingProcessTypes, nil)
	api.Add(svc, "DescribeTerminationPolicyTypes", s.DescribeTerminationPolicyTypes, nil)
	api.Add(svc, "DescribeLifecycleHookTypes", s.DescribeLifecycleHookTypes, nil)
	api.Add(svc, "DescribeAccountLimits", s.DescribeAccountLimits, nil)
}

// SuspendProcesses suspends a group's processes, all if none is named.
func (s *Service) SuspendProcesses(ctx context.Context, in *autoscaling.SuspendProcessesInput) (*autoscaling.SuspendProcessesOutput, error) {
	return &autoscaling.SuspendProcessesOutput{}, s.switchProcesses(ctx, in.AutoScalingGroupName, in.ScalingProcesses, func(suspended map[string]string, name string) {
		suspended[name] = "User suspended at " + s.stamp()
	})
}

// ResumeProcesses has them go on.
func (s *Service) ResumeProcesses(ctx context.Context, in *autoscaling.ResumeProcessesInput) (*autoscaling.ResumeProcessesOutput, error) {
	return &autoscaling.ResumeProcessesOutput{}, s.switchProcesses(ctx, in.AutoScalingGroupName, in.ScalingProcesses, func(suspended map[string]string, name string) {
		delete(suspended, name)
	})
}

func (s *Service) switchProcesses(ctx context.Context, group *string, names []string, set func(map[string]string, string)) error {
	if len(names) == 0 {
		names = processes
	}
	return s.rewrite(ctx, group, func(g *Group) error {
		suspended := map[string]string{}
		for k, v := range g.Suspended {
			suspended[k] = v
		}
		for _, name := range names {
			if !slices.Contains(processes, name) {
				return invalid("Invalid scaling process: %s", name)
			}
			set(suspended, name)
		}
		g.Suspended = suspended
		return nil
	})
}

// DescribeScalingProcessTypes names the processes.
func (s *Service) DescribeScalingProcessTypes(context.Context, *autoscaling.DescribeScalingProcessTypesInput) (*autoscaling.DescribeScalingProcessTypesOutput, error) {
	out := &autoscaling.DescribeScalingProcessTypesOutput{}
	for _, p := range processes {
		out.Processes = append(out.Processes, types.ProcessType{ProcessName: aws.String(p)})
	}
	return out, nil
}

// DescribeTerminationPolicyTypes names the policies that a group can have here.
func (s *Service) DescribeTerminationPolicyTypes(context.Context, *autoscaling.DescribeTerminationPolicyTypesInput) (*autoscaling.DescribeTerminationPolicyTypesOutput, error) {
	return &autoscaling.DescribeTerminationPolicyTypesOutput{TerminationPolicyTypes: terminationPolicies}, nil
}

// DescribeLifecycleHookTypes names the transitions that hooks hold up.
func (s *Service) DescribeLifecycleHookTypes(context.Context, *autoscaling.DescribeLifecycleHookTypesInput) (*autoscaling.DescribeLifecycleHookTypesOutput, error) {
	return &autoscaling.DescribeLifecycleHookTypesOutput{LifecycleHookTypes: []string{Launching, Terminating}}, nil
}

// DescribeAccountLimits shows the quotas. There are no launch configurations.
func (s *Service) DescribeAccountLimits(context.Context, *autoscaling.DescribeAccountLimitsInput) (*autoscaling.DescribeAccountLimitsOutput, error) {
	return &autoscaling.DescribeAccountLimitsOutput{
		MaxNumberOfAutoScalingGroups: aws.Int32(mostGroups), NumberOfAutoScalingGroups: aws.Int32(int32(s.groups.Len())),
		MaxNumberOfLaunchConfigurations: aws.Int32(0), NumberOfLaunchConfigurations: aws.Int32(0),
	}, nil
}

// DescribeScalingActivities lists what happened to groups, the newest first.
func (s *Service) DescribeScalingActivities(_ context.Context, in *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	if len(in.Filters) > 0 {
		return nil, unsupported("A filter of activities")
	}
	name := nameOf(aws.ToString(in.AutoScalingGroupName))
	deleted := aws.ToBool(in.IncludeDeletedGroups)
	if _, ok := s.groups.Get(name); name != "" && !ok && !deleted {
		return nil, noGroup(name)
	}
	var all []Activity
	for _, a := range s.activities.List("") {
		g, there := s.groups.Get(a.Name)
		switch {
		case name != "" && a.Name != name, len(in.ActivityIds) > 0 && !slices.Contains(in.ActivityIds, a.ID), !deleted && (!there || g.ID != a.Group):
			continue
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b Activity) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.Number, a.Number), cmp.Compare(a.ID, b.ID))
	})
	rows, next, err := page(all, in.MaxRecords, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeScalingActivitiesOutput{Activities: []types.Activity{}, NextToken: next}
	for _, a := range rows {
		out.Activities = append(out.Activities, s.activityView(a))
	}
	return out, nil
}

func (s *Service) activityView(a Activity) types.Activity {
	v := types.Activity{
		ActivityId: aws.String(a.ID), AutoScalingGroupName: aws.String(a.Name), AutoScalingGroupARN: aws.String(s.arn(a.Group, a.Name)), Description: aws.String(a.Description), Cause: aws.String(a.Cause),
		StartTime: aws.Time(a.Start), StatusCode: a.Status, Progress: aws.Int32(50), Details: aws.String(fmt.Sprintf(`{"Subnet ID":%q,"Availability Zone":%q}`, a.Subnet, a.Zone)),
	}
	if a.Message != "" {
		v.StatusMessage = aws.String(a.Message)
	}
	if !a.End.IsZero() {
		v.EndTime, v.Progress = aws.Time(a.End), aws.Int32(100)
	}
	if g, ok := s.groups.Get(a.Name); !ok || g.ID != a.Group {
		v.AutoScalingGroupState = aws.String("Deleted")
	}
	return v
}

// Of activities, the newest are kept: so many for each group, for so long.
const (
	keptActivities = 100
	keptFor        = 6 * 7 * 24 * time.Hour
)

// stamp is the time as activities' causes tell it.
func (s *Service) stamp() string { return s.Now().UTC().Format("2006-01-02T15:04:05Z") }

func (s *Service) newActivity(g *Group, description, cause string) Activity {
	id, _ := uuid.NewV7() // fails only without randomness
	return Activity{
		ID: id.String(), Group: g.ID, Name: g.Name, Number: s.Now().UnixNano(), Description: description, Cause: cause, Start: s.Now().UTC(), Status: types.ScalingActivityStatusCodeInProgress,
	}
}

// putActivity records one, and forgets old ones.
func (s *Service) putActivity(tx *store.Tx, a Activity) {
	table := s.activities.In(tx)
	var keys []string
	for key, old := range s.activities.List(a.Group + "/") {
		if s.Now().Sub(old.Start) > keptFor {
			table.Delete(key)
			continue
		}
		keys = append(keys, key)
	}
	for len(keys) >= keptActivities { // keys begin with the time
		table.Delete(keys[0])
		keys = keys[1:]
	}
	table.Put(a.Group+"/"+a.ID, a)
}

// endActivity records how one ended.
func (s *Service) endActivity(tx *store.Tx, g *Group, id string, status types.ScalingActivityStatusCode, message string) {
	key := g.ID + "/" + id
	if a, ok := s.activities.In(tx).Get(key); ok && a.End.IsZero() {
		a.End, a.Status, a.Message = s.Now().UTC(), status, message
		s.activities.In(tx).Put(key, a)
	}
}

// LaunchFailures counts the launches of a group that failed since one succeeded, and says
// why the last did.
func (s *Service) LaunchFailures(name string) (count int, why string) {
	g, ok := s.groups.Get(name)
	if !ok {
		return 0, ""
	}
	for _, a := range s.activities.List(g.ID + "/") { // in the order of time
		switch {
		case !strings.HasPrefix(a.Description, launching):
		case a.Status == types.ScalingActivityStatusCodeFailed:
			count, why = count+1, a.Message
		default:
			count, why = 0, ""
		}
	}
	return count, why
}
