package iam

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// endpointWith is a VPC endpoint with a policy.
func endpointWith(t *testing.T, document string) *api.Endpoint {
	t.Helper()
	doc, err := policy.Parse(policy.Resource, document)
	if err != nil {
		t.Fatal(err)
	}
	return &api.Endpoint{ID: "vpce-1", VPC: "vpc-1", VPCARN: "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1",
		Policy: policy.NewProgram(policy.Source{Policy: policy.Compile(doc)})}
}

const (
	openEndpoint = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	onlyReading  = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:Get*","eks:List*"],"Resource":"*"}]}`
	notAlice     = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}}]}`
	provider = "arn:aws:iam::111122223333:oidc-provider/issuer"
)

// TestEndpointPolicies: of a call that comes through a VPC endpoint the endpoint's
// policy is asked too, whoever calls.
func TestEndpointPolicies(t *testing.T) {
	i, who := conditioned(t)
	ctx := t.Context()
	trust := `{"Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":"sts:AssumeRoleWithWebIdentity"},
		{"Effect":"Allow","Principal":{"AWS":"` + who.ARN + `"},"Action":"sts:AssumeRole"}]}`
	if _, err := i.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://issuer"), ThumbprintList: []string{strings.Repeat("0", 40)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: &trust}); err != nil {
		t.Fatal(err)
	}
	doc, err := policy.Parse(policy.Resource, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	bucket := policy.NewProgram(policy.Source{Policy: policy.Compile(doc)})
	role, _ := i.RoleByARN("arn:aws:iam::111122223333:role/r")
	calls := map[string]func(api.Caller) (bool, string){
		"describe": func(c api.Caller) (bool, string) {
			err := i.AuthorizeCall(ctx, &c, "eks:DescribeCluster", []string{"arn:aws:eks:us-west-2:111122223333:cluster/demo"}, nothing{})
			if err != nil {
				return false, err.Error()
			}
			return true, ""
		},
		"assume": func(c api.Caller) (bool, string) {
			d := i.DecideAssume(&c, "sts:AssumeRole", &role, nil)
			return d.Allowed, d.Reason("sts:AssumeRole")
		},
		"web identity": func(c api.Caller) (bool, string) {
			d := i.DecideFederated(&c, &api.Federated{Provider: provider, Issuer: "issuer", Audience: "a", Subject: "s"}, "sts:AssumeRoleWithWebIdentity", &role, nil)
			return d.Allowed, d.Reason("sts:AssumeRoleWithWebIdentity")
		},
		"read": func(c api.Caller) (bool, string) {
			err := i.AuthorizeOn(&api.Caller{Type: api.Anonymous, Endpoint: c.Endpoint}, "s3:GetObject", "arn:aws:s3:::b/k", bucket, nil)
			return err == nil, ""
		},
		"write": func(c api.Caller) (bool, string) {
			err := i.AuthorizeOn(&api.Caller{Type: api.Anonymous, Endpoint: c.Endpoint}, "s3:PutObject", "arn:aws:s3:::b/k", bucket, nil)
			return err == nil, ""
		},
	}
	for _, test := range []struct {
		name     string
		endpoint *api.Endpoint
		refused  map[string]string // with a part of the sentence
	}{
		{"none", nil, nil},
		{"open", endpointWith(t, openEndpoint), nil},
		{"only reading", endpointWith(t, onlyReading), map[string]string{
			"describe": "because no VPC endpoint policy allows the eks:DescribeCluster action", "assume": "because no VPC endpoint policy allows the sts:AssumeRole action",
			"web identity": "because no VPC endpoint policy allows the sts:AssumeRoleWithWebIdentity action", "write": "",
		}},
		{"not alice", endpointWith(t, notAlice), map[string]string{
			"describe": "with an explicit deny in a VPC endpoint policy", "assume": "with an explicit deny in a VPC endpoint policy",
		}},
	} {
		for call, try := range calls {
			caller := *who
			caller.Endpoint, caller.SourceIP = test.endpoint, netip.MustParseAddr("10.0.0.9")
			allowed, said := try(caller)
			want, refused := test.refused[call]
			if allowed == refused || refused && !strings.Contains(said, want) {
				t.Errorf("endpoint policy %q, %s: %v, %q; want %q", test.name, call, allowed, said, want)
			}
		}
	}
	caller := *who
	caller.Endpoint, caller.Time = endpointWith(t, notAlice), time.Now()
	_ = i.AuthorizeCall(ctx, &caller, "eks:DescribeCluster", []string{"*"}, nothing{})
	d, _ := i.Denial(caller.AuthorizationID)
	e := d.Explain()
	named := false
	for _, l := range e.Layers {
		named = named || strings.Contains(asJSON(l), "the policy of vpce-1")
	}
	if !named || e.Context["aws:SourceVpce"][0] != "vpce-1" || len(e.Context["aws:SourceIp"]) != 0 {
		t.Errorf("the explanation is %s", asJSON(e))
	}
}

func asJSON(v any) string {
	data, _ := json.Marshal(v) // plain data
	return string(data)
}
