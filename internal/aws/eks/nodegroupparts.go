package eks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/nodeconfig"
)

// UseDoor gives the service its way to others, before the first call.
func (s *Service) UseDoor(d api.Door) { s.door = d }

// nodegroupPrincipal is EKS as far as it manages node groups.
const nodegroupPrincipal = "eks-nodegroup.amazonaws.com"

func (s *Service) linkedRole() string {
	return "arn:" + s.Place.Partition + ":iam::" + s.Place.AccountID + ":role/aws-service-role/" + nodegroupPrincipal + "/AWSServiceRoleForAmazonEKSNodegroup"
}

// inside is who calls within the process. Between services there is no wire, which is as
// good as TLS.
func inside(who api.Caller) api.Caller {
	who.Service, who.UserAgent, who.Referer = servicePrincipal, servicePrincipal, ""
	who.SourceIP, who.Endpoint, who.TLS = netip.Addr{}, nil, true
	return who
}

// passing is ctx's caller, whose rights EKS passes on.
func passing(ctx context.Context) api.Caller {
	who := *api.CallerFrom(ctx)
	who.Via = append(append([]string(nil), who.Via...), servicePrincipal)
	return inside(who)
}

// manage makes a call as EKS's role for node groups.
func (s *Service) manage(ctx context.Context, service, operation string, in any) (any, error) {
	who, err := s.Sessions.Act(ctx, s.linkedRole(), nodegroupPrincipal, "EKS")
	if err != nil {
		return nil, err
	}
	return s.door.Do(ctx, inside(who), service, operation, in)
}

// parts is what a node group is made of.
type parts struct {
	s *Service
	c Cluster
	n Nodegroup
}

func (p parts) name() string { return "eks-" + p.n.ID }

// tags are those of all that a node group is made of.
func (p parts) tags() map[string]string {
	return map[string]string{"eks:cluster-name": p.n.Cluster, "eks:nodegroup-name": p.n.Name}
}

// profile makes the instance profile of the nodes' role, if it isn't there.
func (p parts) profile(ctx context.Context) error {
	name, role := p.name(), p.n.Role[strings.LastIndexByte(p.n.Role, '/')+1:]
	_, err := p.s.manage(ctx, "iam", "CreateInstanceProfile", &iam.CreateInstanceProfileInput{InstanceProfileName: &name, Path: aws.String("/")})
	if err != nil && api.Code(err) != "EntityAlreadyExists" {
		return err
	}
	_, err = p.s.manage(ctx, "iam", "AddRoleToInstanceProfile", &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role})
	if err != nil && api.Code(err) != "LimitExceeded" { // it has its one role
		return err
	}
	return nil
}

// launchData is the launch template of EKS's own: the node group's, and over it what makes
// its instances nodes.
func (p parts) launchData(ctx context.Context) (*ec2types.RequestLaunchTemplateData, error) {
	data := &ec2types.RequestLaunchTemplateData{}
	if t := p.n.Source; t != nil {
		given, _, err := p.s.readTemplate(ctx, func(ctx context.Context, operation string, in any) (any, error) {
			return p.s.manage(ctx, "ec2", operation, in)
		}, *t)
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(given) // the members of both have the same names
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, data); err != nil {
			return nil, err
		}
	} else {
		data.BlockDeviceMappings = []ec2types.LaunchTemplateBlockDeviceMappingRequest{{
			DeviceName: aws.String("/dev/xvda"), Ebs: &ec2types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(p.n.Disk), VolumeType: ec2types.VolumeTypeGp3, DeleteOnTermination: aws.Bool(true)},
		}}
	}
	image := p.s.Images.NodeImage(p.n.Version, p.s.Images.Arch())
	user, err := p.userData(aws.ToString(data.UserData), image)
	if err != nil {
		return nil, err
	}
	data.UserData, data.ImageId = &user, &image
	data.IamInstanceProfile = &ec2types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: aws.String(p.name())}
	if len(p.n.Types) > 0 {
		data.InstanceType = ec2types.InstanceType(p.n.Types[0])
	}
	switch {
	case len(data.NetworkInterfaces) > 0 && len(data.NetworkInterfaces[0].Groups) == 0:
		data.NetworkInterfaces[0].Groups = []string{p.c.ClusterSecurityGroup}
	case len(data.NetworkInterfaces) == 0 && len(data.SecurityGroupIds) == 0:
		data.SecurityGroupIds = []string{p.c.ClusterSecurityGroup}
	}
	if data.MetadataOptions == nil {
		data.MetadataOptions = &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: ec2types.LaunchTemplateHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2)}
	}
	data.TagSpecifications = p.taggedInstances(data.TagSpecifications)
	return data, nil
}

