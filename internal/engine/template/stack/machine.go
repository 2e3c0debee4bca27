package stack

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// Machine moves a stack from state to state. It isn't safe for concurrent use.
type Machine struct {
	state *State
	scope *template.Scope // of what is deployed
	graph *template.Graph
	out   Effects
}

// Load makes a machine of a state, at rest or in the middle of an operation. The
// machine changes the state in place.
func Load(s *State) (*Machine, error) {
	m := &Machine{state: s}
	if s.Resources == nil {
		s.Resources = map[string]*Resource{}
	}
	if s.Run == nil || s.Deployed == nil {
		return m, nil
	}
	return m, m.read()
}

func (m *Machine) read() (err error) {
	if m.scope, err = m.state.Deployed.scope(); err != nil {
		return err
	}
	m.graph, err = m.scope.Graph()
	return err
}

// State is the stack as it is, to be stored.
func (m *Machine) State() *State { return m.state }

// Resume returns the orders that were not reported yet, in the order they were given:
// they may or may not have been carried out before a restart.
func (m *Machine) Resume() []Order {
	if m.state.Run == nil {
		return nil
	}
	var list []Order
	for _, o := range m.state.Run.Orders {
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b Order) int { return cmp.Compare(a.serial(), b.serial()) })
	return list
}

func (m *Machine) flush() Effects {
	out := m.out
	m.out = Effects{}
	return out
}

// wrongState says that a stack's status doesn't allow an operation.
func (m *Machine) wrongState(what string) error {
	return &template.Error{Text: fmt.Sprintf("Stack:%s is in %s state and can not be %s.", m.state.ID, m.state.Status, what)}
}

// Review makes a stack that has but a change set.
func (m *Machine) Review() Effects {
	m.stack(ReviewInProgress, userInitiated)
	return m.flush()
}

// Create begins a stack that does not exist, or has but a change set.
func (m *Machine) Create(d Deployment, start Start) (Effects, error) {
	if m.state.Status != "" && m.state.Status != ReviewInProgress {
		return Effects{}, m.wrongState("created")
	}
	if err := m.check(d); err != nil {
		return Effects{}, err
	}
	m.begin(Create, Forward, start)
	m.stack(CreateInProgress, userInitiated)
	m.imports()
	m.advance()
	return m.flush(), nil
}

// check reads a deployment and refuses what can be refused before anything is made.
func (m *Machine) check(d Deployment) error {
	was := m.state.Deployed
	d.Tags = spec.NormalTags(d.Tags)
	m.state.Deployed = &d
	err := m.read()
	if err == nil {
		err = spec.Check(m.scope.Template)
	}
	if err != nil {
		m.state.Deployed = was
	}
	return err
}

// Update begins an update. Where nothing would change it is refused.
func (m *Machine) Update(d Deployment, start Start) (Effects, error) {
	broken := false
	switch m.state.Status {
	case CreateComplete, UpdateComplete, UpdateRollbackComplete:
	case UpdateFailed, CreateFailed:
		broken = true
		if m.state.Status == CreateFailed && !start.DisableRollback {
			return Effects{}, m.wrongState("updated")
		}
	default:
		return Effects{}, m.wrongState("updated")
	}
	before, err := m.state.Plan()
	if err != nil {
		return Effects{}, err
	}
	saved := m.state.snapshot()
	if err := m.check(d); err != nil {
		return Effects{}, err
	}
	p, err := plan.Make(before, plan.Stack{Scope: m.scope, Tags: d.Tags})
	if err == nil && p.Empty() && !broken {
		err = &template.Error{Text: "No updates are to be performed."}
	}
	if err != nil {
		m.state.Deployed = saved.Deployed
		return Effects{}, err
	}
	if !broken {
		m.state.Before = saved
	}
	m.begin(Update, Forward, start)
	m.stack(UpdateInProgress, userInitiated)
	m.imports()
	m.advance()
	return m.flush(), nil
}

