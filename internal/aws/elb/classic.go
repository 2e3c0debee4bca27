package elb

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// classicCalls are the operations of the API of Classic Load Balancers.
type classicCalls struct{ *Service }

// ClassicService lists the operations of Classic Load Balancers for the front
// door: an API of its own, with the same endpoint, signing name and IAM actions.
func (s *Service) ClassicService() *api.Service {
	c := classicCalls{s}
	svc := &api.Service{ID: "elasticloadbalancing", Action: "elasticloadbalancing"} // the other answers for resources of both
	api.Add(svc, "DescribeLoadBalancers", c.DescribeLoadBalancers, nil)
	api.Add(svc, "DescribeLoadBalancerAttributes", c.DescribeLoadBalancerAttributes, nil)
	api.Add(svc, "DescribeLoadBalancerPolicies", c.DescribeLoadBalancerPolicies, nil)
	api.Add(svc, "DescribeInstanceHealth", c.DescribeInstanceHealth, nil)
	api.Add(svc, "DescribeTags", c.DescribeTags, nil)
	api.Add(svc, "AddTags", c.AddTags, func(_ context.Context, in *classic.AddTagsInput) []string { return c.arns(in.LoadBalancerNames) })
	api.Add(svc, "RemoveTags", c.RemoveTags, func(_ context.Context, in *classic.RemoveTagsInput) []string { return c.arns(in.LoadBalancerNames) })
	return svc
}

func (c classicCalls) arns(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, c.classicARN(name))
	}
	return all
}

// classicARN is the ARN of a Classic Load Balancer.
func (s *Service) classicARN(name string) string { return s.arn("loadbalancer/" + name) }

// named finds a Classic Load Balancer.
func (c classicCalls) named(name *string) (LoadBalancer, error) {
	if lb, ok := c.balancers.Get(aws.ToString(name)); ok && lb.Classic != nil {
		return lb, nil
	}
	return LoadBalancer{}, &types.AccessPointNotFoundException{Message: aws.String("There is no ACTIVE Load Balancer named '" + aws.ToString(name) + "'")}
}

