package resources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func iamTag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

func createRole(ctx context.Context, j *Job) (Made, error) {
	name := j.name("RoleName")
	role, err := newRole(ctx, j, name)
	if err != nil {
		return Made{}, err
	}
	j.initiated(name)
	return madeRole(role), putRoleParts(ctx, j, name)
}

func madeRole(r *types.Role) Made {
	return Made{*r.RoleName, map[string]any{"Arn": *r.Arn, "RoleId": *r.RoleId}}
}

func findRole(ctx context.Context, j *Job, name string) (*types.Role, error) {
	out, err := call[iam.GetRoleOutput](ctx, j, "iam", "GetRole", &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return nil, err
	}
	return out.Role, nil
}

// newRole makes a role, or finds the one that was made before.
func newRole(ctx context.Context, j *Job, name string) (*types.Role, error) {
	if j.PhysicalID != "" {
		return findRole(ctx, j, name)
	}
	p := j.Properties
	out, err := call[iam.CreateRoleOutput](ctx, j, "iam", "CreateRole", &iam.CreateRoleInput{
		RoleName: &name, Path: ptr(p, "Path"), Description: ptr(p, "Description"), MaxSessionDuration: integer(p, "MaxSessionDuration"),
		AssumeRolePolicyDocument: document(p, "AssumeRolePolicyDocument"), PermissionsBoundary: ptr(p, "PermissionsBoundary"),
		Tags: sorted(tags(p), iamTag),
	})
	switch {
	case err == nil:
		return out.Role, nil
	case exists(err) && j.Again:
		if role, e := findRole(ctx, j, name); e == nil && j.mine(role.CreateDate) {
			return role, nil
		}
	}
	return nil, err
}

// putRoleParts gives a role its policies.
func putRoleParts(ctx context.Context, j *Job, name string) error {
	for _, arn := range list(j.Properties, "ManagedPolicyArns") {
		if err := do(ctx, j, "iam", step{"AttachRolePolicy", &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn}}); err != nil {
			return err
		}
	}
	for _, p := range objects(j.Properties, "Policies") {
		err := do(ctx, j, "iam", step{"PutRolePolicy", &iam.PutRolePolicyInput{
			RoleName: &name, PolicyName: ptr(p, "PolicyName"), PolicyDocument: document(p, "PolicyDocument"),
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// dropRoleParts takes a role's policies away, save those that keep has.
func dropRoleParts(ctx context.Context, j *Job, name string, keep map[string]any) error {
	for _, arn := range dropped(j.hadList("ManagedPolicyArns"), list(keep, "ManagedPolicyArns")) {
		if err := undo(ctx, j, "iam", step{"DetachRolePolicy", &iam.DetachRolePolicyInput{RoleName: &name, PolicyArn: &arn}}); err != nil {
			return err
		}
	}
	for _, policy := range dropped(j.had(policyNames), policyNames(keep)) {
		if err := undo(ctx, j, "iam", step{"DeleteRolePolicy", &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy}}); err != nil {
			return err
		}
	}
	return nil
}

func policyNames(p map[string]any) (names []string) {
	for _, x := range objects(p, "Policies") {
		names = append(names, text(x, "PolicyName"))
	}
	return names
}

func updateRole(ctx context.Context, j *Job) (Made, error) {
	name, p := j.PhysicalID, j.Properties
	var steps []step
	if trust := document(p, "AssumeRolePolicyDocument"); aws.ToString(document(j.Old, "AssumeRolePolicyDocument")) != *trust {
		steps = append(steps, step{"UpdateAssumeRolePolicy", &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: trust}})
	}
	if text(j.Old, "Description") != text(p, "Description") || text(j.Old, "MaxSessionDuration") != text(p, "MaxSessionDuration") {
		description := text(p, "Description")
		steps = append(steps, step{"UpdateRole", &iam.UpdateRoleInput{RoleName: &name, Description: &description, MaxSessionDuration: integer(p, "MaxSessionDuration")}})
	}
	if boundary := ptr(p, "PermissionsBoundary"); boundary != nil && text(j.Old, "PermissionsBoundary") != *boundary {
		steps = append(steps, step{"PutRolePermissionsBoundary", &iam.PutRolePermissionsBoundaryInput{RoleName: &name, PermissionsBoundary: boundary}})
	}
	if err := do(ctx, j, "iam", append(steps, roleTags(j, name)...)...); err != nil {
		return Made{}, err
	}
	if text(j.Old, "PermissionsBoundary") != "" && text(p, "PermissionsBoundary") == "" {
		if err := undo(ctx, j, "iam", step{"DeleteRolePermissionsBoundary", &iam.DeleteRolePermissionsBoundaryInput{RoleName: &name}}); err != nil {
			return Made{}, err
		}
	}
	if err := putRoleParts(ctx, j, name); err != nil {
		return Made{}, err
	}
	return Made{}, dropRoleParts(ctx, j, name, p)
}

func roleTags(j *Job, name string) (steps []step) {
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"TagRole", &iam.TagRoleInput{RoleName: &name, Tags: sorted(set, iamTag)}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagRole", &iam.UntagRoleInput{RoleName: &name, TagKeys: less}})
	}
	return steps
}

func deleteRole(ctx context.Context, j *Job) error {
	if err := dropRoleParts(ctx, j, j.PhysicalID, nil); err != nil {
		return err
	}
	return do(ctx, j, "iam", step{"DeleteRole", &iam.DeleteRoleInput{RoleName: &j.PhysicalID}})
}

func createProfile(ctx context.Context, j *Job) (Made, error) {
	name := j.name("InstanceProfileName")
	find := func() (*types.InstanceProfile, error) {
		out, err := call[iam.GetInstanceProfileOutput](ctx, j, "iam", "GetInstanceProfile", &iam.GetInstanceProfileInput{InstanceProfileName: &name})
		if err != nil {
			return nil, err
		}
		return out.InstanceProfile, nil
	}
	var profile *types.InstanceProfile
	var err error
	if j.PhysicalID != "" {
		profile, err = find()
	} else {
		var out *iam.CreateInstanceProfileOutput
		out, err = call[iam.CreateInstanceProfileOutput](ctx, j, "iam", "CreateInstanceProfile",
			&iam.CreateInstanceProfileInput{InstanceProfileName: &name, Path: ptr(j.Properties, "Path")})
		if err == nil {
			profile = out.InstanceProfile
		} else if exists(err) && j.Again {
			if found, e := find(); e == nil && j.mine(found.CreateDate) {
				profile, err = found, nil
			}
		}
	}
	if err != nil {
		return Made{}, err
	}
	j.initiated(name)
	made := Made{name, map[string]any{"Arn": *profile.Arn}}
	var has []string
	for _, r := range profile.Roles {
		has = append(has, *r.RoleName)
	}
	return made, addToProfile(ctx, j, name, dropped(list(j.Properties, "Roles"), has))
}

func addToProfile(ctx context.Context, j *Job, name string, roles []string) error {
	for _, role := range roles {
		if err := do(ctx, j, "iam", step{"AddRoleToInstanceProfile", &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}}); err != nil {
			return err
		}
	}
	return nil
}

