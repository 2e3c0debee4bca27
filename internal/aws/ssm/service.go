package ssm

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/store"
)

// Deps is what a Service is made of.
type Deps struct {
	Store *store.Store
	Place api.Place
	Now   func() time.Time
	// Images are those that EKS's nodes are made of.
	Images func() []Image
	// Exists says whether EC2 knows an image.
	Exists func(id string) bool
}

// Service answers Parameter Store's API.
type Service struct {
	Deps
	parameters *store.Table[Parameter] // by name
	versions   *store.Table[Version]   // by versionKey
}

// New makes the service. Its tables are registered in d.Store, which is loaded
// afterwards.
func New(d Deps) *Service {
	return &Service{
		Deps:       d,
		parameters: store.NewTable[Parameter](d.Store, "ssm/parameter"),
		versions:   store.NewTable[Version](d.Store, "ssm/version"),
	}
}

// Service lists the operations for the front door.
func (s *Service) Service() *api.Service {
	svc := &api.Service{ID: "ssm", Action: "ssm", Resource: s.ofResource}
	api.Add(svc, "PutParameter", s.PutParameter, func(_ context.Context, in *ssm.PutParameterInput) []string { return s.arns(in.Name) })
	api.WithKeys(svc, "PutParameter", putKeys)
	api.WithNeeds(svc, "PutParameter", func(_ context.Context, in *ssm.PutParameterInput) []api.Need {
		if len(in.Tags) == 0 {
			return nil
		}
		return []api.Need{{Action: "ssm:AddTagsToResource", Resources: s.arns(in.Name)}}
	})
	api.Add(svc, "GetParameter", s.GetParameter, func(_ context.Context, in *ssm.GetParameterInput) []string { return s.arns(in.Name) })
	api.Add(svc, "GetParameters", s.GetParameters, func(_ context.Context, in *ssm.GetParametersInput) []string { return s.arnsOf(in.Names) })
	api.Add(svc, "GetParametersByPath", s.GetParametersByPath, func(_ context.Context, in *ssm.GetParametersByPathInput) []string { return s.arns(in.Path) })
	api.WithKeys(svc, "GetParametersByPath", func(_ context.Context, in *ssm.GetParametersByPathInput, key string) policy.Values {
		if key != "ssm:recursive" || in.Recursive == nil {
			return policy.Values{}
		}
		return policy.One(strconv.FormatBool(*in.Recursive))
	})
	api.Add(svc, "GetParameterHistory", s.GetParameterHistory, func(_ context.Context, in *ssm.GetParameterHistoryInput) []string { return s.arns(in.Name) })
	api.Add(svc, "DescribeParameters", s.DescribeParameters, nil)
	api.Add(svc, "DeleteParameter", s.DeleteParameter, func(_ context.Context, in *ssm.DeleteParameterInput) []string { return s.arns(in.Name) })
	api.Add(svc, "DeleteParameters", s.DeleteParameters, func(_ context.Context, in *ssm.DeleteParametersInput) []string { return s.arnsOf(in.Names) })
	api.Add(svc, "LabelParameterVersion", s.LabelParameterVersion, func(_ context.Context, in *ssm.LabelParameterVersionInput) []string { return s.arns(in.Name) })
	api.Add(svc, "UnlabelParameterVersion", s.UnlabelParameterVersion, func(_ context.Context, in *ssm.UnlabelParameterVersionInput) []string { return s.arns(in.Name) })
	api.Add(svc, "AddTagsToResource", s.AddTagsToResource, func(_ context.Context, in *ssm.AddTagsToResourceInput) []string {
		return s.tagged(in.ResourceType, in.ResourceId)
	})
	api.Add(svc, "RemoveTagsFromResource", s.RemoveTagsFromResource, func(_ context.Context, in *ssm.RemoveTagsFromResourceInput) []string {
		return s.tagged(in.ResourceType, in.ResourceId)
	})
	api.Add(svc, "ListTagsForResource", s.ListTagsForResource, func(_ context.Context, in *ssm.ListTagsForResourceInput) []string {
		return s.tagged(in.ResourceType, in.ResourceId)
	})
	return svc
}

// putKeys are the keys of what a call would write.
func putKeys(_ context.Context, in *ssm.PutParameterInput, key string) policy.Values {
	switch {
	case key == "ssm:overwrite" && in.Overwrite != nil:
		return policy.One(strconv.FormatBool(*in.Overwrite))
	case key == "ssm:policies" && in.Policies != nil:
		return policy.One(*in.Policies)
	}
	return policy.Values{}
}

// ofResource answers for the condition keys of a parameter: its tags.
func (s *Service) ofResource(arn, key string) policy.Values {
	tag, ok := strings.CutPrefix(key, "aws:resourcetag/")
	if !ok {
		return policy.Values{}
	}
	p, _ := s.find(arn)
	return api.TagValue(p.Tags, tag)
}

// arns are those of a name, or of a name with a selector.
func (s *Service) arns(name *string) []string {
	if aws.ToString(name) == "" {
		return nil
	}
	return []string{s.arn(plain(*name))}
}

func (s *Service) arnsOf(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, s.arns(&n)...)
	}
	return all
}

// arn is a parameter's; public ones are of no account.
func (s *Service) arn(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	account := s.Place.AccountID
	if strings.HasPrefix(name, publicPath) {
		account = ""
	}
	return "arn:" + s.Place.Partition + ":ssm:" + s.Place.Region + ":" + account + ":parameter/" + bare(name)
}

// find finds a parameter by its name or ARN.
func (s *Service) find(name string) (Parameter, bool) { return s.findIn(s.parameters.Get, name) }

func (s *Service) findIn(get func(string) (Parameter, bool), name string) (Parameter, bool) {
	if rest, ok := strings.CutPrefix(name, s.arn("")); ok {
		if p, found := get("/" + rest); found {
			return p, true
		}
		name = rest
	}
	return get(name)
}

func invalid(format string, args ...any) error {
	return api.Errorf(http.StatusBadRequest, "ValidationException", format, args...)
}
