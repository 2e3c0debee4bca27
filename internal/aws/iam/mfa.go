package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"rsc.io/qr"

	"github.com/eksact/eksact/internal/engine/totp"
	"github.com/eksact/eksact/internal/store"
)

// MFADevice is a virtual MFA device: a seed that an authenticator app has too. Its
// key is its serial number, the ARN, in lower case.
type MFADevice struct {
	Serial  string
	Seed    []byte
	Created time.Time
	Tags    []Tag `json:",omitempty"`

	// Of one in use.
	UserID  string `json:",omitempty"` // AIDA…
	Enabled time.Time
	Drift   int64 `json:",omitempty"` // steps that the device's clock is ahead
	Last    int64 `json:",omitempty"` // step of the last code taken: none is taken again
}

// Quotas and lengths.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	mfaPerUser = 8
	seedBytes  = 40
)

// How many steps the codes may be away from when they are due: those that enable a
// device tell how far its clock is off; those that resynchronize it find out.
const (
	enableAway = 10
	resyncAway = 120
	codeAway   = 1
)

// CreateVirtualMFADevice makes a device that belongs to nobody yet. Its seed is told
// this once, as text and as a picture for authenticator apps.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateVirtualMFADevice.html
func (i *IAM) CreateVirtualMFADevice(ctx context.Context, in *iam.CreateVirtualMFADeviceInput) (*iam.CreateVirtualMFADeviceOutput, error) {
	var c check
	c.name("virtualMFADeviceName", in.VirtualMFADeviceName, 226)
	path := c.path(in.Path)
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	d := MFADevice{Serial: i.arn("mfa", path, *in.VirtualMFADeviceName), Seed: make([]byte, seedBytes), Created: i.today(), Tags: tags}
	_, _ = rand.Read(d.Seed) // never fails
	err := i.change(ctx, func(tx *store.Tx) error {
		if _, ok := i.mfa.In(tx).Get(key(d.Serial)); ok {
			return alreadyExists("MFADevice entity at the same path and name already exists.")
		}
		i.mfa.In(tx).Put(key(d.Serial), d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	text := base32.StdEncoding.EncodeToString(d.Seed)
	picture, err := qr.Encode("otpauth://totp/"+url.PathEscape(*in.VirtualMFADeviceName+"@"+i.place.AccountID)+"?secret="+text, qr.L)
	if err != nil {
		return nil, err
	}
	return &iam.CreateVirtualMFADeviceOutput{VirtualMFADevice: &types.VirtualMFADevice{
		SerialNumber: &d.Serial, Base32StringSeed: []byte(text), QRCodePNG: picture.PNG(), Tags: showTags(d.Tags),
	}}, nil
}

// EnableMFADevice gives a device to a user, who shows to have it by two codes in a
// row.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_EnableMFADevice.html
func (i *IAM) EnableMFADevice(ctx context.Context, in *iam.EnableMFADeviceInput) (*iam.EnableMFADeviceOutput, error) {
	var c check
	c.name("userName", in.UserName, 128)
	c.codes(in.SerialNumber, in.AuthenticationCode1, in.AuthenticationCode2)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.EnableMFADeviceOutput{}, i.userHolder().edit(ctx, *in.UserName, func(tx *store.Tx, u *User) error {
		d, err := i.deviceIn(tx, *in.SerialNumber)
		switch {
		case err != nil:
			return err
		case d.UserID != "":
			return alreadyExists("MFA Device is already in use.")
		}
		if err := full(len(u.MFA), "MFADevicesPerUser", mfaPerUser); err != nil {
			return err
		}
		if err := i.synchronize(&d, enableAway, *in.AuthenticationCode1, *in.AuthenticationCode2); err != nil {
			return err
		}
		d.UserID, d.Enabled = u.ID, i.today()
		u.MFA = with(u.MFA, key(d.Serial))
		i.mfa.In(tx).Put(key(d.Serial), d)
		return nil
	})
}

// synchronize sets a device's drift by two codes in a row that were not taken yet.
func (i *IAM) synchronize(d *MFADevice, away int64, one, two string) error {
	now := totp.Step(i.now())
	step, ok := totp.Find(d.Seed, now, away, one, two)
	if !i.attempt(d.Serial, now, ok) || !ok || step <= d.Last {
		text := "Authentication code for device is not valid."
		return &types.InvalidAuthenticationCodeException{Message: &text}
	}
	d.Last = step + 1
	d.Drift = step + 1 - now
	return nil
}

// ResyncMFADevice finds out how far a device's clock is off.
func (i *IAM) ResyncMFADevice(ctx context.Context, in *iam.ResyncMFADeviceInput) (*iam.ResyncMFADeviceOutput, error) {
	var c check
	c.name("userName", in.UserName, 128)
	c.codes(in.SerialNumber, in.AuthenticationCode1, in.AuthenticationCode2)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.ResyncMFADeviceOutput{}, i.userHolder().edit(ctx, *in.UserName, func(tx *store.Tx, u *User) error {
		d, err := i.deviceOf(tx, u, *in.SerialNumber)
		if err != nil {
			return err
		}
		if err := i.synchronize(&d, resyncAway, *in.AuthenticationCode1, *in.AuthenticationCode2); err != nil {
			return err
		}
		i.mfa.In(tx).Put(key(d.Serial), d)
		return nil
	})
}

// DeactivateMFADevice takes a device from a user.
func (i *IAM) DeactivateMFADevice(ctx context.Context, in *iam.DeactivateMFADeviceInput) (*iam.DeactivateMFADeviceOutput, error) {
	name, err := i.namedOrSelf(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	var c check
	c.length("serialNumber", in.SerialNumber, 9, 256)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.DeactivateMFADeviceOutput{}, i.userHolder().edit(ctx, name, func(tx *store.Tx, u *User) error {
		d, err := i.deviceOf(tx, u, *in.SerialNumber)
		if err != nil {
			return err
		}
		u.MFA = without(u.MFA, key(d.Serial))
		// The codes that were taken stay taken: the seed is the same for the next user.
		d.UserID, d.Enabled, d.Drift = "", time.Time{}, 0
		i.mfa.In(tx).Put(key(d.Serial), d)
		return nil
	})
}

// DeleteVirtualMFADevice deletes a device that nobody uses.
func (i *IAM) DeleteVirtualMFADevice(ctx context.Context, in *iam.DeleteVirtualMFADeviceInput) (*iam.DeleteVirtualMFADeviceOutput, error) {
	var c check
	c.length("serialNumber", in.SerialNumber, 9, 256)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.DeleteVirtualMFADeviceOutput{}, i.change(ctx, func(tx *store.Tx) error {
		d, err := i.deviceIn(tx, *in.SerialNumber)
		switch {
		case err != nil:
			return err
		case d.UserID != "":
			text := "MFA VirtualDevice in use. Must deactivate first."
			return &types.DeleteConflictException{Message: &text}
		}
		i.mfa.In(tx).Delete(key(d.Serial))
		return nil
	})
}

func (c *check) codes(serial *string, codes ...*string) {
	c.length("serialNumber", serial, 9, 256)
	for n, code := range codes {
		field := "authenticationCode" + string(rune('1'+n))
		if c.length(field, code, 6, 6) && strings.ContainsFunc(*code, func(r rune) bool { return r < '0' || r > '9' }) {
			c.fault(field, "", `Member must satisfy regular expression pattern: [\d]+`)
		}
	}
}

func noDevice(serial string) error {
	return noSuchEntity("VirtualMFADevice with serial number %s does not exist.", serial)
}

func (i *IAM) deviceIn(tx *store.Tx, serial string) (MFADevice, error) {
	d, ok := i.mfa.In(tx).Get(key(serial))
	if !ok || d.Serial != serial {
		return d, noDevice(serial)
	}
	return d, nil
}

// deviceOf is a device that the user has.
func (i *IAM) deviceOf(tx *store.Tx, u *User, serial string) (MFADevice, error) {
	d, err := i.deviceIn(tx, serial)
	if err == nil && d.UserID != u.ID {
		err = noSuchEntity("MFA Device invalid for user.")
	}
	return d, err
}
