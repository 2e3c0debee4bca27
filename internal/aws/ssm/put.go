package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/store"
)

// Quotas (https://docs.aws.amazon.com/general/latest/gr/ssm.html). Sizes are in bytes.
const (
	mostVersions   = 100
	mostStandard   = 10_000
	standardValue  = 4096
	advancedValue  = 8192
	imageDataType  = "aws:ec2:image"
	simpleDataType = "text"
)

// PutParameter makes a parameter, or another version of it.
func (s *Service) PutParameter(ctx context.Context, in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	name := aws.ToString(in.Name)
	if err := s.checkPut(in); err != nil {
		return nil, err
	}
	p := Parameter{Name: name, Version: Version{
		Number: 1, Type: string(in.Type), Value: aws.ToString(in.Value), DataType: aws.ToString(in.DataType), Tier: string(in.Tier),
		Description: aws.ToString(in.Description), Pattern: aws.ToString(in.AllowedPattern),
		User: api.CallerFrom(ctx).ARN, Modified: s.Now().UTC(),
	}}
	var err error
	if p.Tags, err = with(nil, in.Tags); err != nil {
		return nil, err
	}
	p.Tags = api.WithSystemTags(ctx, p.Tags)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		next := p
		if old, ok := s.parameters.In(tx).Get(name); !ok {
			if err := s.begin(&next); err != nil {
				return err
			}
		} else if !aws.ToBool(in.Overwrite) {
			return &types.ParameterAlreadyExists{Message: aws.String("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")}
		} else if err := s.follow(tx, &next, old, in); err != nil {
			return err
		}
		if err := s.fits(&next); err != nil {
			return err
		}
		s.parameters.In(tx).Put(name, next)
		s.versions.In(tx).Put(versionKey(name, next.Number), next.Version)
		p = next
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ssm.PutParameterOutput{Version: p.Number, Tier: types.ParameterTier(p.Tier)}, nil
}

// checkPut refuses what no parameter can have, and what is not there.
func (s *Service) checkPut(in *ssm.PutParameterInput) error {
	if err := checkName(aws.ToString(in.Name)); err != nil {
		return err
	}
	switch {
	case in.Type == types.ParameterTypeSecureString:
		return &types.UnsupportedParameterType{Message: aws.String("The parameter type SecureString is not supported here: it needs AWS KMS.")}
	case aws.ToString(in.KeyId) != "":
		return &types.InvalidKeyId{Message: aws.String("There is no AWS KMS here: a key is not supported.")}
	case aws.ToString(in.Policies) != "" && *in.Policies != "[]" && *in.Policies != "{}":
		return &types.InvalidPolicyTypeException{Message: aws.String("Parameter policies are not supported here.")}
	case len(in.Tags) > 0 && aws.ToBool(in.Overwrite):
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case !slices.Contains([]string{"", simpleDataType, imageDataType}, aws.ToString(in.DataType)):
		return invalid("The following data type is not supported: %s (Data type names are all lowercase.)", *in.DataType)
	case aws.ToString(in.Value) == "":
		return invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	}
	if _, err := regexp.Compile(aws.ToString(in.AllowedPattern)); err != nil {
		return &types.InvalidAllowedPatternException{Message: aws.String("Invalid allowed pattern: " + *in.AllowedPattern)}
	}
	return nil
}

// begin completes the first version.
func (s *Service) begin(p *Parameter) error {
	if p.Type == "" {
		return invalid("A parameter type is required when you create a parameter.")
	}
	if p.DataType == "" {
		p.DataType = simpleDataType
	}
	if s.parameters.Len() >= mostStandard {
		return &types.ParameterLimitExceeded{Message: aws.String("You have exceeded the number of parameters for this AWS account. Delete one or more parameters and try again.")}
	}
	p.Tier = tier("", p)
	return nil
}

