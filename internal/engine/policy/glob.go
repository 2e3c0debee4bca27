package policy

import (
	"strings"
	"unicode/utf8"
)

// glob is a compiled pattern: * stands for any characters, ? for one, and a
// variable for the value that a request gives it.
type glob struct {
	form globForm
	fold bool   // ASCII letters match in either case
	lit  string // of exact and prefix
	segs []segment
}

type globForm uint8

const (
	anything globForm = iota // "*"
	exact                    // no wildcard
	prefix                   // one * at the end
	general                  // segs, with a * between each two of them
)

// segment is what stands between two stars: literals, variables and single
// wildcards.
type segment struct {
	pieces []piece
	scan   *scan // of one with many pieces and stars on both sides
}

type piece struct {
	form pieceForm
	lit  string
	v    int // of a variable: its index among the request's values
}

type pieceForm uint8

const (
	literal  pieceForm = iota
	one                // ?
	star               // *; only between segments, so only in lists of pieces
	variable           // a value, whose own stars are literal
)

// text of a literal or variable.
func (p *piece) text(vals []string) string {
	if p.form == variable {
		return vals[p.v]
	}
	return p.lit
}

func compileGlob(pattern string, fold bool) glob {
	switch i := strings.IndexAny(pattern, "*?"); { // most patterns, without memory of their own
	case i < 0:
		return glob{form: exact, fold: fold, lit: pattern}
	case i > 0 && i == len(pattern)-1 && pattern[i] == '*':
		return glob{form: prefix, fold: fold, lit: pattern[:i]}
	}
	return globOf(wildPieces(nil, pattern), fold)
}

// wildPieces appends the pieces of a text in which * and ? are wildcards.
func wildPieces(list []piece, text string) []piece {
	for len(text) > 0 {
		i := strings.IndexAny(text, "*?")
		if i < 0 {
			return append(list, piece{form: literal, lit: text})
		}
		if i > 0 {
			list = append(list, piece{form: literal, lit: text[:i]})
		}
		if text[i] == '*' {
			list = append(list, piece{form: star})
		} else {
			list = append(list, piece{form: one})
		}
		text = text[i+1:]
	}
	return list
}

// joined joins adjacent literals and drops empty ones and repeated stars.
func joined(pieces []piece) []piece {
	out := make([]piece, 0, len(pieces))
	for _, p := range pieces {
		last := len(out) - 1
		switch {
		case p.form == literal && p.lit == "":
		case p.form == star && last >= 0 && out[last].form == star:
		case p.form == literal && last >= 0 && out[last].form == literal:
			out[last].lit += p.lit
		default:
			out = append(out, p)
		}
	}
	return out
}

// globOf cuts at the stars and picks the quickest form.
func globOf(pieces []piece, fold bool) glob {
	pieces = joined(pieces)
	switch n := len(pieces); {
	case n == 0:
		return glob{form: exact, fold: fold}
	case n == 1 && pieces[0].form == literal:
		return glob{form: exact, fold: fold, lit: pieces[0].lit}
	case n == 1 && pieces[0].form == star:
		return glob{form: anything, fold: fold}
	case n == 2 && pieces[0].form == literal && pieces[1].form == star:
		return glob{form: prefix, fold: fold, lit: pieces[0].lit}
	}
	g := glob{fold: fold, form: general}
	start := 0
	for i, p := range pieces {
		if p.form == star {
			g.segs = append(g.segs, segment{pieces: pieces[start:i]})
			start = i + 1
		}
	}
	g.segs = append(g.segs, segment{pieces: pieces[start:]})
	for i := 1; i < len(g.segs)-1; i++ {
		g.segs[i].prepare(fold)
	}
	return g
}

// match says whether the whole of text matches, with these values of the
// pattern's variables. Each segment is put at the leftmost place where it fits; a
// later star can make up for any choice but the leftmost one is as good as all
// others, so there is no going back.
func (g *glob) match(text string, vals []string) bool {
	switch g.form {
	case anything:
		return true
	case exact:
		return len(text) == len(g.lit) && equal(text, g.lit, g.fold)
	case prefix:
		return len(text) >= len(g.lit) && equal(text[:len(g.lit)], g.lit, g.fold)
	}
	n, ok := g.segs[0].at(text, g.fold, vals)
	if !ok {
		return false
	}
	text = text[n:]
	if len(g.segs) == 1 {
		return text == ""
	}
	for i := 1; i < len(g.segs)-1; i++ {
		end, ok := g.segs[i].find(text, g.fold, vals)
		if !ok {
			return false
		}
		text = text[end:]
	}
	return g.segs[len(g.segs)-1].ends(text, g.fold, vals)
}

// at says how many bytes the segment takes at the beginning of text.
func (s *segment) at(text string, fold bool, vals []string) (n int, ok bool) {
	for i := range s.pieces {
		if s.pieces[i].form == one {
			_, size := utf8.DecodeRuneInString(text[n:])
			if size == 0 {
				return 0, false
			}
			n += size
			continue
		}
		lit := s.pieces[i].text(vals)
		if len(text)-n < len(lit) || !equal(text[n:n+len(lit)], lit, fold) {
			return 0, false
		}
		n += len(lit)
	}
	return n, true
}

// find returns where the leftmost occurrence of the segment ends.
func (s *segment) find(text string, fold bool, vals []string) (end int, ok bool) {
	switch {
	case len(s.pieces) == 1 && s.pieces[0].form != one && !fold:
		lit := s.pieces[0].text(vals)
		i := strings.Index(text, lit)
		return i + len(lit), i >= 0
	case s.scan != nil && s.scan.symbols > 0:
		return s.scan.find(text)
	case s.scan != nil:
		return newScan(s.pieces, vals).find(text)
	}
	return s.findByPlace(text, fold, vals)
}

// findByPlace tries one place after the other.
func (s *segment) findByPlace(text string, fold bool, vals []string) (end int, ok bool) {
	for i := 0; i <= len(text); {
		if n, ok := s.at(text[i:], fold, vals); ok {
			return i + n, true
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += max(size, 1)
	}
	return 0, false
}

// ends says whether text ends in the segment.
func (s *segment) ends(text string, fold bool, vals []string) bool {
	n := len(text)
	for i := len(s.pieces) - 1; i >= 0; i-- {
		if s.pieces[i].form == one {
			_, size := utf8.DecodeLastRuneInString(text[:n])
			if size == 0 {
				return false
			}
			n -= size
			continue
		}
		lit := s.pieces[i].text(vals)
		if n < len(lit) || !equal(text[n-len(lit):n], lit, fold) {
			return false
		}
		n -= len(lit)
	}
	return true
}

// equal compares texts of one length.
func equal(a, b string, fold bool) bool {
	if !fold || a == b {
		return a == b
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
