package alarm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a composite alarm's rule.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
const (
	mostRule     = 10240 // characters
	mostChildren = 100
	mostElements = 500
	mostDepth    = 100 // parentheses; ours
)

// A Composite is a composite alarm's rule, read.
type Composite struct {
	root     node
	children []string
}

// Children are the alarms that the rule names, by name or ARN as written, each once.
func (c *Composite) Children() []string { return c.children }

// Eval says whether the rule is true. An alarm that isn't there has no state, and each
// condition on it is false.
func (c *Composite) Eval(state func(alarm string) (State, bool)) bool { return c.root.eval(state) }

type node interface {
	eval(func(string) (State, bool)) bool
}

type (
	constant bool
	inState  struct {
		state State
		not   bool
		alarm string
	}
	not     struct{ of node }
	and     struct{ all []node }
	or      struct{ any []node }
	atLeast struct {
		count   float64
		percent bool
		of      []inState
	}
)

func (n constant) eval(func(string) (State, bool)) bool { return bool(n) }
func (n inState) eval(state func(string) (State, bool)) bool {
	s, there := state(n.alarm)
	return there && (s == n.state) != n.not
}
func (n not) eval(state func(string) (State, bool)) bool { return !n.of.eval(state) }
func (n and) eval(state func(string) (State, bool)) bool {
	return !slices.ContainsFunc(n.all, func(of node) bool { return !of.eval(state) })
}
func (n or) eval(state func(string) (State, bool)) bool {
	return slices.ContainsFunc(n.any, func(of node) bool { return of.eval(state) })
}
func (n atLeast) eval(state func(string) (State, bool)) bool {
	have := 0.0
	for _, c := range n.of {
		if c.eval(state) {
			have++
		}
	}
	if n.percent {
		have = 100 * have / float64(len(n.of))
	}
	return have >= n.count
}

// ParseComposite reads a rule:
//
//	rule     = term { OR term }
//	term     = factor { AND factor }
//	factor   = NOT factor | ( rule ) | TRUE | FALSE | state ( alarm ) | AT_LEAST ( count , [NOT] state , ( alarm , … ) )
//	state    = ALARM | OK | INSUFFICIENT_DATA
//	count    = a number of alarms, or a part of them in percent
//	alarm    = a name or an ARN, in quotation marks where it has others than letters, digits and -_.:/
func ParseComposite(text string) (*Composite, error) {
	if len([]rune(text)) > mostRule {
		return nil, fmt.Errorf("the rule is longer than %d characters", mostRule)
	}
	p := &ruleParser{}
	var err error
	if p.tokens, err = ruleTokens(text); err != nil {
		return nil, err
	}
	c := &Composite{}
	if c.root, err = p.rule(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.text != "" || t.quoted {
		return nil, t.unexpected()
	}
	c.children = p.children
	switch {
	case len(c.children) > mostChildren:
		return nil, fmt.Errorf("the rule names more than %d alarms", mostChildren)
	case p.elements > mostElements:
		return nil, fmt.Errorf("the rule has more than %d elements", mostElements)
	}
	return c, nil
}

type ruleParser struct {
	tokens   []ruleToken
	at       int
	depth    int
	elements int
	children []string
}

type ruleToken struct {
	text   string // "" at the end
	quoted bool
	pos    int // from 1
}

func (t ruleToken) unexpected() error {
	if t.text == "" && !t.quoted {
		return fmt.Errorf("the rule ends too early")
	}
	return fmt.Errorf("unexpected %q at position %d", t.text, t.pos)
}

func ruleTokens(text string) ([]ruleToken, error) {
	var out []ruleToken
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '(' || c == ')' || c == ',':
			out = append(out, ruleToken{text: string(c), pos: i + 1})
			i++
		case c == '"':
			var name strings.Builder
			j := i + 1
			for ; j < len(text) && text[j] != '"'; j++ {
				if text[j] == '\\' && j+1 < len(text) {
					j++
				}
				name.WriteByte(text[j])
			}
			if j >= len(text) {
				return nil, fmt.Errorf("the quotation mark at position %d is not closed", i+1)
			}
			out = append(out, ruleToken{text: name.String(), quoted: true, pos: i + 1})
			i = j + 1
		default:
			j := i
			for j < len(text) && !strings.ContainsRune(" \t\r\n(),\"", rune(text[j])) {
				j++
			}
			out = append(out, ruleToken{text: text[i:j], pos: i + 1})
			i = j
		}
	}
	return append(out, ruleToken{pos: len(text) + 1}), nil
}

