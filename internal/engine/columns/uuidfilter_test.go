package columns

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/eksact/eksact/internal/engine/scan"
)

func uuidEvents(r *rand.Rand, n int) (all []Event, uuids []string) {
	texts := make([]string, n)
	for i := range texts {
		id := appendUUIDText(nil, binaryUUID(r, i))
		uuids = append(uuids, string(id))
		texts[i] = fmt.Sprintf(`{"auditID":"%s","n":%d}`, id, i)
	}
	return events(texts...), uuids
}

// binaryUUID is a random one or, often, one that differs from others in little.
func binaryUUID(r *rand.Rand, i int) []byte {
	b := make([]byte, 16)
	b[i%16], b[15-i%16] = byte(i), byte(i>>8)
	if i%3 == 0 {
		for j := range b {
			b[j] = byte(r.Uint32())
		}
	}
	return b
}

func TestUUIDsAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	e, uuids := uuidEvents(r, 3000)
	var merged bytes.Buffer
	parts := []*Segment{open(t, write(t, e, 1000))}
	if err := Merge(&merged, parts); err != nil {
		t.Fatal(err)
	}
	texts := append([]string{"", "x", "ab", "ffffffff-ffff-ffff-ffff-ffffffffffff", uuids[7] + "0", uuids[7][1:], `"` + uuids[7], uuids[7] + `","n"`}, uuids[:200]...)
	for _, s := range append(parts, open(t, merged.Bytes())) {
		log := Log{ID: "id", Segments: []*Segment{s}}
		for _, text := range texts {
			for _, p := range []scan.Predicate{equals("auditID", text), contains("auditID", text), contains("@message", text)} {
				if text == "" {
					p.Contains = nil
				}
				req := &scan.Request{To: 1 << 60, Fields: []string{"n"}, Where: []scan.Predicate{p}}
				agree(t, log, e, req, p.Field+" "+text)
			}
		}
	}
}

// TestUUIDFilterIsRight counts what passes that isn't there.
func TestUUIDFilterIsRight(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var all uuids
	for i := range 16_000 {
		all = append(all, binaryUUID(r, i)...)
	}
	f := newUUIDFilter(all)
	for i := range 16_000 {
		if !f.has(all[16*i:][:16]) {
			t.Fatalf("%x is there", all[16*i:][:16])
		}
	}
	passed := 0
	for range 100_000 {
		other := make([]byte, 16)
		for j := range other {
			other[j] = byte(r.Uint32())
		}
		if f.has(other) {
			passed++
		}
	}
	if passed > 1500 {
		t.Errorf("%d of 100000 that aren't there pass", passed)
	}
}
