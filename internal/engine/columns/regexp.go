package columns

import (
	"regexp/syntax"

	"github.com/eksact/eksact/internal/engine/scan"
)

// globOf gives the glob that a regular expression amounts to, if it is literals with .*?
// or [^c]* between them, in the latter case followed by c alone. Of the glob's columns
// wanted are those of the extract's groups. For .*? the glob holds for texts without line
// breaks in its place, which oneLine tells by column.
//
// Both match at the first place of the first literal, if at all: what follows is looked
// for anywhere behind it, so it is also found from an earlier place.
func globOf(e *scan.Extract) (glob []string, wanted []int, oneLine []bool, ok bool) {
	tree, err := syntax.Parse(e.Regexp.String(), syntax.Perl)
	if err != nil {
		return nil, nil, nil, false
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	star := map[int]int{} // by group
	var stop rune         // what ends the star before; -1: anything may
	for i, p := range parts {
		if i%2 == 0 {
			text := string(p.Rune)
			if p.Op != syntax.OpLiteral || p.Flags&syntax.FoldCase != 0 || i > 0 && stop >= 0 && text != string(stop) {
				return nil, nil, nil, false
			}
			glob = append(glob, text)
			continue
		}
		if p.Op == syntax.OpCapture {
			star[p.Cap] = i / 2
			p = p.Sub[0]
		}
		if stop, ok = starOf(p); !ok {
			return nil, nil, nil, false
		}
		oneLine = append(oneLine, stop < 0)
	}
	if len(parts) < 3 || len(parts)%2 == 0 {
		return nil, nil, nil, false
	}
	for _, g := range e.Groups {
		i, known := star[g]
		if !known {
			return nil, nil, nil, false
		}
		wanted = append(wanted, i)
	}
	return glob, wanted, oneLine, true
}

// starOf tells what ends a .*? (-1) or a [^c]*.
func starOf(p *syntax.Regexp) (stop rune, ok bool) {
	if p.Op != syntax.OpStar {
		return 0, false
	}
	switch sub := p.Sub[0]; {
	case sub.Op == syntax.OpAnyCharNotNL && p.Flags&syntax.NonGreedy != 0:
		return -1, true
	case sub.Op == syntax.OpCharClass && p.Flags&syntax.NonGreedy == 0:
		r := sub.Rune
		if len(r) == 4 && r[0] == 0 && r[3] == 0x10ffff && r[2] == r[1]+2 && r[1]+1 < 0x80 {
			return r[1] + 1, true
		}
	}
	return 0, false
}
