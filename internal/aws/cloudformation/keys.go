package cloudformation

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// asked are the condition keys of a call's input, by their names in lower case.
type asked struct {
	role, set, url, policyURL *string
	types, imported           []string
}

func (a asked) value(key string) policy.Values {
	one := func(v *string) policy.Values {
		if aws.ToString(v) == "" {
			return policy.Values{}
		}
		return policy.One(*v)
	}
	switch key {
	case "cloudformation:rolearn":
		return one(a.role)
	case "cloudformation:changesetname":
		return one(a.set)
	case "cloudformation:templateurl":
		return one(a.url)
	case "cloudformation:stackpolicyurl":
		return one(a.policyURL)
	case "cloudformation:resourcetypes":
		return policy.Many(a.types)
	case "cloudformation:importresourcetypes":
		return policy.Many(a.imported)
	}
	return policy.Values{}
}

// keyed adds the condition keys of an operation.
func keyed[I any](v *api.Service, name string, keys func(*I) asked) {
	api.WithKeys(v, name, func(_ context.Context, in *I, key string) policy.Values { return keys(in).value(key) })
}

// addKeys adds the condition keys that the service authorization reference lists.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html#using-iam-conditions
func (s *Service) addKeys(v *api.Service) {
	keyed(v, "CreateStack", func(in *cloudformation.CreateStackInput) asked {
		return asked{role: in.RoleARN, url: in.TemplateURL, policyURL: in.StackPolicyURL, types: in.ResourceTypes}
	})
	keyed(v, "UpdateStack", func(in *cloudformation.UpdateStackInput) asked {
		return asked{role: in.RoleARN, url: in.TemplateURL, policyURL: in.StackPolicyURL, types: in.ResourceTypes}
	})
	keyed(v, "DeleteStack", func(in *cloudformation.DeleteStackInput) asked { return asked{role: in.RoleARN} })
	keyed(v, "ContinueUpdateRollback", func(in *cloudformation.ContinueUpdateRollbackInput) asked { return asked{role: in.RoleARN} })
	keyed(v, "RollbackStack", func(in *cloudformation.RollbackStackInput) asked { return asked{role: in.RoleARN} })
	keyed(v, "CreateChangeSet", func(in *cloudformation.CreateChangeSetInput) asked {
		a := asked{role: in.RoleARN, set: in.ChangeSetName, url: in.TemplateURL, types: in.ResourceTypes}
		for _, r := range in.ResourcesToImport {
			a.imported = append(a.imported, aws.ToString(r.ResourceType))
		}
		return a
	})
	keyed(v, "DescribeChangeSet", func(in *cloudformation.DescribeChangeSetInput) asked { return asked{set: in.ChangeSetName} })
	keyed(v, "ExecuteChangeSet", func(in *cloudformation.ExecuteChangeSetInput) asked { return asked{set: in.ChangeSetName} })
	keyed(v, "DeleteChangeSet", func(in *cloudformation.DeleteChangeSetInput) asked { return asked{set: in.ChangeSetName} })
	keyed(v, "GetTemplateSummary", func(in *cloudformation.GetTemplateSummaryInput) asked { return asked{url: in.TemplateURL} })
	keyed(v, "ValidateTemplate", func(in *cloudformation.ValidateTemplateInput) asked { return asked{url: in.TemplateURL} })
}
