package policy

import (
	"fmt"
	"strings"
)

// Parse reads a document. The error is an *Error: AWS's text for that kind of
// document, the first that AWS would give, and the place in the text. Whatever
// the evaluator would not evaluate is refused here.
func Parse(kind Kind, text string) (*Document, error) {
	return parse(kind, text, false)
}

// ParseStored is Parse for a document that was accepted before: it may break those
// rules of form that say nothing of what it means.
func ParseStored(kind Kind, text string) (*Document, error) {
	return parse(kind, text, true)
}

func parse(kind Kind, text string, accepted bool) (*Document, error) {
	p := &parser{doc: &Document{Kind: kind, Text: text, Version: Version2008}, accepted: accepted}
	if kind == Trust || kind == Resource || kind == Attached {
		return p.resourcePolicy()
	}
	return p.identityPolicy()
}

// parser reads the JSON tree into the document. What a check needs beyond the
// document it keeps beside it.
type parser struct {
	doc  *Document
	root node
	raw  []rawStatement
	// accepted says that the document was accepted before.
	accepted bool
}

// rawStatement is a statement before the checks: which elements it has.
type rawStatement struct {
	node
	effect node // as written
	has    map[string]Span
}

// fail makes the error that points at offset.
func (p *parser) fail(offset int, message, detail string, args ...any) *Error {
	line, column := p.doc.Position(offset)
	return &Error{Message: message, Detail: fmt.Sprintf(detail, args...), Line: line, Column: column}
}

// problem is a fault of structure, which each kind of document words its own way.
type problem struct {
	at     int
	what   fault
	name   string // of the element or operator concerned
	detail string
}

type fault uint8

const (
	badType    fault = iota // a value of the wrong JSON type
	unknown                 // an element or operator that there isn't
	doubled                 // an element given twice
	exclusive               // Action with NotAction and the like
	badVersion              // a version that there isn't
	noStatement
	noEffect
	badEffect
	badOperator
)

// read fills the document from the tree. It stops at the first problem.
func (p *parser) read() *problem {
	if p.root.kind != objectNode {
		return &problem{at: p.root.span.Start, what: badType, detail: "a policy is a JSON object"}
	}
	if pr := doubledMember(p.root); pr != nil {
		return pr
	}
	var statements *node
	for i := range p.root.members {
		m := &p.root.members[i]
		switch m.key {
		case "Version":
			if m.value.kind != stringNode || m.value.text != Version2008 && m.value.text != Version2012 {
				return &problem{at: m.value.span.Start, what: badVersion, name: m.value.text, detail: "Version is 2012-10-17 or 2008-10-17"}
			}
			p.doc.Version = m.value.text
		case "Id":
			if m.value.kind != stringNode {
				return &problem{at: m.value.span.Start, what: badType, name: "Id", detail: "Id is a string"}
			}
			p.doc.ID = m.value.text
		case "Statement":
			statements = &m.value
		default:
			return &problem{at: m.keySpan.Start, what: unknown, name: m.key, detail: "unknown element " + m.key}
		}
	}
	if statements == nil {
		return &problem{at: p.root.span.Start, what: noStatement, detail: "there is no Statement"}
	}
	list := []node{*statements}
	if statements.kind == listNode {
		list = statements.items
	}
	if len(list) == 0 {
		return &problem{at: statements.span.Start, what: noStatement, detail: "Statement is empty"}
	}
	for _, n := range list {
		if pr := p.statement(n); pr != nil {
			return pr
		}
	}
	return nil
}

func doubledMember(n node) *problem {
	seen := make(map[string]bool, len(n.members))
	for _, m := range n.members {
		if seen[m.key] {
			return &problem{at: m.keySpan.Start, what: doubled, name: m.key, detail: "element " + m.key + " is given twice"}
		}
		seen[m.key] = true
	}
	return nil
}

