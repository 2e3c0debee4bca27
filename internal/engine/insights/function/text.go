package function

import (
	"context"
	"math"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/regex"
)

var texts = []*Function{
	{Name: "isempty", Min: 1, Max: 1, Nulls: true, eval: func(_ *Context, args []value.Value) value.Value {
		s, ok := args[0].Text()
		return value.OfBool(args[0].IsNull() || ok && s == "")
	}},
	{Name: "isblank", Min: 1, Max: 1, Nulls: true, eval: func(_ *Context, args []value.Value) value.Value {
		s, ok := args[0].Text()
		return value.OfBool(args[0].IsNull() || ok && strings.TrimSpace(s) == "")
	}},
	{Name: "concat", Min: 1, Max: -1, eval: concat},
	trimmer("ltrim", strings.TrimLeft, strings.TrimLeftFunc),
	trimmer("rtrim", strings.TrimRight, strings.TrimRightFunc),
	trimmer("trim", strings.Trim, strings.TrimFunc),
	ofText("strlen", func(s string) value.Value { return value.OfNumber(float64(utf8.RuneCountInString(s))) }),
	ofText("toupper", func(s string) value.Value { return text(strings.ToUpper(s)) }),
	ofText("tolower", func(s string) value.Value { return text(strings.ToLower(s)) }),
	{Name: "substr", Min: 2, Max: 3, eval: substr},
	{Name: "replace", Min: 3, Max: 3, eval: replace},
	{Name: "regexReplace", Min: 3, Max: 3, Literal: []int{1}, bind: regexReplace},
	{Name: "strcontains", Min: 2, Max: 3, eval: contains},
	ofTexts("startsWith", func(s, t string) value.Value { return value.OfBool(strings.HasPrefix(s, t)) }),
	ofTexts("endsWith", func(s, t string) value.Value { return value.OfBool(strings.HasSuffix(s, t)) }),
	ofTexts("split", split),
}

func concat(_ *Context, args []value.Value) value.Value {
	var b strings.Builder
	for _, a := range args {
		s, ok := a.Text()
		if !ok || b.Len()+len(s) > MaxText {
			return value.Value{}
		}
		b.WriteString(s)
	}
	return value.OfText(b.String())
}

// trimmer makes a function that takes white space off a text, or any of the characters
// of a second one.
func trimmer(name string, chars func(s, cutset string) string, spaces func(s string, f func(rune) bool) string) *Function {
	return &Function{Name: name, Min: 1, Max: 2, eval: func(_ *Context, args []value.Value) value.Value {
		s, ok := args[0].Text()
		if !ok {
			return value.Value{}
		}
		if len(args) == 1 {
			return value.OfText(spaces(s, unicode.IsSpace))
		}
		cut, ok := args[1].Text()
		if !ok {
			return value.Value{}
		}
		return value.OfText(chars(s, cut))
	}}
}

// substr is the text from the code point at an index, from 0, to the end or of so many
// code points. Before the beginning and beyond the end there is nothing.
func substr(_ *Context, args []value.Value) value.Value {
	s, ok := args[0].Text()
	from, isNumber := args[1].Number()
	if !ok || !isNumber {
		return value.Value{}
	}
	n := math.Inf(1)
	if len(args) == 3 {
		if n, ok = args[2].Number(); !ok {
			return value.Value{}
		}
	}
	if from < 0 || n < 0 {
		return value.Value{}
	}
	s = s[runes(s, from):]
	return value.OfText(s[:runes(s, n)])
}

// runes is how many bytes the first n code points of a text have.
func runes(s string, n float64) int {
	n = math.Trunc(n)
	if n >= float64(len(s)) {
		return len(s)
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

func replace(_ *Context, args []value.Value) value.Value {
	s, ok := args[0].Text()
	from, ok2 := args[1].Text()
	to, ok3 := args[2].Text()
	if !ok || !ok2 || !ok3 {
		return value.Value{}
	}
	if from == "" {
		return value.OfText(s)
	}
	if n := strings.Count(s, from); n > 0 && len(s)+n*(len(to)-len(from)) > MaxText {
		return value.Value{}
	}
	return value.OfText(strings.ReplaceAll(s, from, to))
}

// regexReplace replaces all that a regular expression matches. In the replacement $1,
// ${1} and ${name} are groups, and a backslash takes what follows literally, as Java has
// it.
func regexReplace(literals []*value.Value) (Eval, error) {
	source, ok := literals[1].Text()
	if !ok {
		return nil, argument(1, "must be a regular expression")
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, argument(1, "is no regular expression: %v", err)
	}
	search, err := regex.New(re)
	if err != nil {
		return nil, argument(1, "is too large a regular expression: %v", err)
	}
	return func(ctx *Context, args []value.Value) value.Value {
		s, ok := args[0].Text()
		to, too := args[2].Text()
		if !ok || !too {
			return value.Value{}
		}
		var b strings.Builder
		last := 0
		until := ctx.Until
		if until == nil {
			until = context.Background()
		}
		for _, at := range search.FindAll(until, s, -1) {
			b.WriteString(s[last:at[0]])
			expand(&b, re, to, s, at)
			last = at[1]
			if b.Len() > MaxText {
				return value.Value{}
			}
		}
		b.WriteString(s[last:])
		return text(b.String())
	}, nil
}

// expand writes a replacement. It stops once that is longer than a result may be.
func expand(b *strings.Builder, re *regexp.Regexp, to, s string, at []int) {
	for i := 0; i < len(to) && b.Len() <= MaxText; i++ {
		switch c := to[i]; {
		case c == '\\' && i+1 < len(to):
			i++
			b.WriteByte(to[i])
		case c == '$' && i+1 < len(to):
			group, n := reference(re, to[i+1:])
			if n == 0 {
				b.WriteByte(c)
				continue
			}
			if group >= 0 && 2*group < len(at) && at[2*group] >= 0 {
				b.WriteString(s[at[2*group]:at[2*group+1]])
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
}

// reference reads what follows a dollar sign: which group is meant, -1 for one that
// isn't there, and how many bytes say so.
func reference(re *regexp.Regexp, s string) (group, n int) {
	if s[0] == '{' {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, 0
		}
		name := s[1:end]
		if g, digits := number(name, re.NumSubexp()); digits == len(name) && digits > 0 {
			return g, end + 1
		}
		return re.SubexpIndex(name), end + 1
	}
	return number(s, re.NumSubexp())
}

// number reads a group's number: as many digits as there can be groups for.
func number(s string, most int) (group, n int) {
	for n < len(s) && s[n]-'0' < 10 {
		next := group*10 + int(s[n]-'0')
		if n > 0 && next > most {
			break
		}
		group = next
		n++
	}
	if group > most {
		group = -1
	}
	return group, n
}

// contains looks for a text in another; whatever the case, if the third argument holds.
func contains(_ *Context, args []value.Value) value.Value {
	s, ok := args[0].Text()
	t, too := args[1].Text()
	if !ok || !too {
		return value.Value{}
	}
	if len(args) == 3 && args[2].True() {
		s, t = strings.ToLower(s), strings.ToLower(t)
	}
	return value.OfBool(strings.Contains(s, t))
}

// MaxItems is how many items a function's list may have.
const MaxItems = 10_000

func split(s, by string) value.Value {
	if by == "" || strings.Count(s, by) >= MaxItems {
		return value.Value{}
	}
	parts := strings.Split(s, by)
	items := make([]value.Value, len(parts))
	for i, p := range parts {
		items[i] = value.OfText(p)
	}
	return value.OfList(items)
}
