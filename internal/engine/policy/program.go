package policy

// Source is a policy that applies, and the name under which a denial shows it.
type Source struct {
	ARN    string // of a managed policy; "" of an inline one
	Policy *Policy
}

// Program is all policies of one layer, made ready to be evaluated together. It is
// immutable and may be shared by all whose policies these are. A nil Program has
// no policies; where that differs from an empty one, Applied says so.
type Program struct {
	sources []Source
}

// NewProgram joins policies, in this order.
func NewProgram(sources ...Source) *Program {
	return &Program{sources: sources}
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
	denied    bool
	grade     grade // unnamed: nothing allows
	source    Source
	statement int
}

// evaluate a layer: a deny ends it, the strongest allow is kept.
func (p *Program) evaluate(v *verdict, r *Request, bounded bool) {
	if p == nil {
		return
	}
	for i := range p.sources {
		policy := p.sources[i].Policy
		for j := range policy.statements {
			s := &policy.statements[j]
			if s.effect == Allow && v.grade == direct {
				continue
			}
			m := s.match(r, bounded)
			switch {
			case m.miss != NoMiss:
			case s.effect == Deny:
				*v = verdict{denied: true, source: p.sources[i], statement: j}
				return
			case m.grade > v.grade:
				v.grade, v.source, v.statement = m.grade, p.sources[i], j
			}
		}
	}
}

func (v *verdict) decision(layer Layer, allowed bool) Decision {
	d := Decision{Allowed: allowed, Explicit: v.denied, Layer: layer}
	if allowed || v.denied {
		d.Source, d.Statement = v.source, v.statement
	}
	return d
}