func (p *parser) statement(n node) *problem {
	if n.kind != objectNode {
		return &problem{at: n.span.Start, what: badType, name: "Statement", detail: "a statement is a JSON object"}
	}
	if pr := doubledMember(n); pr != nil {
		return pr
	}
	s := Statement{Span: n.span}
	raw := rawStatement{node: n, has: map[string]Span{}}
	for _, m := range n.members {
		raw.has[m.key] = m.keySpan
		var pr *problem
		switch m.key {
		case "Sid":
			if m.value.kind != stringNode {
				pr = &problem{at: m.value.span.Start, what: badType, name: "Sid", detail: "Sid is a string"}
			}
			s.Sid = m.value.text
		case "Effect":
			raw.effect = m.value
			switch {
			case m.value.kind != stringNode:
				pr = &problem{at: m.value.span.Start, what: badType, name: "Effect", detail: "Effect is a string"}
			case strings.EqualFold(m.value.text, "Allow"):
				s.Effect = Allow
			case strings.EqualFold(m.value.text, "Deny"):
				s.Effect = Deny
			default:
				pr = &problem{at: m.value.span.Start, what: badEffect, name: m.value.text, detail: "Effect is Allow or Deny"}
			}
		case "Action", "NotAction":
			s.Actions, pr = texts(m, false)
			s.NotAction = m.key == "NotAction"
		case "Resource", "NotResource":
			s.Resources, pr = texts(m, true)
			s.NotResource = m.key == "NotResource"
		case "Principal", "NotPrincipal":
			s.Principals, pr = principals(m)
			s.NotPrincipal = m.key == "NotPrincipal"
		case "Condition":
			s.Conditions, pr = conditions(m.value)
		default:
			pr = &problem{at: m.keySpan.Start, what: unknown, name: m.key, detail: "unknown element " + m.key}
		}
		if pr != nil {
			return pr
		}
	}
	for _, e := range []string{"Action", "Resource", "Principal"} {
		if _, ok := raw.has[e]; !ok {
			continue
		}
		if at, ok := raw.has["Not"+e]; ok {
			return &problem{at: at.Start, what: exclusive, name: "Not" + e, detail: e + " and Not" + e + " exclude each other"}
		}
	}
	if _, ok := raw.has["Effect"]; !ok {
		return &problem{at: n.span.Start, what: noEffect, detail: "the statement has no Effect"}
	}
	p.doc.Statements = append(p.doc.Statements, s)
	p.raw = append(p.raw, raw)
	return nil
}

// texts reads a string or a list of strings. AWS lets null pass in a list of
// resources, where it stands for nothing.
func texts(m member, nulls bool) ([]Text, *problem) {
	bad := func(n node) *problem {
		return &problem{at: n.span.Start, what: badType, name: m.key, detail: m.key + " is a string or a list of strings"}
	}
	switch m.value.kind {
	case stringNode:
		return []Text{{m.value.text, m.value.span}}, nil
	case listNode:
		list := make([]Text, 0, len(m.value.items))
		for _, item := range m.value.items {
			switch {
			case item.kind == stringNode:
				list = append(list, Text{item.text, item.span})
			case item.kind == nullNode && nulls:
			default:
				return nil, bad(item)
			}
		}
		return list, nil
	}
	return nil, bad(m.value)
}

func principals(m member) ([]Principal, *problem) {
	if m.value.kind == stringNode {
		return []Principal{{Anyone, Text{m.value.text, m.value.span}}}, nil
	}
	if m.value.kind != objectNode {
		return nil, &problem{at: m.value.span.Start, what: badType, name: m.key, detail: m.key + ` is an object or "*"`}
	}
	if pr := doubledMember(m.value); pr != nil {
		return nil, pr
	}
	list := []Principal{}
	for _, kind := range m.value.members {
		values, pr := texts(kind, false)
		if pr != nil {
			return nil, pr
		}
		for _, v := range values {
			list = append(list, Principal{PrincipalType(kind.key), v})
		}
	}
	return list, nil
}

// conditions reads a Condition element. An operator that there isn't passes when
// it is empty, as on AWS: it says nothing.
func conditions(n node) ([]Condition, *problem) {
	if n.kind != objectNode {
		return nil, &problem{at: n.span.Start, what: badType, name: "Condition", detail: "Condition is an object"}
	}
	if pr := doubledMember(n); pr != nil {
		return nil, pr
	}
	var list []Condition
	for _, operator := range n.members {
		if operator.value.kind != objectNode {
			return nil, &problem{at: operator.value.span.Start, what: badType, name: operator.key, detail: "operator " + operator.key + " holds an object of keys and values"}
		}
		if pr := doubledMember(operator.value); pr != nil {
			return nil, pr
		}
		op, ok := parseOperator(operator.key)
		if !ok && len(operator.value.members) > 0 {
			return nil, &problem{at: operator.keySpan.Start, what: badOperator, name: operator.key, detail: "unknown condition operator " + operator.key}
		}
		for _, key := range operator.value.members {
			values, pr := conditionValues(key)
			if pr != nil {
				return nil, pr
			}
			list = append(list, Condition{Operator: op, Key: key.key, Values: values, Span: key.keySpan})
		}
	}
	return list, nil
}

// conditionValues reads a string, number or boolean, or a list of them.
func conditionValues(m member) ([]Text, *problem) {
	items := []node{m.value}
	if m.value.kind == listNode {
		items = m.value.items
	}
	list := make([]Text, 0, len(items))
	for _, item := range items {
		switch item.kind {
		case stringNode, numberNode, boolNode:
			list = append(list, Text{item.text, item.span})
		default:
			return nil, &problem{at: item.span.Start, what: badType, name: m.key, detail: "the value of condition key " + m.key + " is a string, a number, a boolean or a list of them"}
		}
	}
	return list, nil
}
