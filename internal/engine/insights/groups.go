package insights

import (
	"slices"

	"github.com/eksact/eksact/internal/engine/insights/value"
	"github.com/eksact/eksact/internal/engine/scan"
)

// A grouping finds the group of each row: rows whose keys print the same are one group.
// Lists and maps are null here.
// Each key's values have codes, and each pair of a code with the codes before it has one
// again, so that a group is found without touching a text wherever a dictionary knows
// its values' codes.
type grouping struct {
	keys   []*interner
	pairs  []map[uint64]uint32 // pairs[i]: of the pair's code with key i+1's
	group  []uint32            // of the last pair's code: the group, from 1
	codes  []uint32            // of each group's keys, one group after the other
	count  int                 // groups
	tables map[tableKey][]int32
	size   int64 // bytes of all this, roughly
	buffer []int32
}

// An interner gives values codes, from 1.
type interner struct {
	byText map[string]uint32
	null   uint32
	values []value.Value // of code 1 and so on
}

func newGrouping(keys int) *grouping {
	g := &grouping{}
	for range keys {
		g.keys = append(g.keys, &interner{byText: map[string]uint32{}})
	}
	for range max(0, keys-1) {
		g.pairs = append(g.pairs, map[uint64]uint32{})
	}
	return g
}

func (in *interner) code(v value.Value) (code uint32, isNew bool) {
	if v.IsNull() || v.IsComposite() {
		if in.null == 0 {
			in.values = append(in.values, value.Value{})
			in.null = uint32(len(in.values))
			return in.null, true
		}
		return in.null, false
	}
	text := v.String()
	if code = in.byText[text]; code != 0 {
		if old := &in.values[code-1]; v.Kind() < old.Kind() {
			*old = v // whoever comes first: of "1", 1 and true it is the text
		}
		return code, false
	}
	in.values = append(in.values, v)
	code = uint32(len(in.values))
	in.byText[text] = code
	return code, true
}

// perGroup is roughly what a group costs, without its keys' texts.
const perGroup = 120

func (g *grouping) code(key int, v value.Value) uint32 {
	code, isNew := g.keys[key].code(v)
	if isNew {
		g.size += perGroup + weight(v)
	}
	return code
}

// of is the group of a row's codes.
func (g *grouping) of(codes []uint32) int32 {
	at := uint32(1)
	for i, code := range codes {
		if i == 0 {
			at = code
			continue
		}
		pair := uint64(at)<<32 | uint64(code)
		next := g.pairs[i-1][pair]
		if next == 0 {
			next = uint32(len(g.pairs[i-1])) + 1
			g.pairs[i-1][pair] = next
			g.size += 48
		}
		at = next
	}
	for int(at) >= len(g.group) {
		g.group = append(g.group, 0)
	}
	if g.group[at] == 0 {
		g.codes = append(g.codes, codes...)
		g.count++
		g.group[at] = uint32(g.count)
		g.size += perGroup
	}
	return int32(g.group[at]) - 1
}

// one is the group of a row's keys.
func (g *grouping) one(keys []value.Value) int32 {
	codes := make([]uint32, len(keys))
	for i, k := range keys {
		codes[i] = g.code(i, k)
	}
	return g.of(codes)
}

// codesOf are the codes of a group's keys.
func (g *grouping) codesOf(group int32) []uint32 {
	return g.codes[int(group)*len(g.keys):][:len(g.keys)]
}

// values appends the keys of a group.
func (g *grouping) values(list []value.Value, group int32) []value.Value {
	for i, code := range g.codesOf(group) {
		list = append(list, g.keys[i].values[code-1])
	}
	return list
}

// first are the first groups, so many at most, in the order of their keys: times newest
// first, other keys ascending.
func (g *grouping) first(limit int) []int32 {
	ranks := make([][]value.Rank, len(g.keys))
	for k, in := range g.keys {
		ranks[k] = make([]value.Rank, len(in.values))
		for i, v := range in.values {
			ranks[k][i] = value.RankOf(v)
		}
	}
	compare := func(a, b int32) int {
		x, y := g.codesOf(a), g.codesOf(b)
		for k := range x {
			if o := keyOrder(&ranks[k][x[k]-1], &ranks[k][y[k]-1]); o != 0 {
				return o
			}
		}
		return 0
	}
	list := make([]int32, 0, min(g.count, 2*limit))
	var bound int32
	full := false // bound is the last of those that may be wanted
	for group := range int32(g.count) {
		if full && compare(group, bound) > 0 {
			continue
		}
		if list = append(list, group); len(list) == 2*limit {
			slices.SortFunc(list, compare)
			list = list[:limit]
			full, bound = true, list[limit-1]
		}
	}
	slices.SortFunc(list, compare)
	return list[:min(limit, len(list))]
}