// DescribeLoadBalancers lists Classic Load Balancers, by name.
func (c classicCalls) DescribeLoadBalancers(_ context.Context, in *classic.DescribeLoadBalancersInput) (*classic.DescribeLoadBalancersOutput, error) {
	for _, name := range in.LoadBalancerNames {
		if _, err := c.named(&name); err != nil {
			return nil, err
		}
	}
	var found []LoadBalancer
	for name, lb := range c.balancers.List("") {
		if lb.Classic != nil && chosen(in.LoadBalancerNames, name) {
			found = append(found, lb)
		}
	}
	cut, next, err := page("classic.DescribeLoadBalancers", found, func(lb LoadBalancer) string { return lb.Name }, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &classic.DescribeLoadBalancersOutput{LoadBalancerDescriptions: []types.LoadBalancerDescription{}, NextMarker: next}
	for _, lb := range cut {
		out.LoadBalancerDescriptions = append(out.LoadBalancerDescriptions, c.view(lb))
	}
	return out, nil
}

func (c classicCalls) view(lb LoadBalancer) types.LoadBalancerDescription {
	view := types.LoadBalancerDescription{
		LoadBalancerName: aws.String(lb.Name), DNSName: aws.String(lb.DNSName), CanonicalHostedZoneName: aws.String(lb.DNSName),
		CreatedTime: aws.Time(lb.CreatedAt), Scheme: aws.String(lb.Scheme), VPCId: aws.String(lb.VPC), SecurityGroups: slices.Clone(lb.Groups),
		HealthCheck: checkView(lb.Classic.Check), Policies: &types.Policies{},
	}
	if id := hostedZones[c.place.Region].classic; id != "" {
		view.CanonicalHostedZoneNameID = aws.String(id)
	}
	for _, z := range lb.Zones {
		view.AvailabilityZones = append(view.AvailabilityZones, z.Name)
		view.Subnets = append(view.Subnets, z.Subnet)
	}
	for _, i := range lb.Classic.Instances {
		if i.State != "draining" {
			view.Instances = append(view.Instances, types.Instance{InstanceId: aws.String(i.ID)})
		}
	}
	for _, l := range lb.Listeners {
		view.ListenerDescriptions = append(view.ListenerDescriptions, types.ListenerDescription{Listener: &types.Listener{
			Protocol: aws.String(l.Protocol), LoadBalancerPort: l.Port, InstanceProtocol: aws.String(l.Protocol), InstancePort: aws.Int32(l.InstancePort),
		}})
		if lb.Classic.ProxyProtocol {
			view.BackendServerDescriptions = append(view.BackendServerDescriptions, types.BackendServerDescription{
				InstancePort: aws.Int32(l.InstancePort), PolicyNames: []string{proxyPolicy},
			})
		}
	}
	if lb.Classic.ProxyProtocol {
		view.Policies.OtherPolicies = []string{proxyPolicy}
	}
	return view
}

// checkView shows "TCP:31000" or "HTTP:31000/healthz".
func checkView(h Check) *types.HealthCheck {
	return &types.HealthCheck{
		Target: aws.String(h.Protocol + ":" + h.Port + h.Path), Interval: seconds(h.Interval), Timeout: seconds(h.Timeout),
		HealthyThreshold: aws.Int32(h.Healthy), UnhealthyThreshold: aws.Int32(h.Unhealthy),
	}
}

// DescribeLoadBalancerAttributes shows a Classic Load Balancer's attributes.
func (c classicCalls) DescribeLoadBalancerAttributes(_ context.Context, in *classic.DescribeLoadBalancerAttributesInput) (*classic.DescribeLoadBalancerAttributesOutput, error) {
	lb, err := c.named(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	drain := &types.ConnectionDraining{Enabled: lb.Classic.Drain > 0, Timeout: aws.Int32(300)}
	if drain.Enabled {
		drain.Timeout = seconds(lb.Classic.Drain)
	}
	return &classic.DescribeLoadBalancerAttributesOutput{LoadBalancerAttributes: &types.LoadBalancerAttributes{
		AccessLog:              &types.AccessLog{Enabled: false},
		ConnectionDraining:     drain,
		ConnectionSettings:     &types.ConnectionSettings{IdleTimeout: seconds(lb.Classic.Idle)},
		CrossZoneLoadBalancing: &types.CrossZoneLoadBalancing{Enabled: lb.CrossZone},
		AdditionalAttributes:   []types.AdditionalAttribute{{Key: aws.String("elb.http.desyncmitigationmode"), Value: aws.String("defensive")}},
	}}, nil
}

// proxyPolicy is the name that AWS's cloud controller gives the policy by which
// instances are sent the proxy protocol.
const proxyPolicy = "k8s-proxyprotocol-enabled"

// DescribeLoadBalancerPolicies shows a Classic Load Balancer's policies.
func (c classicCalls) DescribeLoadBalancerPolicies(_ context.Context, in *classic.DescribeLoadBalancerPoliciesInput) (*classic.DescribeLoadBalancerPoliciesOutput, error) {
	if in.LoadBalancerName == nil {
		return nil, api.Errorf(http.StatusBadRequest, "UnsupportedOperation", "The sample policies of ELB are not offered here: name a load balancer")
	}
	lb, err := c.named(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	out := &classic.DescribeLoadBalancerPoliciesOutput{PolicyDescriptions: []types.PolicyDescription{}}
	for _, name := range in.PolicyNames {
		if !lb.Classic.ProxyProtocol || name != proxyPolicy {
			return nil, &types.PolicyNotFoundException{Message: aws.String("There is no policy with name " + name + " for load balancer " + lb.Name)}
		}
	}
	if lb.Classic.ProxyProtocol {
		out.PolicyDescriptions = append(out.PolicyDescriptions, types.PolicyDescription{
			PolicyName: aws.String(proxyPolicy), PolicyTypeName: aws.String("ProxyProtocolPolicyType"),
			PolicyAttributeDescriptions: []types.PolicyAttributeDescription{{AttributeName: aws.String("ProxyProtocol"), AttributeValue: aws.String("true")}},
		})
	}
	return out, nil
}

// instanceStates are the words of DescribeInstanceHealth for a target's state.
// https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
var instanceStates = map[string]types.InstanceState{
	"healthy":   instanceState("InService", "N/A", "N/A"),
	"unhealthy": instanceState("OutOfService", "Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."),
	"initial":   instanceState("OutOfService", "ELB", "Instance registration is still in progress."),
	"draining":  instanceState("InService", "N/A", "Instance deregistration currently in progress."),
	"unused":    instanceState("OutOfService", "ELB", "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to."),
	"":          instanceState("OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer."),
}

func instanceState(state, reason, description string) types.InstanceState {
	return types.InstanceState{State: aws.String(state), ReasonCode: aws.String(reason), Description: aws.String(description)}
}

// DescribeInstanceHealth says how a Classic Load Balancer's instances fare.
func (c classicCalls) DescribeInstanceHealth(_ context.Context, in *classic.DescribeInstanceHealthInput) (*classic.DescribeInstanceHealthOutput, error) {
	lb, err := c.named(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	out := &classic.DescribeInstanceHealthOutput{InstanceStates: []types.InstanceState{}}
	add := func(id, state string) {
		view := instanceStates[state]
		view.InstanceId = aws.String(id)
		out.InstanceStates = append(out.InstanceStates, view)
	}
	if len(in.Instances) == 0 {
		for _, i := range lb.Classic.Instances {
			add(i.ID, i.State)
		}
		return out, nil
	}
	for _, asked := range in.Instances {
		id, state := aws.ToString(asked.InstanceId), ""
		for _, i := range lb.Classic.Instances {
			if i.ID == id {
				state = i.State
			}
		}
		add(id, state)
	}
	return out, nil
}

// DescribeTags shows the tags of Classic Load Balancers.
func (c classicCalls) DescribeTags(_ context.Context, in *classic.DescribeTagsInput) (*classic.DescribeTagsOutput, error) {
	if err := taggedNames(in.LoadBalancerNames); err != nil {
		return nil, err
	}
	out := &classic.DescribeTagsOutput{TagDescriptions: []types.TagDescription{}}
	for _, name := range in.LoadBalancerNames {
		lb, err := c.named(&name)
		if err != nil {
			return nil, err
		}
		d := types.TagDescription{LoadBalancerName: aws.String(name), Tags: []types.Tag{}}
		for _, k := range slices.Sorted(maps.Keys(lb.Tags)) {
			d.Tags = append(d.Tags, types.Tag{Key: aws.String(k), Value: aws.String(lb.Tags[k])})
		}
		out.TagDescriptions = append(out.TagDescriptions, d)
	}
	return out, nil
}

func taggedNames(names []string) error {
	if n := len(names); n == 0 || n > maxTagged {
		return api.ValidationError("Between 1 and %d load balancer names must be specified", maxTagged)
	}
	return nil
}

// AddTags adds tags to a Classic Load Balancer, or changes their values.
func (c classicCalls) AddTags(ctx context.Context, in *classic.AddTagsInput) (*classic.AddTagsOutput, error) {
	added := map[string]string{}
	for _, t := range in.Tags {
		if err := checkTag(aws.ToString(t.Key), aws.ToString(t.Value)); err != nil {
			return nil, err
		}
		if _, twice := added[*t.Key]; twice {
			return nil, &types.DuplicateTagKeysException{Message: aws.String("The tag key '" + *t.Key + "' was specified more than once")}
		}
		added[*t.Key] = aws.ToString(t.Value)
	}
	return &classic.AddTagsOutput{}, c.retag(ctx, in.LoadBalancerNames, func(tags map[string]string) error {
		maps.Copy(tags, added)
		if len(tags) > maxTags {
			return &types.TooManyTagsException{Message: aws.String("The quota for the number of tags that can be assigned to a load balancer has been reached")}
		}
		return nil
	})
}

// RemoveTags removes tags. Keys that are not there are no error.
func (c classicCalls) RemoveTags(ctx context.Context, in *classic.RemoveTagsInput) (*classic.RemoveTagsOutput, error) {
	return &classic.RemoveTagsOutput{}, c.retag(ctx, in.LoadBalancerNames, func(tags map[string]string) error {
		for _, t := range in.Tags {
			delete(tags, aws.ToString(t.Key))
		}
		return nil
	})
}

func (c classicCalls) retag(ctx context.Context, names []string, change func(map[string]string) error) error {
	if err := taggedNames(names); err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			lb, err := c.named(&name)
			if err != nil {
				return err
			}
			lb, _ = c.balancers.In(tx).Get(lb.Name)
			lb.Tags = merged(lb.Tags, nil)
			if err := change(lb.Tags); err != nil {
				return err
			}
			c.balancers.In(tx).Put(name, lb)
		}
		return nil
	})
}

// hostedZones are the ids of the hosted zones that load balancers' names are in, by
// region, which alias records name.
// https://docs.aws.amazon.com/general/latest/gr/elb.html
var hostedZones = map[string]struct{ classic, network string }{
	"us-east-1":    {"Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"},
	"us-east-2":    {"Z3AADJGX6KTTL2", "ZLMOA37VPKANP"},
	"us-west-2":    {"Z1H1FL5HABSF5", "Z18D5FSROUN65G"},
	"eu-west-1":    {"Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"},
	"eu-central-1": {"Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"},
}
