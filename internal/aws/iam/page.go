package iam

import (
	"encoding/base64"
	"iter"
	"sort"
)

// defaultPage is how many items a list holds when the caller names no number.
const defaultPage = 100

// listing is the part of a request that all lists share.
type listing struct {
	check
	after string // key of the last item already shown
	max   int
}

// newListing checks marker and maxItems. The marker is opaque to callers: the
// last key shown.
func newListing(marker *string, maxItems *int32) *listing {
	l := &listing{max: defaultPage}
	l.between("maxItems", maxItems, 1, 1000)
	if maxItems != nil {
		l.max = int(*maxItems)
	}
	if marker != nil {
		last, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil || len(last) == 0 {
			l.invalid("marker", "It must be the Marker of an earlier answer.")
		}
		l.after = string(last)
	}
	return l
}

// paged is one page of a list.
type paged[T any] struct {
	items  []T
	marker *string
	more   bool
}

// pageOf takes one page from items that come sorted by key. Show turns an item
// into what the answer holds, and says whether it belongs there.
func pageOf[T, O any](l *listing, items iter.Seq2[string, T], show func(T) (O, bool)) (paged[O], error) {
	p := paged[O]{items: make([]O, 0, min(l.max, 32))}
	if err := l.err(); err != nil {
		return p, err
	}
	last := ""
	for k, item := range items {
		if k <= l.after {
			continue
		}
		out, ok := show(item)
		if !ok {
			continue
		}
		if len(p.items) == l.max {
			marker := base64.RawURLEncoding.EncodeToString([]byte(last))
			p.marker, p.more = &marker, true
			break
		}
		p.items = append(p.items, out)
		last = k
	}
	return p, nil
}

// byKey sorts a short list for pageOf.
func byKey[T any](list []T, keyOf func(T) string) iter.Seq2[string, T] {
	sorted := make([]T, len(list))
	copy(sorted, list)
	sort.SliceStable(sorted, func(a, b int) bool { return keyOf(sorted[a]) < keyOf(sorted[b]) })
	return func(yield func(string, T) bool) {
		for _, item := range sorted {
			if !yield(keyOf(item), item) {
				return
			}
		}
	}
}

// always shows every item.
func always[T, O any](show func(T) O) func(T) (O, bool) {
	return func(item T) (O, bool) { return show(item), true }
}