// keyOrder is the order of groups by one key.
func keyOrder(a, b *value.Rank) int {
	switch x, y := a.Value.Kind() == value.Time, b.Value.Kind() == value.Time; {
	case x && y:
		return b.Compare(a)
	case x:
		return -1
	case y:
		return 1
	}
	return a.Compare(b)
}

// mostDense is how large a table from dictionaries' ids to groups may be.
const mostDense = 1 << 16

// A tableKey is the dictionaries of up to three keys.
type tableKey [3]*dict

// assign is the group of each row of a frame.
func (g *grouping) assign(f *frame, keys []*vector) []int32 {
	if cap(g.buffer) < f.n {
		g.buffer = make([]int32, f.n)
	}
	out := g.buffer[:f.n]
	if len(keys) == 0 {
		g.of(nil)
		clear(out)
		return out
	}
	codes := make([]uint32, len(keys))
	coders := make([]coder, len(keys))
	product := 1
	for i, v := range keys {
		coders[i] = g.coder(i, v)
		if v.form != coded || product > mostDense {
			product = mostDense + 1
		} else {
			product *= v.dict.size + 1
		}
	}
	if product <= mostDense && len(keys) <= len(tableKey{}) {
		g.dense(out, keys, coders, codes, product)
		return out
	}
	for row := range out {
		for i := range coders {
			codes[i] = coders[i].at(row)
		}
		out[row] = g.of(codes)
	}
	return out
}

// dense finds groups by a table of all combinations of the dictionaries' ids. Batches
// that share dictionaries share the table.
func (g *grouping) dense(out []int32, keys []*vector, coders []coder, codes []uint32, product int) {
	var key tableKey
	for i, v := range keys {
		key[i] = v.dict
	}
	table := g.tables[key]
	if table == nil {
		table = make([]int32, product)
		if g.tables == nil || len(g.tables) > 64 {
			g.tables = map[tableKey][]int32{}
		}
		g.tables[key] = table
	}
	for i, v := range keys {
		v.index(out, i == 0)
	}
	for row, at := range out {
		if table[at] == 0 {
			for i := range coders {
				codes[i] = coders[i].at(row)
			}
			table[at] = g.of(codes) + 1
		}
		out[row] = table[at] - 1
	}
}

// index brings a coded vector's ids into places in a table of all combinations of ids: as
// the first of them, or as the next.
func (v *vector) index(places []int32, first bool) {
	size := int32(v.dict.size) + 1 // null is the last
	if v.ids == nil {
		id := min(int32(min(v.id, uint32(size))), size-1)
		for row := range places {
			if first {
				places[row] = id
			} else {
				places[row] = places[row]*size + id
			}
		}
		return
	}
	null := uint32(size - 1)
	if first {
		for row, id := range v.ids[:len(places)] {
			places[row] = int32(min(id, null))
		}
		return
	}
	for row, id := range v.ids[:len(places)] {
		places[row] = places[row]*size + int32(min(id, null))
	}
}

// A coder gives the codes of one key's rows.
type coder struct {
	g     *grouping
	key   int
	v     *vector
	codes []uint32 // of a dictionary
}

func (g *grouping) coder(key int, v *vector) coder {
	c := coder{g: g, key: key, v: v}
	if v.form == coded {
		c.codes = v.dict.codesFor(g.keys[key])
	}
	return c
}

func (c *coder) at(row int) uint32 {
	if c.codes == nil {
		return c.g.code(c.key, c.v.at(row))
	}
	id := c.v.idAt(row)
	slot := id
	if id == scan.None {
		slot = uint32(len(c.codes) - 1)
	}
	if c.codes[slot] == 0 {
		c.codes[slot] = c.g.code(c.key, c.v.dict.at(id))
	}
	return c.codes[slot]
}
