package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds how deep a template's values are nested.
const maxDepth = 100

// read turns a template's text into values, not yet into functions. What begins
// with a brace is JSON, all else is YAML.
func read(text string) (Expr, error) {
	if !utf8.ValidString(text) {
		return Expr{}, formatError(Pos{}, "YAML not well-formed.")
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return readJSON(text)
	}
	return readYAML(text)
}

// readJSON keeps the order of keys and where values stand, which encoding/json's
// values do not.
func readJSON(text string) (Expr, error) {
	r := jsonReader{text: text, d: json.NewDecoder(strings.NewReader(text)), line: 1}
	r.d.UseNumber()
	e, err := r.value(0)
	if err == nil {
		if _, more := r.d.Token(); more != io.EOF {
			err = errors.New("more after the end")
		}
	}
	var known *Error
	if errors.As(err, &known) {
		return Expr{}, err
	}
	if err != nil {
		// The decoder's own offsets are those of its buffer.
		offset := int(r.d.InputOffset())
		var whole json.RawMessage
		if se, ok := errors.AsType[*json.SyntaxError](json.Unmarshal([]byte(text), &whole)); ok {
			offset = max(int(se.Offset)-1, 0)
		}
		r.line, r.at, r.start = 1, 0, 0
		pos := r.pos(min(offset, len(text)))
		return Expr{}, &Error{
			Text:   formatError(pos, "JSON not well-formed. (line %d, column %d)", pos.Line, pos.Column).Error(),
			Pos:    pos,
			Detail: err.Error(),
		}
	}
	return e, nil
}

type jsonReader struct {
	text string
	d    *json.Decoder
	// at is the offset up to which lines are counted, start where line begins.
	at, start, line int
}

// pos turns an offset into a line and a column; offsets never go back.
func (r *jsonReader) pos(offset int) Pos {
	for r.at < offset {
		next := strings.IndexByte(r.text[r.at:offset], '\n')
		if next < 0 {
			break
		}
		r.at += next + 1
		r.start = r.at
		r.line++
	}
	r.at = max(r.at, offset)
	return Pos{Line: r.line, Column: utf8.RuneCountInString(r.text[r.start:offset]) + 1}
}

func (r *jsonReader) value(depth int) (Expr, error) {
	token, err := r.d.Token()
	if err != nil {
		return Expr{}, err
	}
	e := Expr{Pos: r.pos(int(r.d.InputOffset()))}
	if depth > maxDepth {
		return e, tooDeep(e.Pos)
	}
	switch v := token.(type) {
	case json.Delim:
		e.Kind = List
		if v == '{' {
			e.Kind = Map
		}
		for r.d.More() {
			key := ""
			if e.Kind == Map {
				name, err := r.d.Token()
				if err != nil {
					return e, err
				}
				key = name.(string)
			}
			item, err := r.value(depth + 1)
			if err != nil {
				return e, err
			}
			if e.Kind == Map {
				e.add(key, item)
			} else {
				e.Items = append(e.Items, item)
			}
		}
		_, err = r.d.Token()
		e.dedupe()
		return e, err
	case string:
		e.Kind, e.Text = String, v
	case json.Number:
		e.Kind, e.Text = Number, v.String()
	case bool:
		e.Kind, e.Text = Bool, "false"
		if v {
			e.Text = "true"
		}
	}
	return e, nil
}

func tooDeep(pos Pos) error {
	return formatError(pos, "Template is nested more than %d levels deep", maxDepth)
}

// add appends a key without looking whether it is there; dedupe follows.
func (e *Expr) add(key string, v Expr) {
	e.Keys = append(e.Keys, key)
	e.Items = append(e.Items, v)
}

