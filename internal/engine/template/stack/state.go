package stack

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/eksact/eksact/internal/engine/template"
	"github.com/eksact/eksact/internal/engine/template/plan"
	"github.com/eksact/eksact/internal/engine/template/spec"
)

// State is a stack, whole. It marshals to JSON and back, in the middle of an
// operation too.
type State struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	// Status and Reason are what DescribeStacks shows; Status is "" before anything.
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"`
	// Deployed is the template with its environment that the stack has, or is getting.
	Deployed *Deployment `json:"deployed,omitempty"`
	// Resources are those that exist or are being made, by logical id.
	Resources map[string]*Resource   `json:"resources,omitempty"`
	Outputs   []template.OutputValue `json:"outputs,omitempty"`
	// Before is what a failed update goes back to: the stack when it was last complete.
	// It is nil where it never was.
	Before *Snapshot `json:"before,omitempty"`
	// Run is the operation in progress, nil when the stack rests.
	Run *Run `json:"run,omitempty"`
	// Leftovers are physical resources that the next operation deletes in its cleanup.
	Leftovers []*Doomed `json:"leftovers,omitempty"`
	// Serial numbers orders; it never goes back.
	Serial int `json:"serial"`
}

// Deployment is a template and all that it is evaluated with.
type Deployment struct {
	Template    string               `json:"template"`
	Environment template.Environment `json:"environment"`
	Tags        []spec.Tag           `json:"tags,omitempty"`
}

// Snapshot is a stack at rest.
type Snapshot struct {
	Deployed  *Deployment            `json:"deployed"`
	Resources map[string]*Resource   `json:"resources"`
	Outputs   []template.OutputValue `json:"outputs,omitempty"`
}

