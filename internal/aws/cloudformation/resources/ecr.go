package resources

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func ecrTag(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }

func repositoryARN(j *Job, name string) string {
	return "arn:" + j.Place.Partition + ":ecr:" + j.Place.Region + ":" + j.Place.AccountID + ":repository/" + name
}

func createRepository(ctx context.Context, j *Job) (Made, error) {
	name := j.name("RepositoryName")
	if j.PhysicalID == "" {
		in := &ecr.CreateRepositoryInput{RepositoryName: &name, Tags: sorted(tags(j.Properties), ecrTag), ImageTagMutability: types.ImageTagMutability(text(j.Properties, "ImageTagMutability"))}
		if scan := flag(object(j.Properties, "ImageScanningConfiguration"), "ScanOnPush"); scan != nil {
			in.ImageScanningConfiguration = &types.ImageScanningConfiguration{ScanOnPush: *scan}
		}
		err := do(ctx, j, "ecr", step{"CreateRepository", in})
		if err != nil && !(exists(err) && j.Again && j.mine(repositoryMade(ctx, j, name))) {
			return Made{}, err
		}
		j.initiated(name)
	}
	return madeRepository(j, name), setRepository(ctx, j, name)
}

func madeRepository(j *Job, name string) Made {
	return Made{name, map[string]any{
		"Arn":           repositoryARN(j, name),
		"RepositoryUri": j.Place.AccountID + ".dkr.ecr." + j.Place.Region + ".amazonaws.com/" + name,
	}}
}

// repositoryMade is when a repository was made; nil: nobody knows.
func repositoryMade(ctx context.Context, j *Job, name string) *time.Time {
	out, err := call[ecr.DescribeRepositoriesOutput](ctx, j, "ecr", "DescribeRepositories", &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
	if err != nil || len(out.Repositories) == 0 {
		return nil
	}
	return out.Repositories[0].CreatedAt
}

// setRepository gives a repository its policies, and takes away those that it lost.
func setRepository(ctx context.Context, j *Job, name string) error {
	p, old := j.Properties, j.Old
	var steps []step
	if policy := document(p, "RepositoryPolicyText"); policy != nil {
		steps = append(steps, step{"SetRepositoryPolicy", &ecr.SetRepositoryPolicyInput{RepositoryName: &name, PolicyText: policy}})
	}
	lifecycle := ptr(object(p, "LifecyclePolicy"), "LifecyclePolicyText")
	if lifecycle != nil {
		steps = append(steps, step{"PutLifecyclePolicy", &ecr.PutLifecyclePolicyInput{RepositoryName: &name, LifecyclePolicyText: lifecycle}})
	}
	if err := do(ctx, j, "ecr", steps...); err != nil {
		return err
	}
	steps = nil
	if old["RepositoryPolicyText"] != nil && p["RepositoryPolicyText"] == nil {
		steps = append(steps, step{"DeleteRepositoryPolicy", &ecr.DeleteRepositoryPolicyInput{RepositoryName: &name}})
	}
	if ptr(object(old, "LifecyclePolicy"), "LifecyclePolicyText") != nil && lifecycle == nil {
		steps = append(steps, step{"DeleteLifecyclePolicy", &ecr.DeleteLifecyclePolicyInput{RepositoryName: &name}})
	}
	return undo(ctx, j, "ecr", steps...)
}

func updateRepository(ctx context.Context, j *Job) (Made, error) {
	name := j.PhysicalID
	if scan := flag(object(j.Properties, "ImageScanningConfiguration"), "ScanOnPush"); scan != nil && *scan {
		return Made{}, errors.New("Encountered unsupported property ImageScanningConfiguration") //lint:ignore ST1005 as CloudFormation writes it
	}
	var steps []step
	if now := text(j.Properties, "ImageTagMutability"); now != text(j.Old, "ImageTagMutability") {
		if now == "" {
			now = string(types.ImageTagMutabilityMutable)
		}
		steps = append(steps, step{"PutImageTagMutability", &ecr.PutImageTagMutabilityInput{RepositoryName: &name, ImageTagMutability: types.ImageTagMutability(now)}})
	}
	if err := do(ctx, j, "ecr", append(steps, repositoryTags(j, name)...)...); err != nil {
		return Made{}, err
	}
	return Made{}, setRepository(ctx, j, name)
}

func repositoryTags(j *Job, name string) (steps []step) {
	arn := repositoryARN(j, name)
	set, less := j.changedTags()
	if len(set) > 0 {
		steps = append(steps, step{"TagResource", &ecr.TagResourceInput{ResourceArn: &arn, Tags: sorted(set, ecrTag)}})
	}
	if len(less) > 0 {
		steps = append(steps, step{"UntagResource", &ecr.UntagResourceInput{ResourceArn: &arn, TagKeys: less}})
	}
	return steps
}

// deleteRepository deletes one with images if the template says so.
func deleteRepository(ctx context.Context, j *Job) error {
	empty := flag(j.Old, "EmptyOnDelete")
	return do(ctx, j, "ecr", step{"DeleteRepository", &ecr.DeleteRepositoryInput{RepositoryName: &j.PhysicalID, Force: empty != nil && *empty}})
}
