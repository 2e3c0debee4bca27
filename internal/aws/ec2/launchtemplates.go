package ec2

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// LaunchTemplate is a named list of versions of parameters for a launch.
type LaunchTemplate struct {
	ID, Name string // "lt-…"
	Created  time.Time
	By       string // ARN
	Default  int64  // version
	Latest   int64
	Versions []TemplateVersion // by number
	Tags     map[string]string
}

// TemplateVersion is one version of a launch template; it never changes.
type TemplateVersion struct {
	Number      int64
	Description string
	Created     time.Time
	By          string
	Data        types.RequestLaunchTemplateData
}

// maxVersions of a launch template.
const maxVersions = 10000

func (s *Service) addLaunchTemplates(svc *api.Service) {
	about := func(id, name *string) []string {
		if t, err := s.template(id, name); err == nil {
			return s.on("launch-template", &t.ID)
		}
		return s.on("launch-template", made)
	}
	add(s, svc, "CreateLaunchTemplate", s.CreateLaunchTemplate, func(*ec2.CreateLaunchTemplateInput) []string { return s.on("launch-template", made) })
	add(s, svc, "CreateLaunchTemplateVersion", s.CreateLaunchTemplateVersion, func(in *ec2.CreateLaunchTemplateVersionInput) []string {
		return about(in.LaunchTemplateId, in.LaunchTemplateName)
	})
	add(s, svc, "ModifyLaunchTemplate", s.ModifyLaunchTemplate, func(in *ec2.ModifyLaunchTemplateInput) []string {
		return about(in.LaunchTemplateId, in.LaunchTemplateName)
	})
	keyed(svc, "ModifyLaunchTemplate", func(in *ec2.ModifyLaunchTemplateInput, key string) policy.Values {
		if in.DefaultVersion == nil {
			return policy.Values{}
		}
		return changed(key, "DefaultVersion", in.DefaultVersion)
	})
	add(s, svc, "DeleteLaunchTemplate", s.DeleteLaunchTemplate, func(in *ec2.DeleteLaunchTemplateInput) []string {
		return about(in.LaunchTemplateId, in.LaunchTemplateName)
	})
	add(s, svc, "DeleteLaunchTemplateVersions", s.DeleteLaunchTemplateVersions, func(in *ec2.DeleteLaunchTemplateVersionsInput) []string {
		return about(in.LaunchTemplateId, in.LaunchTemplateName)
	})
	add(s, svc, "DescribeLaunchTemplates", s.DescribeLaunchTemplates, nil)
	add(s, svc, "DescribeLaunchTemplateVersions", s.DescribeLaunchTemplateVersions, nil)
}

var templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)

