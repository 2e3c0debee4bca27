package policy

import (
	"slices"
	"sort"
	"strings"

	"github.com/eksact/eksact/internal/engine/actions"
)

// bitset is a set of action numbers of one service.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(n int) bool { return b[n>>6]&(1<<(n&63)) != 0 }
func (b bitset) add(n int)      { b[n>>6] |= 1 << (n & 63) }

func (b bitset) addRange(from, to int) {
	for n := from; n < to; n++ {
		b.add(n)
	}
}

func (b bitset) union(o bitset) {
	for i := range b {
		b[i] |= o[i]
	}
}

func (b bitset) invert() {
	for i := range b {
		b[i] = ^b[i]
	}
}

// actionSet is which of the known actions a statement covers.
type actionSet struct {
	everywhere bool         // of the services that are not in services: all actions, or none
	services   []serviceSet // sorted by service
}

type serviceSet struct {
	service int // number of the service
	actions bitset
}

// of returns the actions of a service: all of them, or those of the set.
func (a *actionSet) of(service int) (every bool, set bitset) {
	for i := range a.services {
		if a.services[i].service == service {
			return false, a.services[i].actions
		}
	}
	return a.everywhere, nil
}

func (a *actionSet) has(service, number int) bool {
	every, set := a.of(service)
	return every || set != nil && set.has(number)
}

// compileActions turns the patterns of an Action or NotAction element into sets.
func compileActions(patterns []Text, not bool) actionSet {
	var set actionSet
	for _, p := range patterns {
		set.addPattern(p.Value)
	}
	if not {
		set.everywhere = !set.everywhere
		for i := range set.services {
			set.services[i].actions.invert()
		}
	}
	return set
}

func (a *actionSet) addPattern(pattern string) {
	vendor, name, _ := strings.Cut(pattern, ":")
	switch {
	case pattern == "*", pattern == "*:*":
		a.everywhere, a.services = true, nil
	case a.everywhere:
		// Nothing is to be added to all.
	case vendor == "*": // the parser takes no other wildcard here
		g := compileGlob(name, true)
		for n := range actions.Services() {
			a.addNames(n, &g)
		}
	default:
		if n, ok := actions.Number(vendor); ok {
			g := compileGlob(name, true)
			a.addNames(n, &g)
		}
	}
}

// addNames adds a service's actions by a pattern of their names, which are sorted:
// those with a prefix stand together.
func (a *actionSet) addNames(service int, g *glob) {
	t := actions.ByNumber(service)
	switch g.form {
	case anything:
		a.set(service, t).addRange(0, len(t.Actions))
	case exact:
		if n, ok := t.Action(g.lit); ok {
			a.set(service, t).add(n)
		}
	case prefix:
		from := sort.Search(len(t.Actions), func(n int) bool { return comparePrefix(t.Actions[n].Name, g.lit) >= 0 })
		to := from + sort.Search(len(t.Actions)-from, func(n int) bool { return comparePrefix(t.Actions[from+n].Name, g.lit) > 0 })
		if from < to {
			a.set(service, t).addRange(from, to)
		}
	default:
		for n := range t.Actions {
			if g.match(t.Actions[n].Name, nil) {
				a.set(service, t).add(n)
			}
		}
	}
}

// set returns the set of a service, which it makes if need be.
func (a *actionSet) set(service int, t *actions.Table) bitset {
	at, found := slices.BinarySearchFunc(a.services, service, func(s serviceSet, n int) int { return s.service - n })
	if !found {
		a.services = slices.Insert(a.services, at, serviceSet{service, newBitset(len(t.Actions))})
	}
	return a.services[at].actions
}

// comparePrefix compares the beginning of name with prefix, in any case of letters.
func comparePrefix(name, prefix string) int {
	for i := 0; i < len(prefix); i++ {
		if i == len(name) {
			return -1
		}
		if x, y := lower(name[i]), lower(prefix[i]); x != y {
			return int(x) - int(y)
		}
	}
	return 0
}