// Cancel undoes an update in progress.
func (m *Machine) Cancel() (Effects, error) {
	if m.state.Status != UpdateInProgress {
		return Effects{}, &template.Error{Text: "CancelUpdateStack cannot be called from current stack status"}
	}
	m.abandon()
	m.back(UpdateRollback, stackUpdateCancelled)
	m.advance()
	return m.flush(), nil
}

// Expire gives up a creation that took longer than its caller allowed.
func (m *Machine) Expire() (Effects, error) {
	if m.state.Status != CreateInProgress || m.state.Run.Phase != Forward {
		return Effects{}, nil
	}
	m.abandon()
	m.giveUp("Stack creation time exceeded the specified timeout. ")
	m.advance()
	return m.flush(), nil
}

// Rollback undoes a create or an update that failed with DisableRollback.
func (m *Machine) Rollback(start Start) (Effects, error) {
	switch m.state.Status {
	case CreateFailed:
		m.begin(Create, Back, start)
		m.back(RollbackInProgress, userInitiated)
	case UpdateFailed:
		m.begin(Update, Back, start)
		m.back(UpdateRollback, userInitiated)
	default:
		return Effects{}, m.wrongState("rolled back")
	}
	m.advance()
	return m.flush(), nil
}

// ContinueRollback tries again to undo an update that could not be undone; resources in
// start.Skip are left as they are: they must be such that the rollback failed with.
func (m *Machine) ContinueRollback(start Start) (Effects, error) {
	if m.state.Status != UpdateRollbackFailed {
		return Effects{}, m.wrongState("rolled back")
	}
	for _, name := range start.Skip {
		switch r := m.state.Resources[name]; {
		case r == nil:
			return Effects{}, &template.Error{Text: fmt.Sprintf("Stack [%s] does not contain resource %s", m.state.Name, name)}
		case r.Status != UpdateFailed || r.Reason == updateCancelled:
			return Effects{}, &template.Error{Text: fmt.Sprintf("Resource %s of stack [%s] cannot be skipped: it is not in UPDATE_FAILED state because a rollback failed", name, m.state.Name)}
		}
	}
	m.begin(Update, Back, start)
	m.back(UpdateRollback, userInitiated)
	m.advance()
	return m.flush(), nil
}

// Delete begins a deletion. A creation in progress is given up for it. A stack that
// is being deleted already, or was, stays as it is.
func (m *Machine) Delete(start Start) (Effects, error) {
	switch {
	case m.state.Status == DeleteInProgress || m.state.Status == DeleteComplete || m.state.Status == "":
		return Effects{}, nil
	case m.state.Status == CreateInProgress:
	case m.state.Status.InProgress() && m.state.Status != ReviewInProgress:
		return Effects{}, &template.Error{Text: fmt.Sprintf("Stack [%s] cannot be deleted while in status %s", m.state.Name, m.state.Status)}
	case len(start.Retain) > 0 && m.state.Status != DeleteFailed:
		return Effects{}, &template.Error{Text: "Invalid operation on stack [" + m.state.ID + "]. When you specify RetainResources, the stack must be in the DELETE_FAILED state"}
	}
	creating := m.state.Status == CreateInProgress
	m.stack(DeleteInProgress, userInitiated)
	var orders map[string]*Order
	if creating {
		m.abandon()
		orders = m.state.Run.Orders
		m.state.Leftovers = m.state.Run.Doomed
	}
	m.begin(Delete, Cleanup, start)
	maps.Copy(m.state.Run.Orders, orders)
	if export, users, used := m.exportInUse(nil); used {
		m.rest(DeleteFailed, exportKept(export, users))
		return m.flush(), nil
	}
	for _, name := range m.made() {
		m.doom(name, m.state.Resources[name], m.pending(name))
	}
	m.doomBefore()
	m.advance()
	return m.flush(), nil
}

