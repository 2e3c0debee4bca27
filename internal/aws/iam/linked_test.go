package iam_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// TestPathOfLinkedRoles: no other role may have it.
func TestPathOfLinkedRoles(t *testing.T) {
	a := open(t)
	for _, path := range []string{"/aws-service-role/", "/aws-service-role/eks.amazonaws.com/"} {
		_, err := a.admin.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("fake"), Path: &path, AssumeRolePolicyDocument: aws.String(trustEC2)})
		refused(t, err, "InvalidInput", "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles")
	}
	ok(t)(a.admin.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("real"), Path: aws.String("/aws-service-roles/"), AssumeRolePolicyDocument: aws.String(trustEC2)}))
}

func TestServiceLinkedRoles(t *testing.T) {
	a, ctx := open(t), t.Context()
	for service, name := range map[string]string{
		"eks.amazonaws.com": "AWSServiceRoleForAmazonEKS", "eks-nodegroup.amazonaws.com": "AWSServiceRoleForAmazonEKSNodegroup",
		"eks-fargate.amazonaws.com": "AWSServiceRoleForAmazonEKSForFargate", "eks-connector.amazonaws.com": "AWSServiceRoleForAmazonEKSConnector",
		"autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling", "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
	} {
		t.Run(service, func(t *testing.T) {
			made, err := a.admin.CreateServiceLinkedRole(ctx, &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: &service})
			if err != nil {
				t.Fatal(err)
			}
			r := made.Role
			if *r.RoleName != name || *r.Arn != arn("role/aws-service-role/"+service+"/"+name) || !strings.Contains(*r.AssumeRolePolicyDocument, service) {
				t.Errorf("%s, %s, %s", *r.RoleName, *r.Arn, *r.AssumeRolePolicyDocument)
			}
			// Its policy is one that there is, and no one can take it away.
			list, err := a.admin.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: &name})
			if err != nil || len(list.AttachedPolicies) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			policy, err := a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: list.AttachedPolicies[0].PolicyArn})
			if err != nil || policy.Policy.IsAttachable || *policy.Policy.AttachmentCount != 1 {
				t.Errorf("%+v, %v", policy, err)
			}
			_, err = a.admin.CreateServiceLinkedRole(ctx, &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: &service})
			refused(t, err, "InvalidInput", "Service role name "+name+" has been taken in this account, please try a different suffix.")

			task, err := a.admin.DeleteServiceLinkedRole(ctx, &awsiam.DeleteServiceLinkedRoleInput{RoleName: &name})
			if err != nil || !strings.HasPrefix(*task.DeletionTaskId, "task/aws-service-role/"+service+"/"+name+"/") {
				t.Fatalf("%+v, %v", task, err)
			}
			status, err := a.admin.GetServiceLinkedRoleDeletionStatus(ctx, &awsiam.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: task.DeletionTaskId})
			if err != nil || status.Status != types.DeletionTaskStatusTypeSucceeded {
				t.Errorf("%+v, %v", status, err)
			}
			_, err = a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: &name})
			refused(t, err, "NoSuchEntity", "The role with name "+name+" cannot be found.")
			if policy, err = a.admin.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: list.AttachedPolicies[0].PolicyArn}); err != nil || *policy.Policy.AttachmentCount != 0 {
				t.Errorf("%+v, %v", policy, err)
			}
		})
	}
}

