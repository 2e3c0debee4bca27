package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func ssmTag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

func createParameter(ctx context.Context, j *Job) (Made, error) {
	name := j.name("Name")
	if j.PhysicalID == "" {
		in := parameterOf(j, name)
		in.Tags = sorted(tags(j.Properties), ssmTag)
		_, err := call[ssm.PutParameterOutput](ctx, j, "ssm", "PutParameter", in)
		if err != nil && !(api.Code(err) == "ParameterAlreadyExists" && j.Again && parameterIsMine(ctx, j, name)) {
			return Made{}, err
		}
		j.initiated(name)
	}
	return Made{name, parameterAttributes(j)}, nil
}

// parameterIsMine: a parameter tells when it was made as long as it has one version.
func parameterIsMine(ctx context.Context, j *Job, name string) bool {
	out, err := call[ssm.GetParameterOutput](ctx, j, "ssm", "GetParameter", &ssm.GetParameterInput{Name: &name})
	if err != nil {
		return j.mine(nil)
	}
	return out.Parameter.Version == 1 && j.mine(out.Parameter.LastModifiedDate)
}

func parameterOf(j *Job, name string) *ssm.PutParameterInput {
	p := j.Properties
	return &ssm.PutParameterInput{
		Name: &name, Value: ptr(p, "Value"), Type: types.ParameterType(text(p, "Type")), Tier: types.ParameterTier(text(p, "Tier")),
		Description: ptr(p, "Description"), AllowedPattern: ptr(p, "AllowedPattern"), DataType: ptr(p, "DataType"),
	}
}

func parameterAttributes(j *Job) map[string]any {
	return map[string]any{"Type": text(j.Properties, "Type"), "Value": text(j.Properties, "Value")}
}

func updateParameter(ctx context.Context, j *Job) (Made, error) {
	name, yes := j.PhysicalID, true
	in := parameterOf(j, name)
	in.Overwrite = &yes
	steps := append([]step{{"PutParameter", in}}, parameterTags(j, name)...)
	return Made{name, parameterAttributes(j)}, do(ctx, j, "ssm", steps...)
}

func parameterTags(j *Job, name string) (steps []step) {
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"AddTagsToResource", &ssm.AddTagsToResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name, Tags: sorted(set, ssmTag)}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"RemoveTagsFromResource", &ssm.RemoveTagsFromResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name, TagKeys: less}})
	}
	return steps
}

func deleteParameter(ctx context.Context, j *Job) error {
	return do(ctx, j, "ssm", step{"DeleteParameter", &ssm.DeleteParameterInput{Name: &j.PhysicalID}})
}
