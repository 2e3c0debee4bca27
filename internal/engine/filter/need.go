package filter

import "strings"

// What every matching message holds is found out once, from the pattern. Each list has
// alternatives, as || makes them: a message must hold one text of each.

// possible says whether a message may match.
func (p *Pattern) possible(message string) bool {
	for _, alternatives := range p.need {
		if !holdsOne(message, alternatives) {
			return false
		}
	}
	return true
}

func holdsOne(message string, alternatives []string) bool {
	for _, t := range alternatives {
		if strings.Contains(message, t) {
			return true
		}
	}
	return false
}

// maxAlternatives is how many texts are looked for before reading is cheaper.
const maxAlternatives = 4

// needs are those of a condition; literal tells the text that a comparison's field
// holds for sure, "" if none.
func (e *expr) needs(literal func(*comparison) string) [][]string {
	switch e.kind {
	case and:
		var all [][]string
		for _, kid := range e.kids {
			all = append(all, kid.needs(literal)...)
		}
		return all
	case or:
		var union []string
		for _, kid := range e.kids {
			of := kid.needs(literal)
			if len(of) == 0 {
				return nil
			}
			union = append(union, best(of)...)
		}
		if len(union) > maxAlternatives {
			return nil
		}
		return [][]string{union}
	}
	if text := literal(&e.cmp); text != "" {
		return [][]string{{text}}
	}
	return nil
}

// best is the list that excludes most: the one whose shortest text is longest.
func best(lists [][]string) []string {
	shortest := func(list []string) int {
		n := len(list[0])
		for _, t := range list {
			n = min(n, len(t))
		}
		return n
	}
	chosen := lists[0]
	for _, l := range lists[1:] {
		if shortest(l) > shortest(chosen) {
			chosen = l
		}
	}
	return chosen
}

// needs are what a message must hold as it is written.
func (d *delimited) needs() (all [][]string) {
	for _, c := range append(d.before[:len(d.before):len(d.before)], d.behind...) {
		if c.cond != nil {
			all = append(all, c.cond.needs(func(c *comparison) string {
				if c.op != equal || c.value.re != nil || c.value.numeric {
					return ""
				}
				return c.value.text
			})...)
		}
	}
	return all
}

// plain is the longest part of a text that JSON can't write otherwise than as it is,
// unless by \u or \/ , which a message is searched for.
func plain(text string) string {
	longest := ""
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7f || r == '\uFFFD' }) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

// escaped says whether a message spells characters by their number or slashes with a
// backslash: what is needed may then be there in another spelling.
func escaped(message string) bool {
	for {
		at := strings.IndexByte(message, '\\')
		if at < 0 || at+1 >= len(message) {
			return false
		}
		if c := message[at+1]; c == 'u' || c == '/' {
			return true
		}
		message = message[at+2:]
	}
}
