package ec2

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/engine/policy"
)

// add registers an operation. What all of EC2's have alike is done here: DryRun
// ends a call that policies allow, and tags asked for at creation need the
// permission to tag (ec2:CreateTags, with ec2:CreateAction).
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
func add[I, O any](s *Service, svc *api.Service, name string, handle func(context.Context, *I) (*O, error), about func(*I) []string) {
	dry := fieldOf[I, *bool]("DryRun")
	guarded := func(ctx context.Context, in *I) (*O, error) {
		if dry != nil && aws.ToBool(dry(in)) {
			return nil, errDryRun()
		}
		return handle(ctx, in)
	}
	var resources func(context.Context, *I) []string
	if about != nil {
		resources = func(_ context.Context, in *I) []string { return about(in) }
	}
	api.Add(svc, name, guarded, resources)
	if specified := fieldOf[I, []types.TagSpecification]("TagSpecifications"); specified != nil {
		api.WithNeeds(svc, name, func(_ context.Context, in *I) []api.Need { return s.tagging(specified(in)) })
		keyed(svc, name, func(*I, string) policy.Values { return policy.Values{} })
	}
}

// keyed adds the condition keys of an operation that follow from its input.
func keyed[I any](svc *api.Service, name string, keys func(in *I, key string) policy.Values) {
	specified := fieldOf[I, []types.TagSpecification]("TagSpecifications")
	api.WithKeys(svc, name, func(_ context.Context, in *I, key string) policy.Values {
		if key == "ec2:createaction" && specified != nil && len(specified(in)) > 0 {
			return policy.One(name)
		}
		return keys(in, key)
	})
}

// fieldOf finds a field of an input by its name, nil if there is none of the type.
func fieldOf[I, F any](name string) func(*I) F {
	f, ok := reflect.TypeFor[I]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[F]() {
		return nil
	}
	return func(in *I) F { return reflect.ValueOf(in).Elem().FieldByIndex(f.Index).Interface().(F) }
}

func (s *Service) tagging(specified []types.TagSpecification) []api.Need {
	var needs []api.Need
	for _, spec := range specified {
		if len(spec.Tags) > 0 && spec.ResourceType != "" {
			needs = append(needs, api.Need{Action: "ec2:CreateTags", Resources: []string{s.arn(string(spec.ResourceType), "*")}})
		}
	}
	return needs
}

// arns are the ARNs of one kind of resource with the ids that a caller gave.
func (s *Service) arns(kind string, ids ...string) (all []string) {
	for _, id := range ids {
		if id != "" {
			all = append(all, s.arn(kind, id))
		}
	}
	return all
}

// on is arns, for optional ids.
func (s *Service) on(kind string, ids ...*string) (all []string) {
	for _, id := range ids {
		all = append(all, s.arns(kind, aws.ToString(id))...)
	}
	return all
}

// made stands for the id of what does not exist yet, or isn't found.
var made = aws.String("*")

// attributeKey answers for ec2:Attribute and ec2:Attribute/NAME, which name what a
// call changes, and to what. Nothing has no name.
func attributeKey(key, name string, values ...string) policy.Values {
	switch {
	case name == "":
	case key == "ec2:attribute":
		return policy.One(name)
	case key == "ec2:attribute/"+strings.ToLower(name):
		return policy.Many(values)
	}
	return policy.Values{}
}

// changed is attributeKey of a value that may not be a text.
func changed(key, name string, value *string) policy.Values {
	if value == nil {
		return attributeKey(key, name)
	}
	return attributeKey(key, name, *value)
}

func errDryRun() error {
	return api.Errorf(http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
}

// refuse makes an error of a client's.
func refuse(code, format string, args ...any) error {
	return api.Errorf(http.StatusBadRequest, code, format, args...)
}

// invalid refuses a parameter's value.
func invalid(format string, args ...any) error {
	return refuse("InvalidParameterValue", format, args...)
}

// invalidCombination refuses parameters that exclude each other.
func invalidCombination(format string, args ...any) error {
	return refuse("InvalidParameterCombination", format, args...)
}

// notThere refuses the id of a resource that does not exist.
func notThere(k kind, id string) error {
	return refuse(k.notFound, "The %s '%s' does not exist", k.one, id)
}

// malformedID refuses an id that does not begin as its kind's do.
func malformedID(k kind, id string) error {
	return refuse(k.malformed, `Invalid id: "%s" (expecting "%s...")`, id, k.prefix)
}

// absent refuses a call without a parameter that it needs.
func absent(parameter string) error {
	return refuse("MissingParameter", "The request must contain the parameter %s", parameter)
}

// unsupported refuses by name what isn't offered here.
func unsupported(what string, args ...any) error {
	return refuse("UnsupportedOperation", what+" is not offered here.", args...)
}

// dependent is the refusal to delete what others need.
func dependent(what, id string) error {
	return refuse("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", what, id)
}
