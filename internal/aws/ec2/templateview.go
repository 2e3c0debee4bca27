package ec2

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// DescribeLaunchTemplates lists launch templates.
func (s *Service) DescribeLaunchTemplates(_ context.Context, in *ec2.DescribeLaunchTemplatesInput) (*ec2.DescribeLaunchTemplatesOutput, error) {
	ids := slices.Clone(in.LaunchTemplateIds)
	for _, id := range ids {
		if _, err := s.template(&id, nil); err != nil {
			return nil, err
		}
	}
	for _, name := range in.LaunchTemplateNames {
		t, err := s.template(nil, &name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, t.ID)
	}
	if in.MaxResults != nil && *in.MaxResults > 200 {
		return nil, invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value between 1 and 200.", *in.MaxResults)
	}
	match, err := matcher(in.Filters, attributes[LaunchTemplate]{
		"create-time":          func(t LaunchTemplate) []string { return []string{t.Created.Format("2006-01-02T15:04:05.000Z")} },
		"launch-template-name": func(t LaunchTemplate) []string { return []string{t.Name} },
	}, s.templateFamily.tagsIn)
	if err != nil {
		return nil, err
	}
	rows := slices.DeleteFunc(s.templateFamily.all(), func(t LaunchTemplate) bool {
		return len(ids) > 0 && !slices.Contains(ids, t.ID) || !match(t)
	})
	page, next, err := pagedFrom(1, query{ids: ids, filters: in.Filters, max: in.MaxResults, next: in.NextToken, call: "DescribeLaunchTemplates"}, rows,
		func(t LaunchTemplate) string { return t.ID })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeLaunchTemplatesOutput{NextToken: next, LaunchTemplates: []types.LaunchTemplate{}}
	for _, t := range page {
		out.LaunchTemplates = append(out.LaunchTemplates, *templateView(t))
	}
	return out, nil
}

func templateView(t LaunchTemplate) *types.LaunchTemplate {
	return &types.LaunchTemplate{
		LaunchTemplateId: aws.String(t.ID), LaunchTemplateName: aws.String(t.Name), CreateTime: aws.Time(t.Created), CreatedBy: aws.String(t.By),
		DefaultVersionNumber: aws.Int64(t.Default), LatestVersionNumber: aws.Int64(t.Latest), Tags: tags(t.Tags),
	}
}

// versionOf is a version with its template.
type versionOf struct {
	LaunchTemplate
	TemplateVersion
}

// DescribeLaunchTemplateVersions lists versions of a template, the newest first; of
// all templates, only $Latest and $Default.
func (s *Service) DescribeLaunchTemplateVersions(_ context.Context, in *ec2.DescribeLaunchTemplateVersionsInput) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	if aws.ToBool(in.ResolveAlias) {
		return nil, unsupported("Resolving an image by a parameter of Systems Manager")
	}
	rows, err := s.versions(in)
	if err != nil {
		return nil, err
	}
	match, err := matcher(in.Filters, attributes[versionOf]{
		"create-time": func(v versionOf) []string {
			return []string{v.TemplateVersion.Created.Format("2006-01-02T15:04:05.000Z")}
		},
		"image-id":           func(v versionOf) []string { return optional(aws.ToString(v.Data.ImageId)) },
		"instance-type":      func(v versionOf) []string { return optional(string(v.Data.InstanceType)) },
		"is-default-version": func(v versionOf) []string { return boolean(v.Number == v.Default) },
		"ebs-optimized":      func(v versionOf) []string { return boolean(aws.ToBool(v.Data.EbsOptimized)) },
		"kernel-id":          func(v versionOf) []string { return optional(aws.ToString(v.Data.KernelId)) },
		"ram-disk-id":        func(v versionOf) []string { return optional(aws.ToString(v.Data.RamDiskId)) },
		"iam-instance-profile": func(v versionOf) []string {
			if p := v.Data.IamInstanceProfile; p != nil {
				return append(optional(aws.ToString(p.Arn)), optional(aws.ToString(p.Name))...)
			}
			return nil
		},
		"http-tokens": func(v versionOf) []string {
			if m := v.Data.MetadataOptions; m != nil {
				return optional(string(m.HttpTokens))
			}
			return nil
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(v versionOf) bool { return !match(v) })
	page, next, err := pagedFrom(1, query{ids: append(in.Versions, aws.ToString(in.LaunchTemplateId), aws.ToString(in.LaunchTemplateName)), filters: in.Filters, max: in.MaxResults, next: in.NextToken, call: "DescribeLaunchTemplateVersions"}, rows,
		func(v versionOf) string { return fmt.Sprintf("%s %010d", v.ID, maxVersions*100-v.Number) })
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeLaunchTemplateVersionsOutput{NextToken: next, LaunchTemplateVersions: []types.LaunchTemplateVersion{}}
	for _, v := range page {
		view, err := versionView(v.LaunchTemplate, v.TemplateVersion)
		if err != nil {
			return nil, err
		}
		out.LaunchTemplateVersions = append(out.LaunchTemplateVersions, *view)
	}
	return out, nil
}

// versions are those that are asked for, by name or between two numbers.
func (s *Service) versions(in *ec2.DescribeLaunchTemplateVersionsInput) ([]versionOf, error) {
	var templates []LaunchTemplate
	one := aws.ToString(in.LaunchTemplateId) != "" || aws.ToString(in.LaunchTemplateName) != ""
	if one {
		t, err := s.template(in.LaunchTemplateId, in.LaunchTemplateName)
		if err != nil {
			return nil, err
		}
		templates = []LaunchTemplate{t}
	} else {
		if len(in.Versions) == 0 || slices.ContainsFunc(in.Versions, func(v string) bool { return v != "$Latest" && v != "$Default" }) {
			return nil, refuse("MissingParameter", "Either a launch template ID or a launch template name must be specified in the request.")
		}
		templates = s.templateFamily.all()
	}
	low, high := int64(0), int64(1<<62)
	for name, to := range map[*string]*int64{in.MinVersion: &low, in.MaxVersion: &high} {
		if name == nil {
			continue
		}
		n, err := strconv.ParseInt(*name, 10, 64)
		if err != nil {
			return nil, refuse("InvalidLaunchTemplateId.VersionMalformed", "Invalid launch template version: %s", *name)
		}
		*to = n
	}
	var rows []versionOf
	for _, t := range templates {
		for _, name := range in.Versions {
			v, err := t.version(name)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(rows, func(have versionOf) bool { return have.ID == t.ID && have.Number == v.Number }) {
				rows = append(rows, versionOf{t, v})
			}
		}
		for _, v := range t.Versions {
			if len(in.Versions) == 0 && low <= v.Number && v.Number <= high {
				rows = append(rows, versionOf{t, v})
			}
		}
	}
	return rows, nil
}

// versionView shows a version. What a template answers with has the members of what
// it was made with, under types of other names.
func versionView(t LaunchTemplate, v TemplateVersion) (*types.LaunchTemplateVersion, error) {
	data, err := json.Marshal(v.Data)
	if err != nil {
		return nil, err
	}
	var shown types.ResponseLaunchTemplateData
	if err := json.Unmarshal(data, &shown); err != nil {
		return nil, err
	}
	return &types.LaunchTemplateVersion{
		LaunchTemplateId: aws.String(t.ID), LaunchTemplateName: aws.String(t.Name), VersionNumber: aws.Int64(v.Number), VersionDescription: pointer(v.Description),
		CreateTime: aws.Time(v.Created), CreatedBy: aws.String(v.By), DefaultVersion: aws.Bool(v.Number == t.Default), LaunchTemplateData: &shown,
	}, nil
}
