package cloudformation

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
)

func (s *Service) addExports(v *api.Service) {
	api.Add(v, "ListExports", s.ListExports, nil)
	api.Add(v, "ListImports", s.ListImports, nil)
}

// ListExports lists what stacks export.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListExports.html
func (s *Service) ListExports(_ context.Context, in *cloudformation.ListExportsInput) (*cloudformation.ListExportsOutput, error) {
	list := []types.Export{}
	for _, r := range s.stacks.Shared("") {
		for name, value := range r.Exports {
			list = append(list, types.Export{Name: aws.String(name), Value: aws.String(value), ExportingStackId: aws.String(r.ID)})
		}
	}
	slices.SortFunc(list, func(a, b types.Export) int { return cmp.Compare(*a.Name, *b.Name) })
	out := &cloudformation.ListExportsOutput{}
	var err error
	out.Exports, out.NextToken, err = page(list, in.NextToken, 100, func(x types.Export) string { return *x.Name })
	return out, err
}

// ListImports lists the stacks that use an export.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListImports.html
func (s *Service) ListImports(_ context.Context, in *cloudformation.ListImportsInput) (*cloudformation.ListImportsOutput, error) {
	if _, _, ok := s.exported(*in.ExportName); !ok {
		return nil, api.ValidationError("No export named %s found", *in.ExportName)
	}
	list := []string{}
	for _, r := range s.stacks.Shared("") {
		if slices.Contains(r.Imports, *in.ExportName) {
			list = append(list, r.Name)
		}
	}
	if len(list) == 0 {
		return nil, api.ValidationError("Export '%s' is not imported by any stack.", *in.ExportName)
	}
	out := &cloudformation.ListImportsOutput{}
	var err error
	out.Imports, out.NextToken, err = page(list, in.NextToken, 100, func(x string) string { return x })
	return out, err
}
