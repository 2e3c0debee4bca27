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
	effect       Effect
	actions      []glob
	notAction    bool
	resources    []template
	notResource  bool
	itself       bool // a trust policy's: the resource is the role that has it
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
			effect:       s.Effect,
			notAction:    s.NotAction,
			notResource:  s.NotResource,
			itself:       doc.Kind == Trust,
			notPrincipal: s.NotPrincipal,
			identity:     doc.Kind != Trust && doc.Kind != Resource,
		}
		for _, a := range s.Actions {
			out.actions = append(out.actions, compileGlob(a.Value, true))
		}
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

// applies says whether the statement applies to the request, and how it names
// the caller; identity policies name whoever has them.
func (s *statement) applies(r *Request, bounded bool) (grade, bool) {
	if !s.action(r.Action) || !s.resource(r) {
		return unnamed, false
	}
	g := direct
	if !s.identity {
		if s.notPrincipal {
			if s.spared(&r.Caller, bounded) {
				return unnamed, false
			}
		} else if g = s.named(&r.Caller); g == unnamed {
			return unnamed, false
		}
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return unnamed, false
		}
	}
	return g, true
}

func (s *statement) action(action string) bool {
	for i := range s.actions {
		if s.actions[i].match(action) {
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
