package iam_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"fmt"
	"image/png"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/doortest"
	"github.com/eksact/eksact/internal/aws/iam"
	"github.com/eksact/eksact/internal/engine/totp"
)

// device makes a virtual MFA device and returns its seed.
func (a *account) device(t *testing.T, name string) []byte {
	t.Helper()
	out, err := a.admin.CreateVirtualMFADevice(t.Context(), &awsiam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name})
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base32.StdEncoding.DecodeString(string(out.VirtualMFADevice.Base32StringSeed))
	if _, e := png.Decode(bytes.NewReader(out.VirtualMFADevice.QRCodePNG)); e != nil {
		t.Error(e)
	}
	if err != nil || len(seed) != 40 || *out.VirtualMFADevice.SerialNumber != arn("mfa/"+name) {
		t.Fatalf("%+v, %v", out.VirtualMFADevice, err)
	}
	return seed
}

// enable gives a device to a user by the codes of two steps.
func (a *account) enable(t *testing.T, user, device string, seed []byte, one, two int64) error {
	t.Helper()
	_, err := a.admin.EnableMFADevice(t.Context(), &awsiam.EnableMFADeviceInput{
		UserName: &user, SerialNumber: aws.String(arn("mfa/" + device)),
		AuthenticationCode1: aws.String(totp.Code(seed, one)), AuthenticationCode2: aws.String(totp.Code(seed, two)),
	})
	return err
}

func TestMFADevices(t *testing.T) {
	a := open(t)
	ctx := t.Context()
	a.user(t, "u", "")
	a.user(t, "v", "")
	seed, step := a.device(t, "d"), totp.Step(time.Now())
	serial := aws.String(arn("mfa/d"))
	const notValid = "Authentication code for device is not valid."
	refused(t, a.enable(t, "u", "d", seed, step, step), "InvalidAuthenticationCode", notValid)
	refused(t, a.enable(t, "u", "d", seed, step, step-1), "InvalidAuthenticationCode", notValid)
	refused(t, a.enable(t, "u", "d", seed, step-100, step-99), "InvalidAuthenticationCode", notValid)
	refused(t, a.enable(t, "u", "none", seed, step-1, step), "NoSuchEntity", "VirtualMFADevice with serial number "+arn("mfa/none")+" does not exist.")
	refused(t, a.enable(t, "nobody", "d", seed, step-1, step), "NoSuchEntity", "The user with name nobody cannot be found.")
	if err := a.enable(t, "u", "d", seed, step-1, step); err != nil {
		t.Fatal(err)
	}
	refused(t, a.enable(t, "v", "d", seed, step, step+1), "EntityAlreadyExists", "MFA Device is already in use.")

	got, err := a.admin.GetMFADevice(ctx, &awsiam.GetMFADeviceInput{SerialNumber: serial, UserName: aws.String("u")})
	if err != nil || *got.UserName != "u" || got.EnableDate.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = a.admin.GetMFADevice(ctx, &awsiam.GetMFADeviceInput{SerialNumber: serial, UserName: aws.String("v")})
	refused(t, err, "NoSuchEntity", "MFA Device invalid for user.")
	_, err = a.admin.GetMFADevice(ctx, &awsiam.GetMFADeviceInput{SerialNumber: serial}) // admin's own
	refused(t, err, "NoSuchEntity", "MFA Device invalid for user.")
	a.device(t, "spare")
	for status, want := range map[types.AssignmentStatusType]string{"": "d spare", "Any": "d spare", "Assigned": "d", "Unassigned": "spare"} {
		list, err := a.admin.ListVirtualMFADevices(ctx, &awsiam.ListVirtualMFADevicesInput{AssignmentStatus: status})
		if err != nil {
			t.Fatal(err)
		}
		names := ""
		for _, d := range list.VirtualMFADevices {
			names += " " + (*d.SerialNumber)[len(arn("mfa/")):]
			if d.Base32StringSeed != nil || (*d.SerialNumber == *serial) != (d.User != nil) {
				t.Errorf("%+v", d)
			}
		}
		if names != " "+want {
			t.Errorf("%q: %s, want %s", status, names, want)
		}
	}
	summary, err := a.admin.GetAccountSummary(ctx, nil)
	if err != nil || summary.SummaryMap["MFADevices"] != 2 || summary.SummaryMap["MFADevicesInUse"] != 1 {
		t.Errorf("%v, %v", summary.SummaryMap, err)
	}

	_, err = a.admin.CreateVirtualMFADevice(ctx, &awsiam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("d")})
	refused(t, err, "EntityAlreadyExists", "MFADevice entity at the same path and name already exists.")
	_, err = a.admin.DeleteVirtualMFADevice(ctx, &awsiam.DeleteVirtualMFADeviceInput{SerialNumber: serial})
	refused(t, err, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
	for _, k := range ids(t, a, "u") {
		ok(t)(a.admin.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: aws.String("u"), AccessKeyId: &k}))
	}
	_, err = a.admin.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: aws.String("u")})
	refused(t, err, "DeleteConflict", "Cannot delete entity, must delete MFA device first.")
	_, err = a.admin.DeactivateMFADevice(ctx, &awsiam.DeactivateMFADeviceInput{UserName: aws.String("v"), SerialNumber: serial})
	refused(t, err, "NoSuchEntity", "MFA Device invalid for user.")
	ok(t)(a.admin.DeactivateMFADevice(ctx, &awsiam.DeactivateMFADeviceInput{UserName: aws.String("u"), SerialNumber: serial}))
	refused(t, a.enable(t, "v", "d", seed, step-1, step), "InvalidAuthenticationCode", notValid) // these were used
	ok(t)(a.admin.DeleteVirtualMFADevice(ctx, &awsiam.DeleteVirtualMFADeviceInput{SerialNumber: serial}))
	_, err = a.admin.DeleteVirtualMFADevice(ctx, &awsiam.DeleteVirtualMFADeviceInput{SerialNumber: serial})
	refused(t, err, "NoSuchEntity", "does not exist.")
	ok(t)(a.admin.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: aws.String("u")}))
}

