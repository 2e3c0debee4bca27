package nft

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/eksact/eksact/internal/engine/ruleset"
)

// block is a range of addresses, both ends included.
type block struct{ first, last netip.Addr }

// anywhere is all of IPv4.
var anywhere = block{netip.AddrFrom4([4]byte{}), netip.AddrFrom4([4]byte{255, 255, 255, 255})}

// merge turns prefixes of a family into ordered ranges that neither overlap nor
// touch, as an interval set requires them.
func merge(f *family, prefixes iter.Seq[netip.Prefix]) []block {
	var all []block
	for p := range prefixes {
		if f.has(p.Addr()) {
			all = append(all, block{p.Masked().Addr(), lastOf(p)})
		}
	}
	slices.SortFunc(all, func(a, b block) int { return a.first.Compare(b.first) })
	out := all[:0]
	for _, b := range all {
		if n := len(out); n > 0 {
			end := &out[n-1].last
			if next := end.Next(); !next.IsValid() || b.first.Compare(next) <= 0 {
				if end.Less(b.last) {
					*end = b.last
				}
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

// mergeElements is merge of a set's elements.
func mergeElements(f *family, elements map[ruleset.Element]struct{}) []block {
	return merge(f, func(yield func(netip.Prefix) bool) {
		for e := range elements {
			if !yield(e.Prefix) {
				return
			}
		}
	})
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		free := min(max(8*(i+1)-p.Bits(), 0), 8)
		b[i] |= byte(1<<free - 1)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// missing are the blocks of a that b lacks.
func missing(a, b []block) (out []block) {
	for _, one := range a {
		for len(b) > 0 && b[0].first.Less(one.first) {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != one {
			out = append(out, one)
		}
	}
	return out
}

// bounds are the elements of an interval set: where each range begins, and the
// first address behind it, if there is one.
func bounds(blocks []block) []element {
	out := make([]element, 0, 2*len(blocks))
	for _, b := range blocks {
		out = append(out, element{key: b.first.AsSlice()})
		if end := b.last.Next(); end.IsValid() {
			out = append(out, element{key: end.AsSlice(), intervalEnd: true})
		}
	}
	return out
}