// taggedInstances adds the tags of EKS's to those that a template gives instances.
func (p parts) taggedInstances(given []ec2types.LaunchTemplateTagSpecificationRequest) []ec2types.LaunchTemplateTagSpecificationRequest {
	mine := ec2tags(p.tags())
	for i := range given {
		if given[i].ResourceType == ec2types.ResourceTypeInstance {
			given[i].Tags = append(slices.DeleteFunc(given[i].Tags, func(t ec2types.Tag) bool { return p.tags()[aws.ToString(t.Key)] != "" }), mine...)
			return given
		}
	}
	return append(given, ec2types.LaunchTemplateTagSpecificationRequest{ResourceType: ec2types.ResourceTypeInstance, Tags: mine})
}

func ec2tags(m map[string]string) (tags []ec2types.Tag) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, ec2types.Tag{Key: aws.String(k), Value: aws.String(m[k])})
	}
	return tags
}

// userData tells an instance its cluster, its labels and taints. What the template's own
// user data says counts more.
// https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html#launch-template-user-data
func (p parts) userData(own, image string) (string, error) {
	config := nodeconfig.Config{
		Cluster: p.c.Name, Endpoint: "https://" + p.c.Host, CA: p.c.Facts.CertificateAuthority, ServiceCIDR: p.c.ServiceCIDR, Labels: maps.Clone(p.n.Labels),
	}
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	config.Labels["eks.amazonaws.com/nodegroup"] = p.n.Name
	config.Labels["eks.amazonaws.com/capacityType"] = "ON_DEMAND"
	config.Labels["eks.amazonaws.com/nodegroup-image"] = image
	if p.n.Source != nil {
		config.Labels["eks.amazonaws.com/sourceLaunchTemplateId"] = p.n.Source.ID
		config.Labels["eks.amazonaws.com/sourceLaunchTemplateVersion"] = p.n.Source.Version
	}
	for _, t := range p.n.Taints {
		config.Taints = append(config.Taints, nodeconfig.Taint{Key: t.Key, Value: t.Value, Effect: KubernetesEffect(t.Effect)})
	}
	data, err := nodeconfig.Message(config)
	if err != nil {
		return "", err
	}
	if own != "" {
		given, err := base64.StdEncoding.DecodeString(own)
		if err != nil {
			return "", err
		}
		if data, err = nodeconfig.Merge(data, given); err != nil {
			return "", err
		}
	}
	return base64.StdEncoding.EncodeToString(data), nil
}

// KubernetesEffect is a taint's effect as Kubernetes spells it.
func KubernetesEffect(effect string) string {
	return map[string]string{"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}[effect]
}

// template makes EKS's own launch template, or a version of it, and says which.
func (p parts) template(ctx context.Context) (id string, version int64, err error) {
	data, err := p.launchData(ctx)
	if err != nil {
		return "", 0, err
	}
	if p.n.Made != "" {
		out, err := p.s.manage(ctx, "ec2", "CreateLaunchTemplateVersion", &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: &p.n.Made, LaunchTemplateData: data})
		if err != nil {
			return "", 0, err
		}
		return p.n.Made, aws.ToInt64(out.(*ec2.CreateLaunchTemplateVersionOutput).LaunchTemplateVersion.VersionNumber), nil
	}
	out, err := p.s.manage(ctx, "ec2", "CreateLaunchTemplate", &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String(p.name()), LaunchTemplateData: data, ClientToken: &p.n.ID,
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeLaunchTemplate, Tags: ec2tags(p.tags())}},
	})
	if err != nil {
		return "", 0, err
	}
	return aws.ToString(out.(*ec2.CreateLaunchTemplateOutput).LaunchTemplate.LaunchTemplateId), 1, nil
}

// drainHook holds instances up that are to end until their pods are gone.
const drainHook = "Terminate-LC-Hook"

