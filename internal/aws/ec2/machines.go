package ec2

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

func (s *Service) addMachines(svc *api.Service) {
	add(s, svc, "DescribeInstances", s.DescribeInstances, nil)
	s.addLaunch(svc)
	add(s, svc, "DescribeInstanceStatus", s.DescribeInstanceStatus, nil)
	add(s, svc, "DescribeInstanceAttribute", s.DescribeInstanceAttribute, func(in *ec2.DescribeInstanceAttributeInput) []string { return s.on("instance", in.InstanceId) })
	add(s, svc, "ModifyInstanceAttribute", s.ModifyInstanceAttribute, func(in *ec2.ModifyInstanceAttributeInput) []string {
		return append(s.on("instance", in.InstanceId), s.arns("security-group", in.Groups...)...)
	})
	keyed(svc, "ModifyInstanceAttribute", func(in *ec2.ModifyInstanceAttributeInput, key string) policy.Values {
		name, value := instanceChange(in)
		return changed(key, name, value)
	})
	add(s, svc, "GetConsoleOutput", s.GetConsoleOutput, func(in *ec2.GetConsoleOutputInput) []string { return s.on("instance", in.InstanceId) })
	add(s, svc, "RebootInstances", s.RebootInstances, func(in *ec2.RebootInstancesInput) []string { return s.arns("instance", in.InstanceIds...) })
	add(s, svc, "StopInstances", s.StopInstances, func(in *ec2.StopInstancesInput) []string { return s.arns("instance", in.InstanceIds...) })
	add(s, svc, "StartInstances", s.StartInstances, func(in *ec2.StartInstancesInput) []string { return s.arns("instance", in.InstanceIds...) })
	add(s, svc, "TerminateInstances", s.TerminateInstances, func(in *ec2.TerminateInstancesInput) []string { return s.arns("instance", in.InstanceIds...) })
}

// RebootInstances restarts machines. Those that don't run are refused.
func (s *Service) RebootInstances(ctx context.Context, in *ec2.RebootInstancesInput) (*ec2.RebootInstancesOutput, error) {
	_, err := s.order(ctx, in.InstanceIds, "rebooted", Running, Ground.Reboot, Running)
	return &ec2.RebootInstancesOutput{}, err
}

// StopInstances ends machines that can be started again.
func (s *Service) StopInstances(ctx context.Context, in *ec2.StopInstancesInput) (*ec2.StopInstancesOutput, error) {
	if aws.ToBool(in.Hibernate) {
		return nil, refuse("UnsupportedHibernationConfiguration", "Instances that are not configured for hibernation can't hibernate")
	}
	changes, err := s.order(ctx, in.InstanceIds, "stopped", Stopping, Ground.Stop, Running, Stopping, Stopped)
	return &ec2.StopInstancesOutput{StoppingInstances: changes}, err
}

// StartInstances starts machines that were stopped.
func (s *Service) StartInstances(ctx context.Context, in *ec2.StartInstancesInput) (*ec2.StartInstancesOutput, error) {
	changes, err := s.order(ctx, in.InstanceIds, "started", Pending, Ground.Start, Stopped, Pending, Running)
	return &ec2.StartInstancesOutput{StartingInstances: changes}, err
}

// TerminateInstances ends machines for good. None is if one is protected.
func (s *Service) TerminateInstances(ctx context.Context, in *ec2.TerminateInstancesInput) (*ec2.TerminateInstancesOutput, error) {
	for _, id := range in.InstanceIds {
		if i, _ := s.instances.Get(id); i.Protected {
			return nil, refuse("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", id)
		}
	}
	changes, err := s.order(ctx, in.InstanceIds, "terminated", ShuttingDown, Ground.Terminate, Pending, Running, Stopping, Stopped, ShuttingDown, Terminated)
	return &ec2.TerminateInstancesOutput{TerminatingInstances: changes}, err
}

// settled are the states in which an order has nothing left to do.
var settled = map[State][]State{Stopping: {Stopping, Stopped}, Pending: {Pending, Running}, ShuttingDown: {ShuttingDown, Terminated}}

// order has the ground do something to instances that are in one of these states:
// to all, or to none.
func (s *Service) order(ctx context.Context, ids []string, done string, then State, do func(Ground, context.Context, string) error, from ...State) ([]types.InstanceStateChange, error) {
	if len(ids) == 0 {
		return nil, absent("InstanceId")
	}
	found, err := named(s.instances, instanceKind, ids)
	if err != nil {
		return nil, err
	}
	var all []Instance
	for _, i := range found {
		if !slices.Contains(from, i.State) {
			return nil, refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be %s.", i.ID, done)
		}
		all = append(all, i)
	}
	if s.ground == nil {
		return nil, unsupported("A change of machines, where none run,")
	}
	changes := []types.InstanceStateChange{}
	for _, i := range all {
		now := then
		if slices.Contains(settled[then], i.State) {
			now = i.State
		} else if err := do(s.ground, ctx, i.ID); err != nil {
			return nil, err
		}
		changes = append(changes, types.InstanceStateChange{InstanceId: aws.String(i.ID), PreviousState: stateView(i.State), CurrentState: stateView(now)})
	}
	return changes, nil
}

func stateView(state State) *types.InstanceState {
	return &types.InstanceState{Name: types.InstanceStateName(state), Code: aws.Int32(codes[state])}
}