func (m *Machine) begin(kind Kind, phase Phase, start Start) {
	m.state.Run = &Run{
		Kind: kind, Phase: phase, Start: start, Steps: map[string]*Step{}, Orders: map[string]*Order{}, Doomed: m.state.Leftovers,
	}
	m.state.Leftovers = nil
}

// advance does all that can be done without waiting for a report.
func (m *Machine) advance() {
	for m.state.Run != nil && m.phase() {
	}
}

// phase takes one step, and tells whether another may follow at once.
func (m *Machine) phase() bool {
	switch m.state.Run.Phase {
	case Forward:
		return m.forward()
	case Back:
		return m.undo()
	}
	return m.cleanup()
}

// rest ends the operation.
func (m *Machine) rest(s Status, reason string) {
	for _, d := range m.state.Run.Doomed {
		if now := m.state.Resources[d.Logical]; d.Left && (now == nil || now.PhysicalID != d.Resource.PhysicalID) {
			d.Begun, d.Gone, d.Left = false, false, false // no more in the template
		}
		if !d.Gone {
			m.state.Leftovers = append(m.state.Leftovers, d)
		}
	}
	m.state.Run = nil
	m.stack(s, reason)
}

// stack gives the stack a status and records it.
func (m *Machine) stack(s Status, reason string) {
	m.state.Status, m.state.Reason = s, reason
	m.out.Records = append(m.out.Records, Record{Logical: m.state.Name, PhysicalID: m.state.ID, Type: stackType, Status: s, Reason: reason})
}

// begun records that a resource is to become another: the event shows what it is to
// be.
func (m *Machine) begun(name string, now, after *Resource, reason string) {
	m.record(name, now, UpdateInProgress, reason)
	m.out.Records[len(m.out.Records)-1].Properties = after.shown()
}

// shown are the properties as events show them.
func (r *Resource) shown() map[string]any {
	if r.Shown != nil {
		return r.Shown
	}
	return r.Properties
}

// record gives a resource a status and records it.
func (m *Machine) record(name string, r *Resource, s Status, reason string) {
	r.Status, r.Reason = s, reason
	m.out.Records = append(m.out.Records, Record{
		Logical: name, PhysicalID: r.PhysicalID, Type: r.Type, Status: s, Reason: reason, Properties: r.shown(),
	})
}

// made lists the stack's resources in the template's order; those it has no more come
// last, by name.
func (m *Machine) made() []string {
	var names []string
	if m.graph != nil {
		for _, n := range m.graph.Names() {
			if m.state.Resources[n] != nil {
				names = append(names, n)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(m.state.Resources)) {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// pending is the token of an order about a resource that was not reported, or "".
func (m *Machine) pending(name string) string {
	for token, o := range m.state.Run.Orders {
		if o.Logical == name && o.Action != ActDelete {
			return token
		}
	}
	return ""
}

// order asks for a change. It is kept until it is reported.
func (m *Machine) order(o Order) {
	m.state.Serial++
	o.Token = fmt.Sprintf("%s-%d", o.Logical, m.state.Serial)
	if kind, found := spec.Find(o.Type); found {
		o.SystemTags = []spec.Tag{
			{Key: "aws:cloudformation:stack-name", Value: m.state.Name},
			{Key: "aws:cloudformation:stack-id", Value: m.state.ID},
			{Key: "aws:cloudformation:logical-id", Value: o.Logical},
		}
		if _, named := o.Properties[kind.NameProperty()]; (o.Action == ActCreate || o.Action == ActReplace) && !named {
			o.Name = kind.PhysicalName(m.state.Name, o.Logical, m.random(o.Token))
		}
	}
	m.state.Run.Orders[o.Token] = &o
	m.out.Orders = append(m.out.Orders, o)
}

// random makes the random end of a name, of the operation's seed.
func (m *Machine) random(token string) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(m.state.Run.Start.Seed + "\x00" + m.state.ID + "\x00" + token))
	out := make([]byte, spec.RandomSize)
	for i := range out {
		out[i] = letters[int(sum[i])%len(letters)]
	}
	return string(out)
}
