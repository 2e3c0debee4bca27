package columns

import (
	"bytes"
	"encoding/binary"
)

// A uuidFilter says of a UUID whether it may be one of a column's: a Bloom filter of
// uuidBits bits a value, of which each sets uuidHashes. One in a hundred that isn't there
// passes.
type uuidFilter []byte

const (
	uuidBits   = 10
	uuidHashes = 7
)

// newUUIDFilter makes the filter of UUIDs, 16 bytes each.
func newUUIDFilter(all uuids) uuidFilter {
	f := make(uuidFilter, (len(all)/16*uuidBits+7)/8)
	for ; len(all) >= 16; all = all[16:] {
		f.each(all[:16], func(at *byte, bit byte) bool {
			*at |= bit
			return true
		})
	}
	return f
}

// each calls do for the bits of a UUID, until it answers false.
func (f uuidFilter) each(uuid []byte, do func(at *byte, bit byte) bool) bool {
	const odd = 0x9e3779b97f4a7c15 // UUIDs need not be random
	h := (binary.LittleEndian.Uint64(uuid) ^ binary.LittleEndian.Uint64(uuid[8:])*odd) * odd
	step := (binary.LittleEndian.Uint64(uuid[8:]) ^ h>>29) * odd
	for range uuidHashes {
		place := h >> 32 * uint64(8*len(f)) >> 32
		if !do(&f[place/8], 1<<(place%8)) {
			return false
		}
		h += step
	}
	return true
}

// has tells whether a UUID may be there. Without a filter it is so.
func (f uuidFilter) has(uuid []byte) bool {
	return len(f) == 0 || f.each(uuid, func(at *byte, bit byte) bool { return *at&bit != 0 })
}

// onlyUUID is the one UUID that can contain one of the texts, if a text is as long as one.
// None says that no UUID does.
func onlyUUID(texts []string) (uuid []byte, none bool) {
	for _, text := range texts {
		if !fitsForm(asUUIDs, text) || len(text) > uuidText {
			return nil, true
		}
		if len(text) < uuidText {
			continue
		}
		one, ok := appendUUID(nil, []byte(text))
		if !ok || uuid != nil && !bytes.Equal(one, uuid) {
			return nil, true
		}
		uuid = one
	}
	return uuid, false
}

// filter is that of a column of UUIDs, if there is one.
func (k *chunk) filter(i int) uuidFilter { return uuidFilter(k.sieveBytes(i)) }

// oneUUID is the one UUID of a column that can meet a condition, if there can't be two. It
// tells whether any may.
func (k *chunk) oneUUID(i int, c *condition) (uuid []byte, any bool) {
	if c.null {
		return nil, true
	}
	one, none := onlyUUID(c.Contains)
	return one, !none && (one == nil || k.filter(i).has(one))
}
