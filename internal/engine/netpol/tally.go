package netpol

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
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

// hashed is an id of what the parts say: the same parts, the same id, and no others.
func hashed(prefix string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(strconv.AppendInt(nil, int64(len(p)), 10))
		h.Write([]byte(":" + p))
	}
	return prefix + hex.EncodeToString(h.Sum(nil)[:16])
}
