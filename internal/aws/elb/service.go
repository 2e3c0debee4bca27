package elb

import (
	"context"
	"encoding/base64"
	"iter"
	"net/http"
	"slices"
	"strings"

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
	return svc
}

// ofResource answers for the condition keys of a load balancer or target group: its
// tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, ok := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok {
		return policy.Values{}
	}
	if lb, err := s.balancer(arn); err == nil {
		return api.TagValue(lb.Tags, tag)
	}
	if lb, ok := s.balancers.Get(strings.TrimPrefix(arn, s.classicARN(""))); ok && lb.Classic != nil {
		return api.TagValue(lb.Tags, tag)
	}
	if g, err := s.group(arn); err == nil {
		return api.TagValue(g.Tags, tag)
	}
	return policy.Values{}
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