// GetConsoleOutput is what a machine has said at its start, its newest 64 KiB.
func (s *Service) GetConsoleOutput(_ context.Context, in *ec2.GetConsoleOutputInput) (*ec2.GetConsoleOutputOutput, error) {
	i, err := s.instanceFamily.seek(aws.ToString(in.InstanceId))
	if err != nil {
		return nil, err
	}
	out := &ec2.GetConsoleOutputOutput{InstanceId: aws.String(i.ID), Timestamp: aws.Time(s.Now().UTC())}
	if s.ground == nil || i.State == Terminated {
		return out, nil
	}
	said, err := s.ground.Console(i.ID)
	if err != nil || len(said) == 0 {
		return out, err
	}
	out.Output = aws.String(base64.StdEncoding.EncodeToString(said[max(0, len(said)-64<<10):]))
	return out, nil
}

// DescribeInstanceStatus lists the states of instances: of those that run, unless
// all are asked for.
func (s *Service) DescribeInstanceStatus(_ context.Context, in *ec2.DescribeInstanceStatusInput) (*ec2.DescribeInstanceStatusOutput, error) {
	health := func(i Instance) []string { return []string{string(healthOf(i))} }
	reach := func(i Instance) []string { return optional(string(detailOf(i))) }
	q := query{nil, in.InstanceIds, in.Filters, in.MaxResults, in.NextToken, "DescribeInstanceStatus"}
	if !aws.ToBool(in.IncludeAllInstances) {
		q.filters = append(slices.Clone(q.filters), types.Filter{Name: aws.String("instance-state-name"), Values: []string{"running"}})
	}
	all := s.instanceAttributes()
	found, next, err := s.instanceFamily.describe(q, attributes[Instance]{
		"availability-zone":            all["availability-zone"],
		"availability-zone-id":         func(i Instance) []string { return []string{zoneID(i.Zone)} },
		"instance-state-code":          all["instance-state-code"],
		"instance-state-name":          all["instance-state-name"],
		"instance-status.reachability": reach,
		"instance-status.status":       health,
		"system-status.reachability":   reach,
		"system-status.status":         health,
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceStatusOutput{NextToken: next, InstanceStatuses: []types.InstanceStatus{}}
	for _, i := range found {
		if s.forgotten(i) {
			continue
		}
		summary := &types.InstanceStatusSummary{Status: healthOf(i), Details: []types.InstanceStatusDetails{}}
		if detail := detailOf(i); detail != "" {
			summary.Details = append(summary.Details, types.InstanceStatusDetails{Name: types.StatusNameReachability, Status: detail})
		}
		out.InstanceStatuses = append(out.InstanceStatuses, types.InstanceStatus{
			InstanceId: aws.String(i.ID), InstanceState: stateView(i.State), AvailabilityZone: aws.String(i.Zone), AvailabilityZoneId: aws.String(zoneID(i.Zone)),
			InstanceStatus: summary, SystemStatus: summary,
		})
	}
	return out, nil
}

// healthOf: a machine whose processes their keeper restarts is well while it runs.
func healthOf(i Instance) types.SummaryStatus {
	switch i.State {
	case Running:
		return types.SummaryStatusOk
	case Pending:
		return types.SummaryStatusInitializing
	}
	return types.SummaryStatusNotApplicable
}

func detailOf(i Instance) types.StatusType {
	switch i.State {
	case Running:
		return types.StatusTypePassed
	case Pending:
		return types.StatusTypeInitializing
	}
	return ""
}

// terminatedFor is how long a terminated instance is still shown.
const terminatedFor = time.Hour

// forgotten says whether a terminated instance is no longer shown.
func (s *Service) forgotten(i Instance) bool {
	return i.State == Terminated && s.Now().Sub(i.Ended) > terminatedFor
}

// SetState records an instance's state. A terminated one loses its addresses, and
// is no longer of its security groups when SetState returns.
func (s *Service) SetState(ctx context.Context, id string, state State, reason string) error {
	return s.changeGroups(ctx, nil, func(tx *store.Tx) error {
		i, ok := s.instances.In(tx).Get(id)
		if !ok {
			return nil
		}
		now := s.Now().UTC()
		i.State, i.Reason = state, reason
		switch state {
		case Pending:
			i.LaunchTime, i.Reason = now, ""
			if err := s.autoPublic(tx, &i); err != nil {
				return err
			}
		case Stopped:
			if !s.elastic(tx, i.ID) {
				i.PublicIP, i.PublicDNS = noAddress, ""
			}
		case Terminated:
			i.Ended = now
			s.release(tx, i.ID)
			i.VPC, i.Subnet, i.Interfaces, i.Groups = "", "", nil, nil
			i.PrivateDNS, i.PrivateIP, i.PublicDNS, i.PublicIP = "", noAddress, "", noAddress
		}
		s.instances.In(tx).Put(id, i)
		for _, old := range values(s.instances.List("")) {
			if s.forgotten(old) {
				s.instances.In(tx).Delete(old.ID)
			}
		}
		return nil
	})
}

// elastic says whether an instance has an Elastic IP address.
func (s *Service) elastic(tx *store.Tx, instance string) bool {
	return slices.ContainsFunc(s.addressFamily.list(tx), func(a Address) bool { return a.Instance == instance })
}

// release frees the Elastic IP addresses of an instance.
func (s *Service) release(tx *store.Tx, instance string) {
	for _, a := range s.addressFamily.list(tx) {
		if a.Instance == instance {
			s.addressFamily.put(tx, a.ID, a.freed())
		}
	}
}
