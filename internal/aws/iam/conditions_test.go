package iam

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/actions"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// TestGlobalKeys: every global condition key, for every kind of caller. That a key
// is absent is as much of an answer as its value.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func TestGlobalKeys(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	records := store.NewMemory()
	defer records.Close()
	i, err := New(records, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	tags := []types.Tag{{Key: aws.String("Team"), Value: aws.String("blue")}}
	made, err := i.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("alice"), Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	request := func(c api.Caller) *api.Caller {
		c.SourceIP, c.UserAgent, c.Referer, c.TLS, c.RequestedRegion = netip.MustParseAddr("198.18.0.1"), "aws-cli/2", "https://here", true, "us-west-2"
		if c.Type != api.Anonymous {
			c.AccountID = "111122223333"
		}
		return &c
	}
	alice := api.Caller{Type: api.User, Name: "alice", UserID: *made.User.UserId, PrincipalID: *made.User.UserId, PrincipalARN: *made.User.Arn, ARN: *made.User.Arn}
	temporary := alice
	temporary.Session = &api.Session{IssuedAt: now.Add(-time.Minute), MFA: true}
	callers := map[string]*api.Caller{
		"user":      request(alice),
		"temporary": request(temporary),
		"root":      request(api.Caller{Type: api.Account, UserID: "111122223333", PrincipalARN: "arn:aws:iam::111122223333:root"}),
		"role": request(api.Caller{Type: api.AssumedRole, Name: "r", UserID: "AROAX:i-0", PrincipalID: "AROAX", PrincipalARN: "arn:aws:iam::111122223333:role/p/r",
			Session: &api.Session{Name: "i-0", IssuedAt: now.Add(-time.Minute), SourceIdentity: "alice", Tags: map[string]string{"team": "red"}, Keys: map[string]string{
				"ec2:roledelivery": "2.0", "ec2:sourceinstancearn": "arn:aws:ec2:us-west-2:111122223333:instance/i-0", "aws:ec2instancesourcevpc": "vpc-1", "aws:ec2instancesourceprivateipv4": "10.0.0.5",
			}}}),
		"anonymous": request(api.Caller{Type: api.Anonymous}),
	}
	inside := *callers["user"]
	inside.Endpoint = &api.Endpoint{ID: "vpce-1", VPC: "vpc-1", VPCARN: "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1"}
	// byEndpoint has the user's keys, but for these.
	const byEndpoint = "user, by a VPC endpoint"
	callers[byEndpoint] = &inside
	ofEndpoint := map[string]string{
		"aws:SourceIp": "", "aws:VpcSourceIp": "198.18.0.1",
		"aws:SourceVpce": "vpce-1", "aws:SourceVpc": "vpc-1", "aws:SourceVpcArn": "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-1",
	}
	everyone := func(v string) map[string]string {
		return map[string]string{"user": v, "temporary": v, "root": v, "role": v, "anonymous": v}
	}
	signed := func(v string) map[string]string {
		m := everyone(v)
		delete(m, "anonymous")
		return m
	}
	tested := map[string]bool{}
	for key, want := range map[string]map[string]string{
		"aws:CurrentTime":                  everyone("2026-11-26T12:00:00Z"),
		"aws:EpochTime":                    everyone("1795694400"),
		"aws:SecureTransport":              everyone("true"),
		"aws:SourceIp":                     everyone("198.18.0.1"),
		"aws:UserAgent":                    everyone("aws-cli/2"),
		"aws:referer":                      everyone("https://here"),
		"aws:RequestedRegion":              everyone("us-west-2"),
		"aws:ResourceAccount":              everyone("444455556666"),
		"aws:ViaAWSService":                everyone("false"),
		"aws:PrincipalIsAWSService":        signed("false"),
		"aws:PrincipalAccount":             {"user": "111122223333", "temporary": "111122223333", "root": "111122223333", "role": "111122223333", "anonymous": "anonymous"},
		"aws:PrincipalType":                {"user": "User", "temporary": "User", "root": "Account", "role": "AssumedRole", "anonymous": "Anonymous"},
		"aws:PrincipalArn":                 {"user": *made.User.Arn, "temporary": *made.User.Arn, "root": "arn:aws:iam::111122223333:root", "role": "arn:aws:iam::111122223333:role/p/r"},
		"aws:userid":                       {"user": *made.User.UserId, "temporary": *made.User.UserId, "root": "111122223333", "role": "AROAX:i-0", "anonymous": "anonymous"},
		"aws:username":                     {"user": "alice", "temporary": "alice"},
		"aws:PrincipalTag/team":            {"user": "blue", "temporary": "blue", "role": "red"},
		"aws:TokenIssueTime":               {"temporary": "2026-11-26T11:59:00Z", "role": "2026-11-26T11:59:00Z"},
		"aws:MultiFactorAuthPresent":       {"temporary": "true", "role": "false"},
		"aws:MultiFactorAuthAge":           {"temporary": "60"},
		"aws:SourceIdentity":               {"role": "alice"},
		"ec2:SourceInstanceArn":            {"role": "arn:aws:ec2:us-west-2:111122223333:instance/i-0"},
		"aws:Ec2InstanceSourceVpc":         {"role": "vpc-1"},
		"aws:Ec2InstanceSourcePrivateIPv4": {"role": "10.0.0.5"},
		"aws:RequestTag/team":              {}, // the front door's: this call has none
		"aws:TagKeys":                      {},
		"aws:ResourceTag/team":             {}, // a resource of another account
		"aws:FederatedProvider":            {}, // of web identities
		"ec2:RoleDelivery":                 {"role": "2.0"},
		// Of calls by a VPC endpoint alone.
		"aws:SourceVpc": {}, "aws:SourceVpcArn": {}, "aws:SourceVpce": {}, "aws:VpcSourceIp": {},
		// No service calls another in its caller's name, nor as itself.
		"aws:CalledVia": {}, "aws:CalledViaFirst": {}, "aws:CalledViaLast": {}, "aws:SourceArn": {}, "aws:SourceAccount": {},
		"aws:PrincipalServiceName": {}, "aws:PrincipalServiceNamesList": {},
		// There is no organization.
		"aws:PrincipalOrgID": {}, "aws:PrincipalOrgPaths": {}, "aws:ResourceOrgID": {}, "aws:ResourceOrgPaths": {}, "aws:SourceOrgID": {}, "aws:SourceOrgPaths": {},
	} {
		known, ok := actions.GlobalKey(key)
		if !ok {
			t.Errorf("%s is no global key", key)
		}
		tested[known.Name] = true
		for kind, who := range callers {
			k := i.borrow(who, i.index.subject(who.PrincipalID), nil)
			k.resource = "arn:aws:sqs:us-west-2:444455556666:queue"
			v := k.Values(strings.ToLower(key))
			value, there := want[kind]
			if kind == byEndpoint {
				value, there = want["user"]
				if own, differs := ofEndpoint[key]; differs {
					value, there = own, own != ""
				}
			}
			if there != (v.Len() == 1) || there && v.At(0) != value {
				t.Errorf("%s of %s: %d values, %q, want %q", key, kind, v.Len(), first(v), value)
			}
			i.giveBack(k)
		}
	}
	for _, k := range actions.Global() {
		if !tested[k.Name] {
			t.Errorf("%s is not tested", k.Name)
		}
	}
}