// follow completes the version after another. What the call leaves out stays, save the
// pattern and the description, which are as it says.
func (s *Service) follow(tx *store.Tx, p *Parameter, old Parameter, in *ssm.PutParameterInput) error {
	if p.Type != "" && p.Type != old.Type {
		return &types.HierarchyTypeMismatchException{Message: aws.String("Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")}
	}
	if in.Tier == types.ParameterTierStandard && old.Tier == string(types.ParameterTierAdvanced) {
		return invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	}
	p.Number, p.Type, p.Tags = old.Number+1, old.Type, old.Tags
	if p.DataType == "" {
		p.DataType = old.DataType
	}
	p.Tier = tier(old.Tier, p)
	first := p.Number
	var oldest Version
	for _, v := range s.versions.In(tx).List(p.Name + ":") {
		if v.Number < first {
			first, oldest = v.Number, v
		}
	}
	if p.Number-first < mostVersions {
		return nil
	}
	if len(oldest.Labels) > 0 {
		return &types.ParameterMaxVersionLimitExceeded{Message: aws.String("You attempted to create a new version of " + p.Name + " by calling the PutParameter API with the overwrite flag. Version " +
			number(first) + ", the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.")}
	}
	s.versions.In(tx).Delete(versionKey(p.Name, first))
	return nil
}

// tier is the one that a version is of: Intelligent-Tiering means what the value needs.
func tier(old string, p *Parameter) string {
	standard, advanced := string(types.ParameterTierStandard), string(types.ParameterTierAdvanced)
	switch {
	case old == advanced, p.Tier == advanced:
		return advanced
	case p.Tier == string(types.ParameterTierIntelligentTiering) && len(p.Value) > standardValue:
		return advanced
	}
	return standard
}

// fits refuses a value that is too long for its tier, or not of the form it must have.
func (s *Service) fits(p *Parameter) error {
	switch {
	case p.Tier == string(types.ParameterTierStandard) && len(p.Value) > standardValue:
		return invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", standardValue)
	case len(p.Value) > advancedValue:
		return invalid("Advanced tier parameters support a maximum parameter value of %d characters.", advancedValue)
	case !utf8.ValidString(p.Value):
		return invalid("The parameter's value is no text.")
	case p.DataType == imageDataType && (s.Exists == nil || !s.Exists(p.Value)):
		return invalid("The parameter value %s is not the id of an image that EC2 knows.", p.Value)
	case p.Pattern == "":
		return nil
	}
	values := []string{p.Value}
	if p.Type == string(types.ParameterTypeStringList) {
		values = strings.Split(p.Value, ",")
	}
	whole, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
	if err != nil {
		return &types.InvalidAllowedPatternException{Message: aws.String("Invalid allowed pattern: " + p.Pattern)}
	}
	for _, v := range values {
		if !whole.MatchString(v) {
			return &types.ParameterPatternMismatchException{Message: aws.String("Parameter value, cannot be validated against allowedPattern: " + p.Pattern)}
		}
	}
	return nil
}

// DeleteParameter deletes one with its versions.
func (s *Service) DeleteParameter(ctx context.Context, in *ssm.DeleteParameterInput) (*ssm.DeleteParameterOutput, error) {
	deleted, err := s.delete(ctx, []string{aws.ToString(in.Name)})
	if err == nil && len(deleted) == 0 {
		err = &types.ParameterNotFound{}
	}
	return &ssm.DeleteParameterOutput{}, err
}

// DeleteParameters deletes those that are there, and says which are not.
func (s *Service) DeleteParameters(ctx context.Context, in *ssm.DeleteParametersInput) (*ssm.DeleteParametersOutput, error) {
	deleted, err := s.delete(ctx, in.Names)
	if err != nil {
		return nil, err
	}
	out := &ssm.DeleteParametersOutput{DeletedParameters: deleted}
	for _, n := range in.Names {
		if !slices.Contains(deleted, n) {
			out.InvalidParameters = append(out.InvalidParameters, n)
		}
	}
	return out, nil
}

func (s *Service) delete(ctx context.Context, names []string) (deleted []string, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		deleted = nil
		for _, n := range names {
			p, ok := s.findIn(s.parameters.In(tx).Get, n)
			if !ok {
				continue
			}
			s.parameters.In(tx).Delete(p.Name)
			for key := range s.versions.In(tx).List(p.Name + ":") {
				s.versions.In(tx).Delete(key)
			}
			deleted = append(deleted, n)
		}
		return nil
	})
	return deleted, err
}
