package elb

import (
	"context"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// CreateListener makes a Network Load Balancer's listener.
func (s *Service) CreateListener(ctx context.Context, in *elbv2.CreateListenerInput) (*elbv2.CreateListenerOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, err := s.own(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	l, err := s.listenerOf(Listener{ID: newID(), Tags: tags}, in.Protocol, in.Port, in.DefaultActions, len(in.Certificates) > 0 || in.SslPolicy != nil || len(in.AlpnPolicy) > 0)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(lb.Listeners, func(o Listener) bool { return o.Port == l.Port }) {
		return nil, &types.DuplicateListenerException{Message: aws.String("A listener already exists on this port for this load balancer '" + s.BalancerARN(lb) + "'")}
	}
	lb.Listeners = append(slices.Clone(lb.Listeners), l)
	if err := s.relisten(ctx, lb); err != nil {
		return nil, err
	}
	return &elbv2.CreateListenerOutput{Listeners: []types.Listener{s.listenerView(lb, l)}}, nil
}

// ModifyListener changes a listener: what is not given stays.
func (s *Service) ModifyListener(ctx context.Context, in *elbv2.ModifyListenerInput) (*elbv2.ModifyListenerOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, i, err := s.ownListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	l, err := s.listenerOf(lb.Listeners[i], in.Protocol, in.Port, in.DefaultActions, len(in.Certificates) > 0 || in.SslPolicy != nil || len(in.AlpnPolicy) > 0)
	if err != nil {
		return nil, err
	}
	for j, o := range lb.Listeners {
		if j != i && o.Port == l.Port {
			return nil, &types.DuplicateListenerException{Message: aws.String("A listener already exists on this port for this load balancer '" + s.BalancerARN(lb) + "'")}
		}
	}
	lb.Listeners = slices.Clone(lb.Listeners)
	lb.Listeners[i] = l
	if err := s.relisten(ctx, lb); err != nil {
		return nil, err
	}
	return &elbv2.ModifyListenerOutput{Listeners: []types.Listener{s.listenerView(lb, l)}}, nil
}

// DeleteListener deletes a listener.
func (s *Service) DeleteListener(ctx context.Context, in *elbv2.DeleteListenerInput) (*elbv2.DeleteListenerOutput, error) {
	s.making.Lock()
	defer s.making.Unlock()
	lb, i, err := s.ownListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	lb.Listeners = slices.Delete(slices.Clone(lb.Listeners), i, i+1)
	return &elbv2.DeleteListenerOutput{}, s.relisten(ctx, lb)
}

// relisten keeps a load balancer with other listeners, and makes them true; what
// can't be made is not kept.
func (s *Service) relisten(ctx context.Context, lb LoadBalancer) error {
	old, _ := s.balancers.Get(lb.Name)
	put := func(lb LoadBalancer) error {
		return s.keep(context.WithoutCancel(ctx), func(tx *store.Tx) { s.balancers.In(tx).Put(lb.Name, lb) })
	}
	if err := put(lb); err != nil {
		return err
	}
	if err := s.apply(ctx, lb.Name); err != nil {
		_ = put(old)
		return err
	}
	return s.settle(ctx)
}

func (s *Service) ownListener(arn *string) (LoadBalancer, int, error) {
	lb, i, err := s.listener(aws.ToString(arn))
	if err == nil && !lb.ByAPI {
		err = notPermitted("Load balancer '" + lb.Name + "' belongs to a Kubernetes Service, which decides what it is")
	}
	return lb, i, err
}

// listenerOf is a listener with what a call says of it.
func (s *Service) listenerOf(l Listener, protocol types.ProtocolEnum, port *int32, actions []types.Action, tls bool) (Listener, error) {
	if protocol != "" {
		l.Protocol = string(protocol)
	}
	if port != nil {
		l.Port = *port
	}
	switch {
	case tls || l.Protocol == "TLS":
		return l, unsupported("A TLS listener")
	case l.Protocol != "TCP" && l.Protocol != "UDP" && l.Protocol != "TCP_UDP":
		return l, &types.UnsupportedProtocolException{Message: aws.String("Protocol '" + l.Protocol + "' is not supported by a Network Load Balancer's listener here")}
	case l.Port < 1 || l.Port > 65535:
		return l, api.ValidationError("Listener port '%d' must be between '1' and '65535' inclusive", l.Port)
	case len(actions) == 0 && l.TargetGroup == "":
		return l, api.ValidationError("A listener must have a default action")
	case len(actions) > 1:
		return l, &types.TooManyActionsException{Message: aws.String("A Network Load Balancer's listener has one default action")}
	}
	if len(actions) == 1 {
		arn, err := forwardsTo(actions[0])
		if err != nil {
			return l, err
		}
		g, err := s.ownGroup(&arn)
		if err != nil {
			return l, err
		}
		l.TargetGroup = g.Name
	}
	if g, _ := s.groups.Get(l.TargetGroup); g.Protocol != l.Protocol {
		return l, &types.IncompatibleProtocolsException{Message: aws.String("Listener protocol '" + l.Protocol + "' is not supported with a target group with the target group protocol '" + g.Protocol + "'")}
	}
	return l, nil
}

// forwardsTo is the ARN of the one target group that an action forwards to.
func forwardsTo(a types.Action) (string, error) {
	if a.Type != types.ActionTypeEnumForward {
		return "", &types.InvalidLoadBalancerActionException{Message: aws.String("A Network Load Balancer's listener forwards; action type '" + string(a.Type) + "' is not one of it")}
	}
	if a.ForwardConfig == nil || len(a.ForwardConfig.TargetGroups) == 0 {
		return aws.ToString(a.TargetGroupArn), nil
	}
	if n := len(a.ForwardConfig.TargetGroups); n > 1 {
		return "", unsupported("Forwarding to " + strconv.Itoa(n) + " target groups")
	}
	return aws.ToString(a.ForwardConfig.TargetGroups[0].TargetGroupArn), nil
}