// CreateLaunchTemplate makes a template with its first version.
func (s *Service) CreateLaunchTemplate(ctx context.Context, in *ec2.CreateLaunchTemplateInput) (*ec2.CreateLaunchTemplateOutput, error) {
	name := aws.ToString(in.LaunchTemplateName)
	if !templateName.MatchString(name) {
		return nil, refuse("InvalidLaunchTemplateName.MalformedException", "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.")
	}
	if in.LaunchTemplateData == nil {
		return nil, absent("LaunchTemplateData")
	}
	if err := checkTemplate(in.LaunchTemplateData); err != nil {
		return nil, err
	}
	tags, err := tagsFor(ctx, types.ResourceTypeLaunchTemplate, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	now, by := s.Now().UTC(), api.CallerFrom(ctx).ARN
	t := LaunchTemplate{
		ID: newID("lt-"), Name: name, Created: now, By: by, Default: 1, Latest: 1, Tags: tags,
		Versions: []TemplateVersion{{1, aws.ToString(in.VersionDescription), now, by, *in.LaunchTemplateData}},
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if id, err := s.repeated(tx, "CreateLaunchTemplate", in.ClientToken, in); err != nil {
			return err
		} else if id != "" {
			t, err = s.templateFamily.find(tx, id)
			return err
		}
		all := s.templateFamily.list(tx)
		if slices.ContainsFunc(all, func(other LaunchTemplate) bool { return other.Name == name }) {
			return refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
		if len(all) >= maxLaunchTemplate {
			return refuse("LaunchTemplateLimitExceeded", "The maximum number of launch templates has been reached.")
		}
		s.templateFamily.put(tx, t.ID, t)
		s.remember(tx, "CreateLaunchTemplate", in.ClientToken, in, t.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateLaunchTemplateOutput{LaunchTemplate: templateView(t)}, nil
}

// checkTemplate refuses what AWS refuses in a template at once: all else is checked
// at the launch.
func checkTemplate(d *types.RequestLaunchTemplateData) error {
	if d.InstanceType != "" && d.InstanceRequirements != nil {
		return refuse("InvalidParameterCombination", "Cannot specify both an instance type and instance requirements.")
	}
	if len(d.NetworkInterfaces) > 0 && (len(d.SecurityGroupIds) > 0 || len(d.SecurityGroups) > 0) {
		return refuse("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	for _, spec := range d.TagSpecifications {
		if !slices.Contains(launched, spec.ResourceType) {
			return invalid("'%s' is not a valid taggable resource type for this operation.", spec.ResourceType)
		}
	}
	if m := d.MetadataOptions; m != nil && m.HttpPutResponseHopLimit != nil {
		if err := checkHops(*m.HttpPutResponseHopLimit, 1); err != nil {
			return err
		}
	}
	_, err := userDataOf(d)
	return err
}

// launched are the kinds of what a launch makes and a template can tag.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_LaunchTemplateTagSpecificationRequest.html
var launched = []types.ResourceType{types.ResourceTypeInstance, types.ResourceTypeVolume, types.ResourceTypeNetworkInterface, types.ResourceTypeSpotInstancesRequest}

// template finds a template by the one of id and name that is given.
func (s *Service) template(id, name *string) (LaunchTemplate, error) {
	switch {
	case aws.ToString(id) != "" && aws.ToString(name) != "":
		return LaunchTemplate{}, refuse("InvalidParameterCombination", "Specify either a launch template ID or a launch template name, but not both.")
	case aws.ToString(id) == "" && aws.ToString(name) == "":
		return LaunchTemplate{}, refuse("MissingParameter", "Either a launch template ID or a launch template name must be specified in the request.")
	}
	for _, t := range s.templateFamily.all() {
		if t.ID == aws.ToString(id) || t.Name == aws.ToString(name) {
			return t, nil
		}
	}
	if aws.ToString(id) != "" {
		return LaunchTemplate{}, refuse("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", *id)
	}
	return LaunchTemplate{}, refuse("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", *name)
}

// retemplate changes a template.
func (s *Service) retemplate(ctx context.Context, id, name *string, change func(*LaunchTemplate) error) (LaunchTemplate, error) {
	t, err := s.template(id, name)
	if err != nil {
		return t, err
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		if t, err = s.templateFamily.find(tx, t.ID); err != nil {
			return err
		}
		t.Versions = slices.Clone(t.Versions)
		if err := change(&t); err != nil {
			return err
		}
		s.templateFamily.put(tx, t.ID, t)
		return nil
	})
	return t, err
}

// CreateLaunchTemplateVersion adds a version, made of an earlier one if one is
// named.
func (s *Service) CreateLaunchTemplateVersion(ctx context.Context, in *ec2.CreateLaunchTemplateVersionInput) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	if in.LaunchTemplateData == nil {
		return nil, absent("LaunchTemplateData")
	}
	t, err := s.retemplate(ctx, in.LaunchTemplateId, in.LaunchTemplateName, func(t *LaunchTemplate) error {
		data := types.RequestLaunchTemplateData{}
		if aws.ToString(in.SourceVersion) != "" {
			source, err := t.version(*in.SourceVersion)
			if err != nil {
				return err
			}
			data = source.Data
		}
		if err := overlay(&data, in.LaunchTemplateData); err != nil {
			return err
		}
		if err := checkTemplate(&data); err != nil {
			return err
		}
		if len(t.Versions) >= maxVersions {
			return refuse("VersionLimitExceeded", "The maximum number of versions of the launch template has been reached.")
		}
		t.Latest++
		t.Versions = append(t.Versions, TemplateVersion{t.Latest, aws.ToString(in.VersionDescription), s.Now().UTC(), api.CallerFrom(ctx).ARN, data})
		return nil
	})
	if err != nil {
		return nil, err
	}
	view, err := versionView(t, t.Versions[len(t.Versions)-1])
	return &ec2.CreateLaunchTemplateVersionOutput{LaunchTemplateVersion: view}, err
}

// overlay lays the members that are given over those that were.
func overlay(under, over *types.RequestLaunchTemplateData) error {
	data, err := json.Marshal(over)
	if err != nil {
		return err
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for name, value := range members {
		if value == nil || value == "" {
			delete(members, name)
		}
	}
	if data, err = json.Marshal(members); err != nil {
		return err
	}
	copied, err := json.Marshal(under)
	if err != nil {
		return err
	}
	*under = types.RequestLaunchTemplateData{} // no memory is shared with a record
	if err := json.Unmarshal(copied, under); err != nil {
		return err
	}
	return json.Unmarshal(data, under)
}

// version finds a version by its number, or as $Latest or $Default.
func (t LaunchTemplate) version(name string) (TemplateVersion, error) {
	number := int64(0)
	switch name {
	case "$Latest":
		number = t.Latest
	case "$Default":
		number = t.Default
	default:
		var err error
		if number, err = strconv.ParseInt(name, 10, 64); err != nil {
			return TemplateVersion{}, refuse("InvalidLaunchTemplateId.VersionMalformed", "Invalid launch template version: %s", name)
		}
	}
	i := slices.IndexFunc(t.Versions, func(v TemplateVersion) bool { return v.Number == number })
	if i < 0 {
		return TemplateVersion{}, refuse("InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version %s", name)
	}
	return t.Versions[i], nil
}

// ModifyLaunchTemplate makes another version the default one.
func (s *Service) ModifyLaunchTemplate(ctx context.Context, in *ec2.ModifyLaunchTemplateInput) (*ec2.ModifyLaunchTemplateOutput, error) {
	if aws.ToString(in.DefaultVersion) == "" {
		return nil, absent("SetDefaultVersion")
	}
	t, err := s.retemplate(ctx, in.LaunchTemplateId, in.LaunchTemplateName, func(t *LaunchTemplate) error {
		v, err := t.version(*in.DefaultVersion)
		t.Default = v.Number
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyLaunchTemplateOutput{LaunchTemplate: templateView(t)}, nil
}

// DeleteLaunchTemplate deletes a template with its versions.
func (s *Service) DeleteLaunchTemplate(ctx context.Context, in *ec2.DeleteLaunchTemplateInput) (*ec2.DeleteLaunchTemplateOutput, error) {
	t, err := s.template(in.LaunchTemplateId, in.LaunchTemplateName)
	if err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx *store.Tx) error { s.templateFamily.drop(tx, t.ID); return nil })
	return &ec2.DeleteLaunchTemplateOutput{LaunchTemplate: templateView(t)}, err
}

// DeleteLaunchTemplateVersions deletes versions, all but the default one.
func (s *Service) DeleteLaunchTemplateVersions(ctx context.Context, in *ec2.DeleteLaunchTemplateVersionsInput) (*ec2.DeleteLaunchTemplateVersionsOutput, error) {
	if len(in.Versions) > 200 {
		return nil, api.Errorf(http.StatusBadRequest, "InvalidParameterValue", "At most 200 versions can be deleted in one request")
	}
	out := &ec2.DeleteLaunchTemplateVersionsOutput{}
	_, err := s.retemplate(ctx, in.LaunchTemplateId, in.LaunchTemplateName, func(t *LaunchTemplate) error {
		out.SuccessfullyDeletedLaunchTemplateVersions, out.UnsuccessfullyDeletedLaunchTemplateVersions = nil, nil
		for _, name := range in.Versions {
			v, err := t.version(name)
			problem := types.ResponseError{}
			switch {
			case err != nil:
				problem.Code, problem.Message = types.LaunchTemplateErrorCodeLaunchTemplateVersionDoesNotExist, aws.String("The specified launch template version does not exist.")
			case v.Number == t.Default:
				problem.Code, problem.Message = types.LaunchTemplateErrorCodeUnexpectedError, aws.String("The default version of a launch template cannot be deleted.")
			default:
				t.Versions = slices.DeleteFunc(t.Versions, func(other TemplateVersion) bool { return other.Number == v.Number })
				out.SuccessfullyDeletedLaunchTemplateVersions = append(out.SuccessfullyDeletedLaunchTemplateVersions, types.DeleteLaunchTemplateVersionsResponseSuccessItem{
					LaunchTemplateId: aws.String(t.ID), LaunchTemplateName: aws.String(t.Name), VersionNumber: aws.Int64(v.Number),
				})
				continue
			}
			out.UnsuccessfullyDeletedLaunchTemplateVersions = append(out.UnsuccessfullyDeletedLaunchTemplateVersions, types.DeleteLaunchTemplateVersionsResponseErrorItem{
				LaunchTemplateId: aws.String(t.ID), LaunchTemplateName: aws.String(t.Name), VersionNumber: aws.Int64(v.Number), ResponseError: &problem,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
