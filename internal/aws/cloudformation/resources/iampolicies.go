package resources

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// holders are whom policies can be given to, by the property that lists them.
var holders = []string{"Groups", "Roles", "Users"}

// putInline gives an inline policy to those that the properties list.
func putInline(ctx context.Context, j *Job) error {
	name, doc := ptr(j.Properties, "PolicyName"), document(j.Properties, "PolicyDocument")
	for _, kind := range holders {
		for _, who := range list(j.Properties, kind) {
			var s step
			switch kind {
			case "Groups":
				s = step{"PutGroupPolicy", &iam.PutGroupPolicyInput{GroupName: &who, PolicyName: name, PolicyDocument: doc}}
			case "Roles":
				s = step{"PutRolePolicy", &iam.PutRolePolicyInput{RoleName: &who, PolicyName: name, PolicyDocument: doc}}
			default:
				s = step{"PutUserPolicy", &iam.PutUserPolicyInput{UserName: &who, PolicyName: name, PolicyDocument: doc}}
			}
			if err := do(ctx, j, "iam", s); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropInline takes the policy from those that only the old properties list, or of all if
// its name is another.
func dropInline(ctx context.Context, j *Job, keep map[string]any) error {
	for _, old := range j.before() {
		if err := dropInlineOf(ctx, j, old, keep); err != nil {
			return err
		}
	}
	return nil
}

func dropInlineOf(ctx context.Context, j *Job, old, keep map[string]any) error {
	name := ptr(old, "PolicyName")
	if text(keep, "PolicyName") != aws.ToString(name) {
		keep = nil
	}
	for _, kind := range holders {
		for _, who := range dropped(list(old, kind), list(keep, kind)) {
			var s step
			switch kind {
			case "Groups":
				s = step{"DeleteGroupPolicy", &iam.DeleteGroupPolicyInput{GroupName: &who, PolicyName: name}}
			case "Roles":
				s = step{"DeleteRolePolicy", &iam.DeleteRolePolicyInput{RoleName: &who, PolicyName: name}}
			default:
				s = step{"DeleteUserPolicy", &iam.DeleteUserPolicyInput{UserName: &who, PolicyName: name}}
			}
			if err := undo(ctx, j, "iam", s); err != nil {
				return err
			}
		}
	}
	return nil
}

func createInline(ctx context.Context, j *Job) (Made, error) {
	j.initiated(j.Name)
	return Made{j.Name, map[string]any{"Id": j.Name}}, putInline(ctx, j)
}

func updateInline(ctx context.Context, j *Job) (Made, error) {
	if err := putInline(ctx, j); err != nil {
		return Made{}, err
	}
	return Made{}, dropInline(ctx, j, j.Properties)
}

func deleteInline(ctx context.Context, j *Job) error { return dropInline(ctx, j, nil) }

// attach and detach give a managed policy to those that are listed.
func attach(ctx context.Context, j *Job, arn string, to map[string]any) error {
	for _, kind := range holders {
		for _, who := range list(to, kind) {
			var s step
			switch kind {
			case "Groups":
				s = step{"AttachGroupPolicy", &iam.AttachGroupPolicyInput{GroupName: &who, PolicyArn: &arn}}
			case "Roles":
				s = step{"AttachRolePolicy", &iam.AttachRolePolicyInput{RoleName: &who, PolicyArn: &arn}}
			default:
				s = step{"AttachUserPolicy", &iam.AttachUserPolicyInput{UserName: &who, PolicyArn: &arn}}
			}
			if err := do(ctx, j, "iam", s); err != nil {
				return err
			}
		}
	}
	return nil
}

func detach(ctx context.Context, j *Job, arn string, keep map[string]any) error {
	for _, kind := range holders {
		for _, who := range dropped(j.hadList(kind), list(keep, kind)) {
			var s step
			switch kind {
			case "Groups":
				s = step{"DetachGroupPolicy", &iam.DetachGroupPolicyInput{GroupName: &who, PolicyArn: &arn}}
			case "Roles":
				s = step{"DetachRolePolicy", &iam.DetachRolePolicyInput{RoleName: &who, PolicyArn: &arn}}
			default:
				s = step{"DetachUserPolicy", &iam.DetachUserPolicyInput{UserName: &who, PolicyArn: &arn}}
			}
			if err := undo(ctx, j, "iam", s); err != nil {
				return err
			}
		}
	}
	return nil
}

func createManaged(ctx context.Context, j *Job) (Made, error) {
	p, name := j.Properties, j.name("ManagedPolicyName")
	arn := j.PhysicalID
	if arn == "" {
		out, err := call[iam.CreatePolicyOutput](ctx, j, "iam", "CreatePolicy", &iam.CreatePolicyInput{
			PolicyName: &name, Path: ptr(p, "Path"), Description: ptr(p, "Description"), PolicyDocument: document(p, "PolicyDocument"),
		})
		switch {
		case err == nil:
			arn = *out.Policy.Arn
		case exists(err) && j.Again:
			arn = managedARN(j, name)
			found, e := call[iam.GetPolicyOutput](ctx, j, "iam", "GetPolicy", &iam.GetPolicyInput{PolicyArn: &arn})
			if e != nil || !j.mine(found.Policy.CreateDate) {
				return Made{}, err
			}
		default:
			return Made{}, err
		}
		j.initiated(arn)
	}
	made := Made{ID: arn}
	if err := attach(ctx, j, arn, p); err != nil {
		return made, err
	}
	var err error
	made.Attributes, err = managedAttributes(ctx, j, arn)
	return made, err
}

func managedARN(j *Job, name string) string {
	path := text(j.Properties, "Path")
	if path == "" {
		path = "/"
	}
	return "arn:" + j.Place.Partition + ":iam::" + j.Place.AccountID + ":policy" + path + name
}

func managedAttributes(ctx context.Context, j *Job, arn string) (map[string]any, error) {
	out, err := call[iam.GetPolicyOutput](ctx, j, "iam", "GetPolicy", &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return nil, err
	}
	x := out.Policy
	return map[string]any{
		"PolicyArn": arn, "PolicyId": aws.ToString(x.PolicyId), "DefaultVersionId": aws.ToString(x.DefaultVersionId), "IsAttachable": x.IsAttachable,
		"AttachmentCount": aws.ToInt32(x.AttachmentCount), "PermissionsBoundaryUsageCount": aws.ToInt32(x.PermissionsBoundaryUsageCount),
		"CreateDate": x.CreateDate.UTC().Format(time.RFC3339), "UpdateDate": x.UpdateDate.UTC().Format(time.RFC3339),
	}, nil
}

// mostVersions is how many versions a managed policy can have.
const mostVersions = 5

func updateManaged(ctx context.Context, j *Job) (Made, error) {
	arn := j.PhysicalID
	if aws.ToString(document(j.Old, "PolicyDocument")) != *document(j.Properties, "PolicyDocument") {
		versions, err := otherVersions(ctx, j)
		if err != nil {
			return Made{}, err
		}
		if len(versions) >= mostVersions-1 {
			oldest := versions[len(versions)-1]
			if err := undo(ctx, j, "iam", step{"DeletePolicyVersion", &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: &oldest}}); err != nil {
				return Made{}, err
			}
		}
		err = do(ctx, j, "iam", step{"CreatePolicyVersion", &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: document(j.Properties, "PolicyDocument"), SetAsDefault: true}})
		if err != nil {
			return Made{}, err
		}
	}
	if err := attach(ctx, j, arn, j.Properties); err != nil {
		return Made{}, err
	}
	if err := detach(ctx, j, arn, j.Properties); err != nil {
		return Made{}, err
	}
	attributes, err := managedAttributes(ctx, j, arn)
	return Made{Attributes: attributes}, err
}

// otherVersions lists the versions that are not the default, the newest first.
func otherVersions(ctx context.Context, j *Job) ([]string, error) {
	out, err := call[iam.ListPolicyVersionsOutput](ctx, j, "iam", "ListPolicyVersions", &iam.ListPolicyVersionsInput{PolicyArn: &j.PhysicalID})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range out.Versions {
		if !v.IsDefaultVersion {
			ids = append(ids, *v.VersionId)
		}
	}
	return ids, nil
}

func deleteManaged(ctx context.Context, j *Job) error {
	if err := detach(ctx, j, j.PhysicalID, nil); err != nil {
		return err
	}
	versions, err := otherVersions(ctx, j)
	if err != nil {
		return err
	}
	for _, id := range versions {
		if err := undo(ctx, j, "iam", step{"DeletePolicyVersion", &iam.DeletePolicyVersionInput{PolicyArn: &j.PhysicalID, VersionId: &id}}); err != nil {
			return err
		}
	}
	return do(ctx, j, "iam", step{"DeletePolicy", &iam.DeletePolicyInput{PolicyArn: &j.PhysicalID}})
}
