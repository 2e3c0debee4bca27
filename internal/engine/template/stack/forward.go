package stack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// forward begins all resources whose needs are done. When nothing is left it ends
// the phase.
func (m *Machine) forward() bool {
	run := m.state.Run
	begun := func(n string) bool { return run.Steps[n] != nil }
	done := func(n string) bool { s := run.Steps[n]; return s != nil && s.Done && !s.Failed }
	ready := m.graph.Ready(begun, done)
	for _, name := range ready {
		r, _ := m.scope.Template.Resource(name)
		m.start(r)
		if run.Phase != Forward || m.state.Run == nil {
			return true // it failed
		}
	}
	if len(ready) > 0 {
		return true
	}
	if len(run.Orders) > 0 {
		return false
	}
	if len(run.Failed) > 0 {
		// With DisableRollback all that could be made was made.
		status := CreateFailed
		if run.Kind == Update {
			status = UpdateFailed
		}
		m.rest(status, failures(run.Failed))
		return false
	}
	m.finish()
	return true
}

// lookup finds resources as they are.
func (m *Machine) lookup(name string) (template.Made, bool) {
	r, found := m.state.Resources[name]
	if !found {
		return template.Made{}, false
	}
	return template.Made{PhysicalID: r.PhysicalID, Attributes: r.Attributes, Properties: r.Properties}, true
}

// start makes, updates, replaces or leaves one resource.
func (m *Machine) start(r *template.Resource) {
	kind, _ := spec.Find(r.Type)
	after := Resource{
		Type: r.Type, Tags: m.state.Deployed.Tags, Needs: m.graph.Needs(r.Name), DeletionPolicy: r.DeletionPolicy,
	}
	if r.Metadata != nil {
		after.Metadata = r.Metadata.Literal()
	}
	o := Order{Logical: r.Name, Type: r.Type}
	err := m.evaluate(r, kind, &after, &o)
	old := m.state.Resources[r.Name]
	if old != nil && old.unmade() && m.state.Run.Steps[r.Name] == nil {
		// A creation that failed with DisableRollback is tried again.
		if old.PhysicalID != "" && !old.Imported {
			m.doom(r.Name, old, "")
		}
		delete(m.state.Resources, r.Name)
		old = nil
	}
	if old == nil {
		m.create(r.Name, after, o, err)
		return
	}
	if err != nil {
		m.state.Run.Steps[r.Name] = &Step{Action: ActUpdate}
		m.record(r.Name, old, UpdateInProgress, "")
		m.fail(r.Name, "update", old, UpdateFailed, err.Error())
		return
	}
	m.change(r, kind, old, after, o)
}

// evaluate fills in what the resource is to be.
func (m *Machine) evaluate(r *template.Resource, kind *spec.Type, after *Resource, o *Order) error {
	properties, err := m.scope.Properties(r, m.lookup)
	if err != nil {
		return err
	}
	if after.Properties, err = kind.Coerce(r.Name, properties); err != nil {
		return err
	}
	if !template.Known(after.Properties) {
		return &template.Error{Text: "Properties of " + r.Name + " are not known"} // none of its needs may be open
	}
	if err := m.mask(r, kind, after); err != nil {
		return err
	}
	if err := dynamicReferences(r.Type, after.Properties); err != nil {
		return err
	}
	o.Properties = kind.WithTags(after.Properties, after.Tags)
	if o.CreationPolicy, err = m.scope.Value(r.CreationPolicy, m.lookup); err != nil {
		return err
	}
	o.UpdatePolicy, err = m.scope.Value(r.UpdatePolicy, m.lookup)
	return err
}

// mask keeps for events what the properties look like without secrets.
func (m *Machine) mask(r *template.Resource, kind *spec.Type, after *Resource) error {
	masked := m.scope.Masked()
	if masked == m.scope {
		return nil
	}
	shown, err := masked.Properties(r, m.lookup)
	if err != nil {
		return err
	}
	after.Shown, _ = kind.Coerce(r.Name, shown) // a mask need not fit
	return nil
}

// dynamicReferences refuses references that are not well formed, and ssm-secure,
// which none of the types has a property for.
func dynamicReferences(kind string, properties map[string]any) error {
	for name, v := range properties {
		list, err := template.DynamicReferences(v)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(d template.Dynamic) bool { return d.Service == "ssm-secure" }) {
			return &template.Error{Text: fmt.Sprintf("SSM Secure reference is not supported in: [%s/Properties/%s]", kind, name)}
		}
	}
	return nil
}

