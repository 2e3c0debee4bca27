package ec2

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const theInstance = "i-0123456789abcdef0"

func TestModifyInstanceMetadataOptions(t *testing.T) {
	s := world(t)
	type input = ec2.ModifyInstanceMetadataOptionsInput
	modify := func(in input) (*types.InstanceMetadataOptionsResponse, error) {
		in.InstanceId = aws.String(theInstance)
		out, err := s.ModifyInstanceMetadataOptions(t.Context(), &in)
		if err != nil {
			return nil, err
		}
		return out.InstanceMetadataOptions, nil
	}
	got, err := modify(input{HttpTokens: types.HttpTokensStateOptional, HttpPutResponseHopLimit: aws.Int32(64)})
	if err != nil {
		t.Fatal(err)
	}
	if got.State != types.InstanceMetadataOptionsStatePending || got.HttpTokens != types.HttpTokensStateOptional || *got.HttpPutResponseHopLimit != 64 {
		t.Errorf("answered: %+v", got)
	}
	// What is not stated stays, and the next description shows it applied.
	if _, err := modify(input{HttpEndpoint: types.InstanceMetadataEndpointStateDisabled}); err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{theInstance}})
	if err != nil {
		t.Fatal(err)
	}
	seen := *out.Reservations[0].Instances[0].MetadataOptions
	if seen.State != types.InstanceMetadataOptionsStateApplied || seen.HttpEndpoint != types.InstanceMetadataEndpointStateDisabled ||
		seen.HttpTokens != types.HttpTokensStateOptional || *seen.HttpPutResponseHopLimit != 64 ||
		seen.HttpProtocolIpv6 != types.InstanceMetadataProtocolStateDisabled || seen.InstanceMetadataTags != types.InstanceMetadataTagsStateDisabled {
		t.Errorf("described: %+v", seen)
	}
	if got, err := modify(input{HttpProtocolIpv6: types.InstanceMetadataProtocolStateEnabled}); err != nil || got.HttpProtocolIpv6 != types.InstanceMetadataProtocolStateEnabled {
		t.Errorf("by IPv6 too: %+v, %v", got, err)
	}
	if got, err := modify(input{HttpEndpoint: "enabled"}); err != nil || got.HttpProtocolIpv6 != types.InstanceMetadataProtocolStateEnabled {
		t.Errorf("by IPv6 no more, without having said so: %+v, %v", got, err)
	}

	for name, test := range map[string]struct {
		in            input
		code, message string
	}{
		"nothing":     {input{}, "InvalidParameterCombination", "No metadata options specified."},
		"tokens":      {input{HttpTokens: "on"}, "InvalidParameterValue", "A value of 'on' is not valid for HttpTokens. Specify either 'optional' or 'required' and try again."},
		"endpoint":    {input{HttpEndpoint: "on"}, "InvalidParameterValue", "A value of 'on' is not valid for HttpEndpoint. Specify either 'enabled' or 'disabled' and try again."},
		"protocol":    {input{HttpProtocolIpv6: "on"}, "InvalidParameterValue", "A value of 'on' is not valid for HttpProtocolIpv6. Specify either 'enabled' or 'disabled' and try again."},
		"no hop":      {input{HttpPutResponseHopLimit: aws.Int32(0)}, "InvalidParameterValue", "Value (0) for parameter HttpPutResponseHopLimit is invalid. Specify a value between 1 and 64."},
		"many hops":   {input{HttpPutResponseHopLimit: aws.Int32(65)}, "InvalidParameterValue", "Value (65) for parameter HttpPutResponseHopLimit is invalid. Specify a value between 1 and 64."},
		"nodes' tags": {input{InstanceMetadataTags: "enabled"}, "InvalidParameterValue", `'kubernetes.io/cluster/cluster' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')`},
		"dry":         {input{HttpTokens: "required", DryRun: aws.Bool(true)}, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := modify(test.in)
			wantError(t, err, test.code, test.message)
		})
	}
	if i, _ := s.Instance(theInstance); i.TokensOnly || i.MetadataTags {
		t.Errorf("what was refused was done: %+v", i.metadata())
	}
	_, err = s.ModifyInstanceMetadataOptions(t.Context(), &input{InstanceId: aws.String("i-1"), HttpTokens: "required"})
	wantError(t, err, "InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist")
}

