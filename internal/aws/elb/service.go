package elb

import (
	"context"
	"encoding/base64"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Service answers the calls of Elastic Load Balancing, of both its APIs.
type Service struct {
	store     *store.Store
	place     api.Place
	balancers *store.Table[LoadBalancer]
	groups    *store.Table[TargetGroup]
	network   Network
	making    sync.Mutex // one call that makes or changes at a time
}

// New makes the service. Its tables are registered in st, which is loaded
// afterwards.
func New(st *store.Store, place api.Place) *Service {
	return &Service{
		store:     st,
		place:     place,
		balancers: store.NewTable[LoadBalancer](st, "elb/load-balancer"),
		groups:    store.NewTable[TargetGroup](st, "elb/target-group"),
	}
}

// Service lists the operations for the front door. The Describe calls touch no
// resources that a policy could name.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "elasticloadbalancingv2", Action: "elasticloadbalancing", Resource: s.ofResource}
	api.Add(svc, "DescribeLoadBalancers", s.DescribeLoadBalancers, nil)
	api.Add(svc, "DescribeListeners", s.DescribeListeners, nil)
	api.Add(svc, "DescribeTargetGroups", s.DescribeTargetGroups, nil)
	api.Add(svc, "DescribeTargetHealth", s.DescribeTargetHealth, nil)
	api.Add(svc, "DescribeLoadBalancerAttributes", s.DescribeLoadBalancerAttributes, nil)
	api.Add(svc, "DescribeTargetGroupAttributes", s.DescribeTargetGroupAttributes, nil)
	api.Add(svc, "DescribeTags", s.DescribeTags, nil)
	api.Add(svc, "AddTags", s.AddTags, func(_ context.Context, in *elbv2.AddTagsInput) []string { return in.ResourceArns })
	api.Add(svc, "RemoveTags", s.RemoveTags, func(_ context.Context, in *elbv2.RemoveTagsInput) []string { return in.ResourceArns })
	s.addMaking(svc)
	return svc
}

// addMaking adds the operations that make and change Network Load Balancers.
func (s *Service) addMaking(svc *api.Service) {
	one := func(arn *string) []string { return []string{aws.ToString(arn)} }
	api.Add(svc, "CreateLoadBalancer", s.CreateLoadBalancer, func(_ context.Context, in *elbv2.CreateLoadBalancerInput) []string {
		kind := "net"
		if in.Type != types.LoadBalancerTypeEnumNetwork {
			kind = "app"
		}
		return []string{s.arn("loadbalancer/" + kind + "/" + aws.ToString(in.Name) + "/*")}
	})
	api.Add(svc, "DeleteLoadBalancer", s.DeleteLoadBalancer, func(_ context.Context, in *elbv2.DeleteLoadBalancerInput) []string { return one(in.LoadBalancerArn) })
	api.Add(svc, "ModifyLoadBalancerAttributes", s.ModifyLoadBalancerAttributes, func(_ context.Context, in *elbv2.ModifyLoadBalancerAttributesInput) []string {
		return one(in.LoadBalancerArn)
	})
	api.Add(svc, "CreateListener", s.CreateListener, func(_ context.Context, in *elbv2.CreateListenerInput) []string { return one(in.LoadBalancerArn) })
	api.Add(svc, "ModifyListener", s.ModifyListener, func(_ context.Context, in *elbv2.ModifyListenerInput) []string { return one(in.ListenerArn) })
	api.Add(svc, "DeleteListener", s.DeleteListener, func(_ context.Context, in *elbv2.DeleteListenerInput) []string { return one(in.ListenerArn) })
	api.Add(svc, "CreateTargetGroup", s.CreateTargetGroup, func(_ context.Context, in *elbv2.CreateTargetGroupInput) []string {
		return []string{s.arn("targetgroup/" + aws.ToString(in.Name) + "/*")}
	})
	api.Add(svc, "ModifyTargetGroup", s.ModifyTargetGroup, func(_ context.Context, in *elbv2.ModifyTargetGroupInput) []string { return one(in.TargetGroupArn) })
	api.Add(svc, "ModifyTargetGroupAttributes", s.ModifyTargetGroupAttributes, func(_ context.Context, in *elbv2.ModifyTargetGroupAttributesInput) []string {
		return one(in.TargetGroupArn)
	})
	api.Add(svc, "DeleteTargetGroup", s.DeleteTargetGroup, func(_ context.Context, in *elbv2.DeleteTargetGroupInput) []string { return one(in.TargetGroupArn) })
	api.Add(svc, "RegisterTargets", s.RegisterTargets, func(_ context.Context, in *elbv2.RegisterTargetsInput) []string { return one(in.TargetGroupArn) })
	api.Add(svc, "DeregisterTargets", s.DeregisterTargets, func(_ context.Context, in *elbv2.DeregisterTargetsInput) []string { return one(in.TargetGroupArn) })
	s.addSetting(svc)
	s.addConditions(svc)
}

