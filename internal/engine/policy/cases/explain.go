package cases

import (
	"github.com/eksact/eksact/internal/engine/policy"
	"github.com/eksact/eksact/internal/engine/policy/answer"
)

// Explain decides the request and tells why, the statements that deny first.
func (q *Question) Explain() *answer.Explanation {
	r := q.Request()
	out := answer.Of(policy.Explain(q.Applied(), r), r, q.Principal.sayer(), q.Layers.named)
	out.DeniesFirst()
	return out
}

// named is an answer.Namer.
func (l *Layers) named(source policy.Source, offset int) (name string, at answer.Place) {
	if p := l.Find(source); p != nil {
		name = p.Name
		at.File, at.Line, at.Column = p.Place(offset)
	}
	return name, at
}
