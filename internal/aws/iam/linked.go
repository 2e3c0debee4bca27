package iam

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/eksact/eksact/internal/store"
)

// linkedRole is what a service's linked role is called and may do.
type linkedRole struct {
	name, policy, description string
	suffixes                  bool // there can be several, told apart by a suffix
}

// linkedRoles are the services around EKS that have one.
// https://docs.aws.amazon.com/eks/latest/userguide/using-service-linked-roles.html
func linkedRoles() map[string]linkedRole {
	return map[string]linkedRole{
		"eks.amazonaws.com": {"AWSServiceRoleForAmazonEKS", "AmazonEKSServiceRolePolicy",
			"Allows Amazon EKS to call AWS services on your behalf.", false},
		"eks-nodegroup.amazonaws.com": {"AWSServiceRoleForAmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup",
			"This policy allows Amazon EKS to create and manage Nodegroups", false},
		"eks-fargate.amazonaws.com": {"AWSServiceRoleForAmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy",
			"This policy grants necessary permissions to Amazon EKS to run fargate tasks", false},
		"eks-connector.amazonaws.com": {"AWSServiceRoleForAmazonEKSConnector", "AmazonEKSConnectorServiceRolePolicy",
			"Allows Amazon EKS to connect and register external Kubernetes clusters.", false},
		"autoscaling.amazonaws.com": {"AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy",
			"Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling", true},
		"elasticloadbalancing.amazonaws.com": {"AWSServiceRoleForElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy",
			"Allows ELB to call AWS services on your behalf.", false},
	}
}

// called is the name of the role with a suffix, which may be nil.
func (l *linkedRole) called(suffix *string) string {
	if suffix == nil {
		return l.name
	}
	return l.name + "_" + *suffix
}

// linkedARN is the ARN of a service's linked role, or what it would be.
func (i *IAM) linkedARN(service string, suffix *string) string {
	name := "*"
	if kind, ok := linkedRoles()[service]; ok {
		name = kind.called(suffix)
	}
	return i.arn("role", linkedPath+service+"/", name)
}

// CreateServiceLinkedRole makes the role of a service, with its policy.
func (i *IAM) CreateServiceLinkedRole(ctx context.Context, in *iam.CreateServiceLinkedRoleInput) (*iam.CreateServiceLinkedRoleOutput, error) {
	var c check
	c.length("AWSServiceName", in.AWSServiceName, 1, 128)
	c.description(in.Description, 1000)
	if in.CustomSuffix != nil {
		c.name("customSuffix", in.CustomSuffix, 64)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	service := *in.AWSServiceName
	kind, ok := linkedRoles()[service]
	if !ok {
		return nil, invalidInput("%s is not a service that has a service-linked role here.", service)
	}
	if in.CustomSuffix != nil && !kind.suffixes {
		return nil, invalidInput("Custom suffix is not allowed for %s", service)
	}
	r := i.newLinked(service, &kind, in.CustomSuffix)
	if len(r.Name) > 64 {
		return nil, invalidInput("The role name %s is longer than 64 characters.", r.Name)
	}
	if in.Description != nil {
		r.Description = *in.Description
	}
	err := i.change(ctx, func(tx *store.Tx) error {
		if _, ok := i.roles.In(tx).Get(key(r.Name)); ok {
			return invalidInput("Service role name %s has been taken in this account, please try a different suffix.", r.Name)
		}
		if err := i.count(tx, r.Attached[0], attachment, +1); err != nil {
			return err
		}
		i.roles.In(tx).Put(key(r.Name), r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.CreateServiceLinkedRoleOutput{Role: i.showRole(&r)}, nil
}

func (i *IAM) newLinked(service string, kind *linkedRole, suffix *string) Role {
	r := Role{
		Name: kind.called(suffix), Path: linkedPath + service + "/", ID: i.entityID(rolePrefix), Created: i.today(),
		Description: kind.description, MaxSession: defaultSession, Service: service,
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`,
	}
	r.Attached = []string{"arn:" + i.place.Partition + ":iam::aws:policy/aws-service-role/" + kind.policy}
	return r
}

// deletion is the record of a finished deletion of a service-linked role, by
// task id.
type deletion struct{ Role string }

// DeleteServiceLinkedRole deletes a service-linked role, at once; the task that
// it answers with is done.
func (i *IAM) DeleteServiceLinkedRole(ctx context.Context, in *iam.DeleteServiceLinkedRoleInput) (*iam.DeleteServiceLinkedRoleOutput, error) {
	var c check
	c.name("roleName", in.RoleName, 64)
	if err := c.err(); err != nil {
		return nil, err
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	var task string
	err := i.change(ctx, func(tx *store.Tx) error {
		r, err := i.roleHolder().in(tx, *in.RoleName)
		if err != nil {
			return err
		}
		if r.Service == "" {
			return invalidInput("The role %s is not a service-linked role.", r.Name)
		}
		for _, arn := range r.Attached {
			if err := i.count(tx, arn, attachment, -1); err != nil {
				return err
			}
		}
		i.roles.In(tx).Delete(key(r.Name))
		i.keyUses.In(tx).Delete(r.ID)
		task = "task/aws-service-role/" + r.Service + "/" + r.Name + "/" + uuid(random)
		i.deletions.In(tx).Put(task, deletion{r.Name})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.DeleteServiceLinkedRoleOutput{DeletionTaskId: &task}, nil
}

// uuid spells 16 bytes as a random UUID (RFC 9562, version 4).
func uuid(random []byte) string {
	random[6], random[8] = random[6]&0x0f|0x40, random[8]&0x3f|0x80
	h := hex.EncodeToString(random)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// GetServiceLinkedRoleDeletionStatus tells how a deletion went.
func (i *IAM) GetServiceLinkedRoleDeletionStatus(_ context.Context, in *iam.GetServiceLinkedRoleDeletionStatusInput) (*iam.GetServiceLinkedRoleDeletionStatusOutput, error) {
	var c check
	c.length("deletionTaskId", in.DeletionTaskId, 1, 1000)
	if err := c.err(); err != nil {
		return nil, err
	}
	if _, ok := i.deletions.Get(*in.DeletionTaskId); !ok {
		return nil, noSuchEntity("Deletion task %s cannot be found.", *in.DeletionTaskId)
	}
	return &iam.GetServiceLinkedRoleDeletionStatusOutput{Status: types.DeletionTaskStatusTypeSucceeded}, nil
}
