package iam

import (
	"context"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/store"
)

// Quotas of the account, those that can be raised as far as AWS raises them. They
// are compared with what is in memory: several calls at once may get past them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	usersQuota    = 5000
	groupsQuota   = 500
	rolesQuota    = 10000
	profilesQuota = 10000
	policiesQuota = 10000

	versionsInUseQuota = 10000
)

// CreateAccountAlias gives the account its alias, in place of any other.
func (i *IAM) CreateAccountAlias(ctx context.Context, in *iam.CreateAccountAliasInput) (*iam.CreateAccountAliasOutput, error) {
	var c check
	c.alias(in.AccountAlias)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.CreateAccountAliasOutput{}, i.change(ctx, func(tx *store.Tx) error {
		a, _ := i.account.In(tx).Get(accountKey)
		a.Alias = *in.AccountAlias
		i.account.In(tx).Put(accountKey, a)
		return nil
	})
}

// alias checks an account's alias: lower case letters, digits and single hyphens
// inside, but not what could be an account's number.
func (c *check) alias(v *string) {
	switch {
	case !c.length("accountAlias", v, 3, 63):
	case !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(*v):
		c.fault("accountAlias", "", "Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$")
	case regexp.MustCompile(`^\d{12}$`).MatchString(*v):
		c.invalid("accountAlias", "It must not be a 12-digit number.")
	}
}

// DeleteAccountAlias takes the alias away.
func (i *IAM) DeleteAccountAlias(ctx context.Context, in *iam.DeleteAccountAliasInput) (*iam.DeleteAccountAliasOutput, error) {
	var c check
	c.length("accountAlias", in.AccountAlias, 3, 63)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.DeleteAccountAliasOutput{}, i.change(ctx, func(tx *store.Tx) error {
		a, _ := i.account.In(tx).Get(accountKey)
		if a.Alias != *in.AccountAlias {
			return noSuchEntity("The account alias %s cannot be found.", *in.AccountAlias)
		}
		a.Alias = ""
		i.account.In(tx).Put(accountKey, a)
		return nil
	})
}

// ListAccountAliases lists the alias, if there is one.
func (i *IAM) ListAccountAliases(_ context.Context, in *iam.ListAccountAliasesInput) (*iam.ListAccountAliasesOutput, error) {
	var all []string
	if a, _ := i.account.Get(accountKey); a.Alias != "" {
		all = append(all, a.Alias)
	}
	itself := func(alias string) string { return alias }
	page, err := pageOf(newListing(in.Marker, in.MaxItems), byKey(all, itself), always(itself))
	if err != nil {
		return nil, err
	}
	return &iam.ListAccountAliasesOutput{AccountAliases: page.items, Marker: page.marker, IsTruncated: page.more}, nil
}

// GetAccountSummary counts entities beside the quotas. What this IAM lacks
// (certificates, passwords) is counted as none.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
func (i *IAM) GetAccountSummary(context.Context, *iam.GetAccountSummaryInput) (*iam.GetAccountSummaryOutput, error) {
	used := 0 // a policy that somebody holds has one version in force
	for _, p := range i.policies.List("") {
		used += min(1, p.Attached+p.Boundaries)
	}
	for _, u := range i.awsUses.List("") {
		used += min(1, u.Attached+u.Boundaries)
	}
	inUse := 0
	for _, d := range i.mfa.List("") {
		if d.UserID != "" {
			inUse++
		}
	}
	return &iam.GetAccountSummaryOutput{SummaryMap: map[string]int32{
		"Users": int32(i.users.Len()), "UsersQuota": usersQuota,
		"Groups": int32(i.groups.Len()), "GroupsQuota": groupsQuota,
		"Roles": int32(i.roles.Len()), "RolesQuota": rolesQuota,
		"Policies": int32(i.policies.Len()), "PoliciesQuota": policiesQuota,
		"PolicyVersionsInUse": int32(used), "PolicyVersionsInUseQuota": versionsInUseQuota,
		"InstanceProfiles": int32(i.profiles.Len()), "InstanceProfilesQuota": profilesQuota,
		"VersionsPerPolicyQuota": versionsPerPolicy, "PolicySizeQuota": managedQuota,
		"AttachedPoliciesPerUserQuota": attachedQuota, "AttachedPoliciesPerRoleQuota": attachedQuota, "AttachedPoliciesPerGroupQuota": attachedQuota,
		"UserPolicySizeQuota": userInlineQuota, "RolePolicySizeQuota": roleInlineQuota, "GroupPolicySizeQuota": groupInlineQuota,
		"AssumeRolePolicySizeQuota": trustQuota, "AccessKeysPerUserQuota": keysPerUser, "GroupsPerUserQuota": groupsPerUser,
		"GlobalEndpointTokenVersion": 2,
		"MFADevices":                 int32(i.mfa.Len()), "MFADevicesInUse": int32(inUse), "AccountMFAEnabled": 0, "AccountAccessKeysPresent": 0, "AccountPasswordPresent": 0,
		"Providers": int32(i.issuers.Len()), "ServerCertificates": 0, "ServerCertificatesQuota": 20,
		"SigningCertificatesPerUserQuota": 2, "AccountSigningCertificatesPresent": 0,
	}}, nil
}