// addConditions adds what policies may ask of calls that make something.
func (s *Service) addConditions(svc *api.Service) {
	api.WithKeys(svc, "CreateLoadBalancer", func(_ context.Context, in *elbv2.CreateLoadBalancerInput, key string) policy.Values {
		switch key {
		case "elasticloadbalancing:scheme":
			return given(string(in.Scheme))
		case "elasticloadbalancing:subnet":
			return policy.Many(named(in.Subnets, in.SubnetMappings))
		case "elasticloadbalancing:securitygroup":
			return policy.Many(in.SecurityGroups)
		}
		return madeBy("CreateLoadBalancer", len(in.Tags), key)
	})
	api.WithKeys(svc, "CreateTargetGroup", func(_ context.Context, in *elbv2.CreateTargetGroupInput, key string) policy.Values {
		return madeBy("CreateTargetGroup", len(in.Tags), key)
	})
	api.WithKeys(svc, "CreateListener", func(_ context.Context, in *elbv2.CreateListenerInput, key string) policy.Values {
		if key == "elasticloadbalancing:listenerprotocol" {
			return given(string(in.Protocol))
		}
		return madeBy("CreateListener", len(in.Tags), key)
	})
	api.WithKeys(svc, "ModifyListener", func(_ context.Context, in *elbv2.ModifyListenerInput, key string) policy.Values {
		if key == "elasticloadbalancing:listenerprotocol" {
			return given(string(in.Protocol))
		}
		return policy.Values{}
	})
	tagging := func(n int, arn string) []api.Need {
		if n == 0 {
			return nil
		}
		return []api.Need{{Action: "elasticloadbalancing:AddTags", Resources: []string{arn}}}
	}
	api.WithNeeds(svc, "CreateLoadBalancer", func(_ context.Context, in *elbv2.CreateLoadBalancerInput) []api.Need {
		return tagging(len(in.Tags), s.arn("loadbalancer/net/"+aws.ToString(in.Name)+"/*"))
	})
	api.WithNeeds(svc, "CreateListener", func(_ context.Context, in *elbv2.CreateListenerInput) []api.Need {
		return tagging(len(in.Tags), strings.Replace(aws.ToString(in.LoadBalancerArn), ":loadbalancer/", ":listener/", 1)+"/*")
	})
	api.WithNeeds(svc, "CreateTargetGroup", func(_ context.Context, in *elbv2.CreateTargetGroupInput) []api.Need {
		return tagging(len(in.Tags), s.arn("targetgroup/"+aws.ToString(in.Name)+"/*"))
	})
}

// madeBy is the key by which policies let tags be added only while something is made.
func madeBy(operation string, tags int, key string) policy.Values {
	if key == "elasticloadbalancing:createaction" && tags > 0 {
		return policy.One(operation)
	}
	return policy.Values{}
}

// given is a parameter's value as a condition key's; one that is left out has none.
func given(v string) policy.Values {
	if v == "" {
		return policy.Values{}
	}
	return policy.One(v)
}

