package lower

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/eksact/eksact/internal/engine/scan"
)

// mostInstructions is how large a regular expression may be that ClickHouse is given: its
// RE2 refuses those that take much memory.
const mostInstructions = 2000

// canonical spells a regular expression so that RE2 and Go read it the same: flags are
// written where they hold, classes of Unicode as ranges. ok is false where that is not
// certain: cases folded outside of ASCII, by tables that differ in their age, and U+FFFD,
// which stands for bytes that are no UTF-8.
func canonical(re *regexp.Regexp) (text string, ok bool) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil || !portable(tree) {
		return "", false
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > mostInstructions {
		return "", false
	}
	// Simplify may have changed parts of the tree.
	if tree, err = syntax.Parse(re.String(), syntax.Perl); err != nil {
		return "", false
	}
	text = tree.String()
	// What is written is what is meant.
	if again, err := regexp.Compile(text); err != nil || again.NumSubexp() != re.NumSubexp() || strings.IndexByte(text, 0) >= 0 {
		return "", false
	}
	return text, true
}

func portable(t *syntax.Regexp) bool {
	if t.Op == syntax.OpLiteral || t.Op == syntax.OpCharClass {
		for _, r := range t.Rune {
			if r == utf8.RuneError && t.Op == syntax.OpLiteral || r >= utf8.RuneSelf && t.Op == syntax.OpLiteral && t.Flags&syntax.FoldCase != 0 {
				return false
			}
		}
	}
	for _, sub := range t.Sub {
		if !portable(sub) {
			return false
		}
	}
	return true
}

// pattern is an extract's regular expression, and the numbers of the groups that are its
// columns. A glob is one: each part as early as it can be.
func pattern(e *scan.Extract) (text string, groups []int, count int, ok bool) {
	re := e.Regexp
	groups = e.Groups
	if re == nil {
		var b strings.Builder
		b.WriteString("(?s)")
		for i, part := range e.Glob {
			switch {
			case i > 0 && i == len(e.Glob)-1 && part == "":
				b.WriteString("(.*)")
			case i > 0:
				b.WriteString("(.*?)")
			}
			b.WriteString(regexp.QuoteMeta(part))
		}
		var err error
		if re, err = regexp.Compile(b.String()); err != nil {
			return "", nil, 0, false
		}
		groups = nil
		for i := range len(e.Glob) - 1 {
			groups = append(groups, i+1)
		}
	}
	text, ok = canonical(re)
	return text, groups, re.NumSubexp(), ok && re.NumSubexp() > 0
}
