package ec2

import (
	"context"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Metadata is how an instance's metadata can be read.
type Metadata struct {
	Off        bool  // not at all
	TokensOnly bool  // only with a session token (IMDSv2)
	HopLimit   int32 // of answers to token requests, 1 to 64
	Tags       bool  // the instance's tags are there too
	IPv6       bool  // at its IPv6 address too
}

func (i *Instance) metadata() Metadata {
	return Metadata{Off: i.MetadataOff, TokensOnly: i.TokensOnly, HopLimit: i.HopLimit, Tags: i.MetadataTags, IPv6: i.MetadataIPv6}
}

func (i *Instance) setMetadata(m Metadata) {
	i.MetadataOff, i.TokensOnly, i.HopLimit, i.MetadataTags, i.MetadataIPv6 = m.Off, m.TokensOnly, m.HopLimit, m.Tags, m.IPv6
}

func (m Metadata) view(state types.InstanceMetadataOptionsState) *types.InstanceMetadataOptionsResponse {
	view := &types.InstanceMetadataOptionsResponse{
		State:                   state,
		HttpEndpoint:            types.InstanceMetadataEndpointStateEnabled,
		HttpTokens:              types.HttpTokensStateOptional,
		HttpPutResponseHopLimit: aws.Int32(m.HopLimit),
		HttpProtocolIpv6:        types.InstanceMetadataProtocolStateDisabled,
		InstanceMetadataTags:    types.InstanceMetadataTagsStateDisabled,
	}
	if m.Off {
		view.HttpEndpoint = types.InstanceMetadataEndpointStateDisabled
	}
	if m.TokensOnly {
		view.HttpTokens = types.HttpTokensStateRequired
	}
	if m.IPv6 {
		view.HttpProtocolIpv6 = types.InstanceMetadataProtocolStateEnabled
	}
	if m.Tags {
		view.InstanceMetadataTags = types.InstanceMetadataTagsStateEnabled
	}
	return view
}

// change applies the options that a request states; the others stay.
func (m Metadata) change(in *ec2.ModifyInstanceMetadataOptionsInput) (Metadata, error) {
	var errs [4]error
	m.Off, errs[0] = choose(m.Off, string(in.HttpEndpoint), "HttpEndpoint", "disabled", "enabled", "disabled")
	m.TokensOnly, errs[1] = choose(m.TokensOnly, string(in.HttpTokens), "HttpTokens", "required", "optional", "required")
	m.Tags, errs[2] = choose(m.Tags, string(in.InstanceMetadataTags), "InstanceMetadataTags", "enabled", "enabled", "disabled")
	m.IPv6, errs[3] = choose(m.IPv6, string(in.HttpProtocolIpv6), "HttpProtocolIpv6", "enabled", "enabled", "disabled")
	for _, err := range errs {
		if err != nil {
			return m, err
		}
	}
	if in.HttpPutResponseHopLimit != nil {
		m.HopLimit = *in.HttpPutResponseHopLimit
		if err := checkHops(m.HopLimit, 1); err != nil {
			return m, err
		}
	}
	return m, nil
}

// choose reads a setting that is first or second, one of which is on; one that is
// not stated stays as it was.
func choose(old bool, value, name, on, first, second string) (bool, error) {
	switch value {
	case "":
		return old, nil
	case first, second:
		return value == on, nil
	}
	return old, api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "A value of '%s' is not valid for %s. Specify either '%s' or '%s' and try again.", value, name, first, second)
}

func checkHops(n, least int32) error {
	if n >= least && n <= 64 && n != 0 {
		return nil
	}
	return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "Value (%d) for parameter HttpPutResponseHopLimit is invalid. Specify a value between 1 and 64.", n)
}

// tagKey is what a tag must be called to be part of a metadata path.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
var tagKey = regexp.MustCompile(`^[0-9a-zA-Z\-_+=,.@:]{1,255}$`)

func checkTagKeys(tags map[string]string) error {
	for _, t := range slices.Sorted(maps.Keys(tags)) {
		if !tagKey.MatchString(t) || t == "." || t == ".." || t == "_index" {
			return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", `'%s' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`, t)
		}
	}
	return nil
}

