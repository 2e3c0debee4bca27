package pattern

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Pattern is a text that messages have in common.
type Pattern struct {
	ID       string // 32 hexadecimal digits, of the text
	Text     string // @pattern
	Regex    string // @regexString: matches its messages
	Severity Severity
	Count    int64   // @sampleCount: messages
	Before   int64   // messages of the time that diff compares with
	Ratio    float64 // of all messages of their time: of those before, if Count is 0
	Tokens   []Token
	Bins     []uint32 // Count by time, see Options
}

// A Token is a place of a pattern where messages differ, or may.
type Token struct {
	Position int // from 1
	Name     string
	Text     string           // <Name-Position>
	Values   map[string]int64 // with the number of messages; nil if there are too many
	before   map[string]int64
	label    string // the word before it: a key, mostly
	sizes    *sizes
	class    class
}

// similar is the share of words that a form must have in common with a pattern.
const similar = 0.6

// maxPatterns is how many patterns a skeleton may have; forms beyond join the most
// similar one.
const maxPatterns = 100

// Patterns are the patterns of all messages, those of most messages first.
func (m *Miner) Patterns() []Pattern {
	known := map[[2]string]*Pattern{}
	for _, sk := range m.skeletons {
		for _, c := range sk.cluster() {
			p := sk.pattern(c)
			k := [2]string{p.Text, p.Regex} // a message may look like a pattern
			if same := known[k]; same != nil {
				same.absorb(p)
			} else {
				known[k] = p
			}
		}
	}
	list := make([]Pattern, 0, len(known))
	for _, p := range known {
		if p.Ratio = share(p.Count, m.total.now); p.Count == 0 {
			p.Ratio = share(p.Before, m.total.before)
		}
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b Pattern) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Before, a.Before), strings.Compare(a.Text, b.Text), strings.Compare(a.Regex, b.Regex))
	})
	return list
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// A cluster is forms that make one pattern.
type cluster struct {
	leader string // ids of the first form
	form
	values []map[string]*counts // of each counted place, nil where it varies
}

// cluster joins forms. Forms are taken in an order that does not depend on ids.
func (sk *skeleton) cluster() []*cluster {
	type candidate struct {
		ids    string
		values []string // "" where the place varies
		form   *form
	}
	var counted []*place
	var words []int // those of counted that compare
	for i := range sk.places {
		if p := &sk.places[i]; p.class.counted() {
			if p.class == word && !p.varies {
				words = append(words, len(counted))
			}
			counted = append(counted, p)
		}
	}
	all := make([]candidate, 0, len(sk.forms))
	for ids, f := range sk.forms {
		values := make([]string, len(ids))
		for n := range len(ids) {
			if ids[n] != varying {
				values[n] = counted[n].values[ids[n]]
			}
		}
		all = append(all, candidate{ids, values, f})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.form.now+b.form.before, a.form.now+a.form.before), slices.Compare(a.values, b.values))
	})
	var list []*cluster
	for _, c := range all {
		best, most := -1, -1
		for i, known := range list {
			same := 0
			for _, n := range words {
				if c.ids[n] == known.leader[n] {
					same++
				}
			}
			if same > most {
				best, most = i, same
			}
		}
		if best < 0 || float64(most) < similar*float64(len(words)) && len(list) < maxPatterns {
			list = append(list, &cluster{leader: c.ids, values: make([]map[string]*counts, len(counted))})
			best = len(list) - 1
		}
		list[best].join(counted, c.values, c.form)
	}
	return list
}

func (c *cluster) join(counted []*place, values []string, f *form) {
	copied := *f
	copied.bins = slices.Clone(f.bins)
	c.form.add(&copied)
	for n, p := range counted {
		if p.varies {
			continue
		}
		if c.values[n] == nil {
			c.values[n] = map[string]*counts{}
		}
		of := c.values[n][values[n]]
		if of == nil {
			of = &counts{}
			c.values[n][values[n]] = of
		}
		of.now += f.now
		of.before += f.before
	}
}

