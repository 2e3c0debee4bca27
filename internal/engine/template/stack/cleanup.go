package stack

import (
	"slices"
)

// doom marks a physical resource for deletion. It is told in the cleanup.
func (m *Machine) doom(name string, r *Resource, wait string) *Doomed {
	d := &Doomed{Logical: name, Resource: *r, Wait: wait}
	m.state.Run.Doomed = append(m.state.Run.Doomed, d)
	return d
}

// tell records what becomes of a doomed resource.
func (m *Machine) tell(d *Doomed, s Status, reason string) {
	m.record(d.Logical, &d.Resource, s, reason)
	if m.state.Run.Kind == Update {
		m.out.Records[len(m.out.Records)-1].Properties = nil // the cleanup of an update doesn't show them
	}
	if now := m.state.Resources[d.Logical]; now != nil && now.PhysicalID == d.Resource.PhysicalID {
		now.Status, now.Reason = s, reason
	}
}

// cleanup deletes what is doomed, each after what needs it. When nothing is left it
// ends the operation.
func (m *Machine) cleanup() bool {
	run := m.state.Run
	progress := false
	for _, d := range m.deletable() {
		if d.Begun || d.Wait != "" {
			continue
		}
		m.remove(d)
		progress = true
	}
	if progress {
		return true
	}
	if slices.ContainsFunc(run.Doomed, func(d *Doomed) bool { return !d.Gone }) || len(run.Orders) > 0 {
		return false
	}
	m.end()
	return false
}

// deletable lists what nothing else needs that is still there, last first. Copies of
// several templates may need each other: then all of them are.
func (m *Machine) deletable() []*Doomed {
	needed := map[string]bool{}
	for _, d := range m.state.Run.Doomed {
		for _, n := range d.Resource.Needs {
			needed[n] = needed[n] || !d.Gone && n != d.Logical
		}
	}
	var list []*Doomed
	busy := false
	for _, d := range slices.Backward(m.state.Run.Doomed) {
		busy = busy || !d.Gone && (d.Begun || d.Wait != "")
		if !d.Gone && !needed[d.Logical] {
			list = append(list, d)
		}
	}
	if len(list) == 0 && !busy {
		for _, d := range slices.Backward(m.state.Run.Doomed) {
			if !d.Gone {
				list = append(list, d)
			}
		}
	}
	return list
}

// remove deletes one resource, or leaves it where its policy says so.
func (m *Machine) remove(d *Doomed) {
	run := m.state.Run
	d.Begun = true
	r := &d.Resource
	switch {
	case r.PhysicalID == "":
		// It was never made.
		m.tell(d, DeleteComplete, "")
		m.gone(d)
	case slices.Contains(run.Start.Retain, d.Logical), retained(r.DeletionPolicy, d.Fresh), d.Fresh && r.Imported:
		m.tell(d, DeleteSkipped, "")
		m.gone(d)
	default:
		m.tell(d, DeleteInProgress, "")
		o := Order{Logical: d.Logical, Type: r.Type, Action: ActDelete, PhysicalID: r.PhysicalID, After: *r}
		o.Old, o.May = r.had(kindOf(r.Type), nil)
		m.order(o)
	}
}

// gone notes that nothing of a doomed resource is left in the stack.
func (m *Machine) gone(d *Doomed) {
	d.Gone = true
	if now := m.state.Resources[d.Logical]; now != nil && now.PhysicalID == d.Resource.PhysicalID {
		delete(m.state.Resources, d.Logical)
	}
}

// deleted takes the report of a deletion.
func (m *Machine) deleted(o *Order, r Report) {
	run := m.state.Run
	i := slices.IndexFunc(run.Doomed, func(d *Doomed) bool {
		return d.Logical == o.Logical && d.Resource.PhysicalID == o.PhysicalID && d.Begun && !d.Gone
	})
	if i < 0 {
		return
	}
	d := run.Doomed[i]
	if r.What == Done {
		m.tell(d, DeleteComplete, "")
		m.gone(d)
		return
	}
	m.tell(d, DeleteFailed, r.Reason)
	run.Undeleted = true
	run.Failed = append(run.Failed, Failure{d.Logical, "delete"})
	// It stays, and so does what it needs.
	d.Gone, d.Left = true, run.Kind != Update
	m.spare(d)
}

// spare keeps what an undeleted resource needs from being deleted, where the whole
// stack goes: it would fail too.
func (m *Machine) spare(left *Doomed) {
	if m.state.Run.Kind == Update {
		return
	}
	for _, d := range m.state.Run.Doomed {
		if !d.Begun && slices.Contains(left.Resource.Needs, d.Logical) {
			d.Begun, d.Gone, d.Left = true, true, true
			m.spare(d)
		}
	}
}

// end closes the operation after its cleanup.
func (m *Machine) end() {
	run := m.state.Run
	reason := ""
	switch {
	case run.Kind == Delete && run.Undeleted:
		m.rest(DeleteFailed, failures(run.Failed))
	case run.Kind == Delete:
		m.state.Outputs, m.state.Before = nil, nil
		m.rest(DeleteComplete, "")
	case run.Kind == Create && run.Undeleted:
		m.rest(RollbackFailed, failures(run.Failed))
	case run.Kind == Create:
		m.state.Outputs = nil
		m.rest(RollbackComplete, "")
	case m.state.Status == UpdateRollbackCleanup:
		m.rest(UpdateRollbackComplete, "")
	default:
		if run.Undeleted {
			reason = notAllDeleted
		}
		m.state.Before = nil
		m.rest(UpdateComplete, reason)
	}
}
