package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/doortest"
)

const parameterTemplate = `
Resources:
  Named: {Type: AWS::SSM::Parameter, Properties: {Name: /cdk-bootstrap/x/version, Type: String, Value: "27", Tags: {team: a}}}
  Unnamed: {Type: AWS::SSM::Parameter, Properties: {Type: StringList, Value: "a,b", Description: two}}
Outputs:
  Unnamed: {Value: !Ref Unnamed}
  Value: {Value: !GetAtt Named.Value}
`

const readerTemplate = `
Parameters:
  Version: {Type: "AWS::SSM::Parameter::Value<String>", Default: /cdk-bootstrap/x/version}
  Given: {Type: "AWS::SSM::Parameter::Name", Default: /cdk-bootstrap/x/version}
Resources:
  Copy: {Type: AWS::SSM::Parameter, Properties: {Name: copy, Type: String, Value: !Sub "${Version} {{resolve:ssm:/cdk-bootstrap/x/version}} {{resolve:ssm:/cdk-bootstrap/x/version:1}}"}}
`

// TestParametersOfParameterStore: stacks make parameters, take them as their own and
// resolve references to them, the newest or a version.
func TestParametersOfParameterStore(t *testing.T) {
	a, ctx := open(t), t.Context()
	store := awsssm.NewFromConfig(a.Admin)
	value := func(name string) string {
		t.Helper()
		out, err := store.GetParameter(ctx, &awsssm.GetParameterInput{Name: &name})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Parameter.Value
	}
	_, err := a.client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("early"), TemplateBody: aws.String(readerTemplate)})
	doortest.Refused(t, err, "ValidationError", "Unable to fetch parameters [/cdk-bootstrap/x/version] from parameter store for this account.")
	a.create(t, "parameters", parameterTemplate)
	a.is(t, "parameters", types.StackStatusCreateComplete)
	out := a.outputs(t, "parameters")
	if out["Value"] != "27" || !strings.HasPrefix(out["Unnamed"], "CFN-Unnamed-") || value(out["Unnamed"]) != "a,b" {
		t.Errorf("%v", out)
	}
	changed := strings.Replace(strings.Replace(parameterTemplate, `"27"`, `"28"`, 1), "{team: a}", "{unit: b}", 1)
	if err := a.update(t, "parameters", changed); err != nil {
		t.Fatal(err)
	}
	a.is(t, "parameters", types.StackStatusUpdateComplete)
	tags, err := store.ListTagsForResource(ctx, &awsssm.ListTagsForResourceInput{ResourceType: ssmtypes.ResourceTypeForTaggingParameter, ResourceId: aws.String("/cdk-bootstrap/x/version")})
	if err != nil || len(tags.TagList) != 4 || *tags.TagList[3].Key != "unit" {
		t.Errorf("%+v, %v", tags, err)
	}
	a.create(t, "reader", readerTemplate)
	a.is(t, "reader", types.StackStatusCreateComplete)
	if got := value("copy"); got != "28 28 27" {
		t.Errorf("the copy is %s", got)
	}
	if p := a.stack(t, "reader").Parameters; *p[1].ParameterKey != "Version" || *p[1].ParameterValue != "/cdk-bootstrap/x/version" || *p[1].ResolvedValue != "28" {
		t.Errorf("%+v", p)
	}
	a.create(t, "lost", `Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Name: p, Type: String, Value: "{{resolve:ssm:gone}}"}}}`)
	a.is(t, "lost", types.StackStatusRollbackComplete)
	follows(t, a.events(t, "lost"), "P CREATE_FAILED Parameters: [ssm:gone] cannot be found.")
	for _, name := range []string{"reader", "parameters"} {
		doortest.Must(t)(a.client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &name}))
	}
	left, err := store.DescribeParameters(ctx, &awsssm.DescribeParametersInput{})
	if err != nil || len(left.Parameters) != 0 {
		t.Errorf("parameters are left: %+v, %v", left, err)
	}
}

// TestParametersAreReadAsTheCaller: who may not read a parameter can't have a stack read it.
func TestParametersAreReadAsTheCaller(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.create(t, "parameters", parameterTemplate)
	user := cloudformation.NewFromConfig(a.User(t, "maker", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudformation:*","ssm:PutParameter"],"Resource":"*"}]}`))
	_, err := user.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("reader"), TemplateBody: aws.String(readerTemplate)})
	doortest.Refused(t, err, "AccessDenied", "user/maker is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-west-2:111122223333:parameter/cdk-bootstrap/x/version because no identity-based policy allows the ssm:GetParameters action")
	doortest.Must(t)(user.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("dynamic"), TemplateBody: aws.String(`Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Name: p, Type: String, Value: "{{resolve:ssm:/cdk-bootstrap/x/version}}"}}}`)}))
	follows(t, a.events(t, "dynamic"), "P CREATE_FAILED User: arn:aws:iam::111122223333:user/maker is not authorized to perform: ssm:GetParameters")
	if _, err := a.iam.GetUser(ctx, &awsiam.GetUserInput{UserName: aws.String("maker")}); err != nil {
		t.Error(err)
	}
}
