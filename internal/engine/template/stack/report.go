package stack

import "strings"

// Handle takes what became of an order. A report of an order that is not known,
// because it was reported before, changes nothing.
func (m *Machine) Handle(r Report) (Effects, error) {
	run := m.state.Run
	if run == nil || run.Orders[r.Token] == nil {
		return Effects{}, nil
	}
	attributes, err := normal(r.Attributes)
	if err != nil {
		return Effects{}, err
	}
	r.Attributes = attributes
	o := run.Orders[r.Token]
	if r.What == Initiated {
		m.initiated(o, r.PhysicalID)
		return m.flush(), nil
	}
	if o.Action == ActDelete {
		delete(run.Orders, r.Token)
		m.deleted(o, r)
		m.advance()
		return m.flush(), nil
	}
	if r.What == Done && (o.Action == ActCreate || o.Action == ActReplace) {
		m.initiated(o, r.PhysicalID)
	}
	delete(run.Orders, r.Token)
	switch {
	case o.Cancelled:
		m.late(o, r)
	case r.What == NeedsReplacement && o.Action == ActUpdate && run.Phase == Forward:
		m.turn(o)
	case r.What == NeedsReplacement:
		r.Reason = "Resource cannot be updated in place"
		m.failed(o, r)
	case r.What == Failed:
		m.failed(o, r)
	default:
		m.done(o, r)
	}
	m.advance()
	return m.flush(), nil
}

// initiated notes that something exists from now on, once.
func (m *Machine) initiated(o *Order, id string) {
	if id == "" || o.PhysicalID == id && o.Action != ActUpdate || o.Action == ActUpdate || o.Action == ActDelete {
		return
	}
	o.PhysicalID, o.After.PhysicalID = id, id
	if o.Cancelled {
		return
	}
	if o.Action == ActReplace {
		// The resource in the stack is still the old one.
		after := o.After
		m.record(o.Logical, &after, UpdateInProgress, creationInitiated)
		return
	}
	r := m.state.Resources[o.Logical]
	r.PhysicalID = id
	m.record(o.Logical, r, CreateInProgress, creationInitiated)
}

func (m *Machine) done(o *Order, r Report) {
	run := m.state.Run
	old := m.state.Resources[o.Logical]
	now := o.After
	now.Attributes, now.Dirty, now.Tried = r.Attributes, false, nil
	if now.PhysicalID == "" || o.Action == ActUpdate && r.PhysicalID != "" {
		now.PhysicalID = r.PhysicalID
	}
	m.state.Resources[o.Logical] = &now
	status, reason := UpdateComplete, ""
	switch o.Action {
	case ActCreate:
		status = CreateComplete
	case ActImport:
		m.record(o.Logical, &now, ImportComplete, importCompleted)
		m.record(o.Logical, &now, UpdateInProgress, importTagged)
		reason = importTagged
	case ActReplace:
		m.doomReplaced(o.Logical, old)
	}
	m.record(o.Logical, &now, status, reason)
	if step := run.Steps[o.Logical]; step != nil {
		step.Done = true
	}
}

// doomReplaced keeps the old copy for the cleanup; the template's policy for
// replaced copies rules, not the one for deletion.
func (m *Machine) doomReplaced(name string, old *Resource) {
	left := *old
	left.DeletionPolicy = ""
	if r, found := m.scope.Template.Resource(name); found {
		left.DeletionPolicy = r.UpdateReplacePolicy
	}
	m.doom(name, &left, "")
}

func (m *Machine) failed(o *Order, r Report) {
	res := m.state.Resources[o.Logical]
	switch o.Action {
	case ActCreate:
		if r.PhysicalID != "" {
			res.PhysicalID = r.PhysicalID
		}
		m.fail(o.Logical, "create", res, CreateFailed, r.Reason)
	case ActImport:
		m.fail(o.Logical, "import", res, ImportFailed, r.Reason)
	case ActReplace:
		m.leftover(o, r)
		m.fail(o.Logical, "update", res, UpdateFailed, r.Reason)
	default:
		res.try(o.Properties)
		m.fail(o.Logical, "update", res, UpdateFailed, r.Reason)
	}
}

// leftover dooms what a creation in vain left behind.
func (m *Machine) leftover(o *Order, r Report) {
	left := o.After
	if r.PhysicalID != "" {
		left.PhysicalID = r.PhysicalID
	}
	if left.PhysicalID == "" {
		return
	}
	left.DeletionPolicy = ""
	m.doom(o.Logical, &left, "")
}

// late takes the result of an order that was cancelled.
func (m *Machine) late(o *Order, r Report) {
	for _, d := range m.state.Run.Doomed {
		if d.Wait != o.Token {
			continue
		}
		d.Wait = ""
		if r.PhysicalID != "" {
			d.Resource.PhysicalID = r.PhysicalID
		}
		if o.After.PhysicalID != "" {
			d.Resource.PhysicalID = o.After.PhysicalID
		}
		return
	}
	if o.Action == ActReplace {
		m.leftover(o, r)
	}
	// An update's resource is dirty: undo sets it right.
	if now := m.state.Resources[o.Logical]; o.Action == ActUpdate && now != nil {
		now.try(o.Properties)
	}
}

// turn makes a replacement of an update that the resource could not take.
func (m *Machine) turn(o *Order) {
	old := m.state.Resources[o.Logical]
	old.Dirty, old.Tried = false, nil
	kind := kindOf(o.Type)
	next := Order{Logical: o.Logical, Type: o.Type, Properties: o.Properties, CreationPolicy: o.CreationPolicy, UpdatePolicy: o.UpdatePolicy}
	m.replace(o.Logical, kind, old, o.After, next)
}

// retained tells whether a deletion policy keeps a resource. What a rolled back
// creation made goes with RetainExceptOnCreate.
func retained(policy string, creation bool) bool {
	return policy == "Retain" || strings.HasPrefix(policy, "Retain") && !creation
}
