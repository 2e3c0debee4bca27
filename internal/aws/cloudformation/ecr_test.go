package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const repositoryTemplate = `
Resources:
  Repository:
    Type: AWS::ECR::Repository
    Properties:
      RepositoryName: app
      ImageTagMutability: IMMUTABLE
      Tags: [{Key: team, Value: a}]
      LifecyclePolicy: {LifecyclePolicyText: '{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":365},"action":{"type":"expire"}}]}'}
      RepositoryPolicyText: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "ecr:BatchGetImage"}]}
Outputs:
  URI: {Value: !GetAtt Repository.RepositoryUri}
  ARN: {Value: !GetAtt Repository.Arn}
`

func TestARepositorysStack(t *testing.T) {
	a, ctx := open(t), t.Context()
	client := awsecr.NewFromConfig(a.Admin)
	a.create(t, "repository", repositoryTemplate)
	a.is(t, "repository", types.StackStatusCreateComplete)
	out := a.outputs(t, "repository")
	if out["URI"] != number+".dkr.ecr.us-west-2.amazonaws.com/app" || out["ARN"] != "arn:aws:ecr:us-west-2:"+number+":repository/app" {
		t.Errorf("%v", out)
	}
	if _, err := client.GetRepositoryPolicy(ctx, &awsecr.GetRepositoryPolicyInput{RepositoryName: aws.String("app")}); err != nil {
		t.Error(err)
	}
	changed := strings.NewReplacer("IMMUTABLE", "MUTABLE", "Value: a}", "Value: b}", "365", "7").Replace(repositoryTemplate)
	changed = changed[:strings.Index(changed, "      RepositoryPolicyText")] + changed[strings.Index(changed, "Outputs:"):]
	if err := a.update(t, "repository", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "repository", types.StackStatusUpdateComplete)
	_, err := client.GetRepositoryPolicy(ctx, &awsecr.GetRepositoryPolicyInput{RepositoryName: aws.String("app")})
	doortest.Refused(t, err, "RepositoryPolicyNotFoundException", "")
	life, err := client.GetLifecyclePolicy(ctx, &awsecr.GetLifecyclePolicyInput{RepositoryName: aws.String("app")})
	if err != nil || !strings.Contains(*life.LifecyclePolicyText, `"countNumber":7`) {
		t.Errorf("%+v, %v", life, err)
	}
	doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("repository")}))
	left, err := client.DescribeRepositories(ctx, &awsecr.DescribeRepositoriesInput{})
	if err != nil || len(left.Repositories) != 0 {
		t.Errorf("%+v, %v", left, err)
	}
}