// ofResource answers for the condition keys of a load balancer, listener or target
// group: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, ok := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok {
		return policy.Values{}
	}
	if lb, ok := s.balancers.Get(strings.TrimPrefix(arn, s.classicARN(""))); ok && lb.Classic != nil {
		return api.TagValue(lb.Tags, tag)
	}
	if tags, err := s.tagsOf(arn); err == nil {
		return api.TagValue(tags, tag)
	}
	return policy.Values{}
}

// listener finds a listener by its ARN: its load balancer and its place there.
func (s *Service) listener(arn string) (LoadBalancer, int, error) {
	for _, lb := range s.networks() {
		for i, l := range lb.Listeners {
			if s.listenerARN(lb, l) == arn {
				return lb, i, nil
			}
		}
	}
	return LoadBalancer{}, 0, &types.ListenerNotFoundException{Message: aws.String("One or more listeners not found")}
}

func (s *Service) arn(resource string) string {
	return "arn:" + s.place.Partition + ":elasticloadbalancing:" + s.place.Region + ":" + s.place.AccountID + ":" + resource
}

// BalancerARN is the ARN of a load balancer.
func (s *Service) BalancerARN(lb LoadBalancer) string {
	return s.arn("loadbalancer/net/" + lb.Name + "/" + lb.ID)
}

// GroupARN is the ARN of a target group.
func (s *Service) GroupARN(g TargetGroup) string {
	return s.arn("targetgroup/" + g.Name + "/" + g.ID)
}

func (s *Service) listenerARN(lb LoadBalancer, l Listener) string {
	return s.arn("listener/net/" + lb.Name + "/" + lb.ID + "/" + l.ID)
}

// networks are all Network Load Balancers, by name.
func (s *Service) networks() iter.Seq2[string, LoadBalancer] {
	return func(yield func(string, LoadBalancer) bool) {
		for name, lb := range s.balancers.List("") {
			if lb.Classic == nil && !yield(name, lb) {
				return
			}
		}
	}
}

func (s *Service) networkNamed(name string) (LoadBalancer, bool) {
	lb, ok := s.balancers.Get(name)
	return lb, ok && lb.Classic == nil
}

// balancer finds a Network Load Balancer by its ARN.
func (s *Service) balancer(arn string) (LoadBalancer, error) {
	for _, lb := range s.networks() {
		if s.BalancerARN(lb) == arn {
			return lb, nil
		}
	}
	return LoadBalancer{}, &types.LoadBalancerNotFoundException{Message: aws.String("One or more load balancers not found")}
}

// group finds a target group by its ARN.
func (s *Service) group(arn string) (TargetGroup, error) {
	for _, g := range s.groups.List("") {
		if s.GroupARN(g) == arn {
			return g, nil
		}
	}
	return TargetGroup{}, &types.TargetGroupNotFoundException{Message: aws.String("One or more target groups not found")}
}

// maxPage is the largest page and the default.
const maxPage = 400

// page cuts what a call found, whose keys are sorted, into pages. A marker is the
// last key of a page, bound to the call.
func page[T any](call string, found []T, key func(T) string, size *int32, marker *string) ([]T, *string, error) {
	n := maxPage
	if size != nil {
		if n = int(*size); n < 1 || n > maxPage {
			return nil, nil, api.ValidationError("Page size must be between 1 and %d", maxPage)
		}
	}
	if aws.ToString(marker) != "" {
		data, err := base64.StdEncoding.DecodeString(*marker)
		after, ok := strings.CutPrefix(string(data), call+" ")
		if err != nil || !ok {
			return nil, nil, api.Errorf(http.StatusBadRequest, "ValidationError", "Invalid marker: %s", *marker)
		}
		found = slices.DeleteFunc(found, func(v T) bool { return key(v) <= after })
	}
	if len(found) <= n {
		return found, nil, nil
	}
	return found[:n], aws.String(base64.StdEncoding.EncodeToString([]byte(call + " " + key(found[n-1])))), nil
}