func (p *ruleParser) peek() ruleToken { return p.tokens[p.at] }

func (p *ruleParser) next() ruleToken {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

// word takes the next token if it is that word, which is not an alarm's name in quotation marks.
func (p *ruleParser) word(w string) bool {
	if t := p.peek(); t.quoted || t.text != w {
		return false
	}
	p.next()
	return true
}

func (p *ruleParser) expect(w string) error {
	if !p.word(w) {
		return p.peek().unexpected()
	}
	return nil
}

func (p *ruleParser) rule() (node, error) {
	if p.depth++; p.depth > mostDepth {
		return nil, fmt.Errorf("the rule is nested more than %d deep", mostDepth)
	}
	defer func() { p.depth-- }()
	return p.chain("OR", func() (node, error) { return p.chain("AND", p.factor, func(all []node) node { return and{all} }) }, func(all []node) node { return or{all} })
}

func (p *ruleParser) chain(word string, operand func() (node, error), join func([]node) node) (node, error) {
	var all []node
	for {
		n, err := operand()
		if err != nil {
			return nil, err
		}
		if all = append(all, n); !p.word(word) {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return join(all), nil
}

func (p *ruleParser) factor() (node, error) {
	p.elements++
	negated := false
	for p.word("NOT") {
		negated = !negated
		p.elements++
	}
	n, err := p.operand()
	if err == nil && negated {
		n = not{n}
	}
	return n, err
}

func (p *ruleParser) operand() (node, error) {
	switch t := p.peek(); {
	case p.word("("):
		n, err := p.rule()
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	case p.word("TRUE"):
		return constant(true), nil
	case p.word("FALSE"):
		return constant(false), nil
	case p.word("AT_LEAST"):
		return p.atLeast()
	case !t.quoted && known(t.text):
		p.next()
		if err := p.expect("("); err != nil {
			return nil, err
		}
		name, err := p.alarm()
		if err != nil {
			return nil, err
		}
		return inState{State(t.text), false, name}, p.expect(")")
	default:
		return nil, t.unexpected()
	}
}

func known(s string) bool {
	return State(s) == OK || State(s) == Alarm || State(s) == InsufficientData
}

func (p *ruleParser) alarm() (string, error) {
	t := p.next()
	if t.text == "" || !t.quoted && strings.Contains("(),", t.text) {
		return "", t.unexpected()
	}
	if !slices.Contains(p.children, t.text) {
		p.children = append(p.children, t.text)
	}
	return t.text, nil
}

func (p *ruleParser) atLeast() (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	count := p.next()
	text, percent := strings.CutSuffix(count.text, "%")
	n := atLeast{percent: percent}
	var err error
	if n.count, err = strconv.ParseFloat(text, 64); err != nil || n.count < 1 || percent && n.count > 100 || !percent && n.count != float64(int(n.count)) {
		return nil, fmt.Errorf("%q at position %d is no number of alarms and no percentage", count.text, count.pos)
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	c := inState{not: p.word("NOT")}
	state := p.next()
	if c.state = State(state.text); state.quoted || !known(state.text) {
		return nil, state.unexpected()
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for {
		if c.alarm, err = p.alarm(); err != nil {
			return nil, err
		}
		n.of = append(n.of, c)
		p.elements++
		if !p.word(",") {
			break
		}
	}
	if !percent && int(n.count) > len(n.of) {
		return nil, fmt.Errorf("AT_LEAST wants %d of %d alarms", int(n.count), len(n.of))
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	return n, p.expect(")")
}

// Cycle finds a way from an alarm with that rule back to itself: the names on it, or nil.
// rule gives the composite alarms that there are, by the name of a child.
func Cycle(name string, of *Composite, rule func(child string) (name string, of *Composite)) []string {
	seen := map[string]bool{}
	var walk func(c *Composite, way []string) []string
	walk = func(c *Composite, way []string) []string {
		for _, child := range c.children {
			next, of := rule(child)
			if next == name {
				return append(slices.Clone(way), next)
			}
			if of == nil || seen[next] {
				continue
			}
			seen[next] = true
			if found := walk(of, append(slices.Clone(way), next)); found != nil {
				return found
			}
		}
		return nil
	}
	return walk(of, []string{name})
}
