package policy

// Policy is a compiled document. It is immutable and may be shared.
type Policy struct {
	doc        *Document
	statements []statement
}

// Document returns the parse tree that the policy was compiled from.
func (p *Policy) Document() *Document { return p.doc }

// statement is a compiled statement: it applies to a request when all of its
// parts do.
type statement struct {
	index        int32 // of the document's statements
	effect       Effect
	actions      []glob // for actions that are not in the reference
	notAction    bool
	known        actionSet // of those that are
	all          bool      // all actions, known or not
	resources    []template
	notResource  bool
	itself       bool // of a policy that names no resource: it is about what has it
	principals   []principal
	notPrincipal bool
	identity     bool // an identity policy's: the principal is whoever has it
	conditions   []condition
}

// Compile prepares a parsed document for evaluation.
func Compile(doc *Document) *Policy {
	p := &Policy{doc: doc, statements: make([]statement, len(doc.Statements))}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		out := statement{
			index:        int32(i),
			effect:       s.Effect,
			known:        compileActions(s.Actions, s.NotAction),
			notAction:    s.NotAction,
			notResource:  s.NotResource,
			itself:       doc.Kind == Trust || doc.Kind == Attached,
			notPrincipal: s.NotPrincipal,
			identity:     doc.Kind != Trust && doc.Kind != Resource && doc.Kind != Attached,
			actions:      make([]glob, 0, len(s.Actions)),
		}
		for _, a := range s.Actions {
			out.actions = append(out.actions, compileGlob(a.Value, true))
		}
		out.all = out.known.everywhere && len(out.known.services) == 0
		for _, r := range s.Resources {
			out.resources = append(out.resources, compileTemplate(r.Value, true, doc.Version == Version2012))
		}
		for _, v := range s.Principals {
			out.principals = append(out.principals, compilePrincipal(v))
		}
		for _, c := range s.Conditions {
			out.conditions = append(out.conditions, compileCondition(c, doc.Version))
		}
		p.statements[i] = out
	}
	return p
}

// Miss is the first part of a statement that does not match a request, in this
// order.
type Miss uint8

const (
	NoMiss Miss = iota
	ActionMiss
	ResourceMiss
	PrincipalMiss
	ConditionMiss
)

// outcome of matching a statement.
type outcome struct {
	miss      Miss
	condition int   // of ConditionMiss: which
	grade     grade // without a miss: how the statement names the caller; identity policies name whoever has them
}

// match says whether the statement applies to the request.
func (s *statement) match(r *Request, bounded bool) outcome {
	if !s.action(r.Action) {
		return outcome{miss: ActionMiss}
	}
	if !s.resource(r) {
		return outcome{miss: ResourceMiss}
	}
	return s.appliesTo(r, bounded)
}

// appliesTo is match for a request whose action and resource are known to match.
func (s *statement) appliesTo(r *Request, bounded bool) outcome {
	g := direct
	if !s.identity {
		if s.notPrincipal {
			if s.spared(&r.Caller, bounded) {
				return outcome{miss: PrincipalMiss}
			}
		} else if g = s.named(&r.Caller); g == unnamed {
			return outcome{miss: PrincipalMiss}
		}
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return outcome{miss: ConditionMiss, condition: i}
		}
	}
	return outcome{grade: g}
}

func (s *statement) action(action string) bool {
	for i := range s.actions {
		if s.actions[i].match(action, nil) {
			return !s.notAction
		}
	}
	return s.notAction
}

func (s *statement) resource(r *Request) bool {
	if s.itself {
		return true
	}
	for i := range s.resources {
		if s.resources[i].matches(r, r.Resource) {
			return !s.notResource
		}
	}
	return s.notResource
}
