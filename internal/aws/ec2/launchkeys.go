package ec2

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// addLaunch registers RunInstances. What a policy may ask of it can come from the
// launch template that it names.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/permissions-for-launch-templates.html
func (s *Service) addLaunch(svc *api.Service) {
	add(s, svc, "RunInstances", s.RunInstances, func(in *ec2.RunInstancesInput) []string { return s.launched(in) })
	api.WithNeeds(svc, "RunInstances", func(_ context.Context, in *ec2.RunInstancesInput) []api.Need { return s.launchNeeds(s.asked(in)) })
	api.WithKeys(svc, "RunInstances", func(_ context.Context, in *ec2.RunInstancesInput, key string) policy.Values {
		return s.launchKey(in, s.asked(in), key)
	})
}

// asked is launchOf, for policies: a request that can't be read is refused when it is
// handled, and asks for what it says until then.
func (s *Service) asked(in *ec2.RunInstancesInput) *launch {
	l, _ := s.launchOf(in)
	if l == nil { // its template isn't there
		plain := *in
		plain.LaunchTemplate = nil
		l, _ = s.launchOf(&plain)
	}
	return l
}

func (s *Service) launched(in *ec2.RunInstancesInput) []string {
	l := s.asked(in)
	all := s.on("instance", made)
	all = append(all, s.on("network-interface", made)...)
	all = append(all, s.on("volume", made)...)
	all = append(all, s.on("subnet", &l.subnet)...)
	all = append(all, s.arns("security-group", l.groups...)...)
	if id := aws.ToString(l.ImageId); id != "" {
		all = append(all, s.imageARN(id))
	}
	if l.template != nil {
		all = append(all, s.on("launch-template", &l.template.ID)...)
	}
	return append(all, s.on("key-pair", l.KeyName)...)
}

// imageARN has no account: images are shared.
func (s *Service) imageARN(id string) string {
	return "arn:" + s.place.Partition + ":ec2:" + s.place.Region + "::image/" + id
}

// launchNeeds are the right to pass the profile's role to EC2, and to tag.
func (s *Service) launchNeeds(l *launch) (needs []api.Need) {
	for _, spec := range l.TagSpecifications {
		if len(spec.Tags) > 0 {
			needs = append(needs, api.Need{Action: "ec2:CreateTags", Resources: []string{s.arn(string(spec.ResourceType), "*")}})
		}
	}
	if _, _, role, ok := s.profileOf(l); ok && role != "" {
		needs = append(needs, api.Need{Action: "iam:PassRole", Resources: []string{role}})
	}
	return needs
}

func (s *Service) profileOf(l *launch) (arn, id, role string, ok bool) {
	p := l.IamInstanceProfile
	if p == nil || s.profiles == nil {
		return "", "", "", false
	}
	if p.Name != nil {
		return s.profiles.InstanceProfile(*p.Name)
	}
	return s.profiles.InstanceProfile(aws.ToString(p.Arn))
}

// launchKey answers for the condition keys of a launch.
func (s *Service) launchKey(in *ec2.RunInstancesInput, l *launch, key string) policy.Values {
	if v, isTag := launchTagKey(l, key); isTag {
		return v
	}
	one := func(v string) policy.Values {
		if v == "" {
			return policy.Values{}
		}
		return policy.One(v)
	}
	stated := in.ImageId != nil || in.LaunchTemplate != nil || in.InstanceType != ""
	if !stated { // nothing is asked for
		return policy.Values{}
	}
	switch key {
	case "iam:passedtoservice":
		return policy.One("ec2.amazonaws.com")
	case "iam:associatedresourcearn":
		return policy.One(s.arn("instance", "*"))
	case "ec2:createaction":
		return one(map[bool]string{true: "RunInstances"}[len(l.TagSpecifications) > 0])
	case "ec2:launchtemplate":
		if l.template != nil {
			return policy.One(s.arn("launch-template", l.template.ID))
		}
	case "ec2:islaunchtemplateresource":
		return policy.One(strconv.FormatBool(l.template != nil))
	case "ec2:imageid":
		return one(aws.ToString(l.ImageId))
	case "ec2:instancetype":
		return one(string(l.InstanceType))
	case "ec2:instanceprofile":
		arn, _, _, _ := s.profileOf(l)
		if arn == "" && l.IamInstanceProfile != nil {
			arn = aws.ToString(l.IamInstanceProfile.Arn)
		}
		return one(arn)
	case "ec2:keypairname":
		return one(aws.ToString(l.KeyName))
	case "ec2:associatepublicipaddress":
		if l.public != nil {
			return policy.One(strconv.FormatBool(*l.public))
		}
	case "ec2:instancemarkettype":
		return policy.One("on-demand")
	case "ec2:rootdevicetype":
		return policy.One("ebs")
	case "ec2:tenancy":
		if l.Placement != nil && l.Placement.Tenancy != "" {
			return policy.One(string(l.Placement.Tenancy))
		}
		return policy.One("default")
	case "ec2:ebsoptimized":
		return policy.One(strconv.FormatBool(aws.ToBool(l.EbsOptimized)))
	}
	if v := s.launchPlaceKey(l, key); v.Len() > 0 {
		return v
	}
	if v, ok := imageKeys[key]; ok && l.ImageId != nil {
		return policy.One(v)
	}
	return launchMetadataKey(l.MetadataOptions, key)
}

// imageKeys are the same for all images that there are.
var imageKeys = map[string]string{"ec2:imagetype": "machine", "ec2:owner": "amazon", "ec2:public": "true"}

// launchTagKey answers for tags, those of the template too.
func launchTagKey(l *launch, key string) (v policy.Values, isTag bool) {
	name, asksOne := strings.CutPrefix(key, "aws:requesttag/")
	if !asksOne && key != "aws:tagkeys" {
		return v, false
	}
	var names []string
	for _, spec := range l.TagSpecifications {
		for _, t := range spec.Tags {
			if names = append(names, aws.ToString(t.Key)); asksOne && strings.EqualFold(aws.ToString(t.Key), name) {
				return policy.One(aws.ToString(t.Value)), true
			}
		}
	}
	if asksOne {
		return v, true
	}
	return policy.Many(names), true
}

// launchPlaceKey answers for where machines are launched.
func (s *Service) launchPlaceKey(l *launch, key string) policy.Values {
	n, ok := s.subnets.Get(l.subnet)
	if !ok {
		return policy.Values{}
	}
	switch key {
	case "ec2:subnet":
		return policy.One(s.arn("subnet", n.ID))
	case "ec2:subnetid":
		return policy.One(n.ID)
	case "ec2:vpc":
		return policy.One(s.arn("vpc", n.VPC))
	case "ec2:availabilityzone":
		return policy.One(n.Zone)
	case "ec2:availabilityzoneid":
		return policy.One(zoneID(n.Zone))
	}
	return policy.Values{}
}

func launchMetadataKey(m *types.LaunchTemplateInstanceMetadataOptionsRequest, key string) policy.Values {
	if m == nil {
		return policy.Values{}
	}
	value := ""
	switch key {
	case "ec2:metadatahttpendpoint":
		value = string(m.HttpEndpoint)
	case "ec2:metadatahttptokens":
		value = string(m.HttpTokens)
	case "ec2:metadatahttpputresponsehoplimit":
		if m.HttpPutResponseHopLimit != nil {
			value = strconv.Itoa(int(*m.HttpPutResponseHopLimit))
		}
	case "ec2:instancemetadatatags":
		value = string(m.InstanceMetadataTags)
	}
	if value == "" {
		return policy.Values{}
	}
	return policy.One(value)
}
