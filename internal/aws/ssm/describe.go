package ssm

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// DescribeParameters lists the account's parameters without their values.
func (s *Service) DescribeParameters(_ context.Context, in *ssm.DescribeParametersInput) (*ssm.DescribeParametersOutput, error) {
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	if aws.ToBool(in.Shared) {
		return nil, invalid("Shared parameters are not supported here.")
	}
	filters := slices.Clone(in.ParameterFilters)
	for _, f := range in.Filters {
		option := "Equals"
		if f.Key == types.ParametersFilterKeyName {
			option = "BeginsWith" // as the older kind of filters compares names
		}
		filters = append(filters, types.ParameterStringFilter{Key: aws.String(string(f.Key)), Values: f.Values, Option: &option})
	}
	match, err := filter(filters, "Path", "Name", "Type", "KeyId", "Tier", "DataType")
	if err != nil {
		return nil, err
	}
	all := map[string]Parameter{}
	var names []string
	for name, p := range s.parameters.List("") {
		if match(&p) {
			all[name] = p
			names = append(names, name)
		}
	}
	page, next, err := pageOf(names, in.MaxResults, 50, in.NextToken, []any{in.Filters, in.ParameterFilters})
	if err != nil {
		return nil, err
	}
	out := &ssm.DescribeParametersOutput{Parameters: []types.ParameterMetadata{}, NextToken: next}
	for _, name := range page {
		p := all[name]
		out.Parameters = append(out.Parameters, types.ParameterMetadata{
			Name: aws.String(name), ARN: aws.String(s.arn(name)), Type: types.ParameterType(p.Type), Version: p.Number, DataType: aws.String(p.DataType),
			LastModifiedDate: aws.Time(p.Modified), LastModifiedUser: aws.String(p.User), Tier: types.ParameterTier(p.Tier),
			Policies: []types.ParameterInlinePolicy{}, Description: given(p.Description), AllowedPattern: given(p.Pattern),
		})
	}
	return out, nil
}

// filter makes a function of filters; a parameter must pass all of them. Known are
// their keys; tag:KEY is known where Path is.
func filter(filters []types.ParameterStringFilter, known ...string) (func(*Parameter) bool, error) {
	var all []func(*Parameter) bool
	for _, f := range filters {
		key, option := aws.ToString(f.Key), aws.ToString(f.Option)
		tag, isTag := strings.CutPrefix(key, "tag:")
		if !slices.Contains(known, key) && !(isTag && slices.Contains(known, "Path")) {
			return nil, &types.InvalidFilterKey{Message: aws.String("The following filter key is not valid: " + key + ". Valid filter keys include: [" + strings.Join(known, ", ") + "].")}
		}
		if len(f.Values) == 0 && !isTag {
			return nil, &types.InvalidFilterValue{Message: aws.String("The following filter values are missing : null for filter key " + key)}
		}
		test, err := comparison(key, option, f.Values)
		if err != nil {
			return nil, err
		}
		all = append(all, func(p *Parameter) bool {
			if isTag {
				v, ok := p.Tags[tag]
				return ok && (len(f.Values) == 0 || test(v))
			}
			switch key {
			case "Path", "Name":
				return test(p.Name)
			case "Type":
				return test(p.Type)
			case "Tier":
				return test(p.Tier)
			case "DataType":
				return test(p.DataType)
			case "Label":
				return true // of versions: the caller's
			}
			return false // KeyId: no parameter has a key
		})
	}
	return func(p *Parameter) bool {
		return !slices.ContainsFunc(all, func(f func(*Parameter) bool) bool { return !f(p) })
	}, nil
}

// comparison compares by an option: with any one of the values.
func comparison(key, option string, values []string) (func(string) bool, error) {
	compare := func(v, s string) bool { return v == s }
	switch {
	case key == "Path":
		if option != "" && option != "OneLevel" && option != "Recursive" {
			return nil, badOption(key, option, "[OneLevel, Recursive]")
		}
		for _, v := range values {
			if err := checkPath(v); err != nil {
				return nil, err
			}
		}
		compare = func(path, name string) bool { return under(name, path, option == "Recursive") }
	case key == "Name" && (option == "" || option == "Equals"):
		compare = func(v, name string) bool { return bare(v) == bare(name) }
	case key == "Name" && option == "Contains":
		compare = func(v, name string) bool { return strings.Contains(name, v) }
	case option == "BeginsWith" && key != "Type":
		compare = func(v, s string) bool { return strings.HasPrefix(bare(s), bare(v)) }
	case option != "" && option != "Equals":
		return nil, badOption(key, option, "[BeginsWith, Equals]")
	}
	return func(s string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return compare(v, s) })
	}, nil
}

func badOption(key, option, valid string) error {
	return &types.InvalidFilterOption{Message: aws.String("The following filter option is not valid: " + option + " for filter key " + key + ". Valid options include: " + valid)}
}

// labelsOf are those that filters ask for; nil: none does.
func labelsOf(filters []types.ParameterStringFilter) []string {
	for _, f := range filters {
		if aws.ToString(f.Key) == "Label" {
			return f.Values
		}
	}
	return nil
}

// pageOf sorts keys and cuts a page, with a token that is good for this query alone.
func pageOf(keys []string, size *int32, most int, token *string, query []any) (page []string, next *string, err error) {
	if size != nil && (*size < 1 || int(*size) > most) {
		return nil, nil, invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and %d", *size, most)
	}
	if size != nil {
		most = int(*size)
	}
	slices.Sort(keys)
	mark := digest(query)
	if t := aws.ToString(token); t != "" {
		after, ok := unseal(t, mark)
		if !ok {
			return nil, nil, &types.InvalidNextToken{Message: aws.String("The specified token isn't valid.")}
		}
		from, found := slices.BinarySearch(keys, after)
		if found {
			from++
		}
		keys = keys[from:]
	}
	if len(keys) <= most {
		return keys, nil, nil
	}
	return keys[:most], aws.String(seal(mark, keys[most-1])), nil
}