// scaling makes the Auto Scaling group, if it isn't there.
func (p parts) scaling(ctx context.Context) error {
	in := &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &p.n.Group, MinSize: &p.n.Min, MaxSize: &p.n.Max, DesiredCapacity: &p.n.Desired, VPCZoneIdentifier: aws.String(strings.Join(p.n.Subnets, ",")),
		CapacityRebalance: aws.Bool(true), HealthCheckGracePeriod: aws.Int32(15), TerminationPolicies: []string{"AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"},
		LifecycleHookSpecificationList: []astypes.LifecycleHookSpecification{{
			LifecycleHookName: aws.String(drainHook), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_TERMINATING"), DefaultResult: aws.String("CONTINUE"), HeartbeatTimeout: aws.Int32(1800),
		}},
		MixedInstancesPolicy: p.mixed(p.n.Wanted),
	}
	tags := p.tags()
	tags["kubernetes.io/cluster/"+p.n.Cluster] = "owned"
	tags["k8s.io/cluster-autoscaler/enabled"] = "true"
	tags["k8s.io/cluster-autoscaler/"+p.n.Cluster] = "owned"
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		in.Tags = append(in.Tags, astypes.Tag{Key: aws.String(k), Value: aws.String(tags[k]), PropagateAtLaunch: aws.Bool(true)})
	}
	_, err := p.s.manage(ctx, "autoscaling", "CreateAutoScalingGroup", in)
	if err != nil && api.Code(err) != "AlreadyExists" {
		return err
	}
	return nil
}

// mixed is how EKS tells a group its template: with the types that instances may be of.
func (p parts) mixed(version int64) *astypes.MixedInstancesPolicy {
	m := &astypes.MixedInstancesPolicy{
		LaunchTemplate:        &astypes.LaunchTemplate{LaunchTemplateSpecification: &astypes.LaunchTemplateSpecification{LaunchTemplateId: &p.n.Made, Version: aws.String(strconv.FormatInt(version, 10))}},
		InstancesDistribution: &astypes.InstancesDistribution{OnDemandAllocationStrategy: aws.String("prioritized"), OnDemandPercentageAboveBaseCapacity: aws.Int32(100)},
	}
	for _, kind := range p.n.Types {
		m.LaunchTemplate.Overrides = append(m.LaunchTemplate.Overrides, astypes.LaunchTemplateOverrides{InstanceType: aws.String(kind)})
	}
	return m
}

// resize sets the sizes of the group: so many more than wanted, for a while.
func (p parts) resize(ctx context.Context, more int32, withTemplate bool) error {
	in := &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &p.n.Group, MinSize: aws.Int32(p.n.Min), MaxSize: aws.Int32(max(p.n.Max, p.n.Desired+more)), DesiredCapacity: aws.Int32(p.n.Desired + more),
	}
	if withTemplate {
		in.MixedInstancesPolicy = p.mixed(p.n.Wanted)
	}
	_, err := p.s.manage(ctx, "autoscaling", "UpdateAutoScalingGroup", in)
	return err
}

// remove takes all that there is of a node group away. It answers false while instances
// are still on their way out.
func (p parts) remove(ctx context.Context) (done bool, err error) {
	if _, there := p.s.Fleet.Group(p.n.Group); there {
		_, err := p.s.manage(ctx, "autoscaling", "DeleteAutoScalingGroup", &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &p.n.Group, ForceDelete: aws.Bool(true)})
		if code := api.Code(err); err != nil && code != "ScalingActivityInProgress" && code != "ValidationError" {
			return false, err
		}
		if _, there := p.s.Fleet.Group(p.n.Group); there {
			return false, nil
		}
	}
	if p.n.Made != "" {
		_, err := p.s.manage(ctx, "ec2", "DeleteLaunchTemplate", &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: &p.n.Made})
		if err != nil && api.Code(err) != "InvalidLaunchTemplateId.NotFound" {
			return false, err
		}
	}
	name, role := p.name(), p.n.Role[strings.LastIndexByte(p.n.Role, '/')+1:]
	_, err = p.s.manage(ctx, "iam", "RemoveRoleFromInstanceProfile", &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &role})
	if err != nil && api.Code(err) != "NoSuchEntity" {
		return false, err
	}
	_, err = p.s.manage(ctx, "iam", "DeleteInstanceProfile", &iam.DeleteInstanceProfileInput{InstanceProfileName: &name})
	if err != nil && api.Code(err) != "NoSuchEntity" {
		return false, err
	}
	return true, nil
}

func joined(all []string) string { return strings.Join(all, ", ") }
