package storage

import "testing"

// TestTokens: whoever goes on behind a token that was made of a place before goes on at the
// place, and at nothing that lies ahead of it.
func TestTokens(t *testing.T) {
	for _, p := range []Place{{1_700_000_000_000, 7}, {1_700_000_000_000, 1}, {1_700_000_000_000, 0}, {1, 0}} {
		read, ok := ParseID(p.Before().ID())
		if !ok || read.After().Compare(p) > 0 {
			t.Errorf("%v: %v is not passed by", p, read)
		}
		for _, ahead := range []Place{{p.At - 1, 0}, {p.At - 1, 1 << 60}, {p.At, p.Serial - 1}} {
			if ahead.Serial >= 0 && read.After().Compare(ahead) <= 0 {
				t.Errorf("%v: %v comes again", p, ahead)
			}
		}
		if behind, ok := ParseID(p.After().ID()); !ok || p.Compare(behind) >= 0 || behind.Compare(Place{p.At, p.Serial + 1}) != 0 {
			t.Errorf("%v: backwards it goes on at %v", p, behind)
		}
	}
}
