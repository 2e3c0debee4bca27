package netpol

import (
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// fan is how many branches a chain of ranges has. So many rules a packet meets at each
// level.
const fan = 8

// overlap is how much larger than ranges in a row a tree of them may be: it repeats
// the ends of a range in each part that others cut from it.
const overlap = 8

// segment is ports that the same ranges cover.
type segment struct {
	first, last uint16
	ends        *ends
}

// ranges makes the rules about the ranges of a protocol: a tree, if there are many.
func (b *builder) ranges(m *match, list []span, verdict ruleset.Rule, rest []ruleset.Rule) (rules []ruleset.Rule) {
	if len(list) > few {
		if segments := cut(m, list); segments != nil {
			return b.tree(list[0].proto, segments, verdict, rest)
		}
	}
	for _, s := range list {
		rules = append(rules, b.spanned(s, m.spans[s], verdict)...)
	}
	return append(rules, rest...)
}

// cut makes ranges that may overlap into segments that don't, in order; nil when they
// overlap too much.
func cut(m *match, list []span) (segments []segment) {
	var edges []int // where a segment may begin
	for _, s := range list {
		edges = append(edges, int(s.first), int(s.last)+1)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	parts := 0
	for i, first := range edges[:len(edges)-1] {
		s := segment{first: uint16(first), last: uint16(edges[i+1] - 1)}
		for _, r := range list {
			if r.first > s.first || r.last < s.last {
				continue
			}
			if s.ends == nil {
				s.ends = &ends{}
			}
			s.ends.join(m.spans[r])
			if parts++; parts > overlap*len(list) {
				return nil
			}
		}
		if s.ends != nil {
			segments = append(segments, s)
		}
	}
	return segments
}

// tree leads to the segment that a packet's port is in. What none of them holds or
// decides is left to rest.
func (b *builder) tree(proto uint8, list []segment, verdict ruleset.Rule, rest []ruleset.Rule) (rules []ruleset.Rule) {
	size := 1
	for size*fan < len(list) {
		size *= fan
	}
	for part := range slices.Chunk(list, size) {
		var next string
		if size == 1 {
			next = b.branch(part[0].ends, verdict, rest)
		} else {
			next = b.chain(b.tree(proto, part, verdict, b.short(rest)))
		}
		rules = append(rules, ruleset.Rule{Proto: proto, First: part[0].first, Last: part[len(part)-1].last, Verdict: ruleset.Goto, Chain: next})
	}
	return append(rules, rest...)
}
