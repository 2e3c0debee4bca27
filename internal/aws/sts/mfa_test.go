package sts_test

import (
	"encoding/base32"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/totp"
)

// device is one that a user has.
type device struct {
	serial string
	seed   []byte
}

func (a *account) device(t *testing.T, user string) *device {
	t.Helper()
	out, err := a.iam.CreateVirtualMFADevice(a.admin, &awsiam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &user})
	if err != nil {
		t.Fatal(err)
	}
	d := &device{serial: *out.VirtualMFADevice.SerialNumber}
	if d.seed, err = base32.StdEncoding.DecodeString(string(out.VirtualMFADevice.Base32StringSeed)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.iam.EnableMFADevice(a.admin, &awsiam.EnableMFADeviceInput{UserName: &user, SerialNumber: &d.serial,
		AuthenticationCode1: d.code(a.now.Add(-totp.Period)), AuthenticationCode2: d.code(a.now)}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *device) code(at time.Time) *string {
	code := totp.Code(d.seed, totp.Step(at))
	return &code
}

const (
	wrongCode   = "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code."
	wrongDevice = "AccessDenied: MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
)

func TestSessionTokensWithMFA(t *testing.T) {
	a := open(t)
	user := a.user(t, "u", allows("iam:ListUsers,s3:*", `"Resource":"*"`, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"300"}}`))
	d, other := a.device(t, "u"), a.device(t, "admin")
	get := func(serial, code *string) (*awssts.GetSessionTokenOutput, error) {
		return a.sts.GetSessionToken(user, &awssts.GetSessionTokenInput{SerialNumber: serial, TokenCode: code})
	}
	for want, err := range map[string]error{
		"AccessDenied: MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.": second(get(&d.serial, nil)),
		wrongCode:   second(get(&d.serial, d.code(a.now.Add(time.Hour)))),
		wrongDevice: second(get(&other.serial, other.code(a.now))),
	} {
		says(t, err, want)
	}
	says(t, second(get(nil, d.code(a.now))), "must provide both")
	a.now = a.now.Add(totp.Period)
	out, err := get(&d.serial, d.code(a.now))
	if err != nil {
		t.Fatal(err)
	}
	says(t, second(get(&d.serial, d.code(a.now))), wrongCode) // used
	ctx := a.as(t, *out.Credentials.AccessKeyId, *out.Credentials.SessionToken)
	says(t, a.may(ctx, "iam:ListUsers", "*"), "") // with MFA, IAM too
	a.now = a.now.Add(5 * time.Minute)
	says(t, a.may(ctx, "s3:GetObject", "*"), "no identity-based policy") // too long ago
	says(t, a.may(user, "s3:GetObject", "*"), "no identity-based policy")
	plain, err := get(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx = a.as(t, *plain.Credentials.AccessKeyId, *plain.Credentials.SessionToken)
	says(t, a.may(ctx, "s3:GetObject", "*"), "no identity-based policy")
	says(t, a.may(ctx, "iam:ListUsers", "*"), "InvalidClientTokenId")
}

func TestAssumeRoleWithMFA(t *testing.T) {
	a := open(t)
	user := a.user(t, "u", allows("sts:AssumeRole"))
	d := a.device(t, "u")
	role := a.role(t, "r", trusts("sts:AssumeRole", `"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"60"}`))
	plain, next := a.role(t, "plain", trustAccount), a.role(t, "next", trustAccount)
	a.grant(t, "r", allows("s3:*,sts:AssumeRole", `"Resource":"*"`, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`))
	a.grant(t, "plain", allows("s3:*,sts:AssumeRole", `"Resource":"*"`, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`))
	says(t, a.try(user, &awssts.AssumeRoleInput{RoleArn: &role}), "is not authorized to perform: sts:AssumeRole on resource: "+role)
	a.now = a.now.Add(totp.Period)
	in := &awssts.AssumeRoleInput{RoleArn: &role, SerialNumber: &d.serial, TokenCode: d.code(a.now)}
	ctx := a.session(t, user, in)
	says(t, a.try(user, in), wrongCode) // used
	if !api.CallerFrom(ctx).Session.MFA {
		t.Error("the session has forgotten the code")
	}
	says(t, a.may(ctx, "s3:GetObject", "*"), "")
	// Who has a session has no device; the next role's session has no code.
	says(t, a.try(ctx, &awssts.AssumeRoleInput{RoleArn: &next, SerialNumber: &d.serial, TokenCode: d.code(a.now.Add(totp.Period))}), wrongDevice)
	if api.CallerFrom(a.session(t, ctx, &awssts.AssumeRoleInput{RoleArn: &next})).Session.MFA {
		t.Error("a session that was made without a code claims to have had one")
	}
	says(t, a.may(a.session(t, user, &awssts.AssumeRoleInput{RoleArn: &plain}), "s3:GetObject", "*"), "no identity-based policy")
	a.now = a.now.Add(totp.Period)
	says(t, a.may(a.session(t, user, &awssts.AssumeRoleInput{RoleArn: &plain, SerialNumber: aws.String(d.serial), TokenCode: d.code(a.now)}), "s3:GetObject", "*"), "")
}