func first(v policy.Values) string {
	if v.Len() == 0 {
		return ""
	}
	return v.At(0)
}

// TestAuthorizeDoesNotAllocate: a call that is allowed costs no memory, also with
// conditions on what is known without formatting.
func TestAuthorizeDoesNotAllocate(t *testing.T) {
	i, who := conditioned(t)
	ctx, resources := context.Background(), []string{"arn:aws:eks:us-west-2:111122223333:cluster/demo"}
	if err := i.AuthorizeCall(ctx, who, "eks:DescribeCluster", resources, nothing{}); err != nil {
		t.Fatal(err)
	}
	// The time is spelled once a second, and the pool of conditions is emptied by
	// the garbage collector.
	if n := testing.AllocsPerRun(1000, func() { _ = i.AuthorizeCall(ctx, who, "eks:DescribeCluster", resources, nothing{}) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

// conditioned is an account with a user whose policy has conditions.
func conditioned(t testing.TB) (*IAM, *api.Caller) {
	t.Helper()
	records := store.NewMemory()
	t.Cleanup(records.Close)
	i, err := New(records, api.Place{Partition: "aws", AccountID: "111122223333", Region: "us-west-2"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	made, err := i.CreateUser(context.Background(), &iam.CreateUserInput{UserName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.PutUserPolicy(context.Background(), &iam.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("p"), PolicyDocument: aws.String(`{
		"Version": "2012-10-17", "Statement": [
			{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalType": "AssumedRole"}, "Null": {"aws:RequestTag/team": "false"}}},
			{"Effect": "Allow", "Action": "eks:Describe*", "Resource": "arn:aws:eks:*:*:cluster/*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-west-2"}, "DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}
		]}`)}); err != nil {
		t.Fatal(err)
	}
	return i, &api.Caller{Type: api.User, Name: "alice", AccountID: "111122223333", UserID: *made.User.UserId, PrincipalID: *made.User.UserId,
		PrincipalARN: *made.User.Arn, ARN: *made.User.Arn, RequestedRegion: "us-west-2", SourceIP: netip.MustParseAddr("127.0.0.1")}
}

// nothing are the keys of a call that has none.
type nothing struct{}

func (nothing) Values(string, string) policy.Values { return policy.Values{} }
func (nothing) Policy(string) *policy.Program       { return nil }

// BenchmarkAuthorizeCall is one call of a user with one policy with conditions.
func BenchmarkAuthorizeCall(b *testing.B) {
	i, who := conditioned(b)
	ctx, resources := context.Background(), []string{"arn:aws:eks:us-west-2:111122223333:cluster/demo"}
	b.ReportAllocs()
	for b.Loop() {
		if err := i.AuthorizeCall(ctx, who, "eks:DescribeCluster", resources, nothing{}); err != nil {
			b.Fatal(err)
		}
	}
}
