package columns

import "github.com/eksact/eksact/internal/engine/scan"

// discover calls f for each field of a message, in no order: what scan says of fields.
func discover(message []byte, f func(name string, v scan.Value)) {
	leaves, doubled, ok := parseObject(message, false, maxNesting)
	if !ok {
		return
	}
	if doubled {
		leaves = lastOfKeys(message)
	}
	// The last of a name counts, too: {"a":{"b":1},"a.b":2}.
	leaves = leaves[:min(len(leaves), scan.MaxFields)]
	seen := make(map[string]bool, len(leaves))
	for i := len(leaves) - 1; i >= 0; i-- {
		l := leaves[i]
		if !seen[l.name] {
			seen[l.name] = true
			f(l.name, leafValue(l.kind, string(message[l.from:l.to])))
		}
	}
}

// leafValue is what a value in a slot is as a field.
func leafValue(kind byte, raw string) scan.Value {
	switch {
	case kind == quoted:
		return scan.Value{Kind: scan.Text, Text: unescape(raw)}
	case raw == "null":
		return scan.Value{}
	case raw == "true", raw == "false":
		return scan.Value{Kind: scan.Bool, Text: raw}
	}
	return scan.Value{Kind: scan.Number, Text: raw}
}

// lastOfKeys lists the leaves of an object without those below a key that comes again in
// the same object.
func lastOfKeys(message []byte) []leaf {
	p := treeParser{parser: parser{text: message, nesting: maxNesting}}
	p.space()
	p.object(1)
	return p.leaves
}

// treeParser is a parser that forgets what a later key of the same object replaces.
type treeParser struct{ parser }

func (p *treeParser) object(depth int) {
	p.next('{')
	if p.next('}') {
		return
	}
	above := len(p.path)
	type member struct {
		key    string
		leaves []leaf
	}
	var members []member
	last := map[string]int{}
	before := p.leaves
	for {
		p.next('"')
		end, _ := scanString(p.text, p.at)
		key := unescape(string(p.text[p.at:end]))
		p.at = end + 1
		p.enter(depth, key)
		p.next(':')
		p.leaves = nil
		p.value(depth)
		p.path = p.path[:above]
		if i, again := last[key]; again {
			members[i].leaves = nil
		}
		last[key] = len(members)
		members = append(members, member{key, p.leaves})
		if !p.next(',') {
			break
		}
	}
	p.next('}')
	p.leaves = before
	for _, m := range members {
		p.leaves = append(p.leaves, m.leaves...)
	}
}

func (p *treeParser) value(depth int) {
	p.space()
	switch p.text[p.at] {
	case '{':
		p.object(depth + 1)
	case '[':
		p.next('[')
		if p.next(']') {
			return
		}
		above := len(p.path)
		for i := 0; ; i++ {
			p.path = appendIndex(p.path[:above], i)
			p.value(depth + 1)
			if !p.next(',') {
				break
			}
		}
		p.path = p.path[:above]
		p.next(']')
	default:
		p.parser.value(depth)
	}
}
