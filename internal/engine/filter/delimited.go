package filter

import (
	"strconv"
	"strings"
)

// delimited is a pattern of the third form.
type delimited struct {
	before, behind []column // the ellipsis
	open           bool     // there is an ellipsis
}

// column is a word of a message.
type column struct {
	name string // "" without
	cond *expr  // nil: any word
}

// delimited reads [NAME CONDITION, …].
func (p *parser) delimited() (matcher, error) {
	p.at++
	d := &delimited{}
	names := map[string]bool{}
	for {
		p.space()
		if p.take("...") {
			if d.open {
				return nil, p.fail("there is a second ellipsis")
			}
			d.open = true
		} else {
			c, err := p.column()
			if err != nil {
				return nil, err
			}
			if c.name != "" && names[c.name] {
				return nil, p.fail("the name %s is there twice", c.name)
			}
			names[c.name] = true
			if d.open {
				d.behind = append(d.behind, c)
			} else {
				d.before = append(d.before, c)
			}
		}
		if p.take(",") {
			continue
		}
		if !p.take("]") {
			return nil, p.fail("a comma or a closing bracket is missing")
		}
		break
	}
	if p.space(); !p.done() {
		return nil, p.fail("there is more behind the closing bracket")
	}
	return d, p.tooMany()
}

// column reads a name, comparisons of it, or nothing.
func (p *parser) column() (c column, err error) {
	if p.space(); p.peek() == ',' || p.peek() == ']' {
		return c, nil
	}
	from := p.at
	for p.peek() == '(' || isSpace(p.peek()) {
		p.at++
	}
	if c.name = p.word(isName); c.name == "" {
		return c, p.fail("a name is missing")
	}
	simple := from+len(c.name) == p.at
	if p.space(); simple && (p.peek() == ',' || p.peek() == ']') {
		return c, nil
	}
	p.at = from
	c.cond, err = p.condition(0, func() (comparison, error) { return p.wordComparison(c.name) })
	return c, err
}

func isName(b byte) bool { return isLetterOrDigit(b) || b == '_' || b == '-' }

func (p *parser) wordComparison(name string) (c comparison, err error) {
	p.space()
	if got := p.word(isName); got != name {
		return c, p.fail("a condition must be of its own field, %s", name)
	}
	if c.op = p.operator(); c.op == 0 {
		return c, p.fail("an operator is missing")
	}
	c.value, err = p.literal(c.op, `,]()"%=<>!&|`)
	return c, err
}

// maxWords bounds how many words of a message are looked at.
const maxWords = 1 << 16

// words takes a message apart: at spaces, but what is in quotation marks or brackets is
// one word, without them.
func words(message string) (all []string) {
	for at := 0; at < len(message) && len(all) < maxWords; {
		if isSpace(message[at]) {
			at++
			continue
		}
		closing := byte(0)
		switch message[at] {
		case '"':
			closing = '"'
		case '[':
			closing = ']'
		}
		if closing != 0 {
			if end := strings.IndexByte(message[at+1:], closing); end >= 0 {
				all = append(all, message[at+1:at+1+end])
				at += end + 2
				continue
			}
		}
		end := at
		for end < len(message) && !isSpace(message[end]) {
			end++
		}
		all = append(all, message[at:end])
		at = end
	}
	return all
}

// match implements matcher.
func (d *delimited) match(message string) bool {
	all := words(message)
	n := len(d.before) + len(d.behind)
	if len(all) < n || len(all) > n && !d.open {
		return false
	}
	return admit(d.before, all) && admit(d.behind, all[len(all)-len(d.behind):])
}

// admit says whether the words meet the columns' conditions.
func admit(columns []column, words []string) bool {
	for i, c := range columns {
		if c.cond == nil {
			continue
		}
		n, isNumber := number(words[i])
		if !c.cond.holds(func(c *comparison) bool { return c.compare(words[i], n, isNumber) }) {
			return false
		}
	}
	return true
}

// extract implements matcher.
func (d *delimited) extract(message string) map[string]string {
	all := words(message)
	values := make(map[string]string, len(all))
	for i, w := range all {
		name := strconv.Itoa(i + 1)
		if c := d.column(i, len(all)); c != nil && c.name != "" {
			name = c.name
		}
		values["$"+name] = w
	}
	return values
}

// column is that of the i-th of n words, nil within the ellipsis.
func (d *delimited) column(i, n int) *column {
	if i < len(d.before) {
		return &d.before[i]
	}
	if i -= n - len(d.behind); i >= 0 {
		return &d.behind[i]
	}
	return nil
}

// selector implements matcher.
func (d *delimited) selector(text string) (func(string) (string, bool), error) {
	name, ok := strings.CutPrefix(text, "$")
	if !ok || name == "" {
		return nil, &Error{0, "a field is named by $ and its name"}
	}
	var at func(n int) int // of a message of n words
	for i, c := range d.before {
		if c.name == name {
			at = func(int) int { return i }
		}
	}
	for i, c := range d.behind {
		if c.name == name {
			at = func(n int) int { return n - len(d.behind) + i }
		}
	}
	if at == nil {
		number, err := strconv.Atoi(name)
		if err != nil || number < 1 || number > len(d.before)+len(d.behind) && !d.open {
			return nil, &Error{0, "the pattern has no field " + text}
		}
		at = func(int) int { return number - 1 }
	}
	return func(message string) (string, bool) {
		all := words(message)
		if i := at(len(all)); i >= 0 && i < len(all) {
			return all[i], true
		}
		return "", false
	}, nil
}