func TestInstanceMetadataDefaults(t *testing.T) {
	s := world(t)
	set := func(in ec2.ModifyInstanceMetadataDefaultsInput) error {
		_, err := s.ModifyInstanceMetadataDefaults(t.Context(), &in)
		return err
	}
	show := func() types.InstanceMetadataDefaultsResponse {
		out, err := s.GetInstanceMetadataDefaults(t.Context(), &ec2.GetInstanceMetadataDefaultsInput{})
		if err != nil {
			t.Fatal(err)
		}
		return *out.AccountLevel
	}
	if d := show(); d.HttpTokens != "" || d.HttpPutResponseHopLimit != nil || d.ManagedBy != types.ManagedByAccount {
		t.Errorf("at first: %+v", d)
	}
	if m, err := s.LaunchMetadata(nil, nil); err != nil || m != (Metadata{HopLimit: 1}) {
		t.Errorf("launched without preferences: %+v, %v", m, err)
	}
	if err := set(ec2.ModifyInstanceMetadataDefaultsInput{HttpTokens: "required", HttpPutResponseHopLimit: aws.Int32(3), HttpTokensEnforced: "enabled"}); err != nil {
		t.Fatal(err)
	}
	if d := show(); d.HttpTokens != types.HttpTokensStateRequired || *d.HttpPutResponseHopLimit != 3 || d.HttpTokensEnforced != types.HttpTokensEnforcedStateEnabled {
		t.Errorf("set: %+v", d)
	}
	if m, err := s.LaunchMetadata(&types.InstanceMetadataOptionsRequest{InstanceMetadataTags: "enabled"}, map[string]string{"Name": "x"}); err != nil || m != (Metadata{TokensOnly: true, HopLimit: 3, Tags: true}) {
		t.Errorf("launched with preferences: %+v, %v", m, err)
	}
	_, err := s.LaunchMetadata(&types.InstanceMetadataOptionsRequest{HttpTokens: "optional"}, nil)
	doortest.Refused(t, err, "UnsupportedOperation", "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account.")
	_, err = s.ModifyInstanceMetadataOptions(t.Context(), &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: aws.String(theInstance), HttpTokens: "optional"})
	doortest.Refused(t, err, "UnsupportedOperation", "httpTokensEnforced is enabled for this account")

	if err := set(ec2.ModifyInstanceMetadataDefaultsInput{HttpTokens: "no-preference", HttpPutResponseHopLimit: aws.Int32(-1), HttpTokensEnforced: "disabled"}); err != nil {
		t.Fatal(err)
	}
	if d := show(); d.HttpTokens != "" || d.HttpPutResponseHopLimit != nil {
		t.Errorf("without preference again: %+v", d)
	}
	wantError(t, set(ec2.ModifyInstanceMetadataDefaultsInput{HttpPutResponseHopLimit: aws.Int32(-2)}), "InvalidParameterValue", "Value (-2) for parameter HttpPutResponseHopLimit is invalid. Specify a value between 1 and 64.")
	wantError(t, set(ec2.ModifyInstanceMetadataDefaultsInput{HttpTokens: "yes"}), "InvalidParameterValue", "A value of 'yes' is not valid for HttpTokens. Specify 'optional', 'required' or 'no-preference' and try again.")
}

// Policies see an instance's options and what a call makes of them.
func TestMetadataConditions(t *testing.T) {
	s := world(t)
	account := doortest.New(t)
	door := account.Open(t, s.Service())
	user := ec2.NewFromConfig(door.User(t, "keeper", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:ModifyInstanceMetadataOptions","Resource":"arn:aws:ec2:us-west-2:111122223333:instance/*"},
		{"Effect":"Deny","Action":"ec2:ModifyInstanceMetadataOptions","Resource":"*","Condition":{"StringEquals":{"ec2:Attribute/HttpTokens":"optional"}}},
		{"Effect":"Deny","Action":"ec2:ModifyInstanceMetadataOptions","Resource":"*","Condition":{"NumericGreaterThan":{"ec2:MetadataHttpPutResponseHopLimit":"2"}}}]}`))
	modify := func(in ec2.ModifyInstanceMetadataOptionsInput) error {
		in.InstanceId = aws.String(theInstance)
		_, err := user.ModifyInstanceMetadataOptions(t.Context(), &in)
		return err
	}
	doortest.Refused(t, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: "optional"}), "UnauthorizedOperation", "You are not authorized to perform this operation.")
	if err := modify(ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: "required", HttpPutResponseHopLimit: aws.Int32(3)}); err != nil {
		t.Error(err) // the key is the instance's, which has 2 yet
	}
	doortest.Refused(t, modify(ec2.ModifyInstanceMetadataOptionsInput{HttpTokens: "required"}), "UnauthorizedOperation", "You are not authorized to perform this operation.")
}
