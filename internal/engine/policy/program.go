package policy

import "github.com/eksact/eksact/internal/engine/actions"

// Source is a policy that applies, and the name under which a denial shows it.
type Source struct {
	ARN    string // of a managed policy; "" of an inline one
	Policy *Policy
}

// Program is all policies of one layer, made ready to be evaluated together. It is
// immutable and may be shared by all whose policies these are. A nil Program has
// no policies; where that differs from an empty one, Applied says so.
//
// For each service that the policies name, and for all services together, there
// is a lane of its denying and one of its allowing statements. A request goes to
// two of these pairs. There its action's number tells whether any statement covers
// the action, and its resource leads to the statements whose resource begins so.
// Actions that are not in the reference are few, of services that are not served:
// for them every statement is asked.
type Program struct {
	sources  []Source
	general  lanes
	services []*lanes // by the service's number; nil: no statement names it
}

type lanes struct{ deny, allow lane }

func (l *lanes) of(e Effect) *lane {
	if e == Deny {
		return &l.deny
	}
	return &l.allow
}

// NewProgram joins policies, in this order.
func NewProgram(sources ...Source) *Program {
	p := &Program{sources: sources}
	for i, source := range sources {
		for j := range source.Policy.statements {
			p.add(&source.Policy.statements[j], int32(i))
		}
	}
	p.general.finish()
	for _, l := range p.services {
		if l != nil {
			l.finish()
		}
	}
	return p
}

func (l *lanes) finish() {
	l.deny.root.finish(l.deny.size)
	l.allow.root.finish(l.allow.size)
}

func (p *Program) add(s *statement, source int32) {
	if s.known.everywhere {
		p.general.of(s.effect).add(s, source, nil)
		return
	}
	for _, set := range s.known.services {
		if p.services == nil {
			p.services = make([]*lanes, actions.Services())
		}
		l := p.services[set.service]
		if l == nil {
			size := len(actions.ByNumber(set.service).Actions)
			l = &lanes{deny: lane{size: size}, allow: lane{size: size}}
			p.services[set.service] = l
		}
		l.of(s.effect).add(s, source, set.actions)
	}
}

// Sources are the policies that it was made of.
func (p *Program) Sources() []Source {
	if p == nil {
		return nil
	}
	return p.sources
}

// verdict of a layer.
type verdict struct {
	denied bool
	grade  grade // unnamed: nothing allows
	source int32 // what decided: index of the program's sources
	index  int32 // and of its statements
}

// evaluate a layer: a deny ends it, the strongest allow is kept.
func (p *Program) evaluate(v *verdict, q *query, bounded bool) {
	if p != nil && len(p.sources) > 0 { // apart, to be inlined: most layers have no policies
		p.find(v, q, bounded)
	}
}

func (p *Program) find(v *verdict, q *query, bounded bool) {
	if !q.known {
		p.evaluateAll(v, q, bounded)
		return
	}
	var own *lanes
	if p.services != nil {
		own = p.services[q.service]
	}
	s := search{q, v, bounded}
	if p.general.deny.visit(&s) || own != nil && own.deny.visit(&s) {
		return
	}
	if !p.general.allow.visit(&s) && own != nil {
		own.allow.visit(&s)
	}
}

// take notes a statement that applies. It returns true when that settles the layer.
func (v *verdict) take(s *statement, source int32, g grade) bool {
	if s.effect == Deny {
		*v = verdict{denied: true, source: source, index: s.index}
		return true
	}
	if g > v.grade {
		v.grade, v.source, v.index = g, source, s.index
	}
	return v.grade == direct
}

// evaluateAll asks every statement, the denying ones first.
func (p *Program) evaluateAll(v *verdict, q *query, bounded bool) {
	for _, effect := range [...]Effect{Deny, Allow} {
		for i := range p.sources {
			policy := p.sources[i].Policy
			for j := range policy.statements {
				s := &policy.statements[j]
				if s.effect != effect {
					continue
				}
				if m := s.match(q.Request, bounded); m.miss == NoMiss && v.take(s, int32(i), m.grade) {
					return
				}
			}
		}
	}
}

// rules makes it the ruling, of a layer that p is.
func (v *verdict) rules(p *Program, layer Layer, allowed bool) ruling {
	return ruling{v, p, layer, allowed}
}
