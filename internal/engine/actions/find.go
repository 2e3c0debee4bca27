package actions

import "strings"

// Services is the number of services in the reference.
func Services() int { return len(loaded().tables) }

// ByNumber is the service with a number below Services: they are sorted by prefix.
func ByNumber(n int) *Table { return &loaded().tables[n] }

// Service finds a service by its prefix, in any case of letters.
func Service(prefix string) (*Table, bool) {
	n, ok := Number(prefix)
	if !ok {
		return nil, false
	}
	return ByNumber(n), true
}

// Number is the number of the service with the prefix, in any case of letters.
func Number(prefix string) (int, bool) {
	r := loaded()
	for slot := hash(prefix) & r.mask; ; slot = (slot + 1) & r.mask {
		e := &r.slots[slot]
		if e.name == "" {
			return 0, false
		}
		if e.action < 0 && same(e.name, prefix) {
			return int(e.service), true
		}
	}
}

// Find returns the numbers of an action's service and of the action in it, for
// a name as "s3:GetObject" in any case of letters. It does not allocate.
func Find(action string) (service, number int, ok bool) {
	r := loaded()
	for slot := hash(action) & r.mask; ; slot = (slot + 1) & r.mask {
		e := &r.slots[slot]
		if e.name == "" {
			return 0, 0, false
		}
		if e.action >= 0 && same(e.name, action) {
			return int(e.service), int(e.action), true
		}
	}
}

// entry is a name's place in the hash table: a service's prefix or an action's
// whole name.
type entry struct {
	name    string
	service int16
	action  int16 // -1 for a service
}

// hash ignores the case of letters: it reads eight bytes at a time, with the bit
// set that tells "a" from "A". Names that differ in it alone, as "@" and "`",
// share a slot, no more.
func hash(s string) uint32 {
	const fold, prime = 0x2020202020202020, 0x9E3779B97F4A7C15
	h := uint64(len(s)) * prime
	i := 0
	for ; i+8 <= len(s); i += 8 {
		h = mix(h ^ (word(s[i:]) | fold))
	}
	if len(s) >= 8 {
		return fin(mix(h ^ (word(s[len(s)-8:]) | fold)))
	}
	var tail uint64
	for ; i < len(s); i++ {
		tail = tail<<8 | uint64(s[i]|0x20)
	}
	return fin(mix(h ^ tail))
}

func mix(h uint64) uint64 {
	h *= 0x9E3779B97F4A7C15
	return h ^ h>>29
}

func fin(h uint64) uint32 { return uint32(h ^ h>>32) }

// word reads eight bytes; the compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// same compares names without the case of ASCII letters. Letters beyond ASCII
// are themselves: the Kelvin sign is no "k" in an action.
func same(name, asked string) bool {
	if len(name) != len(asked) {
		return false
	}
	if name == asked {
		return true
	}
	for i := 0; i < len(name); i++ {
		if lower(name[i]) != lower(asked[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// Look returns what the reference says of an action: nil if it isn't in it.
func Look(action string) (*Table, *Action) {
	s, n, ok := Find(action)
	if !ok {
		return nil, nil
	}
	t := ByNumber(s)
	return t, &t.Actions[n]
}

// Key finds a condition key of the service by the name that a policy gives it,
// in any case of letters, with any variable part: "aws:requesttag/team".
func (t *Table) Key(name string) (Key, bool) {
	for _, k := range t.Keys {
		if k.Named(name) {
			return k, true
		}
	}
	return Key{}, false
}

// Action finds an action of the service by its name, in any case of letters.
func (t *Table) Action(name string) (number int, ok bool) {
	low, high := 0, len(t.Actions)
	for low < high {
		mid := (low + high) / 2
		if c := compareFold(t.Actions[mid].Name, name); c == 0 {
			return mid, true
		} else if c < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return 0, false
}

func compareFold(a, b string) int {
	for i := 0; i < min(len(a), len(b)); i++ {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return strings.Compare(a[min(len(a), len(b)):], b[min(len(a), len(b)):])
}
