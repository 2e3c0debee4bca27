package stack

import (
	"strconv"
	"strings"

	"github.com/eksact/eksact/internal/engine/template/spec"
)

// Phase is a part of an operation.
type Phase string

// The phases: resources are made and updated; a failed create or update is undone;
// what is no longer needed is deleted.
const (
	Forward Phase = "forward"
	Back    Phase = "back"
	Cleanup Phase = "cleanup"
)

// Run is an operation in progress.
type Run struct {
	Kind  Kind  `json:"kind"`
	Phase Phase `json:"phase"`
	Start Start `json:"start"`
	// Steps are the resources that were begun in this phase, by logical id.
	Steps map[string]*Step `json:"steps"`
	// Orders are those that were not reported yet, by token.
	Orders map[string]*Order `json:"orders"`
	// Failed are the logical ids that failed in this phase, in order.
	Failed []Failure `json:"failed,omitempty"`
	// Doomed are what is to be deleted.
	Doomed []*Doomed `json:"doomed,omitempty"`
	// Undeleted is set when something could not be deleted.
	Undeleted bool `json:"undeleted,omitempty"`
}

// Kind is what an operation does.
type Kind string

// The kinds of operations.
const (
	Create Kind = "create"
	Update Kind = "update"
	Delete Kind = "delete"
)

// Failure is a resource that failed, and in what.
type Failure struct {
	Logical string `json:"logical"`
	// Verb is create, update, import or delete.
	Verb string `json:"verb"`
}

// Step is a resource in a phase.
type Step struct {
	Action Action `json:"action"`
	// Done is set when it needs nothing more, Failed when it failed or was cancelled.
	Done   bool `json:"done,omitempty"`
	Failed bool `json:"failed,omitempty"`
}

// Doomed is a physical resource that is to be deleted.
type Doomed struct {
	Logical  string   `json:"logical"`
	Resource Resource `json:"resource"`
	// Wait is the token of an order that has to be reported first.
	Wait string `json:"wait,omitempty"`
	// Fresh is set for what an operation made that is undone.
	Fresh bool `json:"fresh,omitempty"`
	// Begun is set when its deletion was ordered, Gone when nothing remains to do.
	Begun bool `json:"begun,omitempty"`
	Gone  bool `json:"gone,omitempty"`
	// Left is set for what could not be deleted, and for what such a one needs.
	Left bool `json:"left,omitempty"`
}

// Start is what an operation begins with. Seed is the chance that names are made of:
// some random text, another for each operation.
type Start struct {
	Seed string `json:"seed"`
	// DisableRollback leaves what was made when something fails.
	DisableRollback bool `json:"disableRollback,omitempty"`
	// DeleteOnFailure deletes a stack whose creation failed (OnFailure DELETE).
	DeleteOnFailure bool `json:"deleteOnFailure,omitempty"`
	// Exported are the exports of other stacks: the name of the stack, by export.
	Exported map[string]string `json:"exported,omitempty"`
	// Imported are the exports of this stack that others use: their names, by export.
	Imported map[string][]string `json:"imported,omitempty"`
	// Retain are logical ids that a deletion leaves.
	Retain []string `json:"retain,omitempty"`
	// Imports are resources that exist and that the stack takes over instead of making
	// them: physical ids, by logical id.
	Imports map[string]string `json:"imports,omitempty"`
	// Skip are logical ids that a continued rollback leaves as they are.
	Skip []string `json:"skip,omitempty"`
}

// Action is what an order asks for.
type Action string

// The actions. A Replace is a creation; the old resource is deleted by another order. An
// Import finds what exists and gives it the stack's tags.
const (
	ActCreate  Action = "create"
	ActImport  Action = "import"
	ActReplace Action = "replace"
	ActUpdate  Action = "update"
	ActDelete  Action = "delete"
)

// Order asks for one change of one resource. Whoever does it answers with a Report
// of the same token. After a restart an order may come a second time: the same
// token asks for the same thing.
type Order struct {
	Token   string `json:"token"`
	Logical string `json:"logical"`
	Type    string `json:"type"`
	Action  Action `json:"action"`
	// PhysicalID is what to import, update or delete; for a creation that comes again, what was
	// reported as initiated.
	PhysicalID string `json:"physicalId,omitempty"`
	// Name is the name or id that the stack made, where the template gives none and the
	// type has one.
	Name string `json:"name,omitempty"`
	// Properties are coerced and have the stack's tags; dynamic references are to be
	// resolved (template.ResolveDynamic). Old are those before an update, or those
	// of what is deleted.
	Properties map[string]any `json:"properties,omitempty"`
	Old        map[string]any `json:"old,omitempty"`
	// May are all properties that it may have, where updates did not end well: what only
	// some of them name (a policy's holders) may be there. Nil where Old is known.
	May []map[string]any `json:"may,omitempty"`
	// SystemTags are for every resource that can have tags: aws:cloudformation:….
	SystemTags []spec.Tag `json:"systemTags,omitempty"`
	// CreationPolicy and UpdatePolicy are evaluated; nil where there are none.
	CreationPolicy any `json:"creationPolicy,omitempty"`
	UpdatePolicy   any `json:"updatePolicy,omitempty"`
	// Cancelled is set when the result is of no use anymore, but must be told.
	Cancelled bool `json:"cancelled,omitempty"`

	// What the resource will be when the order is done.
	After Resource `json:"after"`
}

// Report says what became of an order.
type Report struct {
	Token string
	What  Outcome
	// PhysicalID must be given with Initiated and Done of a creation; with Failed if
	// something exists.
	PhysicalID string
	// Attributes are those of GetAtt, with Done.
	Attributes map[string]any
	// Reason of a failure, as the event tells it.
	Reason string
}

// Outcome is what a report says.
type Outcome string

// The outcomes. Initiated may be left out. NeedsReplacement answers an update that
// the resource can't take.
const (
	Initiated        Outcome = "initiated"
	Done             Outcome = "done"
	Failed           Outcome = "failed"
	NeedsReplacement Outcome = "replace"
)

// Record is an event of the stack, for DescribeStackEvents. The caller gives it an
// id and a time.
type Record struct {
	Logical    string
	PhysicalID string
	Type       string
	Status     Status
	Reason     string
	// Properties are those of a resource's event, secrets masked: of an update what it
	// is to be; nil in an update's cleanup and for the stack's own events. AWS's event ids
	// are LOGICAL-STATUS-TIME, LOGICAL-UUID in an update's cleanup, a UUID for the stack.
	Properties map[string]any
}

// Effects are what a step of the machine asks its driver for.
type Effects struct {
	// Records are to be stored with the state, in this order.
	Records []Record
	// Orders are to be carried out after the state was stored.
	Orders []Order
	// Cancel are tokens of orders whose results are of no use anymore: they may end
	// early, but must be reported.
	Cancel []string
}

// serial is the number at the end of a token.
func (o *Order) serial() int {
	n, _ := strconv.Atoi(o.Token[strings.LastIndexByte(o.Token, '-')+1:])
	return n
}
