package policy

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document. The language needs six levels.
const maxDepth = 32

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	listNode
	objectNode
)

// node is one JSON value and where it stands in the text.
type node struct {
	kind    nodeKind
	span    Span
	text    string // of a string its value, of a number or boolean its spelling
	items   []node
	members []member
}

type member struct {
	key     string
	keySpan Span
	value   node
}

// syntaxError says where text stops being JSON.
type syntaxError struct {
	offset int
	detail string
}

// parseJSON reads one JSON value that fills text.
func parseJSON(text string) (node, *syntaxError) {
	if !utf8.ValidString(text) {
		return node{}, &syntaxError{len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool { return r != utf8.RuneError })), "not UTF-8"}
	}
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		var se *json.SyntaxError
		if errors.As(err, &se) {
			return node{}, &syntaxError{max(int(se.Offset)-1, 0), se.Error()}
		}
		return node{}, &syntaxError{0, err.Error()}
	}
	r := reader{text: text}
	n := r.value(0)
	if r.deep {
		return node{}, &syntaxError{r.deepAt, "nested too deep"}
	}
	return n, nil
}

// reader walks over text that is known to be valid JSON.
type reader struct {
	text   string
	pos    int
	deep   bool
	deepAt int
}

// next skips white space and separators and returns the byte it stopped at.
func (r *reader) next() byte {
	for {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			r.pos++
		default:
			return c
		}
	}
}

func (r *reader) value(depth int) node {
	if depth > maxDepth {
		if !r.deep {
			r.deep, r.deepAt = true, r.pos
		}
		return node{}
	}
	c := r.next()
	n := node{span: Span{Start: r.pos}}
	switch c {
	case '{':
		n.kind = objectNode
		r.pos++
		for !r.deep && r.next() != '}' {
			var m member
			m.keySpan.Start = r.pos
			m.key = r.str()
			m.keySpan.End = r.pos
			m.value = r.value(depth + 1)
			n.members = append(n.members, m)
		}
		r.pos++
	case '[':
		n.kind = listNode
		r.pos++
		for !r.deep && r.next() != ']' {
			n.items = append(n.items, r.value(depth+1))
		}
		r.pos++
	case '"':
		n.kind = stringNode
		n.text = r.str()
	default:
		start := r.pos
		for r.pos < len(r.text) && !strings.ContainsRune(" \t\r\n,:]}", rune(r.text[r.pos])) {
			r.pos++
		}
		n.text = r.text[start:r.pos]
		switch n.text {
		case "null":
			n.kind = nullNode
		case "true", "false":
			n.kind = boolNode
		default:
			n.kind = numberNode
		}
	}
	n.span.End = r.pos
	return n
}

func (r *reader) str() string {
	start := r.pos
	r.pos++
	escaped := false
	for r.text[r.pos] != '"' {
		if r.text[r.pos] == '\\' {
			escaped = true
			r.pos++
		}
		r.pos++
	}
	r.pos++
	if !escaped {
		return r.text[start+1 : r.pos-1]
	}
	var s string
	// The text is valid JSON, so this can't fail.
	_ = json.Unmarshal([]byte(r.text[start:r.pos]), &s)
	return s
}
