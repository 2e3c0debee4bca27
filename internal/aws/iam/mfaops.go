package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// addMFAOperations registers what is about MFA devices, as operations.go does for all
// others.
func (i *IAM) addMFAOperations(s *api.Service) {
	creating(i, s, "VirtualMFADevice", i.CreateVirtualMFADevice, func(_ context.Context, in *iam.CreateVirtualMFADeviceInput) []string {
		return i.made("mfa", in.Path, in.VirtualMFADeviceName)
	},
		func(in *iam.CreateVirtualMFADeviceInput) (*string, []types.Tag) { return nil, in.Tags })
	tagsNeed(s, "CreateVirtualMFADevice", "iam:TagMFADevice", func(in *iam.CreateVirtualMFADeviceInput) ([]string, bool) {
		return i.made("mfa", in.Path, in.VirtualMFADeviceName), len(in.Tags) > 0
	})
	api.Add(s, "DeleteVirtualMFADevice", i.DeleteVirtualMFADevice, func(_ context.Context, in *iam.DeleteVirtualMFADeviceInput) []string {
		return given(in.SerialNumber)
	})
	api.Add(s, "EnableMFADevice", i.EnableMFADevice, func(ctx context.Context, in *iam.EnableMFADeviceInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ResyncMFADevice", i.ResyncMFADevice, func(ctx context.Context, in *iam.ResyncMFADeviceInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "DeactivateMFADevice", i.DeactivateMFADevice, func(ctx context.Context, in *iam.DeactivateMFADeviceInput) []string {
		return i.userOf(ctx, in.UserName)
	})
	api.Add(s, "GetMFADevice", i.GetMFADevice, func(ctx context.Context, in *iam.GetMFADeviceInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListMFADevices", i.ListMFADevices, func(ctx context.Context, in *iam.ListMFADevicesInput) []string { return i.userOf(ctx, in.UserName) })
	api.Add(s, "ListVirtualMFADevices", i.ListVirtualMFADevices, nil)
	api.Add(s, "ListMFADeviceTags", i.ListMFADeviceTags, func(_ context.Context, in *iam.ListMFADeviceTagsInput) []string { return given(in.SerialNumber) })
	guarded(i, s, "TagMFADevice", i.TagMFADevice, func(_ context.Context, in *iam.TagMFADeviceInput) []string { return given(in.SerialNumber) },
		func(in *iam.TagMFADeviceInput) map[string][]string { return tagKeysOf(in.Tags) })
	guarded(i, s, "UntagMFADevice", i.UntagMFADevice, func(_ context.Context, in *iam.UntagMFADeviceInput) []string { return given(in.SerialNumber) },
		func(in *iam.UntagMFADeviceInput) map[string][]string { return untagKeysOf(in.TagKeys) })
}

// tagsNeed gives a creating call another action for its tags than one named as it is.
func tagsNeed[I any](s *api.Service, name, action string, parts func(*I) (resources []string, tagged bool)) {
	api.WithNeeds(s, name, func(_ context.Context, in *I) []api.Need {
		if resources, tagged := parts(in); tagged {
			return []api.Need{{Action: action, Resources: resources}}
		}
		return nil
	})
}

// namedOrSelf is the user that is named, or else the calling one.
func (i *IAM) namedOrSelf(ctx context.Context, name *string) (string, error) {
	if who := api.CallerFrom(ctx); name == nil && who.Type == api.User {
		return who.Name, nil
	}
	var c check
	c.name("userName", name, 128)
	return value(name), c.err()
}

// GetMFADevice describes a device that a user has, the calling one if none is named.
func (i *IAM) GetMFADevice(ctx context.Context, in *iam.GetMFADeviceInput) (*iam.GetMFADeviceOutput, error) {
	asked := in.UserName
	if who := api.CallerFrom(ctx); asked == nil && who.Type == api.User {
		asked = &who.Name
	}
	d, ok := i.mfa.Get(key(value(in.SerialNumber)))
	if !ok || d.Serial != value(in.SerialNumber) {
		return nil, noDevice(value(in.SerialNumber))
	}
	out := &iam.GetMFADeviceOutput{SerialNumber: &d.Serial}
	if d.UserID != "" {
		name, _, _ := i.UserByID(d.UserID)
		out.UserName, out.EnableDate = &name, &d.Enabled
	}
	if asked != nil && value(out.UserName) != *asked {
		return nil, noSuchEntity("MFA Device invalid for user.")
	}
	return out, nil
}

// ListMFADevices lists a user's devices.
func (i *IAM) ListMFADevices(ctx context.Context, in *iam.ListMFADevicesInput) (*iam.ListMFADevicesOutput, error) {
	name, err := i.namedOrSelf(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	u, err := i.userHolder().find(name)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(newListing(in.Marker, in.MaxItems), byKey(u.MFA, func(k string) string { return k }), func(k string) (types.MFADevice, bool) {
		d, ok := i.mfa.Get(k)
		return types.MFADevice{UserName: &u.Name, SerialNumber: &d.Serial, EnableDate: &d.Enabled}, ok && d.UserID == u.ID
	})
	return &iam.ListMFADevicesOutput{MFADevices: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

// ListVirtualMFADevices lists all devices, or those that someone has, or nobody.
func (i *IAM) ListVirtualMFADevices(_ context.Context, in *iam.ListVirtualMFADevicesInput) (*iam.ListVirtualMFADevicesOutput, error) {
	l := newListing(in.Marker, in.MaxItems)
	l.enum("assignmentStatus", string(in.AssignmentStatus), "Assigned", "Unassigned", "Any")
	page, err := pageOf(l, i.mfa.List(""), func(d MFADevice) (types.VirtualMFADevice, bool) {
		out := types.VirtualMFADevice{SerialNumber: &d.Serial}
		if name, _, ok := i.UserByID(d.UserID); ok {
			if u, ok := i.UserByName(name); ok {
				out.User, out.EnableDate = i.showUser(&u), &d.Enabled
			}
		}
		switch in.AssignmentStatus {
		case types.AssignmentStatusTypeAssigned:
			return out, d.UserID != ""
		case types.AssignmentStatusTypeUnassigned:
			return out, d.UserID == ""
		}
		return out, true
	})
	return &iam.ListVirtualMFADevicesOutput{VirtualMFADevices: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

// TagMFADevice, UntagMFADevice and ListMFADeviceTags are about a device's tags.
func (i *IAM) TagMFADevice(ctx context.Context, in *iam.TagMFADeviceInput) (*iam.TagMFADeviceOutput, error) {
	var c check
	tags := c.tags(in.Tags)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.TagMFADeviceOutput{}, i.editDevice(ctx, in.SerialNumber, func(d *MFADevice) (err error) {
		d.Tags, err = tagged(d.Tags, tags)
		return err
	})
}

func (i *IAM) UntagMFADevice(ctx context.Context, in *iam.UntagMFADeviceInput) (*iam.UntagMFADeviceOutput, error) {
	var c check
	c.tagKeys(in.TagKeys)
	if err := c.err(); err != nil {
		return nil, err
	}
	return &iam.UntagMFADeviceOutput{}, i.editDevice(ctx, in.SerialNumber, func(d *MFADevice) error {
		d.Tags = untagged(d.Tags, in.TagKeys)
		return nil
	})
}

func (i *IAM) ListMFADeviceTags(_ context.Context, in *iam.ListMFADeviceTagsInput) (*iam.ListMFADeviceTagsOutput, error) {
	d, ok := i.mfa.Get(key(value(in.SerialNumber)))
	if !ok || d.Serial != value(in.SerialNumber) {
		return nil, noDevice(value(in.SerialNumber))
	}
	page, err := listTags(d.Tags, in.Marker, in.MaxItems)
	return &iam.ListMFADeviceTagsOutput{Tags: page.items, Marker: page.marker, IsTruncated: page.more}, err
}

func (i *IAM) editDevice(ctx context.Context, serial *string, fn func(*MFADevice) error) error {
	return i.change(ctx, func(tx *store.Tx) error {
		d, err := i.deviceIn(tx, value(serial))
		if err != nil {
			return err
		}
		if err := fn(&d); err != nil {
			return err
		}
		i.mfa.In(tx).Put(key(d.Serial), d)
		return nil
	})
}

// deviceTags are those of the device of that ARN.
func (i *IAM) deviceTags(arn string) []Tag {
	d, _ := i.mfa.Get(strings.ToLower(arn))
	return d.Tags
}
