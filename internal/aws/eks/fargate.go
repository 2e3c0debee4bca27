package eks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/aws/api"
)

// addFargate lets clients look for Fargate profiles, as eksctl does before it deletes a
// cluster. There is no Fargate here, so that none can be made.
func (s *Service) addFargate(svc *api.Service) {
	api.Add(svc, "ListFargateProfiles", s.ListFargateProfiles, func(_ context.Context, in *eks.ListFargateProfilesInput) []string { return s.arns(in.ClusterName) })
	api.Add(svc, "DescribeFargateProfile", s.DescribeFargateProfile, func(_ context.Context, in *eks.DescribeFargateProfileInput) []string {
		if in.ClusterName == nil || in.FargateProfileName == nil {
			return nil
		}
		return []string{s.arnOf("fargateprofile/" + *in.ClusterName + "/" + *in.FargateProfileName + "/*")} // none is there to have an id
	})
}

// ListFargateProfiles lists a cluster's profiles: it has none.
func (s *Service) ListFargateProfiles(_ context.Context, in *eks.ListFargateProfilesInput) (*eks.ListFargateProfilesOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	names, next, err := page(nil, digestOf([]any{"ListFargateProfiles", c.ID}), in.MaxResults, in.NextToken)
	return &eks.ListFargateProfilesOutput{FargateProfileNames: list(names), NextToken: next}, err
}

// DescribeFargateProfile finds no profile.
func (s *Service) DescribeFargateProfile(_ context.Context, in *eks.DescribeFargateProfileInput) (*eks.DescribeFargateProfileOutput, error) {
	c, err := s.find(in.ClusterName)
	if err != nil {
		return nil, err
	}
	return nil, &types.ResourceNotFoundException{
		ClusterName: &c.Name, FargateProfileName: in.FargateProfileName,
		Message: aws.String("No Fargate Profile found with name: " + aws.ToString(in.FargateProfileName) + "."),
	}
}
