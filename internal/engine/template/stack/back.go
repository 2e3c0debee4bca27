package stack

import (
	"maps"
	"slices"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

func kindOf(name string) *spec.Type {
	kind, found := spec.Find(name)
	if !found {
		return &spec.Type{Name: name}
	}
	return kind
}

// back turns an operation round: what was made is to be deleted, what was updated is
// set back. Orders that were not reported are waited for, each where it matters.
func (m *Machine) back(s Status, reason string) {
	run := m.state.Run
	if m.state.Before == nil && run.Kind == Update {
		// There is nothing to go back to but nothing.
		run.Kind, s = Create, RollbackInProgress
	}
	m.stack(s, reason)
	run.Failed = nil
	run.Steps = map[string]*Step{}
	if run.Kind == Create {
		run.Phase = Cleanup
		for _, name := range m.made() {
			m.doom(name, m.state.Resources[name], m.pending(name)).Fresh = true
		}
		return
	}
	run.Phase = Back
	for _, name := range m.made() {
		if m.state.Before.Resources[name] == nil {
			m.doom(name, m.state.Resources[name], m.pending(name)).Fresh = true
			delete(m.state.Resources, name)
		}
	}
	// What was doomed as the old copy of a replacement lives again.
	run.Doomed = slices.DeleteFunc(run.Doomed, func(d *Doomed) bool {
		old := m.state.Before.Resources[d.Logical]
		return old != nil && old.PhysicalID == d.Resource.PhysicalID && !d.Begun
	})
}

// doomBefore dooms what a rollback that failed would still have brought back.
func (m *Machine) doomBefore() {
	if m.state.Before == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m.state.Before.Resources)) {
		r := m.state.Before.Resources[name]
		if !slices.ContainsFunc(m.state.Run.Doomed, func(d *Doomed) bool { return d.Resource.PhysicalID == r.PhysicalID }) {
			m.doom(name, r, "")
		}
	}
}

// undo sets resources back to what they were before the update, in the order of
// their dependencies.
func (m *Machine) undo() bool {
	run := m.state.Run
	before := m.state.Before
	begun := func(n string) bool { return run.Steps[n] != nil }
	done := func(n string) bool { s := run.Steps[n]; return s != nil && s.Done && !s.Failed }
	needs := map[string][]string{}
	for name, r := range before.Resources {
		needs[name] = r.Needs
	}
	graph := template.NewGraph(slices.Sorted(maps.Keys(before.Resources)), needs)
	progress := false
	for _, name := range graph.Ready(begun, done) {
		if m.pending(name) != "" {
			continue // its update or replacement has to end first
		}
		m.restore(name)
		progress = true
	}
	if progress {
		return true
	}
	if len(run.Orders) > 0 {
		return false
	}
	if len(run.Failed) > 0 {
		m.rest(UpdateRollbackFailed, failures(run.Failed))
		return false
	}
	m.state.Deployed, m.state.Outputs = before.Deployed, before.Outputs
	m.state.Before = nil
	run.Phase = Cleanup
	m.stack(UpdateRollbackCleanup, "")
	return true
}

// restore sets one resource back.
func (m *Machine) restore(name string) {
	run := m.state.Run
	old := *m.state.Before.Resources[name]
	now := m.state.Resources[name]
	step := &Step{Action: ActUpdate}
	run.Steps[name] = step
	kind := kindOf(old.Type)
	skipped := slices.Contains(run.Start.Skip, name)
	switch {
	case now == nil:
		// It was to be removed, and the cleanup had not begun.
		m.state.Resources[name] = &old
		step.Done = true
	case now.PhysicalID != old.PhysicalID:
		left := *now
		left.DeletionPolicy = ""
		m.doom(name, &left, "")
		m.state.Resources[name] = &old
		m.record(name, &old, UpdateComplete, "")
		step.Done = true
	case now.Status == UpdateFailed && !now.Dirty, skipped:
		// Nothing was done to it, or it is to be left as it is.
		old.Attributes = now.Attributes
		if skipped {
			old.Tried = now.Tried
			old.try(kind.WithTags(now.Properties, now.Tags))
		}
		m.state.Resources[name] = &old
		m.record(name, &old, UpdateComplete, "")
		step.Done = true
	case now.Dirty || !template.Equal(now.Properties, old.Properties) || !slices.Equal(now.Tags, old.Tags) && kind.Tags != "":
		m.begun(name, now, &old, "")
		now.Dirty = true
		o := Order{Logical: name, Type: old.Type, Action: ActUpdate, PhysicalID: old.PhysicalID, Properties: kind.WithTags(old.Properties, old.Tags), After: old}
		o.Old, o.May = now.had(kind, o.Properties)
		m.order(o)
	default:
		m.state.Resources[name] = &old
		step.Done = true
	}
}
