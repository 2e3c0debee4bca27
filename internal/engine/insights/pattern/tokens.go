package pattern

import "strings"

// Limits of one message.
const (
	maxTokens   = 1024
	maxSkeleton = 16 << 10
)

// mark precedes a token's class in a skeleton. In messages it is a border, and kept as a
// byte that no text has.
const mark = 0

// A token is a piece of a message that may vary.
type token struct {
	from, to int
	class    class
}

// A cutter cuts messages into tokens. It is used again for the next message.
type cutter struct {
	s        string
	kept     int // what lies before is in skeleton
	skeleton []byte
	tokens   []token
	named    bool // in text: a first word is in the skeleton
	marked   bool // the message has bytes that look like a mark
	full     bool
}

// cut cuts a message. What the cutter holds is its until the next one.
func (c *cutter) cut(s string) {
	c.s, c.kept, c.named, c.full = s, 0, false, false
	c.marked = strings.IndexByte(s, mark) >= 0
	c.skeleton, c.tokens = c.skeleton[:0], c.tokens[:0]
	if at := c.text(0, len(s), true); at < len(s) && !c.full {
		c.json(at)
	}
	c.keep(len(s))
}

// keep appends what lies before a token to the skeleton.
func (c *cutter) keep(to int) {
	if c.full || to <= c.kept {
		return
	}
	if n := maxSkeleton - len(c.skeleton); to-c.kept > n {
		c.stop(c.kept)
		return
	}
	literal := c.s[c.kept:to]
	c.skeleton = append(c.skeleton, literal...)
	if c.marked {
		for i := len(c.skeleton) - len(literal); i < len(c.skeleton); i++ {
			if c.skeleton[i] == mark {
				c.skeleton[i] = 0xff
			}
		}
	}
	c.kept = to
}

// stop makes the rest of the message one token.
func (c *cutter) stop(from int) {
	c.full = true
	c.tokens = append(c.tokens, token{from, len(c.s), rest})
	c.skeleton = append(c.skeleton, mark, byte(rest))
	c.kept = len(c.s)
}

// add takes a token.
func (c *cutter) add(from, to int, k class) {
	if c.keep(from); c.full {
		return
	}
	if len(c.tokens) == maxTokens-1 {
		c.stop(from)
		return
	}
	c.tokens = append(c.tokens, token{from, to, k})
	c.skeleton = append(c.skeleton, mark, byte(k))
	c.kept = to
}

// text cuts text, and stops where JSON begins if that may be: it returns where.
func (c *cutter) text(i, end int, top bool) int {
	s := c.s[:end]
	for i < len(s) && !c.full {
		is := bytesAre[s[i]]
		if is&(space|border|quote|backslash) != 0 {
			if top && s[i] == '{' && opensObject(s[i+1:]) {
				return i
			}
			i++
			continue
		}
		from, has := i, uint16(0)
		for i < len(s) {
			is := bytesAre[s[i]]
			if is&(space|border|quote|backslash) != 0 {
				break
			}
			has |= is
			i++
		}
		if s[from] == '/' || has&(colon|slash) == colon|slash && scheme(s[from:i]) > 0 {
			for i < len(s) && bytesAre[s[i]]&(space|quote|backslash) == 0 && s[i] != ')' && s[i] != '>' && s[i] != '\'' && s[i] != 0 {
				has |= bytesAre[s[i]]
				i++
			}
		}
		to := i
		for to > from && (s[to-1] == '.' || s[to-1] == ':') {
			to--
		}
		if to == from {
			continue
		}
		if to < i {
			has = 0
			for _, b := range []byte(s[from:to]) {
				has |= bytesAre[b]
			}
		}
		c.token(from, to, has, top)
	}
	return i
}

// opensObject reports whether a key follows.
func opensObject(s string) bool {
	for i := range len(s) {
		if bytesAre[s[i]] != space {
			return s[i] == '"'
		}
	}
	return false
}

// token takes a token of text.
func (c *cutter) token(from, to int, has uint16, top bool) {
	s := c.s[from:to]
	k := classify(s, has)
	if k == word {
		if has&^(letter|hexLetter) == 0 && severityOf(s) != NoSeverity {
			return // stays in the skeleton
		}
		if top && has&digit == 0 && !c.named {
			c.named = true
			return
		}
		if top && len(c.tokens) == 0 && len(s) == 5 && klog(s) != NoSeverity {
			c.add(from+1, to, number)
			return
		}
	}
	c.add(from, to, k)
}

// json cuts JSON, and whatever follows it.
func (c *cutter) json(i int) {
	s, table := c.s, &bytesAre
	severityNext := false
	for i < len(s) && !c.full {
		is := bytesAre[s[i]]
		switch {
		case is == quote:
			from, has := i+1, uint16(0)
			for i = from; i < len(s); i++ {
				is := table[s[i]]
				if is < quote {
					has |= is
					continue
				}
				if is == quote {
					break
				}
				has |= is
				i++
			}
			to := min(i, len(s))
			i = to + 1
			next := i
			for next < len(s) && bytesAre[s[next]] == space {
				next++
			}
			if next < len(s) && s[next] == ':' {
				severityNext = has&^(letter|hexLetter) == 0 && isSeverityKey(s[from:to])
				if to > from && !isName(s[from:to], has) {
					c.add(from, to, key)
				}
				i = next + 1
				continue
			}
			switch {
			case to == from, severityNext && has&^(letter|hexLetter) == 0:
			case has&space != 0 || has&backslash != 0:
				c.text(from, to, false)
			default:
				c.add(from, to, classify(s[from:to], has))
			}
		case is&(space|border|colon) != 0:
			i++
		default:
			from, has := i, uint16(0)
			for i < len(s) && bytesAre[s[i]]&(space|border|quote) == 0 {
				has |= bytesAre[s[i]]
				i++
			}
			c.add(from, i, classify(s[from:i], has))
		}
	}
}

// isName reports whether a key of JSON names something: it is not too long, holds no
// quotes, and is no identifier.
func isName(s string, has uint16) bool {
	if len(s) > 100 || has&backslash != 0 {
		return false
	}
	return has&digit == 0 || classify(s, has) == word
}
