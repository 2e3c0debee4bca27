package policy

// Explanation is a decision with all that led to it.
type Explanation struct {
	Decision
	// Layers are those that apply to the caller, in the order of evaluation.
	Layers []LayerResult
}

// LayerResult is what one layer says.
type LayerResult struct {
	Layer Layer
	Level int // of control policies: 0 is the root's
	// Allows and Denies say what the layer's statements do together. Neither: it
	// denies implicitly, if the layer must allow.
	Allows, Denies bool
	// Delegates says that a resource's policy allows the account: that the caller's
	// own policies must allow too.
	Delegates  bool
	Statements []StatementResult
}

// StatementResult is what became of one statement.
type StatementResult struct {
	Source    Source
	Statement int // index of the Document's Statements
	Miss      Miss
	Condition int // of ConditionMiss: index of the statement's Conditions
}

// Matched says whether the statement applied.
func (s *StatementResult) Matched() bool { return s.Miss == NoMiss }

// Parsed is the statement itself.
func (s *StatementResult) Parsed() *Statement { return &s.Source.Policy.doc.Statements[s.Statement] }

// Explain decides as Decide does, and tells all: which statements matched in each
// layer, and which part of each other one did not. It is for people: it looks at
// every statement.
func Explain(a *Applied, r *Request) *Explanation {
	e := &Explanation{Decision: Decide(a, r)}
	add := func(layer Layer, level int, p *Program, bounded bool) {
		e.Layers = append(e.Layers, p.explain(layer, level, r, bounded))
	}
	if !r.Caller.linked() {
		for i, p := range a.RCP {
			add(RCPLayer, i, p, false)
		}
	}
	if r.Caller.serviceControlled() {
		for i, p := range a.SCP {
			add(SCPLayer, i, p, false)
		}
	}
	if a.Endpoint != nil {
		add(EndpointLayer, 0, a.Endpoint, false)
	}
	if a.Resource != nil {
		add(a.resourceLayer(), 0, a.Resource, a.Boundary != nil)
	}
	switch r.Caller.Kind {
	case RootCaller, AnonymousCaller, ServiceCaller, ProviderCaller:
		return e
	}
	add(IdentityLayer, 0, a.Identity, false)
	if a.Boundary != nil {
		add(BoundaryLayer, 0, a.Boundary, false)
	}
	if a.Session != nil || r.Caller.Kind == FederatedCaller {
		add(SessionLayer, 0, a.Session, false)
	}
	return e
}

func (p *Program) explain(layer Layer, level int, r *Request, bounded bool) LayerResult {
	out := LayerResult{Layer: layer, Level: level}
	best := unnamed
	for _, source := range p.Sources() {
		for i := range source.Policy.statements {
			s := &source.Policy.statements[i]
			m := s.match(r, bounded)
			out.Statements = append(out.Statements, StatementResult{source, i, m.miss, m.condition})
			switch {
			case m.miss != NoMiss:
			case s.effect == Deny:
				out.Denies = true
			default:
				best = max(best, m.grade)
			}
		}
	}
	out.Allows = best != unnamed
	out.Delegates = best == byAccount
	return out
}