func ids(t *testing.T, a *account, user string) (list []string) {
	t.Helper()
	out, err := a.admin.ListAccessKeys(t.Context(), &awsiam.ListAccessKeysInput{UserName: &user})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range out.AccessKeyMetadata {
		list = append(list, *k.AccessKeyId)
	}
	return list
}

func TestMFADevicesPerUser(t *testing.T) {
	a := open(t)
	a.user(t, "u", "")
	step := totp.Step(time.Now())
	for n := range 9 {
		name := fmt.Sprint("d", n)
		err := a.enable(t, "u", name, a.device(t, name), step-1, step)
		if n < 8 && err != nil {
			t.Fatal(err)
		}
		if n == 8 {
			refused(t, err, "LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8")
		}
	}
}

func TestMFADevicesAreAuthorized(t *testing.T) {
	a := open(t)
	self := a.user(t, "self", allow("iam:CreateVirtualMFADevice,iam:EnableMFADevice", `"Resource":["`+arn("mfa/${aws:username}")+`","`+arn("user/${aws:username}")+`"]`))
	make := func(name string, tags ...types.Tag) error {
		_, err := self.CreateVirtualMFADevice(t.Context(), &awsiam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name, Tags: tags})
		return err
	}
	denied(t, make("other"), "is not authorized to perform: iam:CreateVirtualMFADevice on resource: "+arn("mfa/other"))
	denied(t, make("self", types.Tag{Key: aws.String("a"), Value: aws.String("b")}), "is not authorized to perform: iam:TagMFADevice on resource: "+arn("mfa/self"))
	if err := make("self"); err != nil {
		t.Error(err)
	}
	_, err := self.EnableMFADevice(t.Context(), &awsiam.EnableMFADeviceInput{UserName: aws.String("admin"), SerialNumber: aws.String(arn("mfa/self")), AuthenticationCode1: aws.String("000000"), AuthenticationCode2: aws.String("000000")})
	denied(t, err, "is not authorized to perform: iam:EnableMFADevice on resource: "+arn("user/admin"))
}

// Codes are taken once, in their order and their time, of the device's owner alone,
// and not after many wrong ones.
func TestMFACodes(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	i := doortest.NewAt(t, func() time.Time { return now }, time.Now).IAM
	ctx := context.Background()
	user, err := i.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String("u")})
	if err != nil {
		t.Fatal(err)
	}
	who := &api.Caller{Type: api.User, PrincipalID: *user.User.UserId, Name: "u"}
	made, err := i.CreateVirtualMFADevice(ctx, &awsiam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("d")})
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := base32.StdEncoding.DecodeString(string(made.VirtualMFADevice.Base32StringSeed))
	serial := *made.VirtualMFADevice.SerialNumber
	code := func(step int64) *string { c := totp.Code(seed, totp.Step(now)+step); return &c }
	use := func(who *api.Caller, step int64, want error) {
		t.Helper()
		if err := i.UseMFACode(ctx, who, serial, *code(step)); err != want {
			t.Errorf("code %d: %v, want %v", step, err, want)
		}
	}
	use(who, 0, iam.ErrMFADevice) // nobody's yet
	if _, err := i.EnableMFADevice(ctx, &awsiam.EnableMFADeviceInput{UserName: aws.String("u"), SerialNumber: &serial, AuthenticationCode1: code(-1), AuthenticationCode2: code(0)}); err != nil {
		t.Fatal(err)
	}
	use(who, 0, iam.ErrMFACode) // it enabled the device
	use(who, 1, nil)
	use(who, 1, iam.ErrMFACode)
	use(who, 0, iam.ErrMFACode)
	now = now.Add(time.Minute)
	use(who, -2, iam.ErrMFACode)
	use(who, 2, iam.ErrMFACode)
	use(who, 0, nil)
	use(&api.Caller{Type: api.User, PrincipalID: "AIDAOTHER"}, 1, iam.ErrMFADevice)
	use(&api.Caller{Type: api.AssumedRole, PrincipalID: who.PrincipalID}, 1, iam.ErrMFADevice)
	if err := i.UseMFACode(ctx, who, "arn:aws:iam::111122223333:mfa/other", *code(1)); err != iam.ErrMFADevice {
		t.Error(err)
	}
	now = now.Add(time.Minute)
	for range 5 {
		if err := i.UseMFACode(ctx, who, serial, "nocode"); err != iam.ErrMFACode {
			t.Error(err)
		}
	}
	use(who, 0, iam.ErrMFACode) // right, but after too many wrong ones
	now = now.Add(totp.Period)
	use(who, 0, nil)

	// The device's clock is found to be half an hour ahead.
	now = now.Add(time.Minute)
	if _, err := i.ResyncMFADevice(ctx, &awsiam.ResyncMFADeviceInput{UserName: aws.String("u"), SerialNumber: &serial, AuthenticationCode1: code(59), AuthenticationCode2: code(60)}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(totp.Period)
	use(who, 0, iam.ErrMFACode)
	use(who, 60, nil)
}
