package cloudformation

import (
	"context"
	"errors"

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
	var err error
	if o.Properties, err = resolved(o.Properties); err != nil {
		report.Reason = err.Error()
		return report
	}
	made, err := handler.Do(ctx, &resources.Job{
		Order: o, Place: s.Place, Again: again, Since: r.Operation.Began,
		Call: func(ctx context.Context, service, operation string, in any) (any, error) {
			who, err := s.actor(ctx, r.RoleARN, r.Operation.Actor)
			if err != nil {
				return nil, err
			}
			return s.door.Do(ctx, who, service, operation, in)
		},
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

// resolved are properties without dynamic references, of which none can be resolved:
// there is neither a parameter store nor a store of secrets.
func resolved(properties map[string]any) (map[string]any, error) {
	if properties == nil {
		return nil, nil
	}
	v, err := template.ResolveDynamic(properties, func(d template.Dynamic) (string, error) {
		return "", errors.New("Dynamic references of " + d.Service + " are not supported here: " + d.Text)
	})
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}
