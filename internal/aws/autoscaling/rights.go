package autoscaling

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/eksact/eksact/internal/aws/api"
)

// linkedARN is the service-linked role that groups act as unless another is named.
func (s *Service) linkedARN() string {
	return s.linkedPath() + "AWSServiceRoleForAutoScaling"
}

func (s *Service) linkedPath() string {
	return "arn:" + s.Place.Partition + ":iam::" + s.Place.AccountID + ":role/aws-service-role/" + principal + "/"
}

// checkRights makes sure that a group has a role to act as, and that its caller might
// launch of the template what the group will.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
func (s *Service) checkRights(ctx context.Context, g *Group, role *string) error {
	if err := s.setRole(ctx, g, role); err != nil {
		return err
	}
	in := s.launch(g, g.Subnets[0], "")
	in.DryRun = aws.Bool(true)
	_, err := s.door.Do(ctx, as(ctx), "ec2", "RunInstances", in)
	switch code := api.Code(err); {
	case code == "DryRunOperation":
		return nil
	case code == "UnauthorizedOperation":
		return invalid("You are not authorized to use launch template: %s. %s", g.Template.ID, api.Message(err))
	case err == nil:
		return errors.New("a dry run launched instances")
	case code == "":
		return err
	}
	return invalid("%s", api.Message(err))
}

func (s *Service) setRole(ctx context.Context, g *Group, role *string) error {
	if role != nil {
		if !strings.HasPrefix(*role, s.linkedPath()) || !s.Roles.Assumable(ctx, *role, principal) {
			return invalid("ARN specified for Service-Linked Role is invalid: %s", *role)
		}
		if err := s.Roles.CheckPass(ctx, *role, principal); err != nil {
			return err
		}
		g.Role = *role
	}
	if s.Roles.Assumable(ctx, g.Role, principal) {
		return nil
	}
	_, err := s.door.Do(ctx, as(ctx), "iam", "CreateServiceLinkedRole", &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String(principal)})
	if err != nil && !s.Roles.Assumable(ctx, g.Role, principal) { // another call may have made it
		return invalid("The default Service-Linked Role for Auto Scaling could not be created. %s", api.Message(err))
	}
	return nil
}

// launch is what RunInstances is asked for one more instance, of a type or the template's.
func (s *Service) launch(g *Group, subnet, kind string) *ec2.RunInstancesInput {
	tags := []ec2types.Tag{{Key: aws.String(groupTag), Value: &g.Name}}
	for _, t := range g.Tags {
		if t.Propagate {
			tags = append(tags, ec2types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
		}
	}
	if kind == "" && len(g.Types) > 0 {
		kind = g.Types[0]
	}
	return &ec2.RunInstancesInput{
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet, InstanceType: ec2types.InstanceType(kind),
		LaunchTemplate:    &ec2types.LaunchTemplateSpecification{LaunchTemplateId: &g.Template.ID, Version: &g.Template.Version},
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: tags}},
	}
}

// groupTag is the tag by which an instance is known as a group's.
const groupTag = "aws:autoscaling:groupName"