func (m *Machine) create(name string, after Resource, o Order, err error) {
	if id := m.state.Run.Start.Imports[name]; id != "" {
		m.take(name, id, after, o, err)
		return
	}
	m.state.Run.Steps[name] = &Step{Action: ActCreate}
	r := after
	m.state.Resources[name] = &r
	m.record(name, &r, CreateInProgress, "")
	if err != nil {
		m.fail(name, "create", &r, CreateFailed, err.Error())
		return
	}
	o.Action, o.After = ActCreate, after
	m.order(o)
}

// take has a resource that exists become one of the stack.
func (m *Machine) take(name, id string, after Resource, o Order, err error) {
	m.state.Run.Steps[name] = &Step{Action: ActImport}
	after.PhysicalID, after.Imported = id, true
	r := after
	m.state.Resources[name] = &r
	m.record(name, &r, ImportInProgress, importStarted)
	if err != nil {
		m.fail(name, "import", &r, ImportFailed, err.Error())
		return
	}
	o.Action, o.PhysicalID, o.After = ActImport, id, after
	m.order(o)
}

// change finds out what becomes of a resource that exists.
func (m *Machine) change(r *template.Resource, kind *spec.Type, old *Resource, after Resource, o Order) {
	differences := kind.Differences(old.Properties, after.Properties)
	worst := spec.Never
	for _, d := range differences {
		worst = max(worst, d.Replaces)
	}
	tags := plan.StackTagsDiffer(kind, old.Properties, after.Properties, old.Tags, after.Tags)
	metadata := !template.Equal(old.Metadata, after.Metadata)
	after.PhysicalID, after.Attributes = old.PhysicalID, old.Attributes
	step := &Step{Action: ActUpdate}
	m.state.Run.Steps[r.Name] = step
	switch {
	case worst == spec.Always:
		m.replace(r.Name, kind, old, after, o)
	case len(differences) > 0 || tags || old.Dirty:
		m.begun(r.Name, old, &after, "")
		old.Dirty = true
		o.Action, o.PhysicalID, o.After = ActUpdate, old.PhysicalID, after
		o.Old, o.May = old.had(kind, o.Properties)
		m.order(o)
	case metadata:
		m.begun(r.Name, old, &after, "")
		after.Status = UpdateComplete
		m.state.Resources[r.Name] = &after
		m.record(r.Name, &after, UpdateComplete, "")
		step.Done = true
	default:
		old.Needs, old.DeletionPolicy, old.Tags = after.Needs, after.DeletionPolicy, after.Tags
		step.Done = true
	}
}

// replace orders a new physical resource; the old one stays till the cleanup.
func (m *Machine) replace(name string, kind *spec.Type, old *Resource, after Resource, o Order) {
	m.state.Run.Steps[name].Action = ActReplace
	if m.state.Run.Start.DisableRollback {
		m.begun(name, old, &after, "")
		m.fail(name, "update", old, UpdateFailed, noReplacement)
		return
	}
	m.begun(name, old, &after, replacing)
	if own, same := kind.SameName(old.Properties, after.Properties); same {
		m.fail(name, "update", old, UpdateFailed, fmt.Sprintf(
			"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", own))
		return
	}
	after.PhysicalID, after.Attributes = "", nil
	o.Action, o.After = ActReplace, after
	m.order(o)
}

// fail records that a resource failed, and lets the operation fail with it.
func (m *Machine) fail(name, verb string, r *Resource, s Status, reason string) {
	run := m.state.Run
	m.record(name, r, s, reason)
	if step := run.Steps[name]; step != nil {
		step.Done, step.Failed = true, true
	}
	run.Failed = append(run.Failed, Failure{name, verb})
	if run.Start.DisableRollback && run.Phase == Forward {
		return
	}
	switch {
	case run.Phase == Back:
		return // undo ends when all others did
	case run.Kind == Create:
		m.abandon()
		m.giveUp(failures(run.Failed))
	default:
		m.abandon()
		m.back(UpdateRollback, failures(run.Failed))
	}
}

// giveUp undoes a creation that failed, for a reason that ends in a blank.
func (m *Machine) giveUp(reason string) {
	if m.state.Run.Start.DeleteOnFailure {
		m.back(DeleteInProgress, reason+deleteRequested)
		m.state.Run.Kind = Delete
		return
	}
	m.back(RollbackInProgress, reason+rollbackRequested)
}