// addMetadata registers the operations.
func (s *Service) addMetadata(svc *api.Service) {
	api.Add(svc, "ModifyInstanceMetadataOptions", s.ModifyInstanceMetadataOptions, func(_ context.Context, in *ec2.ModifyInstanceMetadataOptionsInput) []string {
		return []string{s.arn("instance", aws.ToString(in.InstanceId))}
	})
	api.WithKeys(svc, "ModifyInstanceMetadataOptions", metadataChangeKey)
	api.Add(svc, "GetInstanceMetadataDefaults", s.GetInstanceMetadataDefaults, nil)
	api.Add(svc, "ModifyInstanceMetadataDefaults", s.ModifyInstanceMetadataDefaults, nil)
	api.WithKeys(svc, "ModifyInstanceMetadataDefaults", metadataDefaultsKey)
}

// ModifyInstanceMetadataOptions changes how an instance's metadata can be read. The
// metadata service reads the record, so the change holds when the call returns.
func (s *Service) ModifyInstanceMetadataOptions(ctx context.Context, in *ec2.ModifyInstanceMetadataOptionsInput) (*ec2.ModifyInstanceMetadataOptionsOutput, error) {
	id := aws.ToString(in.InstanceId)
	if _, err := named(s.instances, instanceKind, []string{id}); err != nil {
		return nil, err
	}
	if in.HttpEndpoint == "" && in.HttpTokens == "" && in.HttpProtocolIpv6 == "" && in.InstanceMetadataTags == "" && in.HttpPutResponseHopLimit == nil {
		return nil, api.Errorf(http.StatusBadRequest, "InvalidParameterCombination", "No metadata options specified.")
	}
	var changed Metadata
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		i, ok := s.instances.In(tx).Get(id)
		if !ok {
			_, err := named(s.instances, instanceKind, []string{id})
			return err
		}
		if i.State != Running && i.State != Stopped && i.State != Pending && i.State != Stopping {
			return api.Errorf(http.StatusBadRequest, "IncorrectInstanceState", "The instance '%s' is not in a state from which its metadata options can be modified.", id)
		}
		var err error
		if changed, err = i.metadata().change(in); err != nil {
			return err
		}
		if defaults, _ := s.metadataDefaults.In(tx).Get(defaultsKey); in.HttpTokens == types.HttpTokensStateOptional && defaults.Enforced == "enabled" {
			return errTokensEnforced("modify instances to use IMDSv1", "modify the instance")
		}
		if changed.Tags {
			if err := checkTagKeys(i.Tags); err != nil {
				return err
			}
		}
		if aws.ToBool(in.DryRun) {
			return query{dryRun: in.DryRun}.check(instanceKind)
		}
		i.setMetadata(changed)
		s.instances.In(tx).Put(id, i)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyInstanceMetadataOptionsOutput{
		InstanceId: in.InstanceId, InstanceMetadataOptions: changed.view(types.InstanceMetadataOptionsStatePending),
	}, nil
}

// key answers for the condition keys of an instance's options.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func (m Metadata) key(key string) policy.Values {
	view := m.view("")
	switch key {
	case "ec2:metadatahttpendpoint":
		return policy.One(string(view.HttpEndpoint))
	case "ec2:metadatahttptokens":
		return policy.One(string(view.HttpTokens))
	case "ec2:metadatahttpputresponsehoplimit":
		return policy.One(strconv.Itoa(int(m.HopLimit)))
	case "ec2:instancemetadatatags":
		return policy.One(string(view.InstanceMetadataTags))
	}
	return policy.Values{}
}

func metadataChangeKey(_ context.Context, in *ec2.ModifyInstanceMetadataOptionsInput, key string) policy.Values {
	hops := ""
	if in.HttpPutResponseHopLimit != nil {
		hops = strconv.Itoa(int(*in.HttpPutResponseHopLimit))
	}
	return attributesKey(key, []attributeValue{
		{"HttpEndpoint", string(in.HttpEndpoint)}, {"HttpTokens", string(in.HttpTokens)}, {"HttpPutResponseHopLimit", hops},
		{"HttpProtocolIpv6", string(in.HttpProtocolIpv6)}, {"InstanceMetadataTags", string(in.InstanceMetadataTags)},
	})
}

// ZoneID is a zone's id, "usw2-az1".
func ZoneID(zone string) string { return zoneID(zone) }

// SubnetRange is a subnet's IPv4 block.
func (s *Service) SubnetRange(id string) (netip.Prefix, bool) {
	n, ok := s.subnets.Get(id)
	return n.CIDR, ok
}

// SecurityGroupName is a group's name; "" when it is not there.
func (s *Service) SecurityGroupName(id string) string {
	g, _ := s.groups.Get(id)
	return g.Name
}
