package iam_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

func TestTheAccountsAlias(t *testing.T) {
	a, ctx := open(t), t.Context()
	list := func() string {
		t.Helper()
		out, err := a.admin.ListAccountAliases(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(out.AccountAliases, out.IsTruncated)
	}
	create := func(alias string) error {
		_, err := a.admin.CreateAccountAlias(ctx, &awsiam.CreateAccountAliasInput{AccountAlias: &alias})
		return err
	}
	if got := list(); got != "[] false" {
		t.Errorf("before: %s", got)
	}
	ok(t)(nil, create("our-company"))
	ok(t)(nil, create("our-2nd-company")) // instead
	if got := list(); got != "[our-2nd-company] false" {
		t.Errorf("aliases %s", got)
	}
	for _, alias := range []string{"Upper", "-ab", "ab-", "a--b", "a_b"} {
		refused(t, create(alias), "ValidationError", "Value at 'accountAlias' failed to satisfy constraint: Member must satisfy regular expression pattern")
	}
	refused(t, create("ab"), "ValidationError", "Member must have length greater than or equal to 3")
	refused(t, create("123456789012"), "ValidationError", "It must not be a 12-digit number.")
	_, err := a.admin.DeleteAccountAlias(ctx, &awsiam.DeleteAccountAliasInput{AccountAlias: aws.String("our-company")})
	refused(t, err, "NoSuchEntity", "our-company")
	ok(t)(a.admin.DeleteAccountAlias(ctx, &awsiam.DeleteAccountAliasInput{AccountAlias: aws.String("our-2nd-company")}))
	if got := list(); got != "[] false" {
		t.Errorf("after: %s", got)
	}
}

func TestTheSummaryCounts(t *testing.T) {
	a, ctx := open(t), t.Context()
	summary := func() map[string]int32 {
		t.Helper()
		out, err := a.admin.GetAccountSummary(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out.SummaryMap
	}
	before := summary()
	a.user(t, "u", "")
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String("g")}))
	a.role(t, "r", trustEC2)
	ok(t)(a.admin.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: aws.String("p")}))
	p := a.policy(t, "p", allow("s3:*"))
	ok(t)(a.admin.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: aws.String(allow("s3:*"))}))
	after := summary()
	for what, more := range map[string]int32{"Users": 1, "Groups": 1, "Roles": 1, "InstanceProfiles": 1, "Policies": 1, "PolicyVersionsInUse": 0, "MFADevices": 0} {
		if after[what]-before[what] != more {
			t.Errorf("%s: %d, then %d", what, before[what], after[what])
		}
	}
	ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: p}))
	if held := summary(); held["PolicyVersionsInUse"] != after["PolicyVersionsInUse"]+1 {
		t.Errorf("versions in use: %d, then %d", after["PolicyVersionsInUse"], held["PolicyVersionsInUse"])
	}
	// AWS's answer has these, and no others.
	names := strings.Fields("AccessKeysPerUserQuota AccountAccessKeysPresent AccountMFAEnabled AccountPasswordPresent AccountSigningCertificatesPresent " +
		"AssumeRolePolicySizeQuota AttachedPoliciesPerGroupQuota AttachedPoliciesPerRoleQuota AttachedPoliciesPerUserQuota GlobalEndpointTokenVersion " +
		"GroupPolicySizeQuota Groups GroupsPerUserQuota GroupsQuota InstanceProfiles InstanceProfilesQuota MFADevices MFADevicesInUse Policies PoliciesQuota " +
		"PolicySizeQuota PolicyVersionsInUse PolicyVersionsInUseQuota Providers RolePolicySizeQuota Roles RolesQuota ServerCertificates ServerCertificatesQuota " +
		"SigningCertificatesPerUserQuota UserPolicySizeQuota Users UsersQuota VersionsPerPolicyQuota")
	if got := slices.Sorted(maps.Keys(after)); !slices.Equal(got, names) {
		t.Errorf("the summary has %v", got)
	}
	for what, quota := range map[string]int32{"GroupsPerUserQuota": 10, "AttachedPoliciesPerRoleQuota": 10, "VersionsPerPolicyQuota": 5, "AssumeRolePolicySizeQuota": 2048, "AccessKeysPerUserQuota": 2} {
		if after[what] != quota {
			t.Errorf("%s: %d", what, after[what])
		}
	}
}

// The quotas that the summary shows hold.
func TestQuotasOfTheAccount(t *testing.T) {
	a, ctx := open(t), t.Context()
	out, err := a.admin.GetAccountSummary(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	quota := out.SummaryMap["GroupsQuota"]
	for n := range quota + 1 {
		_, err := a.iam.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: aws.String(fmt.Sprint("g", n))})
		if n == quota {
			refused(t, err, "LimitExceeded", fmt.Sprintf("Cannot exceed quota for GroupsPerAccount: %d", quota))
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAccessKeysAreCountedAndSwitched(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := a.user(t, "u", allow("iam:GetUser"))
	whoami := func() error { _, err := client.GetUser(ctx, nil); return err }
	ok(t)(nil, whoami())
	list, err := a.admin.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: aws.String("u")})
	if err != nil || len(list.AccessKeyMetadata) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	id := list.AccessKeyMetadata[0].AccessKeyId
	a.Keys(t, "u")
	_, err = a.admin.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: aws.String("u")})
	refused(t, err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")

	ok(t)(a.admin.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: aws.String("u"), AccessKeyId: id, Status: "Inactive"}))
	refused(t, whoami(), "InvalidClientTokenId", "The security token included in the request is invalid")
	ok(t)(a.admin.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: aws.String("u"), AccessKeyId: id, Status: "Active"}))
	ok(t)(nil, whoami())
	_, err = a.admin.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: aws.String("admin"), AccessKeyId: id}) // another's
	refused(t, err, "NoSuchEntity", "The Access Key with id "+*id+" cannot be found.")
	a.iam.Close() // the use above is noted beside the call
	used, err := a.admin.GetAccessKeyLastUsed(ctx, &awsiam.GetAccessKeyLastUsedInput{AccessKeyId: id})
	if err != nil || *used.UserName != "u" || *used.AccessKeyLastUsed.ServiceName != "iam" || used.AccessKeyLastUsed.LastUsedDate == nil {
		t.Errorf("%+v, %v", used, err)
	}
	ok(t)(a.admin.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: aws.String("u"), AccessKeyId: id}))
	refused(t, whoami(), "InvalidClientTokenId", "The security token included in the request is invalid")
}