// pattern writes a cluster's pattern.
func (sk *skeleton) pattern(c *cluster) *Pattern {
	p := &Pattern{Count: c.now, Before: c.before, Bins: c.bins}
	var text, re strings.Builder
	re.WriteString("^")
	literal := func(s string) {
		writeLiteral(&text, &re, s)
	}
	left, n := sk.text, 0
	for i := range sk.places {
		at := strings.IndexByte(left, mark)
		literal(left[:at])
		left = left[at+2:]
		pl := &sk.places[i]
		t := Token{class: pl.class, sizes: pl.sizes}
		if pl.class.counted() {
			of := c.values[n]
			n++
			if only, ok := one(of); ok && (pl.class == word || c.now+c.before > 1) {
				literal(only)
				continue
			}
			t.Values, t.before = split(of)
		}
		t.Position = len(p.Tokens) + 1
		t.Name = names[pl.class]
		t.Text = "<" + t.Name + "-" + strconv.Itoa(t.Position) + ">"
		t.label = label(text.String())
		p.Tokens = append(p.Tokens, t)
		text.WriteString(t.Text)
		re.WriteString(expressions[pl.class])
	}
	literal(left)
	re.WriteString("$")
	p.Text, p.Regex = text.String(), re.String()
	p.Severity = severityIn(p.Text)
	sum := sha256.Sum256([]byte(p.Text))
	p.ID = hex.EncodeToString(sum[:16])
	return p
}

func one(of map[string]*counts) (string, bool) {
	if len(of) != 1 {
		return "", false
	}
	for v := range of {
		return v, true
	}
	return "", false
}

// split takes the counts of values apart: now and before.
func split(of map[string]*counts) (now, before map[string]int64) {
	if of == nil {
		return nil, nil
	}
	now, before = map[string]int64{}, map[string]int64{}
	for v, n := range of {
		if n.now > 0 {
			now[v] = n.now
		}
		if n.before > 0 {
			before[v] = n.before
		}
	}
	return now, before
}

// absorb adds a pattern of another skeleton with the same text: they differ in the
// classes of tokens that are written out.
func (p *Pattern) absorb(q *Pattern) {
	f := form{counts{p.Count, p.Before}, p.Bins}
	f.add(&form{counts{q.Count, q.Before}, q.Bins})
	p.Count, p.Before, p.Bins = f.now, f.before, f.bins
	for i := range p.Tokens {
		t, u := &p.Tokens[i], &q.Tokens[i]
		if t.Values == nil || u.Values == nil {
			t.Values, t.before = nil, nil
			continue
		}
		for v, n := range u.Values {
			t.Values[v] += n
		}
		for v, n := range u.before {
			t.before[v] += n
		}
	}
}

// writeLiteral writes a literal, as text and as an expression. What is no UTF-8 can't be
// in either: each byte of it is U+FFFD, and matches any.
func writeLiteral(text, re *strings.Builder, s string) {
	for s != "" {
		valid := 0
		for valid < len(s) {
			r, size := utf8.DecodeRuneInString(s[valid:])
			if r == utf8.RuneError {
				break
			}
			valid += size
		}
		text.WriteString(s[:valid])
		re.WriteString(regexp.QuoteMeta(s[:valid]))
		if s = s[valid:]; s != "" {
			_, size := utf8.DecodeRuneInString(s)
			text.WriteRune(utf8.RuneError)
			re.WriteString("(?s:.)")
			s = s[size:]
		}
	}
}

// label is the last word of a text: a key, or what a token of plain text follows.
func label(text string) string {
	end := len(text)
	for end > 0 && bytesAre[text[end-1]]&(letter|hexLetter|digit) == 0 {
		end--
	}
	from := end
	for from > 0 && (bytesAre[text[from-1]]&(letter|hexLetter|digit) != 0 || text[from-1] == '_') {
		from--
	}
	return text[from:end]
}

// TokensJSON is @tokens: a list in the shape of the API's PatternToken.
func (p *Pattern) TokensJSON() string {
	type token struct {
		Position int              `json:"dynamicTokenPosition"`
		Dynamic  bool             `json:"isDynamic"`
		Text     string           `json:"tokenString"`
		Name     string           `json:"inferredTokenName"`
		Values   map[string]int64 `json:"enumerations,omitempty"`
	}
	list := make([]token, len(p.Tokens))
	for i, t := range p.Tokens {
		list[i] = token{t.Position, true, t.Text, t.Name, maps.Clone(t.Values)}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "[]" // maps of numbers always marshal
	}
	return string(b)
}
