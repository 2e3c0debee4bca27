package cloudformation

import (
	"context"
	"errors"
	"strings"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudformation/resources"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// perform carries out one order, as whom the stack acts for, and says what became of it.
func (s *Service) perform(ctx context.Context, r *Stack, o stack.Order, again bool, tell func(stack.Report)) stack.Report {
	report := stack.Report{Token: o.Token, What: stack.Failed, PhysicalID: o.PhysicalID}
	handler, known := resources.Find(o.Type)
	if !known {
		report.Reason = "Unrecognized resource type: " + o.Type
		return report
	}
	var tags map[string]string
	if o.Action == stack.ActCreate || o.Action == stack.ActReplace {
		tags = map[string]string{}
		for _, t := range o.SystemTags {
			tags[t.Key] = t.Value
		}
	}
	call := s.calling(r.RoleARN, r.Operation.Actor, tags)
	var err error
	if o.Properties, err = resolved(o.Properties, func(operation string, in any) (any, error) { return call(ctx, "ssm", operation, in) }); err != nil {
		report.Reason = api.Message(err)
		return report
	}
	made, err := handler.Do(ctx, &resources.Job{
		Order: o, Place: s.Place, Again: again, Since: r.Operation.Began,
		Call: call,
		Initiated: func(id string) {
			tell(stack.Report{Token: o.Token, What: stack.Initiated, PhysicalID: id})
		},
	})
	report.PhysicalID = made.ID
	switch {
	case err == nil:
		report.What, report.Attributes = stack.Done, made.Attributes
	case errors.Is(err, resources.ErrReplace):
		report.What = stack.NeedsReplacement
	default:
		report.Reason = resources.Reason(err, newID(), newID())
	}
	return report
}

// resolved are properties with the values of their dynamic references, which are read of
// Parameter Store by call. There is no store of secrets.
func resolved(properties map[string]any, call func(operation string, in any) (any, error)) (map[string]any, error) {
	if properties == nil {
		return nil, nil
	}
	v, err := template.ResolveDynamic(properties, func(d template.Dynamic) (string, error) {
		if d.Service != "ssm" {
			return "", errors.New("Dynamic references of " + d.Service + " are not supported here: " + d.Text)
		}
		name := d.Name
		if d.Version != "" {
			name += ":" + d.Version
		}
		p, err := readParameter(call, name)
		if err != nil {
			return "", err
		}
		if p == nil {
			return "", errors.New("Parameters: [ssm:" + strings.TrimPrefix(strings.Trim(d.Text, "{}"), "resolve:ssm:") + "] cannot be found.")
		}
		return *p.Value, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}