// abandon gives up what was begun: results are still told, but of no use.
func (m *Machine) abandon() {
	run := m.state.Run
	for _, o := range m.Resume() {
		kept := run.Orders[o.Token]
		if kept.Cancelled || kept.Action == ActDelete {
			continue
		}
		kept.Cancelled = true
		m.out.Cancel = append(m.out.Cancel, o.Token)
		run.Steps[o.Logical].Done, run.Steps[o.Logical].Failed = true, true
		r := m.state.Resources[o.Logical]
		switch o.Action {
		case ActCreate:
			m.record(o.Logical, r, CreateFailed, creationCancelled)
			run.Failed = append(run.Failed, Failure{o.Logical, "create"})
		case ActImport:
			m.record(o.Logical, r, ImportFailed, importCancelled)
			run.Failed = append(run.Failed, Failure{o.Logical, "import"})
		default:
			m.record(o.Logical, r, UpdateFailed, updateCancelled)
			run.Failed = append(run.Failed, Failure{o.Logical, "update"})
		}
	}
}

// failures is the stack's reason: which resources failed, and in what. It ends in a
// blank.
func failures(list []Failure) string {
	var b strings.Builder
	for _, verb := range []string{"create", "import", "update", "delete"} {
		var names []string
		for _, f := range list {
			if f.Verb == verb && !slices.Contains(names, f.Logical) {
				names = append(names, f.Logical)
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(&b, "The following resource(s) failed to %s: [%s]. ", verb, strings.Join(names, ", "))
		}
	}
	return b.String()
}

// finish ends a creation or an update whose resources are all there.
func (m *Machine) finish() {
	outputs, err := m.outputs()
	run := m.state.Run
	if err != nil {
		m.failWhole(err)
		return
	}
	m.state.Outputs = outputs
	if run.Kind == Create {
		m.state.Before = nil
		m.rest(CreateComplete, "")
		return
	}
	run.Phase = Cleanup
	run.Failed = nil
	m.stack(UpdateCleanup, "")
	for _, name := range m.made() {
		if !m.scope.Present(name) {
			m.doom(name, m.state.Resources[name], "")
			delete(m.state.Resources, name)
		}
	}
}

// outputs evaluates the outputs and checks their exports.
func (m *Machine) outputs() ([]template.OutputValue, error) {
	list, err := m.scope.Outputs(m.lookup)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, o := range list {
		if o.Export == "" {
			continue
		}
		if owner, taken := m.state.Run.Start.Exported[o.Export]; taken {
			return nil, &template.Error{Text: fmt.Sprintf("Export with name %s is already exported by stack %s", o.Export, owner)}
		}
		if _, twice := exports[o.Export]; twice {
			return nil, &template.Error{Text: "Duplicate export names: [" + o.Export + "]"}
		}
		exports[o.Export] = o.Value
	}
	if export, users, used := m.exportInUse(exports); used {
		if _, stays := exports[export]; !stays {
			return nil, &template.Error{Text: exportKept(export, users)}
		}
		return nil, &template.Error{Text: fmt.Sprintf("Export %s cannot be updated as it is in use by %s", export, users)}
	}
	return list, nil
}

// exportKept says that an export can't go.
func exportKept(export, users string) string {
	return fmt.Sprintf("Delete canceled. Cannot delete export %s as it is in use by %s.", export, users)
}

// imports fails an operation that imports what nobody exports.
func (m *Machine) imports() {
	names, err := m.scope.Imports()
	for _, name := range names {
		if _, found := m.scope.Env.Exports[name]; !found && err == nil {
			err = &template.Error{Text: fmt.Sprintf("No export named %s found", name)}
		}
	}
	if err != nil {
		m.failWhole(err)
	}
}

// failWhole fails an operation for a reason that is no resource's.
func (m *Machine) failWhole(err error) {
	run := m.state.Run
	switch {
	case run.Start.DisableRollback && run.Kind == Create:
		m.rest(CreateFailed, err.Error())
	case run.Start.DisableRollback:
		m.rest(UpdateFailed, err.Error())
	case run.Kind == Create:
		m.giveUp(err.Error() + ". ") // AWS has both periods: "…length of 1024 exceeded.. Rollback requested by user."
	default:
		m.back(UpdateRollback, err.Error())
	}
}

// exportInUse finds an export that others use and that would go, or get another
// value.
func (m *Machine) exportInUse(exports map[string]string) (export, users string, used bool) {
	for _, o := range m.state.Outputs {
		by := m.state.Run.Start.Imported[o.Export]
		if value, stays := exports[o.Export]; o.Export == "" || len(by) == 0 || stays && value == o.Value {
			continue
		}
		return o.Export, strings.Join(by, ", "), true
	}
	return "", "", false
}
