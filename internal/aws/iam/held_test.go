package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

func TestPoliciesGrantingServiceAccess(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.user(t, "u", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"S3:Get*","Resource":"*"},{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]}`)
	group := aws.String("g")
	ok(t)(a.admin.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: group}))
	ok(t)(a.admin.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: group, UserName: aws.String("u")}))
	ok(t)(a.admin.PutGroupPolicy(ctx, &awsiam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":["iam:*","ec2:Describe*"],"Resource":"*"}}`)}))
	shared := a.policy(t, "shared", allow("sqs:SendMessage,s3:GetObject"))
	ok(t)(a.admin.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: aws.String("u"), PolicyArn: shared}))
	ok(t)(a.admin.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: group, PolicyArn: shared}))
	ok(t)(a.admin.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: aws.String("u"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}))

	list := func(entity string) string {
		t.Helper()
		o, err := a.admin.ListPoliciesGrantingServiceAccess(ctx, &awsiam.ListPoliciesGrantingServiceAccessInput{
			Arn: aws.String(arn(entity)), ServiceNamespaces: []string{"s3", "sqs", "iam", "ec2"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range o.PoliciesGrantingServiceAccess {
			line := *e.ServiceNamespace + ":"
			for _, p := range e.Policies {
				line += " " + *p.PolicyName + "/" + string(p.PolicyType) + "/" + string(p.EntityType) + "/" + aws.ToString(p.EntityName) + aws.ToString(p.PolicyArn)
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "\n")
	}
	const group1, managed = " p/INLINE/GROUP/g", " shared/MANAGED//arn:aws:iam::111122223333:policy/shared"
	if got, want := list("user/any/path/u"), "ec2:"+group1+"\niam:\ns3: p/INLINE/USER/u"+managed+group1+"\nsqs:"+managed+group1; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := list("group/g"), "ec2:"+group1+"\niam:\ns3:"+group1+managed+"\nsqs:"+group1+managed; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for wrong, c := range map[string][2]string{
		arn("role/none"):     {"NoSuchEntity", "The role with name none cannot be found."},
		arn("policy/shared"): {"InvalidInput", "Invalid Entity Arn: " + arn("policy/shared") + " does not clearly define entity type and name."},
		"arn:aws:sts::" + number + ":assumed-role/r/s": {"InvalidInput", "Invalid Entity Arn: arn:aws:sts::" + number + ":assumed-role/r/s does not clearly define entity type and name."},
		"arn:aws:iam::999988887777:user/u":             {"InvalidInput", "Invalid Policy Source Arn: caller's account " + number + " does not have access to policies in account 999988887777"},
	} {
		_, err := a.admin.ListPoliciesGrantingServiceAccess(ctx, &awsiam.ListPoliciesGrantingServiceAccessInput{Arn: &wrong, ServiceNamespaces: []string{"s3"}})
		refused(t, err, c[0], c[1])
	}
}
