package netpol

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// tally counts the uses of things, and knows which of them came and went.
type tally[K comparable] struct {
	counts map[K]int
	// before is whether a thing was in use when it last settled, of those that changed.
	before map[K]bool
}

func (t *tally[K]) add(key K, by int) {
	if t.counts == nil {
		t.counts = map[K]int{}
	}
	n := t.counts[key]
	if _, noted := t.before[key]; !noted {
		if t.before == nil {
			t.before = map[K]bool{}
		}
		t.before[key] = n > 0
	}
	if n += by; n > 0 {
		t.counts[key] = n
	} else {
		delete(t.counts, key)
	}
}

// change is what came into use and went out of use since it settled.
func (t *tally[K]) change() (came, went []K) {
	for key, was := range t.before {
		switch is := t.counts[key] > 0; {
		case is && !was:
			came = append(came, key)
		case was && !is:
			went = append(went, key)
		}
	}
	return came, went
}

func (t *tally[K]) settle() { t.before = nil }

// begin is add without a note: of a thing that is made, and has not settled before.
func (t *tally[K]) begin(key K) {
	if t.counts == nil {
		t.counts = map[K]int{}
	}
	t.counts[key]++
}

// hashed is an id of a text: the same text, the same id, and no others.
func hashed(prefix string, text []byte) string {
	h := sha256.Sum256(text)
	return prefix + hex.EncodeToString(h[:16])
}

// joined are texts as one; other texts are another.
func joined(parts []string) (text []byte) {
	for _, p := range parts {
		text = append(binary.AppendUvarint(text, uint64(len(p))), p...)
	}
	return text
}