// Resource is a resource of a stack.
type Resource struct {
	Type       string `json:"type"`
	PhysicalID string `json:"physicalId,omitempty"`
	Status     Status `json:"status"`
	Reason     string `json:"reason,omitempty"`
	// Properties are those last applied: coerced, without the stack's tags, dynamic
	// references not resolved. Tags are the stack's tags that were applied with them.
	Properties map[string]any `json:"properties,omitempty"`
	// Shown are the properties with secrets masked, where there are any.
	Shown      map[string]any `json:"shown,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Tags       []spec.Tag     `json:"tags,omitempty"`
	// Needs are the logical ids of what it was made with: they go after it.
	Needs          []string `json:"needs,omitempty"`
	DeletionPolicy string   `json:"deletionPolicy,omitempty"`
	// Metadata are the template's, functions not evaluated.
	Metadata any `json:"metadata,omitempty"`
	// Imported is set for what was there before the stack took it over, until it is changed.
	Imported bool `json:"imported,omitempty"`
	// Dirty says that an update began that did not end well.
	Dirty bool `json:"dirty,omitempty"`
	// Tried are the properties that updates which did not end well were to give, the
	// stack's tags among them, the oldest first: each may have given some.
	Tried []map[string]any `json:"attempts,omitempty"`
}

// unmade tells whether a creation or an import failed.
func (r *Resource) unmade() bool { return r.Status == CreateFailed || r.Status == ImportFailed }

// mostTried bounds what is kept of an update that is tried again and again.
const mostTried = 16

// try notes an update that did not end well.
func (r *Resource) try(properties map[string]any) {
	if slices.ContainsFunc(r.Tried, func(p map[string]any) bool { return template.Equal(p, properties) }) {
		return
	}
	r.Tried = append(slices.Clip(r.Tried), properties)
	r.Tried = r.Tried[max(0, len(r.Tried)-mostTried):]
}

// had are the properties that a resource has, with its tags, before it is to have others
// (nil: before it goes). After updates that did not end well it may have several: of each
// property then the last value counts that is not the one to be, so that what may differ
// is set, and all are answered with.
func (r *Resource) had(kind *spec.Type, next map[string]any) (old map[string]any, may []map[string]any) {
	old = kind.WithTags(r.Properties, r.Tags)
	if len(r.Tried) == 0 {
		return old, nil
	}
	may = append([]map[string]any{old}, r.Tried...)
	old = map[string]any{}
	for _, p := range may {
		for name, v := range p {
			if now, stays := next[name]; !stays || !template.Equal(v, now) {
				old[name] = v
			}
		}
	}
	// What all have as it is to be stays.
	for name, v := range next {
		_, differs := old[name]
		lacks := slices.ContainsFunc(may, func(p map[string]any) bool { _, has := p[name]; return !has })
		if !differs && !lacks {
			old[name] = v
		}
	}
	return old, may
}

// Status is a status of a stack or a resource, as the API spells it.
type Status string

// Statuses of stacks; resources have the first nine, DELETE_SKIPPED and those of imports.
const (
	CreateInProgress Status = "CREATE_IN_PROGRESS"
	CreateComplete   Status = "CREATE_COMPLETE"
	CreateFailed     Status = "CREATE_FAILED"
	UpdateInProgress Status = "UPDATE_IN_PROGRESS"
	UpdateComplete   Status = "UPDATE_COMPLETE"
	UpdateFailed     Status = "UPDATE_FAILED"
	DeleteInProgress Status = "DELETE_IN_PROGRESS"
	DeleteComplete   Status = "DELETE_COMPLETE"
	DeleteFailed     Status = "DELETE_FAILED"
	DeleteSkipped    Status = "DELETE_SKIPPED"
	ImportInProgress Status = "IMPORT_IN_PROGRESS"
	ImportComplete   Status = "IMPORT_COMPLETE"
	ImportFailed     Status = "IMPORT_FAILED"

	ReviewInProgress       Status = "REVIEW_IN_PROGRESS"
	RollbackInProgress     Status = "ROLLBACK_IN_PROGRESS"
	RollbackComplete       Status = "ROLLBACK_COMPLETE"
	RollbackFailed         Status = "ROLLBACK_FAILED"
	UpdateCleanup          Status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateRollback         Status = "UPDATE_ROLLBACK_IN_PROGRESS"
	UpdateRollbackCleanup  Status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateRollbackComplete Status = "UPDATE_ROLLBACK_COMPLETE"
	UpdateRollbackFailed   Status = "UPDATE_ROLLBACK_FAILED"
)

// Texts of events, as CloudFormation writes them.
const (
	deleteRequested      = "Delete requested by user."
	stackType            = "AWS::CloudFormation::Stack"
	userInitiated        = "User Initiated"
	creationCancelled    = "Resource creation cancelled"
	updateCancelled      = "Resource update cancelled"
	creationInitiated    = "Resource creation Initiated"
	importStarted        = "Resource import started."
	importCancelled      = "Resource import cancelled"
	importCompleted      = "Resource import completed."
	importTagged         = "Apply stack-level tags to imported resource if applicable."
	replacing            = "Requested update requires the creation of a new physical resource; hence creating one."
	noReplacement        = "Replacement type updates not supported on stack with disable-rollback."
	notAllDeleted        = "Update successful. One or more resources could not be deleted."
	rollbackRequested    = "Rollback requested by user."
	stackUpdateCancelled = "Stack update cancelled"
)

// InProgress tells whether a status is one of a change.
func (s Status) InProgress() bool { return strings.HasSuffix(string(s), "_IN_PROGRESS") }

// Plan returns the stack as package plan sees it.
func (s *State) Plan() (plan.Stack, error) {
	p := plan.Stack{Resources: map[string]plan.Resource{}, Outputs: s.Outputs}
	for name, r := range s.Resources {
		if r.PhysicalID == "" || r.unmade() {
			continue
		}
		p.Resources[name] = plan.Resource{Type: r.Type, PhysicalID: r.PhysicalID, Properties: r.Properties, Attributes: r.Attributes}
	}
	if s.Deployed == nil {
		return p, nil
	}
	p.Tags = s.Deployed.Tags
	scope, err := s.Deployed.scope()
	p.Scope = scope
	return p, err
}

// Listed is a resource as DescribeStackResources shows it.
type Listed struct {
	Logical string
	Resource
}

// List lists the stack's resources by logical id: those that it has, and those that it
// still has to delete. Of a resource that is replaced the new copy counts.
func (s *State) List() []Listed {
	all := map[string]Resource{}
	doomed := s.Leftovers
	if s.Run != nil {
		doomed = append(slices.Clone(doomed), s.Run.Doomed...)
	}
	for _, d := range doomed {
		if !d.Gone {
			all[d.Logical] = d.Resource
		}
	}
	for name, r := range s.Resources {
		all[name] = *r
	}
	var list []Listed
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, Listed{name, all[name]})
	}
	return list
}

func (d *Deployment) scope() (*template.Scope, error) {
	t, err := template.Parse(d.Template)
	if err != nil {
		return nil, err
	}
	return t.In(d.Environment)
}

// snapshot copies what a rollback returns to.
func (s *State) snapshot() *Snapshot {
	copied := &Snapshot{Deployed: s.Deployed, Resources: map[string]*Resource{}, Outputs: s.Outputs}
	for name, r := range s.Resources {
		c := *r
		copied.Resources[name] = &c
	}
	return copied
}

// UnmarshalJSON keeps numbers as they are spelled, for they are compared by that.
func (s *State) UnmarshalJSON(text []byte) error {
	type plain State
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode((*plain)(s))
}

// normal turns a value into what JSON makes of it, as State is stored.
func normal[T any](v T) (T, error) {
	var out T
	text, err := json.Marshal(v)
	if err != nil {
		return out, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return out, d.Decode(&out)
}
