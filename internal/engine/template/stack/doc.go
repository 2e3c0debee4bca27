// Package stack is the life of a CloudFormation stack, as a machine that does
// nothing itself: it is told what happened, and says what to record and what to do.
//
// The machine is driven as etcd's raft is. One loop per stack:
//
//	m, err := stack.Load(state)               // &State{Name, ID} at first, later what was stored
//	effects, err := m.Create(deployment, start)  // or Update, Delete, Rollback, …
//	for {
//		store(m.State(), effects.Records)     // in one transaction, before anything is done
//		for _, o := range effects.Orders {    // in parallel: they don't wait for each other
//			go carryOut(o)                    // answers with a Report
//		}
//		if m.State().Run == nil {
//			break                             // at rest
//		}
//		effects, err = m.Handle(<-reports)
//	}
//
// What the driver owes the machine:
//
//   - To store state and records together, before orders go out. After a restart, Load
//     of the stored state goes on: Resume returns the orders that were not reported.
//     They may have been carried out: creations must find what they made before,
//     by the order's Token (one of its kind in the stack), Name or PhysicalID; a deletion
//     of what is not there is done.
//   - To report every order, a cancelled one too, with the id of what exists. Reports may
//     come in any order, and twice.
//   - To give ids and times to the records; the machine knows no clock. Start.Seed is the
//     chance that names are made of.
//   - To resolve dynamic references (template.ResolveDynamic) in an order's properties,
//     and to make the physical id (spec.Type.PhysicalID; Order.Name where that is
//     false) and the attributes that spec.Type lists: GetAtt fails for one that is
//     missing.
//   - To ask before it starts: parameters (template.Values), rules (Scope.CheckRules),
//     capabilities (spec.Capabilities), exports that are imported (Scope.Imports, put
//     into the environment; a missing one fails the operation, not the call), termination protection, permissions. Errors of Create,
//     Update and the others are refusals of the call, in AWS's words: nothing changed.
//
// Types that are nobody's service (AWS::CDK::Metadata) are orders too, done at once with
// the order's Name as their id.
//
// A creation whose orders are all done at once is at rest when Handle returns the last
// time, so a caller that carries orders out before it answers makes clients wait for
// nothing.
//
// A change set is template, parameters and tags kept aside: plan.Make with
// State.Plan says what it would do, Update does it. A CREATE change set's stack is
// Review's.
//
// # Phases
//
// Forward makes and updates resources in the order of their dependencies. What a
// resource is to be is evaluated when its needs are done, so that an update whose
// values stayed the same does nothing. A replaced resource and one that the new
// template lacks stay till the Cleanup, which deletes in the opposite order. When
// something fails, others in flight are cancelled, and the operation turns round: a
// creation deletes what it made; an update goes Back, sets what it changed to what it
// was, and deletes in its Cleanup what it made. With DisableRollback a failed
// operation stays as it is, after all that could be done was done.
//
// Order and words of events follow CloudFormation; testdata holds whole lives. A test
// lives random ones, with failures and restarts anywhere, and looks at the end for
// resources that nobody knows.
package stack
