package policy

import "encoding/binary"

// grams finds entries whose resource begins with a wildcard: by a few bytes in a
// row that the pattern demands somewhere in the text, the rarest that it has.
type grams struct {
	width   int // bytes of a gram
	entries []entry
	at      map[uint64][]int32 // a gram's entries
	seen    [bloomWords]uint64 // bits of the hashes of all grams
}

// bloomWords is the size of the bitmap that tells most of a text's grams to be
// nobody's, without a look into the map.
const bloomWords = 1 << 16 / 64

func hashGram(g uint64) uint64 { return g * 0x9E3779B97F4A7C15 >> 48 }

// gramAt reads the gram at the beginning of text, which is long enough.
func gramAt(text string, width int) uint64 {
	if width == 8 {
		return binary.LittleEndian.Uint64([]byte(text[:8]))
	}
	return uint64(binary.LittleEndian.Uint32([]byte(text[:4])))
}

// takeGrams parts entries into those that grams can find, eight bytes long if
// they have as many, else four, and the rest.
func takeGrams(entries []entry) (rest []entry, found []*grams) {
	wide, narrow := &grams{width: 8}, &grams{width: 4}
	for _, e := range entries {
		switch n := e.longestLiteral(); {
		case n >= wide.width:
			wide.entries = append(wide.entries, e)
		case n >= narrow.width:
			narrow.entries = append(narrow.entries, e)
		default:
			rest = append(rest, e)
		}
	}
	for _, g := range []*grams{wide, narrow} {
		if len(g.entries) > 0 {
			g.finish()
			found = append(found, g)
		}
	}
	return rest, found
}

// literals calls f for what an entry's pattern demands literally in the text that
// follows the branch.
func (e *entry) literals(f func(lit string)) {
	if e.form != byRest {
		return
	}
	for _, s := range e.rest.segs {
		for i := range s.pieces {
			if s.pieces[i].form == literal {
				f(s.pieces[i].lit)
			}
		}
	}
}

func (e *entry) longestLiteral() int {
	n := 0
	e.literals(func(lit string) { n = max(n, len(lit)) })
	return n
}

// each calls f for all grams that an entry demands.
func (g *grams) each(e *entry, f func(gram uint64)) {
	e.literals(func(lit string) {
		for i := 0; i+g.width <= len(lit); i++ {
			f(gramAt(lit[i:], g.width))
		}
	})
}

// finish enters each entry under the rarest of its grams.
func (g *grams) finish() {
	counts := map[uint64]int{}
	for i := range g.entries {
		g.each(&g.entries[i], func(gram uint64) { counts[gram]++ })
	}
	g.at = make(map[uint64][]int32, len(g.entries))
	for i := range g.entries {
		var rarest uint64
		least := 0
		g.each(&g.entries[i], func(gram uint64) {
			if n := counts[gram]; least == 0 || n < least {
				rarest, least = gram, n
			}
		})
		g.at[rarest] = append(g.at[rarest], int32(i))
		h := hashGram(rarest)
		g.seen[h>>6] |= 1 << (h & 63)
	}
}

// visit tries the entries whose gram is in text. Where the same grams come again
// and again it is quicker to try all entries once.
func (g *grams) visit(s *search, text string) bool {
	tries := 0
	for i := 0; i+g.width <= len(text); i++ {
		gram := gramAt(text[i:], g.width)
		if h := hashGram(gram); g.seen[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		list := g.at[gram]
		if tries += len(list); tries >= len(g.entries) {
			return visitAll(g.entries, s, text)
		}
		for _, n := range list {
			e := &g.entries[n]
			if e.actionMatches(s.query) && e.resourceMatches(s.query, text) && s.try(e) {
				return true
			}
		}
	}
	return false
}
