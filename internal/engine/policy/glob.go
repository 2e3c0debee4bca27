package policy

import (
	"strings"
	"unicode/utf8"
)

// glob is a compiled wildcard pattern: * stands for any characters, ? for one.
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

// segment is what stands between two stars: literals and single wildcards.
type segment []piece

type piece struct {
	form pieceForm
	lit  string
}

type pieceForm uint8

const (
	literal pieceForm = iota
	one               // ?
	star              // *; only between segments, so only in lists of pieces
)

func compileGlob(pattern string, fold bool) glob {
	return globOf(wildPieces(nil, pattern), fold)
}

// wildPieces appends the pieces of a text in which * and ? are wildcards.
func wildPieces(list []piece, text string) []piece {
	for len(text) > 0 {
		i := strings.IndexAny(text, "*?")
		if i < 0 {
			return append(list, piece{literal, text})
		}
		if i > 0 {
			list = append(list, piece{literal, text[:i]})
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

// globOf joins adjacent literals, cuts at the stars and picks the quickest form.
func globOf(pieces []piece, fold bool) glob {
	segs := []segment{{}}
	for _, p := range pieces {
		last := len(segs) - 1
		switch {
		case p.form == star:
			segs = append(segs, segment{})
		case p.form == literal && p.lit == "":
		case p.form == literal && len(segs[last]) > 0 && segs[last][len(segs[last])-1].form == literal:
			segs[last][len(segs[last])-1].lit += p.lit
		default:
			segs[last] = append(segs[last], p)
		}
	}
	if len(segs) > 2 {
		// Adjacent stars are one: drop what is empty in the middle.
		middle := segs[1 : len(segs)-1]
		kept := segs[:1]
		tail := segs[len(segs)-1]
		for _, s := range middle {
			if len(s) > 0 {
				kept = append(kept, s)
			}
		}
		segs = append(kept, tail)
	}
	g := glob{fold: fold, form: general, segs: segs}
	first, isLit := segs[0].literal()
	switch {
	case len(segs) == 1 && isLit:
		g.form, g.lit, g.segs = exact, first, nil
	case len(segs) == 2 && isLit && len(segs[1]) == 0:
		g.form, g.lit, g.segs = prefix, first, nil
		if first == "" {
			g.form = anything
		}
	}
	return g
}

// literal is the segment's text if it is nothing but one.
func (s segment) literal() (string, bool) {
	switch {
	case len(s) == 0:
		return "", true
	case len(s) == 1 && s[0].form == literal:
		return s[0].lit, true
	}
	return "", false
}

// match says whether the whole of text matches. Each segment is put at the
// leftmost place where it fits; a later star can make up for any choice but the
// leftmost one is as good as all others, so there is no going back.
func (g *glob) match(text string) bool {
	switch g.form {
	case anything:
		return true
	case exact:
		return len(text) == len(g.lit) && equal(text, g.lit, g.fold)
	case prefix:
		return len(text) >= len(g.lit) && equal(text[:len(g.lit)], g.lit, g.fold)
	}
	n, ok := g.segs[0].at(text, g.fold)
	if !ok {
		return false
	}
	text = text[n:]
	if len(g.segs) == 1 {
		return text == ""
	}
	for _, s := range g.segs[1 : len(g.segs)-1] {
		end, ok := s.find(text, g.fold)
		if !ok {
			return false
		}
		text = text[end:]
	}
	return g.segs[len(g.segs)-1].ends(text, g.fold)
}

// at says how many bytes the segment takes at the beginning of text.
func (s segment) at(text string, fold bool) (n int, ok bool) {
	for _, p := range s {
		if p.form == one {
			_, size := utf8.DecodeRuneInString(text[n:])
			if size == 0 {
				return 0, false
			}
			n += size
			continue
		}
		if len(text)-n < len(p.lit) || !equal(text[n:n+len(p.lit)], p.lit, fold) {
			return 0, false
		}
		n += len(p.lit)
	}
	return n, true
}

// find returns where the leftmost occurrence of the segment ends.
func (s segment) find(text string, fold bool) (end int, ok bool) {
	if lit, isLit := s.literal(); isLit && !fold {
		i := strings.Index(text, lit)
		return i + len(lit), i >= 0
	}
	for i := 0; i <= len(text); {
		if n, ok := s.at(text[i:], fold); ok {
			return i + n, true
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += max(size, 1)
	}
	return 0, false
}

// ends says whether text ends in the segment.
func (s segment) ends(text string, fold bool) bool {
	n := len(text)
	for i := len(s) - 1; i >= 0; i-- {
		p := s[i]
		if p.form == one {
			_, size := utf8.DecodeLastRuneInString(text[:n])
			if size == 0 {
				return false
			}
			n -= size
			continue
		}
		if n < len(p.lit) || !equal(text[n-len(p.lit):n], p.lit, fold) {
			return false
		}
		n -= len(p.lit)
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
