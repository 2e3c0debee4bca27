package cloudformation

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/eksact/eksact/internal/aws/api"
	"github.com/eksact/eksact/internal/aws/cloudformation/resources"
	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
	"github.com/eksact/eksact/internal/engine/template/stack"
)

// unkept is why a change set can't import what its stack's deletion would take away.
const unkept = "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are "

// importable makes imports of additions whose name the template gives and something has
// already that is no other stack's. It looks as whom the stack will act for, and answers
// with the reason of a change set that fails for that.
func (s *Service) importable(ctx context.Context, role string, scope *template.Scope, changes []plan.Change) (reason string) {
	call := s.calling(role, kept(api.CallerFrom(ctx)), nil)
	owned := sync.OnceValue(s.owned)
	var lost []string
	for i := range changes {
		c := &changes[i]
		kind, known := spec.Find(c.Type)
		handler, served := resources.Find(c.Type)
		if c.Action != "Add" || !known || !served {
			continue
		}
		name, given := template.Text(c.After[kind.NameProperty()])
		if !given || strings.Contains(name, "{{") {
			continue
		}
		id, err := handler.Existing(ctx, &resources.Job{Order: stack.Order{Type: c.Type, Properties: c.After}, Place: s.Place, Call: call}, name)
		if err != nil {
			return c.Logical + ": " + resources.Reason(err, newID(), newID())
		}
		if id == "" || owned()[thing{c.Type, id}] {
			continue
		}
		c.Action, c.PhysicalID = "Import", id
		if r, _ := scope.Template.Resource(c.Logical); !strings.HasPrefix(r.DeletionPolicy, "Retain") {
			lost = append(lost, fmt.Sprintf("%s ({%s=%s})", c.Logical, kind.NameProperty(), name))
		}
	}
	if len(lost) == 0 {
		return ""
	}
	return unkept + strings.Join(lost, ", ")
}

// thing is a resource: its type and physical id.
type thing struct{ kind, id string }

// owned are the resources that stacks have.
func (s *Service) owned() map[thing]bool {
	all := map[thing]bool{}
	for _, r := range s.stacks.Shared("") {
		if r.Status == stack.DeleteComplete {
			continue
		}
		state, err := r.State.open()
		if err != nil {
			continue // which its own operations say
		}
		for _, x := range state.List() {
			all[thing{x.Type, x.PhysicalID}] = true
		}
	}
	return all
}

// imports are what a change set takes over, by logical id.
func imports(changes []plan.Change) map[string]string {
	var all map[string]string
	for _, c := range changes {
		if c.Action != "Import" {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[c.Logical] = c.PhysicalID
	}
	return all
}
