// Package regex is regular expressions whose search ends when a context does. Go's run to
// their end, which for a large one over a large text are minutes: so these look again and
// again whether anybody still waits, and find just what Go's find.
package regex

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"sync"
	"unicode/utf8"
)

// MaxInstructions is how large the program of a regular expression may be: a{500} has
// about 500 instructions.
const MaxInstructions = 10_000

// A search takes at most about as many steps as its program has instructions times the
// text has bytes, of some 20 ns each.
const (
	soon    = 1 << 16 // steps before which it is not worth to look
	atOnce  = 1 << 25 // steps that are not interrupted: under a second
	between = 256     // runes
)

// A Regexp is a regular expression. It can be used by several goroutines.
type Regexp struct {
	*regexp.Regexp
	size int
	// behind says that what it matches depends on what is before.
	behind bool
	// rest finds the first match behind the first rune of a text, as its first group.
	rest func() *regexp.Regexp
}

// New makes one of Go's. The error says that it is too large.
func New(re *regexp.Regexp) (*Regexp, error) {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	r := &Regexp{Regexp: re, size: len(program.Inst)}
	if r.size > MaxInstructions {
		return nil, fmt.Errorf("it has %d instructions, more than %d: repeat less", r.size, MaxInstructions)
	}
	const looksBehind = syntax.EmptyBeginLine | syntax.EmptyBeginText | syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
	for _, i := range program.Inst {
		r.behind = r.behind || i.Op == syntax.InstEmptyWidth && syntax.EmptyOp(i.Arg)&looksBehind != 0
	}
	r.rest = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?s:.)(?s:.*?)(` + re.String() + `)`) })
	return r, nil
}

// steps is how many a search of a text may take.
func (r *Regexp) steps(s string) int { return r.size * len(s) }

// Match reports whether a text has a match; if ctx ends, false.
func (r *Regexp) Match(ctx context.Context, s string) bool {
	switch steps := r.steps(s); {
	case steps < soon:
		return r.MatchString(s)
	case ctx.Err() != nil:
		return false
	case steps < atOnce:
		return r.MatchString(s)
	}
	return r.MatchReader(&reader{ctx: ctx, text: s}) && ctx.Err() == nil
}

// Find gives the places of the first match and of its groups, as Go's
// FindStringSubmatchIndex; if ctx ends, nil.
func (r *Regexp) Find(ctx context.Context, s string) []int {
	return find(ctx, r.Regexp, s, r.steps(s))
}

func find(ctx context.Context, re *regexp.Regexp, s string, steps int) []int {
	switch {
	case steps < soon:
		return re.FindStringSubmatchIndex(s)
	case ctx.Err() != nil:
		return nil
	case steps < atOnce:
		return re.FindStringSubmatchIndex(s)
	}
	at := re.FindReaderSubmatchIndex(&reader{ctx: ctx, text: s})
	if ctx.Err() != nil {
		return nil
	}
	return at
}

// FindAll gives the places of the first n matches, of all if n is negative, as Go's
// FindAllStringSubmatchIndex; if ctx ends, those that it has.
func (r *Regexp) FindAll(ctx context.Context, s string, n int) (all [][]int) {
	if r.steps(s) < soon {
		return r.FindAllStringSubmatchIndex(s, n)
	}
	for from, end := 0, -1; from <= len(s) && (n < 0 || len(all) < n); {
		at := r.findFrom(ctx, s, from)
		if at == nil {
			return all
		}
		isAgain := at[0] == at[1] && at[0] == end // nothing, behind what was found
		end = at[1]
		if from < end {
			from = end
		} else {
			_, width := utf8.DecodeRuneInString(s[from:])
			from += max(1, width)
		}
		if !isAgain {
			all = append(all, at)
		}
	}
	return all
}

// findFrom is Find from a place of the text on.
func (r *Regexp) findFrom(ctx context.Context, s string, from int) []int {
	if from == 0 || !r.behind {
		return shifted(r.Find(ctx, s[from:]), from)
	}
	_, width := utf8.DecodeLastRuneInString(s[:from])
	s = s[from-width:]
	at := find(ctx, r.rest(), s, r.steps(s))
	if at == nil {
		return nil
	}
	return shifted(at[2:], from-width)
}

func shifted(at []int, by int) []int {
	for i := range at {
		if at[i] >= 0 {
			at[i] += by
		}
	}
	return at
}

// A reader reads a text until a context ends.
type reader struct {
	ctx   context.Context
	text  string
	runes int
}

func (r *reader) ReadRune() (c rune, size int, err error) {
	if r.runes++; r.text == "" || r.runes%between == 0 && r.ctx.Err() != nil {
		r.text = ""
		return 0, 0, io.EOF
	}
	c, size = utf8.DecodeRuneInString(r.text)
	r.text = r.text[size:]
	return c, size, nil
}