// A service-linked role is its service's: only tags and the description are free.
func TestAServiceLinkedRoleIsProtected(t *testing.T) {
	a, ctx := open(t), t.Context()
	ok(t)(a.admin.CreateServiceLinkedRole(ctx, &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")}))
	name, p := aws.String("AWSServiceRoleForAmazonEKS"), aws.String("p")
	attached, bound := aws.String("arn:aws:iam::aws:policy/aws-service-role/AmazonEKSServiceRolePolicy"), a.policy(t, "bound", allow("*"))
	ok(t)(a.admin.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: p}))
	for operation, call := range map[string]func() (any, error){
		"DeleteRole": func() (any, error) { return a.admin.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name}) },
		"UpdateRole": func() (any, error) {
			return a.admin.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: name, MaxSessionDuration: aws.Int32(7200)})
		},
		"UpdateAssumeRolePolicy": func() (any, error) {
			return a.admin.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trustAccount)})
		},
		"AttachRolePolicy": func() (any, error) {
			return a.admin.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: bound})
		},
		"DetachRolePolicy": func() (any, error) {
			return a.admin.DetachRolePolicy(ctx, &awsiam.DetachRolePolicyInput{RoleName: name, PolicyArn: attached})
		},
		"PutRolePolicy": func() (any, error) {
			return a.admin.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: p, PolicyDocument: aws.String(allow("*"))})
		},
		"PutRolePermissionsBoundary": func() (any, error) {
			return a.admin.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: bound})
		},
		"DeleteRolePermissionsBoundary": func() (any, error) {
			return a.admin.DeleteRolePermissionsBoundary(ctx, &awsiam.DeleteRolePermissionsBoundaryInput{RoleName: name})
		},
		"AddRoleToInstanceProfile": func() (any, error) {
			return a.admin.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{RoleName: name, InstanceProfileName: p})
		},
	} {
		t.Run(operation, func(t *testing.T) {
			_, err := call()
			refused(t, err, "UnmodifiableEntity", "Cannot perform the operation on the protected role 'AWSServiceRoleForAmazonEKS' - this role is only modifiable by AWS")
		})
	}
	ok(t)(a.admin.UpdateRole(ctx, &awsiam.UpdateRoleInput{RoleName: name, Description: aws.String("ours")}))
	ok(t)(a.admin.TagRole(ctx, &awsiam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))
	got, err := a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: name})
	if err != nil || *got.Role.Description != "ours" || *got.Role.MaxSessionDuration != 3600 || len(got.Role.Tags) != 1 || got.Role.PermissionsBoundary != nil {
		t.Errorf("%+v, %v", got.Role, err)
	}
	described, err := a.admin.UpdateRoleDescription(ctx, &awsiam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("theirs")})
	if err != nil || *described.Role.Description != "theirs" {
		t.Errorf("%+v, %v", described, err)
	}
}

func TestRefusalsAboutServiceLinkedRoles(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.role(t, "plain", trustEC2)
	create := func(service, suffix string) error {
		in := &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: &service}
		if suffix != "" {
			in.CustomSuffix = &suffix
		}
		_, err := a.admin.CreateServiceLinkedRole(ctx, in)
		return err
	}
	refused(t, create("eks.amazonaws.com", "mine"), "InvalidInput", "Custom suffix is not allowed for eks.amazonaws.com")
	refused(t, create("none.amazonaws.com", ""), "InvalidInput", "none.amazonaws.com")
	refused(t, create("autoscaling.amazonaws.com", strings.Repeat("x", 60)), "InvalidInput", "longer than 64 characters")
	ok(t)(nil, create("autoscaling.amazonaws.com", "mine"))
	ok(t)(nil, create("autoscaling.amazonaws.com", "yours"))
	refused(t, create("autoscaling.amazonaws.com", "MINE"), "InvalidInput", "Service role name AWSServiceRoleForAutoScaling_MINE has been taken")
	ok(t)(a.admin.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("AWSServiceRoleForAutoScaling_mine")}))

	_, err := a.admin.DeleteServiceLinkedRole(ctx, &awsiam.DeleteServiceLinkedRoleInput{RoleName: aws.String("plain")})
	refused(t, err, "InvalidInput", "The role plain is not a service-linked role.")
	_, err = a.admin.DeleteServiceLinkedRole(ctx, &awsiam.DeleteServiceLinkedRoleInput{RoleName: aws.String("none")})
	refused(t, err, "NoSuchEntity", "The role with name none cannot be found.")
	_, err = a.admin.GetServiceLinkedRoleDeletionStatus(ctx, &awsiam.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: aws.String("task/x")})
	refused(t, err, "NoSuchEntity", "task/x")

	clerk := a.user(t, "clerk", allow("iam:CreateServiceLinkedRole", `"Resource":"`+arn("role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS*")+`"`,
		`"Condition":{"StringLike":{"iam:AWSServiceName":"eks.amazonaws.com"}}`))
	_, err = clerk.CreateServiceLinkedRole(ctx, &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks-fargate.amazonaws.com")})
	denied(t, err, "iam:CreateServiceLinkedRole on resource: "+arn("role/aws-service-role/eks-fargate.amazonaws.com/AWSServiceRoleForAmazonEKSForFargate"))
	ok(t)(clerk.CreateServiceLinkedRole(ctx, &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")}))
}