func dropFromProfile(ctx context.Context, j *Job, roles []string) error {
	for _, role := range roles {
		if err := undo(ctx, j, "iam", step{"RemoveRoleFromInstanceProfile", &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &j.PhysicalID, RoleName: &role}}); err != nil {
			return err
		}
	}
	return nil
}

func updateProfile(ctx context.Context, j *Job) (Made, error) {
	now := list(j.Properties, "Roles")
	if err := dropFromProfile(ctx, j, dropped(j.hadList("Roles"), now)); err != nil {
		return Made{}, err
	}
	out, err := call[iam.GetInstanceProfileOutput](ctx, j, "iam", "GetInstanceProfile", &iam.GetInstanceProfileInput{InstanceProfileName: &j.PhysicalID})
	if err != nil {
		return Made{}, err
	}
	var has []string
	for _, r := range out.InstanceProfile.Roles {
		has = append(has, *r.RoleName)
	}
	return Made{}, addToProfile(ctx, j, j.PhysicalID, dropped(now, has))
}

func deleteProfile(ctx context.Context, j *Job) error {
	if err := dropFromProfile(ctx, j, j.hadList("Roles")); err != nil {
		return err
	}
	return do(ctx, j, "iam", step{"DeleteInstanceProfile", &iam.DeleteInstanceProfileInput{InstanceProfileName: &j.PhysicalID}})
}

func createProvider(ctx context.Context, j *Job) (Made, error) {
	p := j.Properties
	arn := j.PhysicalID
	if arn == "" {
		out, err := call[iam.CreateOpenIDConnectProviderOutput](ctx, j, "iam", "CreateOpenIDConnectProvider", &iam.CreateOpenIDConnectProviderInput{
			Url: ptr(p, "Url"), ClientIDList: list(p, "ClientIdList"), ThumbprintList: list(p, "ThumbprintList"), Tags: sorted(tags(p), iamTag),
		})
		switch {
		case err == nil:
			arn = *out.OpenIDConnectProviderArn
		case exists(err) && j.Again:
			arn = "arn:" + j.Place.Partition + ":iam::" + j.Place.AccountID + ":oidc-provider/" + strings.TrimSuffix(strings.TrimPrefix(text(p, "Url"), "https://"), "/")
			found, e := call[iam.GetOpenIDConnectProviderOutput](ctx, j, "iam", "GetOpenIDConnectProvider", &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
			if e != nil || !j.mine(found.CreateDate) {
				return Made{}, err
			}
		default:
			return Made{}, err
		}
		j.initiated(arn)
	}
	return Made{arn, map[string]any{"Arn": arn}}, nil
}

func updateProvider(ctx context.Context, j *Job) (Made, error) {
	arn, p := j.PhysicalID, j.Properties
	var steps []step
	if thumbprints := list(p, "ThumbprintList"); len(thumbprints) > 0 {
		steps = append(steps, step{"UpdateOpenIDConnectProviderThumbprint", &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn, ThumbprintList: thumbprints}})
	}
	for _, id := range dropped(list(p, "ClientIdList"), list(j.Old, "ClientIdList")) {
		steps = append(steps, step{"AddClientIDToOpenIDConnectProvider", &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: &id}})
	}
	for _, id := range dropped(j.hadList("ClientIdList"), list(p, "ClientIdList")) {
		steps = append(steps, step{"RemoveClientIDFromOpenIDConnectProvider", &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: &id}})
	}
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"TagOpenIDConnectProvider", &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, Tags: sorted(set, iamTag)}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagOpenIDConnectProvider", &iam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, TagKeys: less}})
	}
	return Made{}, do(ctx, j, "iam", steps...)
}

func deleteProvider(ctx context.Context, j *Job) error {
	return do(ctx, j, "iam", step{"DeleteOpenIDConnectProvider", &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &j.PhysicalID}})
}
