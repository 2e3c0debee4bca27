package ec2

import (
	"context"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// MetadataDefaults are the account's in this region for instances whose launch
// does not state an option; "" and 0 are no preference.
type MetadataDefaults struct {
	Endpoint, Tokens, Tags string // as the API spells them
	HopLimit               int32
	Enforced               string // of tokens: "enabled", "disabled"
}

const defaultsKey = "account"

const noPreference = "no-preference"

// GetInstanceMetadataDefaults shows the account's defaults.
func (s *Service) GetInstanceMetadataDefaults(_ context.Context, in *ec2.GetInstanceMetadataDefaultsInput) (*ec2.GetInstanceMetadataDefaultsOutput, error) {
	if err := (query{dryRun: in.DryRun}).check(instanceKind); err != nil {
		return nil, err
	}
	d, _ := s.metadataDefaults.Get(defaultsKey)
	view := &types.InstanceMetadataDefaultsResponse{
		HttpEndpoint: types.InstanceMetadataEndpointState(d.Endpoint), HttpTokens: types.HttpTokensState(d.Tokens),
		InstanceMetadataTags: types.InstanceMetadataTagsState(d.Tags), HttpTokensEnforced: types.HttpTokensEnforcedState(d.Enforced),
		ManagedBy: types.ManagedByAccount,
	}
	if d.HopLimit != 0 {
		view.HttpPutResponseHopLimit = aws.Int32(d.HopLimit)
	}
	return &ec2.GetInstanceMetadataDefaultsOutput{AccountLevel: view}, nil
}

// ModifyInstanceMetadataDefaults changes those that are stated.
func (s *Service) ModifyInstanceMetadataDefaults(ctx context.Context, in *ec2.ModifyInstanceMetadataDefaultsInput) (*ec2.ModifyInstanceMetadataDefaultsOutput, error) {
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		d, _ := s.metadataDefaults.In(tx).Get(defaultsKey)
		for _, c := range []struct {
			at          *string
			value, name string
			known       []string
		}{
			{&d.Endpoint, string(in.HttpEndpoint), "HttpEndpoint", []string{"enabled", "disabled"}},
			{&d.Tokens, string(in.HttpTokens), "HttpTokens", []string{"optional", "required"}},
			{&d.Tags, string(in.InstanceMetadataTags), "InstanceMetadataTags", []string{"enabled", "disabled"}},
			{&d.Enforced, string(in.HttpTokensEnforced), "HttpTokensEnforced", []string{"enabled", "disabled"}},
		} {
			switch c.value {
			case "":
			case noPreference:
				*c.at = ""
			case c.known[0], c.known[1]:
				*c.at = c.value
			default:
				return api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "A value of '%s' is not valid for %s. Specify '%s', '%s' or '%s' and try again.", c.value, c.name, c.known[0], c.known[1], noPreference)
			}
		}
		if n := aws.ToInt32(in.HttpPutResponseHopLimit); in.HttpPutResponseHopLimit != nil {
			if err := checkHops(n, -1); err != nil {
				return err
			}
			d.HopLimit = max(n, 0)
		}
		if aws.ToBool(in.DryRun) {
			return query{dryRun: in.DryRun}.check(instanceKind)
		}
		s.metadataDefaults.In(tx).Put(defaultsKey, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyInstanceMetadataDefaultsOutput{Return: aws.Bool(true)}, nil
}

// LaunchMetadata are the options of an instance that is launched with a request:
// what it states, else the account's default, else EC2's own.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html#instance-metadata-options-order-of-precedence
func (s *Service) LaunchMetadata(in *types.InstanceMetadataOptionsRequest, tags map[string]string) (Metadata, error) {
	d, _ := s.metadataDefaults.Get(defaultsKey)
	m := Metadata{Off: d.Endpoint == "disabled", TokensOnly: d.Tokens == "required", Tags: d.Tags == "enabled", HopLimit: max(d.HopLimit, 1)}
	if d.Tokens == "required" && d.HopLimit == 0 {
		m.HopLimit = 2
	}
	if in != nil {
		var err error
		m, err = m.change(&ec2.ModifyInstanceMetadataOptionsInput{
			HttpEndpoint: in.HttpEndpoint, HttpTokens: in.HttpTokens, HttpPutResponseHopLimit: in.HttpPutResponseHopLimit,
			HttpProtocolIpv6: in.HttpProtocolIpv6, InstanceMetadataTags: in.InstanceMetadataTags,
		})
		if err != nil {
			return m, err
		}
	}
	if !m.TokensOnly && d.Enforced == "enabled" {
		return m, errTokensEnforced("launch instances with IMDSv1", "launch the instance")
	}
	if m.Tags {
		return m, checkTagKeys(tags)
	}
	return m, nil
}

func errTokensEnforced(what, instead string) error {
	return api.Errorf(http.StatusBadRequest, "UnsupportedOperation", "You can't %s because httpTokensEnforced is enabled for this account. Either %s with httpTokens=required or contact your account owner to disable httpTokensEnforced using the ModifyInstanceMetadataDefaults API or the account settings in the EC2 console.", what, instead)
}

func metadataDefaultsKey(_ context.Context, in *ec2.ModifyInstanceMetadataDefaultsInput, key string) policy.Values {
	hops := ""
	if in.HttpPutResponseHopLimit != nil {
		hops = strconv.Itoa(int(*in.HttpPutResponseHopLimit))
	}
	return attributesKey(key, []attributeValue{
		{"HttpEndpoint", string(in.HttpEndpoint)}, {"HttpTokens", string(in.HttpTokens)}, {"HttpPutResponseHopLimit", hops},
		{"InstanceMetadataTags", string(in.InstanceMetadataTags)}, {"HttpTokensEnforced", string(in.HttpTokensEnforced)},
	})
}

// attributeValue is a parameter of a Modify call; "" is not stated.
type attributeValue struct{ name, value string }

// attributesKey answers for ec2:Attribute, the names of what a call states, and for
// ec2:Attribute/NAME, its value.
func attributesKey(key string, stated []attributeValue) policy.Values {
	var names []string
	for _, a := range stated {
		if a.value == "" {
			continue
		}
		if key == "ec2:attribute" {
			names = append(names, a.name)
		} else if v := attributeKey(key, a.name, a.value); v.Len() > 0 {
			return v
		}
	}
	return policy.Many(names)
}
