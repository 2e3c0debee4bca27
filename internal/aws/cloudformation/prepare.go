package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudformation/resources"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// wish is what a call wants a stack to be.
type wish struct {
	name, id     string
	text         string
	given        []types.Parameter
	previous     map[string]template.Value // nil of a new stack
	tags         []spec.Tag
	capabilities []types.Capability
}

// parse reads a template and refuses what stacks can't have here. What is made under a
// condition is looked at when it is known.
func parse(text string) (*template.Template, error) {
	t, err := template.Parse(text)
	if err == nil {
		err = spec.Check(t)
	}
	if err != nil {
		return nil, refusal(err)
	}
	var always []string
	for _, r := range t.Resources {
		if r.Condition == "" {
			always = append(always, r.Type)
		}
	}
	return t, recognized(always)
}

// recognized refuses types of resources that have no handler.
func recognized(kinds []string) error {
	var unknown []string
	for _, kind := range kinds {
		if _, ok := resources.Find(kind); !ok && !slices.Contains(unknown, kind) {
			unknown = append(unknown, kind)
		}
	}
	if len(unknown) > 0 {
		return api.ValidationError("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
	}
	return nil
}

// deployment evaluates a wish as far as that needs nothing made.
func (s *Service) deployment(ctx context.Context, w wish) (stack.Deployment, *template.Scope, error) {
	var none stack.Deployment
	t, err := parse(w.text)
	if err != nil {
		return none, nil, err
	}
	if err := acknowledged(t, w.capabilities); err != nil {
		return none, nil, err
	}
	given := map[string]template.Given{}
	for _, p := range w.given {
		key := aws.ToString(p.ParameterKey)
		if aws.ToBool(p.UsePreviousValue) && p.ParameterValue != nil {
			return none, nil, api.ValidationError("Invalid input for parameter key %s. Cannot specify usePreviousValue as true as well as providing parameter value", key)
		}
		given[key] = template.Given{Value: aws.ToString(p.ParameterValue), Previous: aws.ToBool(p.UsePreviousValue)}
	}
	var failed error
	values, err := t.Values(given, w.previous, s.lookups(ctx, &failed))
	if failed != nil {
		return none, nil, failed
	}
	if err != nil {
		return none, nil, refusal(err)
	}
	env := template.Environment{
		AccountID: s.Place.AccountID, Region: s.Place.Region, Partition: s.Place.Partition, URLSuffix: "amazonaws.com",
		StackName: w.name, StackID: w.id, Parameters: values, Zones: map[string][]string{s.Place.Region: s.Zones},
	}
	scope, err := t.In(env)
	if err != nil {
		return none, nil, refusal(err)
	}
	var present []string
	for _, r := range scope.Resources() {
		present = append(present, r.Type)
	}
	if err := recognized(present); err != nil {
		return none, nil, err
	}
	imports, err := scope.Imports()
	if err != nil {
		return none, nil, refusal(err)
	}
	for _, name := range imports {
		if of, value, ok := s.exported(name); ok && of != w.id {
			if env.Exports == nil {
				env.Exports = map[string]string{}
			}
			env.Exports[name] = value
		}
	}
	if scope, err = t.In(env); err == nil {
		err = scope.CheckRules(template.Lookups{})
	}
	if err == nil {
		_, err = scope.Graph()
	}
	return stack.Deployment{Template: w.text, Environment: env, Tags: spec.NormalTags(w.tags)}, scope, refusal(err)
}

// acknowledged refuses a template that makes identities nobody has acknowledged.
func acknowledged(t *template.Template, given []types.Capability) error {
	needed, _ := spec.Capabilities(t)
	for _, c := range given {
		if string(c) == needed || c == types.CapabilityCapabilityNamedIam {
			return nil
		}
	}
	if needed == "" {
		return nil
	}
	return &types.InsufficientCapabilitiesException{Message: aws.String("Requires capabilities : [" + needed + "]")}
}

// exported finds an export: the ARN of its stack, and its value.
func (s *Service) exported(name string) (id, value string, ok bool) {
	for _, r := range s.stacks.Shared("") {
		if v, has := r.Exports[name]; has {
			return r.ID, v, true
		}
	}
	return "", "", false
}

// start is what an operation of a stack begins with: who else exports what, and who uses
// what this one exports.
func (s *Service) start(id string) stack.Start {
	start := stack.Start{Seed: newID(), Exported: map[string]string{}, Imported: map[string][]string{}}
	own, _ := s.stacks.Get(keyOf(id))
	for _, r := range s.stacks.Shared("") {
		if r.ID == id {
			continue
		}
		for name := range r.Exports {
			start.Exported[name] = r.Name
		}
		for _, name := range r.Imports {
			if _, ours := own.Exports[name]; ours {
				start.Imported[name] = append(start.Imported[name], r.Name)
			}
		}
	}
	return start
}

func tagsOf(list []types.Tag) []spec.Tag {
	tags := []spec.Tag{}
	for _, t := range list {
		tags = append(tags, spec.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	return tags
}

// checkTags refuses tags that nothing can have.
func checkTags(list []types.Tag) error {
	if len(list) > 50 {
		return api.ValidationError("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	for _, t := range list {
		if strings.HasPrefix(strings.ToLower(aws.ToString(t.Key)), "aws:") {
			return api.ValidationError("aws: prefixed tag key names are not allowed for external use.")
		}
	}
	return nil
}

// checkUnique refuses tags of which two have one key. Those of a change set it isn't asked
// about: eksctl puts a stack's own tags before all that it would set, and the last counts.
func checkUnique(list []types.Tag) error {
	seen := map[string]bool{}
	for _, t := range list {
		if seen[aws.ToString(t.Key)] {
			return api.ValidationError("Tags contain duplicate keys; tag keys must be unique")
		}
		seen[aws.ToString(t.Key)] = true
	}
	return nil
}

func capabilityNames(list []types.Capability) []string {
	var names []string
	for _, c := range list {
		names = append(names, string(c))
	}
	return names
}
