package iam

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"sort"

	"github.com/eksact/eksact/internal/aws/api"
)

// defaultPage is how many items a list holds when the caller names no number.
const defaultPage = 100

// listing is the part of a request that all lists share.
type listing struct {
	check
	marker *string
	max    int
	of     string // what a marker belongs to beside the list: its filter
	bad    error  // what is said of a marker that doesn't belong here
}

// newListing checks maxItems; the marker is checked by pageOf, which knows of what
// list it must be.
func newListing(marker *string, maxItems *int32) *listing {
	l := &listing{marker: marker, max: defaultPage, bad: badMarker()}
	l.between("maxItems", maxItems, 1, 1000)
	if maxItems != nil {
		l.max = int(*maxItems)
	}
	return l
}

// sealSize is how many bytes of a marker tell that it was given here.
const sealSize = 9

// seal makes the marker after which the list of that kind goes on: the key of the
// last item shown, behind a digest, so that a marker that was never given, or was
// given by another list, is refused. It keeps no secret and protects none: a list
// shows its caller the same items without it.
func seal(kind, last string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + last))
	return base64.RawURLEncoding.EncodeToString(append(sum[:sealSize:sealSize], last...))
}

// unseal returns the key that seal was given.
func unseal(kind, marker string) (last string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil || len(raw) <= sealSize {
		return "", false
	}
	last = string(raw[sealSize:])
	return last, seal(kind, last) == marker
}

// badMarker is IAM's answer to a marker that it never gave.
func badMarker() error { return api.ValidationError("Invalid Marker.") }

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
	kind := fmt.Sprintf("%T %s", *new(O), l.of)
	after, last := "", ""
	if l.marker != nil {
		var ok bool
		if after, ok = unseal(kind, *l.marker); !ok {
			return p, l.bad
		}
	}
	for k, item := range items {
		if k <= after {
			continue
		}
		out, ok := show(item)
		if !ok {
			continue
		}
		if len(p.items) == l.max {
			marker := seal(kind, last)
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