// dedupe keeps of each key the last value, where the key first stood.
func (e *Expr) dedupe() {
	at := make(map[string]int, len(e.Keys))
	n := 0
	for i, k := range e.Keys {
		if first, again := at[k]; again {
			e.Items[first] = e.Items[i]
			continue
		}
		at[k] = n
		e.Keys[n], e.Items[n] = k, e.Items[i]
		n++
	}
	if e.Kind == Map {
		e.Keys, e.Items = e.Keys[:n], e.Items[:n]
	}
}

func readYAML(text string) (Expr, error) {
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	if err := d.Decode(&doc); err != nil {
		if err == io.EOF {
			return Expr{}, formatError(Pos{}, "At least one Resources member must be defined.")
		}
		return Expr{}, notYAML(Pos{}, err.Error())
	}
	var more yaml.Node
	if err := d.Decode(&more); err != io.EOF {
		return Expr{}, notYAML(Pos{}, "more than one document")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return Expr{}, notYAML(Pos{}, "no document")
	}
	return fromYAML(doc.Content[0], 0)
}

func notYAML(pos Pos, detail string) error {
	return &Error{Text: "Template format error: YAML not well-formed.", Pos: pos, Detail: detail}
}

func fromYAML(n *yaml.Node, depth int) (Expr, error) {
	e := Expr{Pos: Pos{n.Line, n.Column}}
	if depth > maxDepth {
		return e, tooDeep(e.Pos)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return e, templateError(e.Pos, "YAML aliases are not allowed in CloudFormation templates")
	case yaml.ScalarNode:
		scalarOf(&e, n)
	case yaml.SequenceNode:
		e.Kind = List
		for _, c := range n.Content {
			item, err := fromYAML(c, depth+1)
			if err != nil {
				return e, err
			}
			e.Items = append(e.Items, item)
		}
	case yaml.MappingNode:
		e.Kind = Map
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind == yaml.AliasNode {
				return e, templateError(Pos{k.Line, k.Column}, "YAML aliases are not allowed in CloudFormation templates")
			}
			if k.Kind != yaml.ScalarNode {
				return e, notYAML(Pos{k.Line, k.Column}, "a key is not a string")
			}
			v, err := fromYAML(n.Content[i+1], depth+1)
			if err != nil {
				return e, err
			}
			e.add(k.Value, v)
		}
		e.dedupe()
	}
	return tagged(e, n)
}

// scalarOf reads a scalar as YAML 1.1 does, save that there are no dates, no octal
// numbers and no infinities: what isn't a JSON number is a string, as it is spelled.
func scalarOf(e *Expr, n *yaml.Node) {
	e.Kind, e.Text = String, n.Value
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!bool" && n.Tag != "!!int" && n.Tag != "!!float" && n.Tag != "!!null" {
		return
	}
	switch n.Value {
	case "", "~", "null", "Null", "NULL":
		e.Kind, e.Text = Null, ""
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		e.Kind, e.Text = Bool, "true"
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		e.Kind, e.Text = Bool, "false"
	default:
		if isNumber(n.Value) {
			e.Kind = Number
		}
	}
}

// isNumber tells whether text is a number in JSON's grammar.
func isNumber(text string) bool {
	if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return false
	}
	return json.Valid([]byte(text))
}

// tagged puts a value with a short tag into the long form.
func tagged(e Expr, n *yaml.Node) (Expr, error) {
	tag := n.Tag
	if !strings.HasPrefix(tag, "!") || strings.HasPrefix(tag, "!!") || tag == "!" {
		return e, nil
	}
	name := tag[1:]
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	if e.Kind == Null {
		e.Kind = String // !GetAZs with nothing after it
	}
	if name == "Fn::GetAtt" && e.Kind == String {
		resource, attribute, _ := strings.Cut(e.Text, ".")
		e = Expr{Kind: List, Pos: e.Pos, Items: []Expr{
			{Kind: String, Text: resource, Pos: e.Pos}, {Kind: String, Text: attribute, Pos: e.Pos},
		}}
	}
	return Expr{Kind: Map, Keys: []string{name}, Items: []Expr{e}, Pos: e.Pos}, nil
}
