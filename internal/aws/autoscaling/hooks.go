package autoscaling

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Transitions that hooks hold up.
const (
	Launching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	Terminating = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// Results of a hook.
const (
	resume  = "CONTINUE"
	abandon = "ABANDON"
)

const (
	defaultHeartbeat = 3600
	mostHooks        = 50
	// longest is the longest that an instance waits, or a hundred heartbeats if that is
	// less.
	longest = 48 * time.Hour
)

func (s *Service) addHooks(svc *api.Service) {
	api.Add(svc, "PutLifecycleHook", s.PutLifecycleHook, func(_ context.Context, in *autoscaling.PutLifecycleHookInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "DeleteLifecycleHook", s.DeleteLifecycleHook, func(_ context.Context, in *autoscaling.DeleteLifecycleHookInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "DescribeLifecycleHooks", s.DescribeLifecycleHooks, nil)
	api.Add(svc, "CompleteLifecycleAction", s.CompleteLifecycleAction, func(_ context.Context, in *autoscaling.CompleteLifecycleActionInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
	api.Add(svc, "RecordLifecycleActionHeartbeat", s.RecordLifecycleActionHeartbeat, func(_ context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput) []string {
		return s.arns(in.AutoScalingGroupName)
	})
}

func hookOf(in types.LifecycleHookSpecification) (Hook, error) {
	h := Hook{
		Name: aws.ToString(in.LifecycleHookName), Transition: aws.ToString(in.LifecycleTransition), Default: abandon, Heartbeat: defaultHeartbeat,
		Metadata: aws.ToString(in.NotificationMetadata),
	}
	if in.DefaultResult != nil {
		h.Default = *in.DefaultResult
	}
	if in.HeartbeatTimeout != nil {
		h.Heartbeat = *in.HeartbeatTimeout
	}
	switch {
	case aws.ToString(in.NotificationTargetARN) != "" || aws.ToString(in.RoleARN) != "":
		return h, unsupported("NotificationTargetARN of a lifecycle hook")
	case h.Transition != Launching && h.Transition != Terminating:
		return h, invalid("Lifecycle transition %s is not one of %s and %s", h.Transition, Launching, Terminating)
	case h.Default != resume && h.Default != abandon:
		return h, invalid("Default result must be either CONTINUE or ABANDON")
	case h.Heartbeat < 30 || h.Heartbeat > 7200:
		return h, invalid("Heartbeat timeout must be between 30 and 7200 seconds")
	}
	return h, nil
}

// PutLifecycleHook makes a hook, or changes it: what is not said stays.
func (s *Service) PutLifecycleHook(ctx context.Context, in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
	return &autoscaling.PutLifecycleHookOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(g *Group) error {
		g.Hooks = slices.Clone(g.Hooks)
		at := slices.IndexFunc(g.Hooks, func(h Hook) bool { return h.Name == aws.ToString(in.LifecycleHookName) })
		spec := types.LifecycleHookSpecification{
			LifecycleHookName: in.LifecycleHookName, LifecycleTransition: in.LifecycleTransition, DefaultResult: in.DefaultResult, HeartbeatTimeout: in.HeartbeatTimeout,
			NotificationMetadata: in.NotificationMetadata, NotificationTargetARN: in.NotificationTargetARN, RoleARN: in.RoleARN,
		}
		if at >= 0 {
			old := &g.Hooks[at]
			for _, p := range []struct {
				to   **string
				from *string
			}{{&spec.LifecycleTransition, &old.Transition}, {&spec.DefaultResult, &old.Default}, {&spec.NotificationMetadata, &old.Metadata}} {
				if *p.to == nil {
					*p.to = p.from
				}
			}
			if spec.HeartbeatTimeout == nil {
				spec.HeartbeatTimeout = &old.Heartbeat
			}
		}
		h, err := hookOf(spec)
		switch {
		case err != nil:
			return err
		case at >= 0:
			g.Hooks[at] = h
		case len(g.Hooks) >= mostHooks:
			return &types.LimitExceededFault{Message: aws.String("Lifecycle hook limit exceeded.")}
		default:
			g.Hooks = append(g.Hooks, h)
		}
		return nil
	})
}

// DeleteLifecycleHook deletes a hook; those that wait for it go on.
func (s *Service) DeleteLifecycleHook(ctx context.Context, in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
	name := aws.ToString(in.LifecycleHookName)
	return &autoscaling.DeleteLifecycleHookOutput{}, s.rewrite(ctx, in.AutoScalingGroupName, func(g *Group) error {
		if !slices.ContainsFunc(g.Hooks, func(h Hook) bool { return h.Name == name }) {
			return noHook(name)
		}
		g.Hooks = slices.DeleteFunc(slices.Clone(g.Hooks), func(h Hook) bool { return h.Name == name })
		for i := range g.Members {
			if m := &g.Members[i]; m.waits() && m.Hook == name {
				m.finish(resume)
			}
		}
		return nil
	})
}

func noHook(name string) error {
	return invalid("No such lifecycle hook: %s", name)
}

// DescribeLifecycleHooks lists a group's hooks.
func (s *Service) DescribeLifecycleHooks(_ context.Context, in *autoscaling.DescribeLifecycleHooksInput) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	g, err := s.find(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: []types.LifecycleHook{}}
	for _, h := range g.Hooks {
		if len(in.LifecycleHookNames) > 0 && !slices.Contains(in.LifecycleHookNames, h.Name) {
			continue
		}
		v := types.LifecycleHook{
			AutoScalingGroupName: aws.String(g.Name), LifecycleHookName: aws.String(h.Name), LifecycleTransition: aws.String(h.Transition), DefaultResult: aws.String(h.Default),
			HeartbeatTimeout: aws.Int32(h.Heartbeat), GlobalTimeout: aws.Int32(int32(h.limit().Seconds())),
		}
		if h.Metadata != "" {
			v.NotificationMetadata = aws.String(h.Metadata)
		}
		out.LifecycleHooks = append(out.LifecycleHooks, v)
	}
	return out, nil
}

// limit is the longest that a hook holds an instance up, whatever heartbeats come.
func (h Hook) limit() time.Duration {
	return min(longest, 100*time.Duration(h.Heartbeat)*time.Second)
}

// CompleteLifecycleAction lets an instance go on that waits.
func (s *Service) CompleteLifecycleAction(ctx context.Context, in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	result := aws.ToString(in.LifecycleActionResult)
	if result != resume && result != abandon {
		return nil, invalid("Lifecycle action result must be either CONTINUE or ABANDON")
	}
	return &autoscaling.CompleteLifecycleActionOutput{}, s.rewriteWaiting(ctx, in.AutoScalingGroupName, in.LifecycleHookName, in.InstanceId, in.LifecycleActionToken, func(m *Member, _ Hook) { m.finish(result) })
}

// RecordLifecycleActionHeartbeat has an instance wait for longer.
func (s *Service) RecordLifecycleActionHeartbeat(ctx context.Context, in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, s.rewriteWaiting(ctx, in.AutoScalingGroupName, in.LifecycleHookName, in.InstanceId, in.LifecycleActionToken, func(m *Member, h Hook) {
		if m.Deadline = s.Now().Add(time.Duration(h.Heartbeat) * time.Second); m.Deadline.After(m.Latest) {
			m.Deadline = m.Latest
		}
	})
}

// rewriteWaiting changes the instance that waits for a hook, found by its id or token. A
// group that is being deleted waits for its hooks too.
func (s *Service) rewriteWaiting(ctx context.Context, group, hook, instance, token *string, fn func(*Member, Hook)) error {
	return s.rewriteAny(ctx, aws.ToString(group), func(_ *store.Tx, g *Group) error {
		at := slices.IndexFunc(g.Hooks, func(h Hook) bool { return h.Name == aws.ToString(hook) })
		if at < 0 {
			return noHook(aws.ToString(hook))
		}
		for i := range g.Members {
			m := &g.Members[i]
			if m.waits() && m.Hook == g.Hooks[at].Name && (token != nil && m.Token == *token || token == nil && m.ID == aws.ToString(instance)) {
				fn(m, g.Hooks[at])
				return nil
			}
		}
		if token == nil {
			return invalid("No active Lifecycle Action found with instance ID %s", aws.ToString(instance))
		}
		return invalid("No active Lifecycle Action found with token %s", *token)
	})
}

// finish ends the wait of a member for a hook.
func (m *Member) finish(result string) {
	m.Passed = append(slices.Clone(m.Passed), m.Hook)
	m.Hook, m.Token, m.Deadline, m.Latest = "", "", time.Time{}, time.Time{}
	switch {
	case m.State == types.LifecycleStateTerminatingWait && result == abandon:
		m.Passed = append(m.Passed, all) // the other hooks are not asked
		m.State = types.LifecycleStateTerminatingProceed
	case m.State == types.LifecycleStateTerminatingWait:
		m.State = types.LifecycleStateTerminatingProceed
	case result == abandon:
		m.Unhealthy, m.State = true, types.LifecycleStatePendingProceed
	default:
		m.State = types.LifecycleStatePendingProceed
	}
}

// all stands in Passed for every hook.
const all = "*"

// next is the next hook that a member has to wait for.
func (g *Group) next(m *Member, transition string) (Hook, bool) {
	if slices.Contains(m.Passed, all) {
		return Hook{}, false
	}
	i := slices.IndexFunc(g.Hooks, func(h Hook) bool { return h.Transition == transition && !slices.Contains(m.Passed, h.Name) })
	if i < 0 {
		return Hook{}, false
	}
	return g.Hooks[i], true
}
